# SPDX-License-Identifier: GPL-2.0-only
"""Searches over programs in an address space of any size, by rows of cells (rows.py).

The kernel's own functions run each call from each row, with unknown sizes; Z3 decides each branch for all sizes at
once, and where it cannot, both ways are followed.
"""

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from vmacheck.checker.kernels.programs import program_with_claims
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program import subset
from vmacheck.checker.program.link import Function, Program
from vmacheck.checker.program.system import OOPS
from vmacheck.checker.proofs import rows
from vmacheck.checker.proofs.any_state import PAGE, SPARE_VMAS, machine_with, said_of
from vmacheck.checker.proofs.rows import Place, Row
from vmacheck.checker.proofs.trees import kind_of
from vmacheck.checker.symbolic.machine import Pages, SymbolicMachine
from vmacheck.checker.symbolic.page_loops import PAGES
from vmacheck.checker.symbolic.paths import Paths
from vmacheck.checker.symbolic.solver import Solver
from vmacheck.checker.symbolic.terms import Context, Evaluator
from vmacheck.checker.symbolic.values import Formula, at_most, equal, negation, unknown
from vmacheck.model.calls.operations import FIXED, Call, all_calls
from vmacheck.model.common.mm import MAX_MAP_COUNT
from vmacheck.model.common.unistd import NR_read, NR_write

MAX_CELLS = 48
FOLLOWED = ("mmap", "munmap", "mprotect", "write", "read", "munlock", "madvise", "mbind")
FOLLOWED_IN_UNITS = (*FOLLOWED, "mlock", "move")


def templates(scope: Scope) -> list[Call]:
    """The calls of a scope without their places: addresses and lengths are 0."""
    calls = all_calls(1, scope.protections, scope.operations, scope.noreserve)
    return list(dict.fromkeys(call._replace(addr=0, len=0, new_addr=0, new_len=0) for call in calls))


def is_about_a_page(call: Call) -> bool:
    """Is it a user access?"""
    return call.nr in (NR_read, NR_write)


def is_of_any_page(name: str) -> bool:
    """Is it the name of an unknown of _AnyPages?"""
    return "@" in name


class _AnyPages(Pages):
    """Pages of which nothing is kept: each may be there or not, whatever the others are.

    What was found out about a page is known of it as long as its address is the same sum.
    """

    def __getitem__(self, address: Any) -> Any:
        self.check(address)
        page, place = self._new(), _text_of(address)
        for name in self._fields:
            setattr(page, name, unknown(f"{name}@{place}"))
        return page

    def __setitem__(self, address: Any, page: Any) -> None:
        pass

    def between(self, _first: Any, _end: Any) -> Iterator[Any]:
        """No addresses: a change to each page on its own changes none that is kept."""
        return iter(())


def _text_of(address: Any) -> str:
    terms, constant = rows.key(address)
    return "+".join([*(f"{c}*{name}" for name, c in terms), str(constant)])


class _Memo(Paths):
    """Paths that remember the formulas that are the same for all sizes."""

    def __init__(self, solver: Solver, always: Solver) -> None:
        super().__init__(solver)
        self.base = always
        self._memo: dict[Formula, bool | None] = {}

    def always(self, formula: Formula) -> bool | None:
        """True or False if the formula has that value for all sizes, None if it depends."""
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
    """A call on a row: the template, the range's cells in the row as cut for it, and the cell that it moves to."""

    template: Call
    first: int
    end: int
    to: int = 0

    def moved(self, parts: Sequence[Sequence[int]]) -> "Step":
        """The same call, over cells that were cut."""
        return replace(self, first=parts[self.first][0], end=parts[self.end][0], to=parts[self.to][0])

    def on(self, borders: Sequence[Any]) -> Call:
        """The call, with cells that begin at these addresses."""
        call = self.template._replace(addr=borders[self.first])
        if not is_about_a_page(call):
            call = call._replace(len=borders[self.end] - borders[self.first])
        if call.flags == FIXED:
            call = call._replace(new_addr=borders[self.to], new_len=call.len)
        return call


class After(NamedTuple):
    """The outcome of a call: the row, the sizes that lead to it, and those of them with the violation."""

    row: Row
    conditions: tuple[Formula, ...]
    wrong: Formula


@dataclass(frozen=True)
class Violation:
    """A violation to look for: a property that is false of the one kernel, or a first kernel worse than a second.

    worse is a word of `vmacheck compare --by`: vmas, layout or result.
    """

    kernels: tuple[str, ...]
    property: str = ""
    worse: str = ""
    max_map_count: int = MAX_MAP_COUNT

    def is_worse(self, same: bool, a: tuple[Any, Any], b: tuple[Any, Any]) -> bool:
        """Is the first worse after a call? Each is a result and a state; same: are the results known to be equal?"""
        fails = [isinstance(result, int) and result < 0 for result, _ in (a, b)]
        if self.worse == "result":
            return fails[0] and not fails[1]
        if not same or OOPS in (a[0], b[0]):
            return False
        if self.worse == "vmas":
            return bool(a[1].map_count > b[1].map_count)
        return bool(rows.borders_of(a[1]).keys() - rows.borders_of(b[1]).keys())


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
        self.programs = [program_with_claims(name) for name in names]
        self.roots = ["begin", "step", *([self.claim] if self.claim else [])]
        always, solver = Solver(self.milliseconds), Solver(self.milliseconds)
        for formula in sizes():
            always.add(formula)
            solver.add(formula)
        self.paths = _Memo(solver, always)
        self._machines: dict[tuple[int, int], SymbolicMachine] = {}

    def machine(self, side: int, vmas: int) -> SymbolicMachine:
        """A machine for states of up to `vmas` vmas, and a few more during a call."""
        vmas = (vmas + 3) // 4 * 4
        if (side, vmas) not in self._machines:
            pages = Pages if self.keep_pages else _AnyPages
            self._machines[side, vmas] = machine_with(
                self.programs[side],
                kind_of(self.violation.kernels[side]),
                vmas + SPARE_VMAS,
                self.roots,
                self.violation.max_map_count,
                empty=True,
                pages=pages,
            )
        return self._machines[side, vmas]

    def successors(self, row: Row, place: Place, step: Step) -> Iterator[After]:
        """The outcomes of a call, one per path. Nothing follows where the kernels' results differ.

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
        """The sizes, of those on this path, for which the violation is there."""
        (before, after, result), machine = outcomes[0], machines[0]
        if not self.claim:
            pairs = [(one[2], one[1]) for one in outcomes]
            same = self.paths.always(equal(pairs[0][0], pairs[1][0])) is True
            return self.violation.is_worse(same, pairs[0], pairs[1])
        context = Context([PAGE], rows.borders(cells)[:-1], lambda formula: self.paths.always(formula) is True)
        evaluator = Evaluator(machine.program.functions, machine.program.constants, context)
        said = said_of(evaluator, self.claim, before, call, result, after)
        if said is True or not self.paths.solver.possible(negation(said)):
            return False
        return negation(said) if self.paths.solver.possible(said) else True


def sizes() -> Iterator[Formula]:
    """Facts about the names of sizes, and about the other unknowns of a question."""
    yield from (at_most(0, unknown(name)) for name in ("lead", "trail", "page"))
    yield from (at_most(1, unknown(f"gap{cell}")) for cell in range(1, MAX_CELLS))


def looks_at_pages(program: Program, claim: str, users_files: Collection[str]) -> bool:
    """Does the claim, or a user's function, look at pages, or call what says something of them?

    Without pages, each may be anything whenever it is looked at: what is then proved is true, but less is proved.
    """
    functions = program.reachable([claim])
    own = [function for function in program.functions.values() if function.file in users_files]
    called = program.reachable([one.name for one in own])
    saying = [function for function in called if subset.gives_value(function.node)]
    nodes = (node for function in [*functions, *own, *saying] for node in ast.walk(function.node))
    if any(isinstance(node, ast.Attribute) and node.attr == PAGES for node in nodes):
        return True
    return any(_puts_guards(function) for function in called)


def _puts_guards(function: Function) -> bool:
    """Does it leave a marker on a page, for a later fault to meet?"""
    stores = (node for node in ast.walk(function.node) if isinstance(node, ast.Assign))
    marks = [
        node for node in stores if any(isinstance(to, ast.Attribute) and to.attr == "guard" for to in node.targets)
    ]
    return not all(isinstance(node.value, ast.Constant) and node.value.value == 0 for node in marks)
