# SPDX-License-Identifier: GPL-2.0-only
"""Who searches, and how: the means of a search, and what each of its workers has for itself."""

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

NEVER = 1 << 62  # a position that no search comes to, and a claim that there is not


class ClusterError(InputError):
    """There is no such cluster, or it fails again and again."""


@dataclass(frozen=True)
class Means:
    """How a search is carried out; what it finds does not depend on it.

    workers() is asked before each round how many threads may work on it. hurry: begin with machine code that is not
    optimised, rather than wait for what is. checkpoint: where to write the search down now and then, and go on from.
    """

    workers: Callable[[], int] = lambda: 1
    hurry: bool = False
    checkpoint: Checkpoint | None = None


class Worker:
    """What one worker has for itself: room for two states, the keys that it met last, and its counts."""

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
    """Have the crew take no claim for hit."""
    for worker in crew:
        worker.hits[loops.SEEN] = 0


def earliest(seen: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Where each claim that somebody saw hit was hit first."""
    first: dict[int, int] = {}
    for hits in seen:
        for claim, where in hits.items():
            first[claim] = min(first.get(claim, NEVER), where)
    return first
