# SPDX-License-Identifier: GPL-2.0-only
"""The store of builds and answers between runs: one folder, with names that say what each was made from.

A file begins with the hash of its name and its content, so a damaged or misplaced one counts as missing. The folder
keeps to a limit: the least recently used goes first. Where the folder cannot be written, nothing is stored.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from vmacheck.checker.files.errors import InputError

FOLDER, LIMIT = "VMACHECK_CACHE", "VMACHECK_CACHE_MB"  # the environment's variables
MEGABYTES = 1024  # stored at most, unless the environment says otherwise
KINDS = ("builds", "answers")


def cache_folder() -> Path:
    """The folder of the store: $VMACHECK_CACHE, else vmacheck in the user's cache folder.

    For a user without a home it is a path where nothing can be written.
    """
    if chosen := os.environ.get(FOLDER):
        return Path(chosen)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vmacheck"
    except RuntimeError:
        return Path(os.devnull) / "vmacheck"


def limit() -> int:
    """The most bytes to store: $VMACHECK_CACHE_MB, else MEGABYTES. Raises InputError."""
    text = os.environ.get(LIMIT) or str(MEGABYTES)
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"{LIMIT} is '{text}', which is no number of megabytes")
    return int(text) << 20


def kept(kind: str, name: str) -> bytes | None:
    """The content stored under a name; None if it is missing or damaged."""
    path = cache_folder() / kind / name
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if digest != _digest(name, content):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # it was used
    return content


def keep(kind: str, name: str, content: bytes) -> None:
    """Store content in one step, whoever else does the same, and keep the folder within its limit."""
    most, folder = limit(), cache_folder()
    try:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder / kind)
        with os.fdopen(handle, "wb") as file:
            file.write(_digest(name, content) + b"\n" + content)
        os.replace(temporary, folder / kind / name)
    except OSError:
        return
    _shrink(folder, most, folder / kind / name)


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + content).hexdigest().encode()


def _shrink(folder: Path, most: int, newest: Path) -> None:
    """Remove the least recently used files until at most `most` bytes are stored; the newest stays."""
    found = []
    for kind in KINDS:
        with contextlib.suppress(OSError):
            found += [(entry.stat(), Path(entry.path)) for entry in os.scandir(folder / kind)]
    total = sum(status.st_size for status, _ in found)
    for status, path in sorted(found, key=lambda one: one[0].st_mtime_ns):
        if total <= most:
            return
        if path != newest:
            with contextlib.suppress(OSError):
                path.unlink()
                total -= status.st_size
