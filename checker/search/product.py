# SPDX-License-Identifier: GPL-2.0-only
"""Two systems in lockstep: every program run on both, to say whether one can be worse than the other.

The states of the product are pairs. Where a call returns different results, that is noted, and the branch ends: after
it, the same program would no longer be in the same situation.
"""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from vmacheck.checker.compiled.record import STOPPED, UNTRIED
from vmacheck.checker.search.graph import Graph

Verdict = Literal["equal", "a_worse", "b_worse", "incomparable", "incomplete"]
CHUNK = 1 << 14  # pairs expanded at a time
Worse = Callable[[Any, Any], Any]  # arrays of numbers of the first and of the second system to an array of truths


@dataclass(frozen=True)
class Measure:
    """A measure to compare: a number of each state, by its name in System.measures; or a number of each transition.

    worse(a, b) tells where the first system's numbers are worse than the second's.
    """

    name: str
    worse: Worse
    state: str | None = None
    transition: Callable[[Graph, Any, Any], Any] | None = None


@dataclass(frozen=True)
class Divergence:
    """A shortest program whose last call returns different results."""

    calls: tuple[Any, ...]
    results: tuple[int, int]


@dataclass
class Comparison:
    """The outcome of a comparison.

    a_worse, b_worse: a shortest program, the least in the order of the calls, after which a is worse than b, or b than
    a; None if not found among the `pairs` of states. closed: then None holds for programs of any length.
    divergences counts the pairs and calls with different results; no call follows those.
    """

    levels: list[int] = field(default_factory=list)
    transitions: int = 0
    closed: bool = False
    a_worse: tuple[Any, ...] | None = None
    b_worse: tuple[Any, ...] | None = None
    pairs_before: dict[str, int] = field(default_factory=dict)
    divergences: int = 0
    divergence: Divergence | None = None

    @property
    def pairs(self) -> int:
        """The number of pairs of states found."""
        return sum(self.levels)

    @property
    def verdict(self) -> Verdict:
        """equal, a_worse, b_worse, incomparable, or incomplete where a direction is open."""
        if self.a_worse is not None and self.b_worse is not None:
            return "incomparable"
        if not self.closed:
            return "incomplete"
        if self.a_worse is None and self.b_worse is None:
            return "equal"
        return "a_worse" if self.a_worse is not None else "b_worse"


def compare(
    a: Graph,
    b: Graph,
    measure: Measure,
    last_only: Collection[int] = (),
    can_a_be_worse: bool = False,
    depth: int | None = None,
) -> Comparison:
    """Walk both graphs in lockstep, breadth first. Both have the same calls.

    Calls of the kinds in last_only are tried everywhere, but only as the last of a program. can_a_be_worse: ask only
    that, and end the walk when it is known. depth: the most calls of a program, if the graphs are cut there.
    """
    assert not last_only or measure.name == "result"
    assert list(a.system.calls) == list(b.system.calls)
    return _Product(a, b, measure, last_only).run(can_a_be_worse, depth)


def most_above(a: Graph, b: Graph, name: str, depth: int | None = None) -> tuple[int, bool]:
    """The most by which a measure of a's states exceeds that of b's, over all programs with the same results so far.

    Also whether those are all programs.
    """
    product = _Product(a, b, Measure(name, lambda _a, _b: np.False_), ())
    closed = product.run(can_a_be_worse=False, depth=depth).closed
    states_a, states_b = product.seen // product.width, product.seen % product.width
    return int((a.measures[name][states_a] - b.measures[name][states_b]).max()), closed


class _Product:
    """The search. A pair is the number a's state * b's states + b's state; `seen` has those found, in order."""

    def __init__(self, a: Graph, b: Graph, measure: Measure, last_only: Collection[int]) -> None:
        self.followed = np.array([call[0] not in last_only for call in a.system.calls])
        self.a, self.b, self.measure, self.found = a, b, measure, Comparison()
        self.width = len(b.to)
        self.pairs = [np.zeros(1, np.int64)]  # one array per level
        self.parents = [np.zeros(1, np.int64)]  # positions in the level before
        self.via = [np.zeros(1, np.int64)]
        self.seen = np.zeros(1, np.int64)
        self.cut = self.ended = False

    def run(self, can_a_be_worse: bool, depth: int | None = None) -> Comparison:
        """Fill in self.found."""
        found = self.found
        self._look_at_states(self.pairs[0])
        while len(self.pairs[-1]):
            if can_a_be_worse and found.a_worse is not None:
                return found
            found.levels.append(len(self.pairs[-1]))
            if len(found.levels) - 1 == depth or self.ended:
                self.cut = True
                break
            self._expand()
        # pairs after different results are not compared, unless results are the measure
        found.closed = not self.cut and (not found.divergences or self.measure.name == "result")
        return found

    def _expand(self) -> None:
        """Go one call further, CHUNK pairs at a time."""
        border = self.pairs[-1]
        self.pairs.append(np.zeros(0, np.int64))
        self.parents.append(np.zeros(0, np.int64))
        self.via.append(np.zeros(0, np.int64))
        for start in range(0, len(border), CHUNK):
            self._expand_some(border[start : start + CHUNK], start)

    def _expand_some(self, border: Any, start: int) -> None:
        """Go one call further from the pairs of the border, the first of which is at position start."""
        states_a, states_b = border // self.width, border % self.width
        to_a, to_b = self.a.to[states_a], self.b.to[states_b]
        returned_a, returned_b = self.a.returned[states_a], self.b.returned[states_b]
        alive = (to_a != STOPPED) & (to_b != STOPPED)
        self.ended |= bool((alive & ((to_a == UNTRIED) | (to_b == UNTRIED))).any())
        tried = alive & (to_a != UNTRIED) & (to_b != UNTRIED)
        same = returned_a == returned_b
        self.found.transitions += int(tried.sum())
        self._look_at_results(start, tried & ~same, returned_a, returned_b)
        tried &= same
        self._look_at_transitions(start, states_a, states_b, tried)
        tried &= self.followed
        reached = tried & (to_a >= 0) & (to_b >= 0)
        self.cut |= not bool((reached | ~tried).all())
        flat = np.flatnonzero(reached)
        pairs = to_a.ravel()[flat].astype(np.int64) * self.width + to_b.ravel()[flat]
        new, first = np.unique(pairs, return_index=True)
        fresh = ~np.isin(new, self.seen, assume_unique=True)
        order = np.sort(first[fresh])
        self.seen = np.union1d(self.seen, new[fresh])
        self._enter(pairs[order], flat[order] // to_a.shape[1] + start, flat[order] % to_a.shape[1])

    def _enter(self, pairs: Any, parents: Any, via: Any) -> None:
        """Add new pairs to the last level."""
        before = len(self.pairs[-1])
        self.pairs[-1] = np.concatenate([self.pairs[-1], pairs])
        self.parents[-1] = np.concatenate([self.parents[-1], parents])
        self.via[-1] = np.concatenate([self.via[-1], via])
        self._look_at_states(pairs, before)

    def _look_at_results(self, start: int, different: Any, returned_a: Any, returned_b: Any) -> None:
        found = self.found
        found.divergences += int(different.sum())
        if found.divergence is None and different.any():
            place = int(np.flatnonzero(different)[0])
            results = int(returned_a.ravel()[place]), int(returned_b.ravel()[place])
            found.divergence = Divergence(self._calls_with(start, place), results)
        if self.measure.name == "result":
            self._note(start, "a_worse", different & (returned_a < 0) & (returned_b >= 0))
            self._note(start, "b_worse", different & (returned_b < 0) & (returned_a >= 0))

    def _look_at_transitions(self, start: int, states_a: Any, states_b: Any, tried: Any) -> None:
        number = self.measure.transition
        if number is not None:
            of_a, of_b = number(self.a, states_a, tried), number(self.b, states_b, tried)
            self._note(start, "a_worse", tried & self.measure.worse(of_a, of_b))
            self._note(start, "b_worse", tried & self.measure.worse(of_b, of_a))

    def _look_at_states(self, pairs: Any, before: int = 0) -> None:
        name = self.measure.state
        if name is not None:
            of_a, of_b = self.a.measures[name][pairs // self.width], self.b.measures[name][pairs % self.width]
            for side, worse in (
                ("a_worse", self.measure.worse(of_a, of_b)),
                ("b_worse", self.measure.worse(of_b, of_a)),
            ):
                if getattr(self.found, side) is None and worse.any():
                    place = int(np.flatnonzero(worse)[0])
                    setattr(self.found, side, self._calls_to(len(self.pairs) - 1, before + place))
                    self.found.pairs_before[side] = sum(self.found.levels) + before + place

    def _note(self, start: int, side: str, hits: Any) -> None:
        if getattr(self.found, side) is None and hits.any():
            setattr(self.found, side, self._calls_with(start, int(np.flatnonzero(hits)[0])))
            self.found.pairs_before[side] = self.found.pairs

    def _calls_with(self, start: int, place: int) -> tuple[Any, ...]:
        """The calls to a pair of the border, and a call from there, by its place in the table of both."""
        position, call = divmod(place, len(self.a.system.calls))
        return (*self._calls_to(len(self.pairs) - 2, start + position), self.a.system.calls[call])

    def _calls_to(self, level: int, position: int) -> tuple[Any, ...]:
        path = []
        while level > 0:
            path.append(self.a.system.calls[int(self.via[level][position])])
            position = int(self.parents[level][position])
            level -= 1
        return tuple(reversed(path))


@dataclass(frozen=True)
class Parting:
    """A call, in a state that both systems are in, with the same result for the caller but different states after it.

    calls: a shortest program that leads there, with the call. The packed keys of the state before, and of each after;
    the event bits of the call on each.
    """

    calls: tuple[Any, ...]
    before: tuple[int, ...]
    after: tuple[tuple[int, ...], tuple[int, ...]]
    events: tuple[int, int]


def partings(a: Graph, b: Graph, depth: int | None, kind: Callable[[Parting], Hashable]) -> tuple[list[Parting], bool]:
    """The first parting of each kind, programs in order, and whether those are all kinds.

    Partings of kind None are skipped. Systems that parted are followed further, as they may meet again.
    """
    assert a.system.layout == b.system.layout
    product = _Partings(a, b, kind)
    closed = product.run(can_a_be_worse=False, depth=depth).closed
    return list(product.first.values()), closed


class _Partings(_Product):
    """The search, looking for partings."""

    def __init__(self, a: Graph, b: Graph, kind: Callable[[Parting], Hashable]) -> None:
        never = Measure("partings", lambda _a, _b: np.False_, transition=lambda graph, states, _: graph.noted[states])
        super().__init__(a, b, never, ())
        self.kind, self.first = kind, dict[Hashable, Parting]()

    def _look_at_transitions(self, start: int, states_a: Any, states_b: Any, tried: Any) -> None:
        together = (self.a.keys[states_a] == self.b.keys[states_b]).all(axis=1)
        to_a, to_b = self.a.to[states_a], self.b.to[states_b]
        reached = tried & together[:, None] & (to_a >= 0) & (to_b >= 0)
        for position, call in np.argwhere(reached).tolist():
            one, two = int(to_a[position, call]), int(to_b[position, call])
            if (self.a.keys[one] != self.b.keys[two]).any():
                place = position * len(self.a.system.calls) + call
                self._enter_parting(start, place, int(states_a[position]), int(states_b[position]), call)

    def _enter_parting(self, start: int, place: int, one: int, two: int, call: int) -> None:
        after = self._words(self.a, int(self.a.to[one, call])), self._words(self.b, int(self.b.to[two, call]))
        events = int(self.a.noted[one, call]), int(self.b.noted[two, call])
        calls = self._calls_with(start, place)
        found = Parting(calls, self._words(self.a, one), after, events)
        kind = self.kind(found)
        if kind is not None:
            self.first.setdefault(kind, found)

    def _words(self, graph: Graph, state: int) -> tuple[int, ...]:
        return tuple(int(word) & (1 << 64) - 1 for word in graph.keys[state])
