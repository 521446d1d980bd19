# SPDX-License-Identifier: GPL-2.0-only
"""A search on disk, so that a killed one goes on from where it was last written down.

Numbered states never change: a checkpoint has them in files that only grow. Everything else is in one small file,
replaced in one step. It says how much of the others counts, with the digest of that.
"""

import fcntl
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from vmacheck.checker.files.errors import InputError
from vmacheck.checker.search.memory import Grown

VERSION = 2
PIECE = 1 << 22  # bytes that are read or written together
INTERVAL = 1.0  # seconds between two checkpoints of a search, at least


class CheckpointError(InputError):
    """The folder is no checkpoint of this search; the message says which, and why."""


@dataclass
class Position:
    """The position of a search between two rounds, as plain data; the rows of its states are stored next to it.

    count: states found. level: the first state of the level being expanded, the first of the next, and the first
    not expanded yet. longest: calls of the longest programs that were tried. is_beyond: did a state lie beyond a limit
    of the layout? targets: claims to hit, by number; wanted: those not hit yet, as bits. hits: by claim, the calls by
    number, and the states and transitions until then. results: kind of call, result, count; events: mask, count.
    """

    count: int
    level: list[int]
    levels: list[int]
    transitions: int
    longest: int
    is_beyond: bool
    targets: list[int]
    wanted: int
    hits: dict[str, list[Any]]
    results: list[list[int]]
    events: list[list[int]]


class Job:
    """A folder with a checkpoint of each of several searches. Locked while it is used."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.digest = _digest({"version": VERSION, **identity})
        manifest = folder / "job.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not manifest.exists() and any(path.name not in {"lock", "job.new"} for path in folder.iterdir()):
                raise CheckpointError(f"{folder} is not empty, and is not a checkpoint")
            self._lock()
            if not manifest.exists():
                replace(manifest, {"version": VERSION, **identity})
                return
        except OSError as error:
            raise CheckpointError(f"{folder}: {error.strerror}") from None
        found = read(manifest)
        for what, wanted in {"version": VERSION, **identity}.items():
            if found.get(what) != wanted:
                self.close()
                raise CheckpointError(f"{folder} is a checkpoint of another check: its {what} is not the same")

    def _lock(self) -> None:
        self._file = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise CheckpointError(f"{self.folder} is in use by another check") from None

    def close(self) -> None:
        """Let others use the folder."""
        self._file.close()

    def of(self, number: int) -> "Checkpoint":
        """The checkpoint of one of the searches."""
        return Checkpoint(self.folder / str(number), f"{self.digest} {number}")


class Checkpoint:
    """A folder for one search: files of rows, and search.json, which identifies the search."""

    def __init__(self, folder: Path, search: str) -> None:
        self.folder, self.search = folder, search
        self.sizes: dict[str, int] = {}
        self.digests: dict[str, Any] = {}
        self.saved, self.took = time.monotonic(), 0.0
        folder.mkdir(exist_ok=True)

    def is_due(self) -> bool:
        """Is it time to write the search down again? Writing takes a twentieth of the time at most."""
        return time.monotonic() - self.saved > max(INTERVAL, 20 * self.took)

    def load(self, arrays: dict[str, Grown]) -> Position | None:
        """Load what was written last, the rows into these arrays; None if nothing was. Raises CheckpointError."""
        if not (self.folder / "search.json").exists():
            return None
        data = read(self.folder / "search.json")
        if data.get("search") != self.search:
            raise CheckpointError(f"{self.folder} is a checkpoint of another search")
        for name, array in arrays.items():
            array.grow(data["count"])
            self._load(self.folder / name, array, data["count"] * array.row_bytes, data["digests"][name])
        return Position(**{one.name: data[one.name] for one in fields(Position)})

    def _load(self, path: Path, array: Grown, size: int, digest: str) -> None:
        made = hashlib.sha256()
        try:
            with path.open("rb") as file:
                for start in range(0, size, PIECE):
                    piece = file.read(min(PIECE, size - start))
                    made.update(piece)
                    array.put(start, piece)
        except OSError as error:
            raise CheckpointError(f"{path}: {error.strerror}") from None
        if made.hexdigest() != digest:
            raise CheckpointError(f"{path} is damaged")
        self.sizes[path.name], self.digests[path.name] = size, made

    def save(self, position: Position, arrays: dict[str, Grown]) -> None:
        """Append the new rows to the files, and replace the small file."""
        begin, count = time.monotonic(), position.count
        for name, array in arrays.items():
            size, end = self.sizes.get(name, 0), count * array.row_bytes
            digest = self.digests.setdefault(name, hashlib.sha256())
            with (self.folder / name).open("r+b" if size else "wb") as file:
                file.seek(size)
                for start in range(size, end, PIECE):
                    piece = array.get(start, min(PIECE, end - start))
                    digest.update(piece)
                    file.write(piece)
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
            self.sizes[name] = end
        replace(
            self.folder / "search.json",
            {
                **asdict(position),
                "search": self.search,
                "digests": {name: digest.hexdigest() for name, digest in self.digests.items()},
            },
        )
        self.saved = time.monotonic()
        self.took = self.saved - begin


def read(path: Path) -> dict[str, Any]:
    """A small file's content. Raises CheckpointError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        data, digest = content["data"], content["digest"]
        if digest == _digest(data) and isinstance(data, dict):
            return data
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise CheckpointError(f"{path} is damaged")


def replace(path: Path, data: dict[str, Any]) -> None:
    """Write a small file in one step: if this is interrupted, the old or the new one is there, whole."""
    temporary = path.with_suffix(".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump({"data": data, "digest": _digest(data)}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
