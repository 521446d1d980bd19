# SPDX-License-Identifier: GPL-2.0-only
"""The scope of a check: how large the address space is, and which calls are tried in it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict, TypeVar

from vmacheck.checker.files.errors import InputError
from vmacheck.checker.files.json_types import Natural
from vmacheck.model.calls.interleaving import ONLY_OF_THREADS, THREAD_OPERATIONS
from vmacheck.model.calls.operations import (
    EVERY_OPERATION,
    PROTECTIONS,
    SEGMENT_OPERATIONS,
    Call,
    all_calls,
    calls_of_processes,
)
from vmacheck.model.common.mm import MAX_MAP_COUNT
from vmacheck.model.states.linux_2_6 import highest_pgoff

AnyCall = TypeVar("AnyCall")
PAGES, SEGMENTS, THREADS, PROCESSES = "pages", "segments", "threads", "processes"
MAX_PAGES = 256
MAX_SEGMENTS = 40
MAX_THREADS = 4
DEFAULT_PAGES = 4
MAX_CALLS = (1 << 16) - 1
DEFAULT_PROTECTIONS = ("R", "RW")
DEFAULT_OPERATIONS = ("mmap", "munmap", "mprotect", "write")


class _SegmentsData(TypedDict, total=False):
    segments: Natural


class _ProcessesData(TypedDict, total=False):
    processes: Literal[2]


class _ThreadsData(TypedDict, total=False):
    threads: Natural
    every_step: bool


class ScopeData(_SegmentsData, _ProcessesData, _ThreadsData):
    """The bounds of a check, by the names of the options.

    pages and max_pgoff are null for any number of pages: then segments is how many vmas and holes there can be. They
    are left out where programs of every size are meant.
    """

    pages: NotRequired[Natural | None]
    prot: list[str]
    ops: list[str]
    noreserve: bool
    max_map_count: Natural
    max_pgoff: NotRequired[Natural | None]


class SearchScopeData(ScopeData):
    """The bounds of a check, and those of its search: null stands for none."""

    depth: Natural | None
    max_states: Natural | None


class ScopeError(InputError):
    """An invalid scope; the message says which option, and why."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The bounds of a check. pages are those of the address space; max_map_count is the kernel's limit on vmas.

    highest_pgoff: mremap that grows a moved vma makes pages of ever higher offsets; those beyond are not followed.
    threads: the most faults under way at a time, in steps; 0: no call is in steps. every_step: join no steps.
    segments: any number of pages, in up to this many vmas and holes; pages is then ignored.
    """

    pages: int = DEFAULT_PAGES
    protections: tuple[str, ...] = DEFAULT_PROTECTIONS
    operations: tuple[str, ...] = DEFAULT_OPERATIONS
    noreserve: bool = False
    max_map_count: int = MAX_MAP_COUNT
    highest_pgoff: int | None = None
    segments: int | None = None
    threads: int = 0
    every_step: bool = False
    processes: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.pages <= MAX_PAGES:
            raise ScopeError(f"--pages is {self.pages}; it can be 1 to {MAX_PAGES}")
        if self.max_map_count < 1:
            raise ScopeError(f"--max-map-count is {self.max_map_count}; it has to be at least 1")
        _check_words("--prot", "protection", self.protections, PROTECTIONS)
        _check_words("--ops", "operation", self.operations, [*EVERY_OPERATION, *ONLY_OF_THREADS])
        if self.noreserve and "mmap" not in self.operations:
            raise ScopeError("--noreserve is about mmap, which --ops leaves out")
        if self.highest_pgoff is not None:
            lowest = highest_pgoff(self.pages, self.operations)
            if "mremap" not in self.operations:
                raise ScopeError(f"--max-pgoff is about mremap, without which no page has an offset above {lowest}")
            if self.highest_pgoff < lowest:
                raise ScopeError(f"--max-pgoff is {self.highest_pgoff}; pages have offsets up to {lowest} as it is")
        if self.every_step and not self.threads:
            raise ScopeError("--every-step is for --threads")
        if self.processes != 1:
            self._check_processes()
        if self.threads:
            self._check_threads()
        elif only := set(ONLY_OF_THREADS) & set(self.operations):
            raise ScopeError(f"--ops: {min(only)} is for --threads")
        if self.segments is not None:
            if not 1 <= self.segments <= MAX_SEGMENTS:
                raise ScopeError(f"--segments is {self.segments}; it can be 1 to {MAX_SEGMENTS}")
            for word in self.operations:
                if word not in SEGMENT_OPERATIONS:
                    raise ScopeError(f"--segments: pages are not alike to {word}; give --pages")

    @property
    def world(self) -> str:
        """The kind of world of the scope (world.py)."""
        one_process = PAGES if self.segments is None else SEGMENTS
        return THREADS if self.threads else PROCESSES if self.processes > 1 else one_process

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> "Scope":
        """The scope that the words of a command, a job or a test choose; missing ones and None mean the default.

        The words are those of the command line: pages, prot and ops (lists, or texts with commas), noreserve,
        max_map_count, max_pgoff, segments, threads, every_step, processes; others are ignored. Raises ScopeError.
        """
        given = {name: value for name, value in words.items() if value is not None}
        if "segments" in given and "pages" in given:
            raise ScopeError("--segments is about any number of pages, and --pages about one")
        return cls(
            pages=given.get("pages", DEFAULT_PAGES),
            protections=in_order(split_words(given.get("prot", DEFAULT_PROTECTIONS)), PROTECTIONS),
            operations=in_order(
                split_words(given.get("ops", DEFAULT_OPERATIONS)), [*EVERY_OPERATION, *ONLY_OF_THREADS]
            ),
            noreserve=given.get("noreserve", False),
            max_map_count=given.get("max_map_count", MAX_MAP_COUNT),
            highest_pgoff=given.get("max_pgoff"),
            segments=given.get("segments"),
            threads=given.get("threads", 0),
            every_step=given.get("every_step", False),
            processes=given.get("processes", 1),
        )

    def _check_threads(self) -> None:
        if not 1 <= self.threads <= MAX_THREADS:
            raise ScopeError(f"--threads is {self.threads}; it can be 1 to {MAX_THREADS}")
        for word in self.operations:
            if word not in THREAD_OPERATIONS:
                raise ScopeError(f"--threads has no {word}; there are {', '.join(THREAD_OPERATIONS)}")
        if self.segments is not None or self.noreserve or self.highest_pgoff is not None:
            raise ScopeError("--threads goes without --segments, --noreserve and --max-pgoff")

    def _check_processes(self) -> None:
        if self.processes != 2:
            raise ScopeError(f"--processes is {self.processes}; it can be 1 or 2")
        if self.threads or self.segments is not None:
            raise ScopeError("--processes goes without --threads and --segments")
        if "brk" in self.operations:
            raise ScopeError("--processes has no brk")

    @property
    def max_pgoff(self) -> int:
        """The highest offset that is followed."""
        if "mremap" not in self.operations:
            return highest_pgoff(self.pages, self.operations)
        return 2 * self.pages - 1 if self.highest_pgoff is None else self.highest_pgoff

    def calls(self) -> list[Call]:
        """Every call of the scope, in the order that decides between counterexamples of the same length.

        Raises ScopeError if they are too many to search.
        """
        every = calls_of_processes if self.processes > 1 else all_calls
        return self.checked(every(self.pages, self.protections, self.operations, self.noreserve))

    def checked(self, calls: Iterable[AnyCall]) -> list[AnyCall]:
        """The calls as a list. Raises ScopeError if they are too many to search."""
        calls = list(calls)
        if len(calls) > MAX_CALLS:
            raise ScopeError(f"{len(calls)} different calls fit in {self}; a search can try {MAX_CALLS}")
        return calls

    def as_data(self) -> ScopeData:
        """The scope as JSON data."""
        segments: _SegmentsData = {"segments": self.segments} if self.segments else {}
        processes: _ProcessesData = {"processes": 2} if self.processes > 1 else {}
        threads: _ThreadsData = {"threads": self.threads, "every_step": self.every_step} if self.threads else {}
        return {
            "pages": None if self.segments else self.pages,
            **segments,
            "prot": list(self.protections),
            "ops": list(self.operations),
            "noreserve": self.noreserve,
            "max_map_count": self.max_map_count,
            **processes,
            **threads,
            "max_pgoff": None if self.segments else self.max_pgoff,
        }

    def __str__(self) -> str:
        words = [f"{self.pages} page{'s' * (self.pages > 1)}"]
        if self.segments is not None:
            words = [f"any number of pages, in up to {self.segments} vmas and holes below vmas"]
        words += [f"protections {','.join(self.protections)}"]
        words.append(f"calls {','.join(self.operations)}")
        if self.threads:
            words.append(f"{self.threads} thread{'s' * (self.threads > 1)}{', every step' if self.every_step else ''}")
        if self.processes > 1:
            words.append(f"{self.processes} processes")
        if self.noreserve:
            words.append("with and without NORESERVE")
        if self.max_map_count != MAX_MAP_COUNT:
            words.append(f"at most {self.max_map_count} vmas")
        if "mremap" in self.operations:
            words.append(f"offsets up to {self.max_pgoff}")
        return ", ".join(words)


def _check_words(option: str, what: str, words: tuple[str, ...], known: Collection[str]) -> None:
    if "" in words or not words:
        raise ScopeError(f"{option} has an empty {what}")
    for word in words:
        if word not in known:
            raise ScopeError(f"{option}: unknown {what} '{word}'; there are {', '.join(known)}")
        if words.count(word) > 1:
            raise ScopeError(f"{option}: {what} '{word}' is named twice")


def in_order(words: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The words in the order of the table of known words, so that a scope does not depend on how it was written."""
    order = list(known)
    return tuple(sorted(words, key=lambda word: order.index(word) if word in order else len(order)))


def split_words(words: str | Iterable[str]) -> list[str]:
    """The words of a list, or those between the commas of a text."""
    return [word.strip() for word in (words.split(",") if isinstance(words, str) else words)]
