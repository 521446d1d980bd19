# SPDX-License-Identifier: GPL-2.0-only
"""Does a program show a violation? The interpreted run says, call by call."""

from collections.abc import Sequence
from typing import Any

from checker.anysize import Violation
from checker.confirm import system_for
from checker.interpreted import CallRecord, Machine
from checker.layout import Broken
from checker.system import OOPS
from model.operations import Call
from properties import PROPERTIES


class Oracle:
    """Runs programs on the kernels of a violation, in an address space of so many pages."""

    def __init__(self, violation: Violation, pages: int) -> None:
        self.violation, self.pages = violation, pages
        claims = [violation.property] if violation.property else []
        systems = [system_for(name, pages, violation.max_map_count, claims) for name in violation.kernels]
        self.machines = [Machine(system) for system in systems]
        self._states = [(machine.new(), machine.new()) for machine in self.machines]

    def first_at(self, calls: Sequence[Call]) -> int | None:
        """After how many of the calls the violation first is there; None if it never is.

        Kernels that return different results are not followed any further.
        """
        for before, _ in self._states:
            before.assign(self.machines[0].new())
        states = list(self._states)
        for number, call in enumerate(calls, 1):
            results = [
                machine.step(before, call, after)
                for machine, (before, after) in zip(self.machines, states, strict=True)
            ]
            if self._is_violated(states, call, results):
                return number
            if len(set(results)) > 1 or OOPS in results:
                return None
            for machine, (_, after) in zip(self.machines, states, strict=True):
                machine.key(after)
            states = [(after, before) for before, after in states]
        return None

    def shows(self, calls: Sequence[Call]) -> bool:
        """Is the violation there after the last call, and not before?"""
        return bool(calls) and self.first_at(calls) == len(calls)

    def _is_violated(self, states: Sequence[tuple[Any, Any]], call: Call, results: Sequence[int]) -> bool:
        before, after = states[0]
        if self.violation.property:
            return not self._said(before, CallRecord(call, results[0]), after)
        if self.violation.worse == "result":
            return results[0] < 0 <= results[1]
        if results[0] != results[1] or results[0] == OOPS:
            return False
        other = states[1][1]
        if self.violation.worse == "vmas":
            return bool(after.map_count > other.map_count)
        return bool(_borders(after) - _borders(other))

    def _said(self, before: Any, call: CallRecord, after: Any) -> bool:
        name = self.violation.property
        if PROPERTIES[name].on_step and call.result == OOPS:
            return True
        arguments = (before, call, after) if PROPERTIES[name].on_step else (after,)
        try:
            return bool(self.machines[0].evaluate(name, *arguments))
        except Broken:
            return False


def _borders(mm: Any) -> set[int]:
    return {border for vma in range(1, mm.map_count + 1) for border in (mm.vma[vma].vm_start, mm.vma[vma].vm_end)}
