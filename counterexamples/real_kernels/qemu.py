# SPDX-License-Identifier: GPL-2.0-only
"""Traces run on a kernel image, booted in QEMU with runner.c as its first and only process."""

import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from vmacheck.checker.kernels.btf import KernelError
from vmacheck.counterexamples.real_kernels.live import Seen, runner, seen_in

QEMU = "qemu-system-x86_64"
BOOT = 120  # seconds that a boot may take in software emulation
EACH = 0.05  # seconds more per trace
MEMORY = 512  # MiB
# one CPU; the kernel's messages go to the serial port, but it is silent unless it dies
COMMAND_LINE = "console=ttyS0 quiet loglevel=1 panic=-1 rdinit=/init"


def archive(files: Iterable[tuple[str, int, bytes]]) -> bytes:
    """A cpio archive ("newc") of files, each a path without /, a mode, and its contents."""
    parts = []
    for number, (path, mode, data) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        name = path.encode() + b"\0"
        device = (5, 1) if stat.S_ISCHR(mode) else (0, 0)
        words = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
        head = b"070701" + "".join(f"{word:08X}" for word in words).encode() + name
        parts += [head.ljust(-len(head) % 4 + len(head), b"\0"), data.ljust(-len(data) % 4 + len(data), b"\0")]
    return b"".join(parts)


def root_of(program: Path, lines: Iterable[str], more: Sequence[Path]) -> bytes:
    """The root file system of a system with only this program, the traces, and the programs that they name."""
    return archive(
        [
            *((file.name, stat.S_IFREG | 0o755, file.read_bytes()) for file in more),
            ("proc", stat.S_IFDIR | 0o755, b""),
            ("dev", stat.S_IFDIR | 0o755, b""),
            ("dev/console", stat.S_IFCHR | 0o600, b""),
            ("traces", stat.S_IFREG | 0o644, "".join(f"{line}\n" for line in lines).encode()),
            ("init", stat.S_IFREG | 0o755, program.read_bytes()),
        ]
    )


def replay_booted(
    image: Path, lines: Iterable[str], more: Sequence[Path] = (), look: Sequence[str] = ()
) -> list[list[Seen]]:
    """Run lines for runner.c on the kernel of the image, in one boot. Raises KernelError.

    more: static programs for lines to run. look: the arguments of runner.c.
    """
    if not image.is_file():
        raise KernelError(f"there is no kernel image {image}")
    qemu = shutil.which(QEMU)
    if qemu is None:
        raise KernelError(f"there is no {QEMU}, which boots kernel images")
    lines = list(lines)
    with tempfile.TemporaryDirectory(prefix="vmacheck") as folder:
        root = Path(folder) / "root"
        root.write_bytes(root_of(runner(), lines, more))
        command = [qemu, "-accel", "tcg", "-m", str(MEMORY), "-nodefaults", "-display", "none", "-serial", "stdio"]
        command += [
            "-no-reboot",
            "-kernel",
            str(image),
            "-initrd",
            str(root),
            "-append",
            " ".join([COMMAND_LINE, "--", *look]),
        ]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=BOOT + EACH * len(lines)
            )
        except subprocess.TimeoutExpired:
            raise KernelError(f"{image} did not come to the end of the traces in time") from None
    text = done.stdout.decode(errors="replace").replace("\r\n", "\n")
    _, begin, rest = text.rpartition("begin\n")
    if not begin:
        said = (text.strip() or done.stderr.decode(errors="replace").strip()).splitlines()
        raise KernelError(f"{image} did not start{': ' + said[-1] if said else ''}")
    return seen_in(rest)


def release_of(image: Path) -> str:
    """The release that the kernel in the image states; the name of the file if it states none.

    Raises KernelError.
    """
    if not image.is_file():
        raise KernelError(f"there is no kernel image {image}")
    with image.open("rb") as file:
        head = file.read(0x10000)
    if head[0x202:0x206] != b"HdrS":
        return image.name
    start = int.from_bytes(head[0x20E:0x210], "little") + 0x200
    return head[start : start + 256].split(b"\0")[0].decode(errors="replace").split(" ")[0] or image.name
