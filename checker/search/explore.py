# SPDX-License-Identifier: GPL-2.0-only
"""The search, interpreted: breadth-first over all calls, to closure. The compiled run must find the same."""

from collections import Counter
from collections.abc import Collection

from vmacheck.checker.program.interpreted import CallRecord, Key, Machine
from vmacheck.checker.program.system import OOPS, System
from vmacheck.checker.search.outcome import Hit, Limits, Progress, Report, Search, calls_to


def explore(
    system: System, targets: Collection[str] = (), limits: Limits | None = None, report: Report | None = None
) -> Search:
    """Search to closure, or until every one of `targets` (names of claims; none: never) is hit.

    Raises OutOfBounds, and Broken.
    """
    explorer = Explorer(system, targets, limits or Limits())
    explorer.run(report)
    return explorer.search


class Explorer:
    """A breadth-first search. keys[i] is the i-th state found; parents[i] and via[i] say how."""

    def __init__(self, system: System, targets: Collection[str], limits: Limits) -> None:
        self.system, self.limits, self.search = system, limits, Search()
        self.machine = Machine(system)
        self.before, self.after = self.machine.new(), self.machine.new()
        self.open_targets = set(targets) or {""}
        self.state_claims = [claim for claim in system.claims if not claim.on_step]
        self.step_claims = [claim for claim in system.claims if claim.on_step]
        self.keys: list[Key] = []
        self.index: dict[Key, int] = {}
        self.parents: list[int] = []
        self.via: list[int] = []

    def run(self, report: Report | None = None) -> None:
        """Fill in self.search."""
        search = self.search
        first = self.machine.key(self.after)
        self.machine.check_bounds(first)
        self._visit(first, 0, 0)
        level, stopped = range(1), not self.open_targets
        while level and not stopped:
            search.levels.append(len(level))
            if search.depth == self.limits.depth:
                search.stopped = "depth"
                return
            for i in level:
                if report is not None and i % 256 == 0:
                    report(Progress(len(self.keys), search.transitions, search.depth, len(level), i - level.start))
                stopped = not self._expand(i)
                if stopped:
                    break
            level = range(level.stop, len(self.keys))
        if level:
            search.levels.append(len(level))
        search.closed = not level and not stopped and search.stopped is None

    def _expand(self, i: int) -> bool:
        """Try every call in state i. Returns False if the search ends here."""
        machine, before, after = self.machine, self.before, self.after
        machine.load(before, self.keys[i])
        if before.bug:
            return True
        for k, call in enumerate(self.system.calls):
            result = machine.step(before, call, after)
            self._count(call[0], result, after.events)
            if self.step_claims and result != OOPS:
                self._look_at_step(i, k, result)
            key = machine.key(after)
            if key not in self.index:
                limit = machine.check_bounds(key)
                if limit is not None:
                    self.search.stopped = limit
                elif len(self.keys) == self.limits.max_states:
                    self.search.stopped = "max-states"
                    return False
                else:
                    self._visit(key, i, k)
            if not self.open_targets:
                return False
            self.search.transitions += 1
        return True

    def _visit(self, key: Key, parent: int, k: int) -> None:
        """Note a new state, which self.after holds, and look at the claims about it."""
        self.index[key] = len(self.keys)
        self.keys.append(key)
        self.parents.append(parent)
        self.via.append(k)
        for claim in list(self.state_claims):
            if self.machine.evaluate(claim.name, self.after) == claim.sometimes:
                self.state_claims.remove(claim)
                self._hit(claim.name, calls_to(self.parents, self.via, len(self.keys) - 1, self.system.calls), 1)

    def _look_at_step(self, i: int, k: int, result: int) -> None:
        call = self.system.calls[k]
        record = CallRecord(call, result)
        for claim in list(self.step_claims):
            if self.machine.evaluate(claim.name, self.before, record, self.after) == claim.sometimes:
                self.step_claims.remove(claim)
                self._hit(claim.name, (*calls_to(self.parents, self.via, i, self.system.calls), call), 0)

    def _hit(self, name: str, calls: tuple[tuple[int, ...], ...], new: int) -> None:
        self.search.hits[name] = Hit(calls, len(self.keys) - new, self.search.transitions)
        self.open_targets.discard(name)

    def _count(self, kind: int, result: int, events: int) -> None:
        coverage = self.search.coverage
        coverage.results.setdefault(kind, Counter())[min(result, 0)] += 1
        while events:
            coverage.events[events & -events] += 1
            events &= events - 1
