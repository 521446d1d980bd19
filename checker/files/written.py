# SPDX-License-Identifier: GPL-2.0-only
"""Files that commands write: checked to be writable before the work, and written whole or not at all."""

import contextlib
import os
import stat
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from vmacheck.checker.files.errors import InputError

FOLDERS_OF_STREAMS = ("/dev/", "/proc/")  # files there are written in place: nothing can replace them


class OutputError(InputError):
    """A file cannot be written; the message says which option names it, and why."""


def check_outputs(files: Mapping[str, str], folders: Mapping[str, str], inputs: Iterable[Path] = ()) -> None:
    """Raise OutputError, before any work, for what cannot be written; by option, the files and the folders.

    They must differ from each other and from the inputs. A missing folder is made.
    """
    taken = {path.resolve(): f"it is {path}, which is read" for path in inputs}
    for option, name in files.items():
        path = Path(name)
        if reason := _why_not(path):
            raise OutputError(f"{option}: {name or 'it'}: {reason}")
        if not _is_stream(path):
            where = path.resolve()
            if where in taken:
                raise OutputError(f"{option}: {name}: {taken[where]}")
            taken[where] = f"{option} writes that"
    for option, name in folders.items():
        try:
            Path(name).mkdir(parents=True, exist_ok=True)
            reason = _why_not(_beside(Path(name) / "x"))
        except OSError as error:
            reason = error.strerror
        if reason:
            raise OutputError(f"{option}: {name}: {reason}")


def _why_not(path: Path) -> str | None:
    """The reason why the file cannot be written, or None. It is tried, for more than permissions can forbid it."""
    try:
        if path.is_dir():
            return "that is a folder"
        is_new = not path.exists()
        if is_new and not path.resolve().parent.is_dir():
            return f"there is no folder {path.resolve().parent}"
        if is_new or not _is_stream(path):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666))
        elif not os.access(path, os.W_OK):
            return "Permission denied"
        if is_new:
            path.resolve().unlink()
    except (OSError, ValueError) as error:
        return error.strerror if isinstance(error, OSError) else str(error)
    return None


def _is_stream(path: Path) -> bool:
    """Is it a terminal, a pipe, or the like?"""
    if str(path.absolute()).startswith(FOLDERS_OF_STREAMS):
        return True
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _beside(path: Path) -> Path:
    return path.with_name(f".vmacheck-{os.getpid()}-{threading.get_ident()}.new")


def write_at_once(path: Path, text: str) -> None:
    """Write a file in one step: if this is interrupted, the old or the new one is there, whole.

    Raises OSError, and OutputError if there is no folder for it.

    A link stays a link, and a file keeps its permissions. Lines end as the text has them.
    """
    data = text.encode()
    if _is_stream(path):
        path.write_bytes(data)
        return
    path = path.resolve()
    temporary = _beside(path)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    except PermissionError:  # of the folder; the file itself may be written
        path.write_bytes(data)
        return
    except FileNotFoundError:
        raise OutputError(f"{path}: there is no folder {path.parent}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            with contextlib.suppress(OSError):
                os.fchmod(handle, stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
