# SPDX-License-Identifier: GPL-2.0-only
"""Does a program show a violation? The interpreted run says, call by call."""

from collections.abc import Sequence
from typing import Any

from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.system import OOPS
from vmacheck.checker.proofs.any_size import Violation
from vmacheck.checker.proofs.confirm import is_said, system_for
from vmacheck.model.calls.operations import Call


class Oracle:
    """A runner of programs on the kernels of a violation, in an address space of a given number of pages."""

    def __init__(self, violation: Violation, pages: int) -> None:
        self.violation = violation
        claims = [violation.property] if violation.property else []
        systems = [system_for(name, pages, violation.max_map_count, claims) for name in violation.kernels]
        self.machines = [Machine(system) for system in systems]
        self._states = [(machine.new(), machine.new()) for machine in self.machines]

    def first_at(self, calls: Sequence[Call]) -> int | None:
        """The number of calls after which the violation is first there; None if it never is.

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
            return not is_said(self.machines[0], self.violation.property, before, call, results[0], after)
        a, b = ((result, state) for result, (_, state) in zip(results, states, strict=True))
        return self.violation.is_worse(results[0] == results[1], a, b)
