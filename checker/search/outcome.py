# SPDX-License-Identifier: GPL-2.0-only
"""The question to a search and its outcome; the same for all runs."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Limits:
    """Bounds that stop a search before closure: calls per program, states, and bytes of memory. None: no bound."""

    depth: int | None = None
    max_states: int | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Progress:
    """Progress of a search: `expanded` of the frontier's states are done."""

    states: int
    transitions: int
    depth: int
    frontier: int
    expanded: int = 0


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Hit:
    """The first time that a claim was hit: in the state that `calls` lead to from the first state, or by the last call.

    First means: with the fewest calls, and among those the least in the order of System.calls. states and
    transitions count what the search had seen before the hit.
    """

    calls: tuple[Any, ...]
    states: int
    transitions: int


@dataclass
class Coverage:
    """Counts of a search: results by kind of call (0 for success), and events."""

    results: dict[int, Counter[int]] = field(default_factory=dict)
    events: Counter[int] = field(default_factory=Counter)


@dataclass
class Search:
    """The outcome. levels[d] is the number of states first reached by d calls.

    closed: every state was reached and every call tried in it, so what was found holds for programs of any length.
    stopped: the bound that cut the search, if any; one of the layout's limits cuts off only states beyond it. A search
    with nothing left to look for ends early, and is then neither.
    """

    levels: list[int] = field(default_factory=list)
    transitions: int = 0
    closed: bool = False
    stopped: str | None = None
    hits: dict[str, Hit] = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def states(self) -> int:
        """The number of states found."""
        return sum(self.levels)

    @property
    def depth(self) -> int:
        """The most calls that the search needed to reach a state."""
        return len(self.levels) - 1


def calls_to(parents: Any, via: Any, state: int, calls: Sequence[Any]) -> tuple[Any, ...]:
    """The calls that lead from the first state, 0, to a state, by the parents that the search noted."""
    path = []
    while state != 0:
        path.append(calls[via[state]])
        state = parents[state]
    return tuple(reversed(path))
