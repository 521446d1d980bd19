#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the tests of real kernels need: QEMU, and the newest of Debian's cloud kernels of two lines in .kernels.
# Without apt-get nothing is fetched, and the tests of what is not there are skipped and say so.

if ! command -v apt-get > /dev/null; then
	echo "there is no apt-get: QEMU and kernels are not fetched" >&2
	exit 0
fi
mkdir -p .kernels
if ! command -v qemu-system-x86_64 > /dev/null; then
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends qemu-system-x86
fi
for line in 6.1 6.12; do
	if ls .kernels/vmlinuz-$line.* > /dev/null 2>&1; then
		continue
	fi
	package=$(apt-cache search "^linux-image-$line\.[0-9].*-cloud-amd64-unsigned$" | cut -d' ' -f1 | sort -V | tail -n 1)
	if [ -z "$package" ]; then
		echo "there is no cloud kernel $line among the packages" >&2
		continue
	fi
	folder=$(mktemp -d)
	chmod 755 "$folder"
	(cd "$folder" && apt-get download -qq "$package" && dpkg -x ./*.deb .) && cp "$folder"/boot/vmlinuz-* .kernels/
	rm -rf "$folder"
done
ls .kernels
