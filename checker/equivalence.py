# SPDX-License-Identifier: GPL-2.0-only
"""Do two kernels' versions of one function do the same, wherever calls come to it?

Each path of one kernel's calls is followed, from any well-formed state of so many vmas. Where it comes to the function,
both versions are run on the same arguments and the same state, and what they return and leave behind is compared. If
they agree there, the paths go on as one.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from checker import vm
from checker.anystate import PAGE, TASK_SIZE, any_call, any_state
from checker.induction import Numbers, machine_for, numbers_of, plain_wishes
from checker.link import Program
from checker.paths import Paths
from checker.solver import Model, Solver, least
from checker.symbolic import SymbolicMachine
from checker.values import Formula, Unsupported, at_most, both, either, equal, formula_of, negation, truth
from model.operations import Call
from model.unistd import NR_read, NR_write

# what a state consists of, but for notes on what happened; `was` tells which struct a vma is
VMA_FIELDS = ("vm_start", "vm_end", "vm_flags", "vm_pgoff", "vm_file", "vm_policy", "anon_vma", "anon_vma_node", "was")
PAGE_FIELDS = ("mapcount", "mapping", "index")


@dataclass(frozen=True)
class Question:
    """Do a's and b's versions of a function differ in a call of this kind, from a state of so many vmas?"""

    a: str
    b: str
    function: str
    operation: str
    vmas: int
    max_map_count: int
    milliseconds: int


@dataclass(frozen=True)
class Difference:
    """A state and a call in which the function was called so that the two versions differ.

    arguments are by name; a and b are what each returned (None: it stopped the kernel) and the state it left.
    """

    before: Numbers
    call: Call
    entry: Numbers
    arguments: dict[str, int]
    a: tuple[int | None, Numbers]
    b: tuple[int | None, Numbers]


@dataclass(frozen=True)
class Answer:
    """What came of a question: the paths, how often the function was compared, a difference, or why it is open."""

    paths: int
    compared: int
    checks: int
    difference: Difference | None = None
    gave_up: str | None = None


@dataclass(frozen=True)
class _Compared:
    """One comparison on a path: the state before the call and at the function, its arguments, both outcomes."""

    before: Any
    entry: Any
    arguments: dict[str, Any]
    a: tuple[Any, Any]
    b: tuple[Any, Any]


class _Differs(Exception):
    """The two versions differ on this path."""

    def __init__(self, compared: _Compared, formula: Formula) -> None:
        super().__init__()
        self.compared, self.formula = compared, formula


class Equivalence:
    """One question, being answered."""

    def __init__(self, question: Question, largest: int | None = None) -> None:
        self.question, self.compared = question, 0
        self.call = any_call(question.operation)
        self.a, self.b = (self._machine(kernel) for kernel in (question.a, question.b))
        self.solver = Solver(question.milliseconds)
        about_a_page = self.call.value.nr in (NR_read, NR_write)
        pages = [[PAGE], [PAGE, self.call.value.addr]] if about_a_page else [[PAGE]]
        self.same = equal(PAGE, self.call.value.addr) if about_a_page else True
        self.befores = [any_state(self.a, question.vmas, listed) for listed in pages]
        for formula in [*self.call.known, *(formula for before in self.befores for formula in before.known)]:
            self.solver.add(formula)
        if largest is not None:
            self.solver.add(at_most(TASK_SIZE, largest))
        self._original = self.a.functions[question.function]
        self.a.functions[question.function] = self._both

    def _machine(self, kernel: str) -> SymbolicMachine:
        program: Program = vm.program_of(kernel, {})
        program = vm.without_kinds(program, "nr", vm.absent_numbers([self.call.value]))
        roots = ["begin", "step", self.question.function]
        return machine_for(program, self.question.vmas, self.question.max_map_count, roots)

    def _both(self, mm: Any, *arguments: Any) -> Any:
        """The function, in both versions, on the same arguments; goes on as the first if they agree."""
        self.compared += 1
        entry, other = self.a.copy(mm), self.a.copy(mm)
        for one in (mm, other):
            one.fuel = entry.fuel
        mine = self._run(self._original, mm, arguments)
        others = self._run(self.b.functions[self.question.function], other, arguments)
        names = vm.program_of(self.question.a, {}).functions[self.question.function].parameters[1:]
        compared = _Compared(self.before, entry, dict(zip(names, arguments, strict=True)), (mine, mm), (others, other))
        same = _same(compared)
        if self.solver.find(negation(same)) is not False:
            raise _Differs(compared, negation(same))
        if mine is None:
            raise Oops("both stop the kernel")
        return mine

    def _run(self, function: Callable[..., Any], mm: Any, arguments: Sequence[Any]) -> Any:
        stopped = mm.oops
        mm.oops = 0
        try:
            result = function(mm, *arguments)
        except (Oops, IndexError):
            return None
        result = None if mm.oops else result if result is not None else 0
        mm.oops = mm.oops or stopped
        return result
