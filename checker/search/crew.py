# SPDX-License-Identifier: GPL-2.0-only
"""The means of a search, and the private data of each of its workers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from vmacheck.checker.compiled import loops
from vmacheck.checker.compiled.flat import Flat
from vmacheck.checker.compiled.module import cache_rows
from vmacheck.checker.files.errors import InputError
from vmacheck.checker.program.system import EVENT_BITS, MAX_RESULTS, System
from vmacheck.checker.search.checkpoint import Checkpoint
from vmacheck.checker.search.memory import apart

NEVER = 1 << 62  # a position beyond any search; also stands for "no claim"


class ClusterError(InputError):
    """The cluster cannot be reached, or fails again and again."""


@dataclass(frozen=True)
class Means:
    """Ways to run a search; its findings do not depend on them.

    workers() gives, before each round, the number of threads for it. hurry: begin with unoptimised machine code, rather
    than wait for the optimiser. checkpoint: where to write the search down now and then, and go on from.
    """

    workers: Callable[[], int] = lambda: 1
    hurry: bool = False
    checkpoint: Checkpoint | None = None


class Worker:
    """Private data of one worker: room for two states, the keys that it met last, and its counts."""

    def __init__(self, system: System, flat: Flat) -> None:
        self.before, self.after = apart(np.int32, flat.size), apart(np.int32, flat.size)
        self.calls = apart(np.int32, len(system.calls), len(system.call_fields) + 1)
        self.calls[:, :-1] = system.calls
        self.cache = apart(np.int64, cache_rows(flat), flat.key_words)
        self.results = apart(np.int64, max(system.kinds) + 1, MAX_RESULTS)
        self.events = apart(np.int64, 1 << EVENT_BITS)
        self.hits = apart(np.int64, loops.HITS_SIZE)

    def seen(self) -> dict[int, int]:
        """The claims that it has seen hit, and where."""
        seen = int(self.hits[loops.SEEN])
        return {claim: int(self.hits[claim]) for claim in range(seen.bit_length()) if seen >> claim & 1}


def forget_hits(crew: Iterable[Worker]) -> None:
    """Clear the crew's records of hit claims."""
    for worker in crew:
        worker.hits[loops.SEEN] = 0


def earliest(seen: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """The first position at which each claim was seen hit."""
    first: dict[int, int] = {}
    for hits in seen:
        for claim, where in hits.items():
            first[claim] = min(first.get(claim, NEVER), where)
    return first
