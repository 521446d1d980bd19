# SPDX-License-Identifier: GPL-2.0-only
"""Searches over programs in an address space of any size, by rows of cells (checker/rows.py).

Each call from each row is carried out by the kernel's own functions, with sizes for unknowns; Z3 decides each branch
for all sizes at once, and where it cannot, both ways are followed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from checker import rows, vm
from checker.anystate import PAGE, SPARE_VMAS
from checker.layout import Layout
from checker.link import Program, linked_with
from checker.paths import Paths
from checker.rows import Place, Row
from checker.scope import Scope
from checker.solver import Solver
from checker.subset import calls as calls_of
from checker.symbolic import Pages, SymbolicMachine, record
from checker.system import OOPS
from checker.terms import Context, Evaluator
from checker.values import Formula, at_most, less, negation, unknown
from model import state
from model.operations import ADVICE, FIXED, OPERATIONS, POLICIES, PROTECTIONS, Call
from model.mm import MAP_NORESERVE
from model.unistd import NR_read, NR_write
from properties import FILES, PROPERTIES

MAX_CELLS = 48
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

    def between(self, first: Any, end: Any) -> Iterator[Any]:
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

    def on(self, cells: Sequence[bool]) -> Call:
        """The call with its addresses, as far as they are known."""
        at = rows.borders(cells)
        call = self.template._replace(addr=at[self.first])
        if not is_about_a_page(call):
            call = call._replace(len=at[self.end] - at[self.first])
        if call.flags == FIXED:
            call = call._replace(new_addr=at[self.to], new_len=call.len)
        return call


@dataclass
class Kernels:
    """Kernels in lockstep, with what is claimed of them: of one kernel, a property; of two, a comparison."""

    names: tuple[str, ...]
    claim: str
    max_map_count: int
    milliseconds: int
    keep_pages: bool
    machines: list[SymbolicMachine] = field(default_factory=list)
    gave_up: bool = False

    def __post_init__(self) -> None:
        self.programs = [linked_with(vm.program_of(name, {}), FILES) for name in self.names]
        self.on_step = PROPERTIES[self.claim].on_step
        always, solver = Solver(self.milliseconds), Solver(self.milliseconds)
        for formula in _sizes():
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
            numbers = {"TASK_SIZE": unknown("TASK_SIZE"), "NR_VMAS": slots, "NR_ANON_VMAS": 3 * slots + 1, "VMA_NEW": slots + 1}
            numbers["MAX_MAP_COUNT"] = self.max_map_count
            machine = SymbolicMachine(self.programs[side], layout, ["begin", "step", self.claim], numbers, empty=True)
            if not self.keep_pages:
                machine.pages_class = _AnyPages
            self._machines[side, vmas] = machine
        return self._machines[side, vmas]

    def successors(self, row: Row, place: Place, step: Step) -> Iterator[tuple[Row, bool]]:
        """The rows after a call, one a path, each with whether the claim is false there, or of the call."""
        sides = [rows.cut_side(side, row.cells, place) for side in row.sides]
        call = step.on(place.cells)
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
            after = tuple(rows.store(one, place.cells) for _, one, _ in outcomes)
            wrong = self._is_false(machines, outcomes, call, place.cells)
            yield Row(place.cells, after, row.length), wrong
        self.gave_up = self.gave_up or self.paths.solver.gave_up or self.paths.base.gave_up

    def _is_false(self, machines: Sequence[SymbolicMachine], outcomes: Any, call: Call, cells: Sequence[bool]) -> bool:
        (before, after, result), machine = outcomes[0], machines[0]
        breakpoints = rows.borders(cells)[:-1]
        context = Context([PAGE], breakpoints, lambda formula: self.paths.always(formula) is True)
        evaluator = Evaluator(machine.program.functions, machine.program.constants, context)
        if not self.on_step:
            said = evaluator.formula(self.claim, after)
        elif result is OOPS:
            return False
        else:
            said = evaluator.formula(self.claim, before, record(call, result), after)
        return said is not True and self.paths.solver.possible(negation(said))


def _sizes() -> Iterator[Formula]:
    yield from (at_most(0, unknown(name)) for name in ("lead", "trail", "page", "mapcount"))
    yield at_most(unknown("mapcount"), 1)
    yield from (at_most(1, unknown(f"gap{cell}")) for cell in range(1, MAX_CELLS))


def looks_at_pages(program: Program, name: str) -> bool:
    """Does the claim look at what is on pages?"""
    import ast

    return any(
        isinstance(node, ast.Attribute) and node.attr == "page"
        for function in program.reachable([name])
        for node in ast.walk(function.node)
    )


# ---- programs of any size, to a depth ------------------------------------------------------------


@dataclass
class Found:
    """What a search found: rows by the number of calls that first lead to them, and the steps to a false claim."""

    levels: list[int] = field(default_factory=list)
    transitions: int = 0
    program: list[tuple[Row, Step, Place]] | None = None
    gave_up: bool = False


def search(kernel: str, claim: str, scope: Scope, depth: int, milliseconds: int, report: Callable[[Found], None] = lambda _: None) -> Found:
    """All programs of up to `depth` calls, of the scope's kinds, in an address space of any size."""
    keep = looks_at_pages(linked_with(vm.program_of(kernel, {}), FILES), claim)
    kernels = Kernels((kernel,), claim, scope.max_map_count, milliseconds, keep)
    found, calls = Found(), templates(scope)
    first = Row()
    parents: dict[Row, tuple[Row, Step, Place] | None] = {first: None}
    level = [first]
    found.levels.append(1)
    for _ in range(depth):
        following: list[Row] = []
        for row in level:
            report(found)
            for call in calls:
                for place in rows.any_pages(row.cells) if is_about_a_page(call) else rows.any_ranges(row.cells):
                    step = Step(call, place.first, place.end)
                    for after, wrong in kernels.successors(row, place, step):
                        found.transitions += 1
                        if wrong:
                            found.levels.append(len(following))
                            found.program = _path(parents, row, step, place)
                            found.gave_up = kernels.gave_up
                            return found
                        plain = rows.simplest(after, keep)
                        if plain not in parents:
                            parents[plain] = (row, step, place)
                            following.append(plain)
        level = following
        found.levels.append(len(level))
    found.gave_up = kernels.gave_up
    return found


def _path(parents: Any, row: Row, step: Step, place: Place) -> list[tuple[Row, Step, Place]]:
    path = [(row, step, place)]
    while parents[path[-1][0]] is not None:
        path.append(parents[path[-1][0]])
    return path[::-1]
