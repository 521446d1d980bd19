# SPDX-License-Identifier: GPL-2.0-only
"""Searches over programs in an address space of any size, by rows of cells (checker/rows.py).

Each call from each row is carried out by the kernel's own functions, with sizes for unknowns; Z3 decides each branch
for all sizes at once, and where it cannot, both ways are followed.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from checker import rows, vm
from checker.anystate import PAGE, SPARE_VMAS
from checker.layout import Layout
from checker.link import Function, Program, linked_with
from checker.paths import Paths
from checker.rows import Place, Row
from checker.scope import Scope
from checker.solver import Solver
from checker.symbolic import Pages, SymbolicMachine, record
from checker.system import OOPS
from checker.terms import Context, Evaluator
from checker.values import Formula, at_most, both, either, equal, negation, unknown
from model import state
from model.kernels import files
from model.mm import MAP_NORESERVE, MAX_MAP_COUNT
from model.operations import ADVICE, FIXED, OPERATIONS, POLICIES, PROTECTIONS, Call
from model.unistd import NR_read, NR_write
from properties import FILES, PROPERTIES

MAX_CELLS = 48
BUILT_IN = {path.parent for path in (*files(()), *files(("importer",)), *FILES)}
FOLLOWED = ("mmap", "munmap", "mprotect", "write", "read", "munlock", "madvise", "mbind")
FOLLOWED_IN_UNITS = (*FOLLOWED, "mlock", "move")


def templates(scope: Scope) -> list[Call]:
    """The calls of a scope, but for where: addr and len are 0, and so is where mremap moves to."""
    found: list[Call] = []
    bits = [PROTECTIONS[name] for name in scope.protections]
    for name in scope.operations:
        nr = OPERATIONS[name].nr
        if name == "mmap":
            found += [Call(nr, 0, 0, p, f) for p in bits for f in ((0, MAP_NORESERVE) if scope.noreserve else (0,))]
        elif name == "mprotect":
            found += [Call(nr, 0, 0, p) for p in bits]
        elif name == "madvise":
            found += [Call(nr, 0, behavior=behavior) for behavior in ADVICE.values()]
        elif name == "mbind":
            found += [Call(nr, 0, policy=policy) for policy in POLICIES.values()]
        elif name == "move":
            found.append(Call(nr, 0, flags=FIXED))
        else:
            found.append(Call(nr, 0))
    return found


def is_about_a_page(call: Call) -> bool:
    """Is it a user access?"""
    return call.nr in (NR_read, NR_write)


class _AnyPages(Pages):
    """Pages of which nothing is kept: each may or may not be there."""

    def __getitem__(self, address: Any) -> Any:
        page = self._new()
        page.mapcount = unknown("mapcount")
        page.mapping, page.index = unknown("mapping"), unknown("index")
        return page

    def __setitem__(self, address: Any, page: Any) -> None:
        pass

    def between(self, _first: Any, _end: Any) -> Iterator[Any]:
        """What is done to each page on its own is done to none that is kept."""
        return iter(())


class _Memo(Paths):
    """Paths that remember what is so for all sizes."""

    def __init__(self, solver: Solver, always: Solver) -> None:
        super().__init__(solver)
        self.base = always
        self._memo: dict[Formula, bool | None] = {}

    def always(self, formula: Formula) -> bool | None:
        """True or False if the formula is that for all sizes, None if it depends."""
        if isinstance(formula, bool):
            return formula
        if formula not in self._memo:
            answer = None
            if not self.base.possible(negation(formula)):
                answer = True
            elif not self.base.possible(formula):
                answer = False
            self._memo[formula] = answer
        return self._memo[formula]

    def _decide(self, formula: Formula) -> bool:
        answer = self.always(formula)
        return super()._decide(formula) if answer is None else answer


@dataclass(frozen=True)
class Step:
    """A call on a row: the template, the range's cells in the row as cut for it, and where it moves to."""

    template: Call
    first: int
    end: int
    to: int = 0

    def moved(self, parts: Sequence[Sequence[int]]) -> "Step":
        """The same call, over cells that were cut."""
        return replace(self, first=parts[self.first][0], end=parts[self.end][0], to=parts[self.to][0])

    def on(self, borders: Sequence[Any]) -> Call:
        """The call, where the cells begin at these addresses."""
        call = self.template._replace(addr=borders[self.first])
        if not is_about_a_page(call):
            call = call._replace(len=borders[self.end] - borders[self.first])
        if call.flags == FIXED:
            call = call._replace(new_addr=borders[self.to], new_len=call.len)
        return call


class After(NamedTuple):
    """What comes of a call: the row, the sizes for which it does, and for which of them the violation is there."""

    row: Row
    conditions: tuple[Formula, ...]
    wrong: Formula


@dataclass(frozen=True)
class Violation:
    """What is looked for: a property that is false of the one kernel, or a first kernel that is worse than a second.

    worse is what `vmacheck compare --by` calls it: vmas, layout or result.
    """

    kernels: tuple[str, ...]
    property: str = ""
    worse: str = ""
    max_map_count: int = MAX_MAP_COUNT


@dataclass
class Kernels:
    """The kernels of a violation, in lockstep."""

    violation: Violation
    milliseconds: int
    keep_pages: bool
    gave_up: bool = False

    def __post_init__(self) -> None:
        names = self.violation.kernels
        self.claim = self.violation.property
        self.programs = [linked_with(vm.program_of(name, {}), FILES) for name in names]
        self.roots = ["begin", "step", *([self.claim] if self.claim else [])]
        always, solver = Solver(self.milliseconds), Solver(self.milliseconds)
        for formula in sizes():
            always.add(formula)
            solver.add(formula)
        self.paths = _Memo(solver, always)
        self._machines: dict[tuple[int, int], SymbolicMachine] = {}

    def machine(self, side: int, vmas: int) -> SymbolicMachine:
        """A machine for states of up to so many vmas, and a few more during a call."""
        vmas = (vmas + 3) // 4 * 4
        if (side, vmas) not in self._machines:
            slots = vmas + SPARE_VMAS
            layout = Layout.of(state.layout(state.bounds(slots, list(OPERATIONS), 0, 0)))
            numbers = {
                "TASK_SIZE": unknown("TASK_SIZE"),
                "NR_VMAS": slots,
                "NR_ANON_VMAS": 3 * slots + 1,
                "VMA_NEW": slots + 1,
            }
            numbers["MAX_MAP_COUNT"] = self.violation.max_map_count
            machine = SymbolicMachine(self.programs[side], layout, self.roots, numbers, empty=True)
            if not self.keep_pages:
                machine.pages_class = _AnyPages
            self._machines[side, vmas] = machine
        return self._machines[side, vmas]

    def successors(self, row: Row, place: Place, step: Step) -> Iterator[After]:
        """What can come of a call, one a path. Nothing follows where kernels part: where their results differ.

        Raises Unsupported.
        """
        sides = [rows.cut_side(side, row.cells, place) for side in row.sides]
        call = step.on(rows.borders(place.cells))
        machines = [self.machine(number, len(side.vmas)) for number, side in enumerate(sides)]
        size = rows.borders(place.cells)[-1]
        for machine in machines:
            machine.functions["TASK_SIZE"] = machine.program.constants["TASK_SIZE"] = size

        def code() -> list[tuple[Any, Any, Any]]:
            outcomes = []
            for machine, side in zip(machines, sides, strict=True):
                before = rows.load(machine, side, place.cells)
                after, result = machine.step(before, call)
                outcomes.append((before, after, result))
            return outcomes

        for outcomes in self.paths.explore(code):
            wrong = self._is_violated(machines, outcomes, call, place.cells)
            results = [result for _, _, result in outcomes]
            if wrong is not False or all(self.paths.always(equal(one, results[0])) is True for one in results[1:]):
                after = tuple(rows.store(one, place.cells) for _, one, _ in outcomes)
                yield After(Row(place.cells, after, row.length), tuple(self.paths.condition()), wrong)
        self.gave_up = self.gave_up or self.paths.solver.gave_up or self.paths.base.gave_up

    def _is_violated(
        self, machines: Sequence[SymbolicMachine], outcomes: Any, call: Call, cells: Sequence[bool]
    ) -> Formula:
        """For which sizes, of those on this path, the violation is there."""
        (before, after, result), machine = outcomes[0], machines[0]
        if not self.claim:
            return self._is_worse(outcomes[0], outcomes[1])
        context = Context([PAGE], rows.borders(cells)[:-1], lambda formula: self.paths.always(formula) is True)
        evaluator = Evaluator(machine.program.functions, machine.program.constants, context)
        if not PROPERTIES[self.claim].on_step:
            said = evaluator.formula(self.claim, after)
        elif result is OOPS:
            return False
        else:
            said = evaluator.formula(self.claim, before, record(call, result), after)
        if said is True or not self.paths.solver.possible(negation(said)):
            return False
        return negation(said) if self.paths.solver.possible(said) else True

    def _is_worse(self, a: Any, b: Any) -> bool:
        if self.violation.worse == "result":
            fails = [one[2] is OOPS or (isinstance(one[2], int) and one[2] < 0) for one in (a, b)]
            return fails[0] and not fails[1]
        if self.paths.always(equal(a[2], b[2])) is not True:
            return False
        if self.violation.worse == "vmas":
            return bool(a[1].map_count > b[1].map_count)
        return bool(_borders_of(a[1]) - _borders_of(b[1]))


def _borders_of(one: Any) -> set[Any]:
    vmas = [one.vma[number] for number in range(1, one.map_count + 1)]
    return {rows.key(address) for vma in vmas for address in (vma.vm_start, vma.vm_end)}


def sizes() -> Iterator[Formula]:
    """What is known of the names of sizes, and of the others that a question has."""
    yield from (at_most(0, unknown(name)) for name in ("lead", "trail", "page", "mapcount"))
    yield at_most(unknown("mapcount"), 1)
    yield from (at_most(1, unknown(f"gap{cell}")) for cell in range(1, MAX_CELLS))


def over(formula: Formula, numbers: Mapping[str, Any]) -> Formula:
    """The formula with numbers for some of its unknowns."""
    if isinstance(formula, bool) or formula.kind == "bits==0":
        return formula
    if formula.kind in ("<=0", "==0"):
        terms = (c * (numbers[name] if name in numbers else unknown(name)) for name, c in formula.parts)
        total = sum(terms, formula.constant)
        return at_most(total, 0) if formula.kind == "<=0" else equal(total, 0)
    parts = [over(part, numbers) for part in formula.parts]
    return negation(parts[0]) if formula.kind == "not" else both(parts) if formula.kind == "and" else either(parts)


def looks_at_pages(program: Program, name: str) -> bool:
    """Does the claim look at what is on pages?"""
    return any(_names_pages(function) for function in program.reachable([name]))


def patch_looks_at_pages(program: Program) -> bool:
    """Does a user's function look at what is on pages? The kernel's own ask of one page whether it is there."""
    return any(_names_pages(function) for function in program.functions.values() if not is_built_in(function))


def is_built_in(function: Function) -> bool:
    """Is it the kernel's own, or a property's, and not a user's?"""
    return Path(function.file).parent in BUILT_IN


def _names_pages(function: Function) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == "page" for node in ast.walk(function.node))
