# SPDX-License-Identifier: GPL-2.0-only
"""Every state of a system and every call in it, interpreted: for uses that look at all of them, not for verdicts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vmacheck.checker.program.interpreted import CallRecord, Key, Machine
from vmacheck.checker.program.system import OOPS, Claim, System
from vmacheck.checker.search.outcome import Limits, Progress, Report, calls_to


class Transition(NamedTuple):
    """A call in a state: the numbers of the state, of the call and of the state after it, the result, and the hits.

    to is None if that state is beyond a bound; hits are claims about steps.
    """

    state: int
    call: int
    to: int | None
    result: int
    hits: tuple[str, ...]


@dataclass
class Walk:
    """The states in the order in which they were found, breadth first; parents and via say how.

    depths: the fewest calls to each. hits: claims about states, by state. expanded: the number of states, from the
    first on, in which every call was tried. closed, stopped: as in Search.
    """

    system: System
    keys: list[Key] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    via: list[int] = field(default_factory=list)
    hits: list[tuple[str, ...]] = field(default_factory=list)
    transitions: int = 0
    expanded: int = 0
    stopped: str | None = None

    @property
    def states(self) -> int:
        """The number of states found."""
        return len(self.keys)

    @property
    def depth(self) -> int:
        """The most calls needed to reach a state."""
        return self.depths[-1]

    @property
    def closed(self) -> bool:
        """Was every call tried in every state, and every state that follows found?"""
        return self.stopped is None and self.expanded == len(self.keys)

    def calls_to(self, state: int) -> tuple[Any, ...]:
        """A shortest program that leads to a state."""
        return calls_to(self.parents, self.via, state, self.system.calls)


def walk(
    system: System,
    limits: Limits | None = None,
    report: Report | None = None,
    visit: Callable[[Transition], None] | None = None,
    machine: Machine | None = None,
) -> Walk:
    """Walk through the system; visit gets every transition, in order. machine: one made of this system.

    Raises OutOfBounds, and Broken.
    """
    walker = _Walker(system, limits or Limits(), machine or Machine(system), visit)
    walker.run(report)
    return walker.walk


class _Walker:
    def __init__(
        self, system: System, limits: Limits, machine: Machine, visit: Callable[[Transition], None] | None
    ) -> None:
        self.walk, self.limits, self.machine, self.visit = Walk(system), limits, machine, visit
        self.before, self.after = machine.new(), machine.new()
        self.index: dict[Key, int] = {}
        self.of_states = [claim for claim in system.claims if not claim.on_step]
        self.of_steps = [claim for claim in system.claims if claim.on_step]

    def run(self, report: Report | None) -> None:
        """Fill in self.walk."""
        walk = self.walk
        first = self.machine.key(self.after)
        self.machine.check_bounds(first)
        self._enter(first, 0, 0, 0)
        level = range(1)
        while walk.expanded < len(walk.keys) and walk.stopped != "max-states":
            depth = walk.depths[walk.expanded]
            if depth == self.limits.depth:
                walk.stopped = "depth"
                return
            if walk.expanded == level.stop:
                level = range(walk.expanded, len(walk.keys))
            if report is not None and walk.expanded % 256 == 0:
                done = walk.expanded - level.start
                report(Progress(len(walk.keys), walk.transitions, depth, len(level), done))
            self._expand(walk.expanded)

    def _expand(self, state: int) -> None:
        """Try every call in a state."""
        machine, before, after = self.machine, self.before, self.after
        machine.load(before, self.walk.keys[state])
        if not before.bug:
            for number, call in enumerate(self.walk.system.calls):
                result = machine.step(before, call, after)
                hits = self._hit(self.of_steps, before, CallRecord(call, result), after) if result != OOPS else ()
                key = machine.key(after)
                to = self.index.get(key)
                if to is None:
                    to = self._new(key, state, number)
                    if to is None and self.walk.stopped == "max-states":
                        return
                self.walk.transitions += 1
                if self.visit is not None:
                    self.visit(Transition(state, number, to, result, hits))
        self.walk.expanded += 1

    def _new(self, key: Key, parent: int, call: int) -> int | None:
        """The number of a state that is new, or None if it is beyond a bound."""
        limit = self.machine.check_bounds(key)
        if limit is None and len(self.walk.keys) == self.limits.max_states:
            limit = "max-states"
        if limit is not None:
            self.walk.stopped = limit
            return None
        self._enter(key, self.walk.depths[parent] + 1, parent, call)
        return self.index[key]

    def _enter(self, key: Key, depth: int, parent: int, call: int) -> None:
        walk = self.walk
        self.index[key] = len(walk.keys)
        walk.keys.append(key)
        walk.depths.append(depth)
        walk.parents.append(parent)
        walk.via.append(call)
        walk.hits.append(self._hit(self.of_states, self.after))

    def _hit(self, claims: list[Claim], *structs: Any) -> tuple[str, ...]:
        """The claims that these structs hit."""
        return tuple(claim.name for claim in claims if self.machine.evaluate(claim.name, *structs) == claim.sometimes)
