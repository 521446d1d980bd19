# SPDX-License-Identifier: GPL-2.0-only
"""All programs of up to N calls, in an address space of any size: breadth-first over rows of cells."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from vmacheck.checker.kernels.names import split_name
from vmacheck.checker.kernels.programs import program_with_claims
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.proofs import rows
from vmacheck.checker.proofs.any_size import After, Kernels, Step, Violation, is_about_a_page, looks_at_pages, templates
from vmacheck.checker.proofs.oracle import Oracle
from vmacheck.checker.proofs.rows import Place, Row
from vmacheck.checker.symbolic.solver import Model, Solver, least, start_afresh
from vmacheck.checker.symbolic.values import (
    NOT_FOLLOWED,
    Formula,
    all_replaced,
    at_most,
    equal,
    unknown,
    why_not_followed,
)
from vmacheck.model.calls.operations import Call

WAYS = 200  # ways to a row that are tried before giving up that a program reaches it


class Via(NamedTuple):
    """A way to a row: the row before, the call, the sizes that lead here, and the borders that were kept."""

    row: Row
    step: Step
    place: Place
    conditions: tuple[Formula, ...]
    kept: tuple[int, ...]


@dataclass
class Found:
    """The outcome of a search: the rows first reached by each number of calls, and a program that ends in a violation.

    open: the reason, when the search could not rule out a violation: Z3 gave no answer, or rows, which can stand for
    more than reachable states, have the violation and no program was found that does.
    """

    levels: list[int] = field(default_factory=list)
    transitions: int = 0
    program: tuple[Call, ...] | None = None
    open: str | None = None


Report = Callable[[Found], None]


def search(
    kernel: str, claim: str, scope: Scope, depth: int, milliseconds: int, report: Report = lambda _: None
) -> Found:
    """Search all programs of up to `depth` calls, of the scope's kinds and protections."""
    start_afresh()
    one = _Search(Violation((kernel,), claim, max_map_count=scope.max_map_count), scope, milliseconds, report)
    try:
        one.run(depth)
    except NOT_FOLLOWED as error:
        one.found.open = why_not_followed(error)
    if one.kernels.gave_up and one.found.open is None:
        one.found.open = "Z3 did not answer in time"
    return one.found


class _Search:
    """A search under way: the ways to each row from rows of one call less."""

    def __init__(self, violation: Violation, scope: Scope, milliseconds: int, report: Report) -> None:
        self.violation, self.milliseconds, self.report = violation, milliseconds, report
        kernel = violation.kernels[0]
        users_files = [str(path) for path in split_name(kernel)[2]]
        self.keep = looks_at_pages(program_with_claims(kernel), violation.property, users_files)
        self.kernels = Kernels(violation, milliseconds, self.keep)
        self.calls = templates(scope)
        self.found = Found([1])
        self.ways: dict[Row, list[Via]] = {Row(): []}
        self.depth = {Row(): 0}

    def run(self, depth: int) -> None:
        """Fill in self.found."""
        level = [Row()]
        for number in range(1, depth + 1):
            following: list[Row] = []
            self.found.levels.append(0)
            for row in [row for row in level if not row.stopped]:
                self.report(self.found)
                for step, place in self._steps(row):
                    for after in self.kernels.successors(row, place, step):
                        self.found.transitions += 1
                        if after.wrong is not False and self._is_real(row, step, place, after):
                            return
                        if after.wrong is not True:
                            self._add(row, step, place, after, number, following)
                            self.found.levels[-1] = len(following)
            level = following

    def _steps(self, row: Row) -> Iterator[tuple[Step, Place]]:
        for call in self.calls:
            for place in rows.any_pages(row.cells) if is_about_a_page(call) else rows.any_ranges(row.cells):
                yield Step(call, place.first, place.end), place

    def _add(self, row: Row, step: Step, place: Place, after: After, depth: int, following: list[Row]) -> None:
        plain, kept = rows.simplest(after.row, self.keep)
        if self.depth.setdefault(plain, depth) != depth:
            return
        if plain not in self.ways:
            self.ways[plain] = []
            following.append(plain)
        self.ways[plain].append(Via(row, step, place, after.conditions, kept))

    def _is_real(self, row: Row, step: Step, place: Place, after: After) -> bool:
        """Does a program reach the violation? Then it is entered in self.found."""
        last = Via(row, step, place, (*after.conditions, after.wrong), ())
        for number, path in enumerate(islice(self._paths(last), WAYS + 1)):
            program = concrete(path, self.milliseconds) if number < WAYS else None
            if isinstance(program, tuple):
                oracle = Oracle(self.violation, max(call.room for call in program))
                if oracle.first_at(program) == len(program):
                    self.found.program, self.found.open = program, None
                    return True
            if program is not False:
                self.found.open = "no program was found for a row that has the violation"
        return False

    def _paths(self, last: Via) -> Iterator[list[Via]]:
        """The ways from the empty row that end with `last`."""
        if not self.depth[last.row]:
            yield [last]
        for via in self.ways[last.row]:
            for path in self._paths(via):
                yield [*path, last]


def concrete(path: Sequence[Via], milliseconds: int) -> tuple[Call, ...] | bool | None:
    """The program with the lowest addresses, the last one minimised first. False if no sizes allow it, None if
    unknown."""
    solver, size, count = Solver(milliseconds), unknown("TASK_SIZE"), 0
    inner: list[Any] = []  # addresses at which the row's cells meet
    calls = []
    for number, via in enumerate(path):
        if not inner:
            inner = [unknown(f"empty{number}")]
            solver.add(at_most(0, inner[0]))
            solver.add(at_most(inner[0], size))
        at, borders = [0, *inner, size], []
        for cell, parts in enumerate(via.place.parts):
            borders.append(at[cell])
            for _ in parts[1:]:
                count += 1
                borders.append(unknown(f"border{count}"))
        borders.append(size)
        _add_sizes(solver, via, borders, number)
        calls.append(via.step.on(borders))
        inner = [borders[cell] for cell in via.kept]
    found = solver.find()
    if not isinstance(found, Model):
        return None if found else False
    for cost in [size, *(call.addr for call in reversed(calls))]:
        if least(solver, cost) is None:
            return None
    model = solver.find()
    if not isinstance(model, Model):
        return None
    return tuple(Call(*(model.value(value) for value in call)) for call in calls)


def _add_sizes(solver: Solver, via: Via, borders: Sequence[Any], number: int) -> None:
    """Assume that the cells between the borders have the sizes of the way."""
    cells, names = via.place.cells, dict[str, Any]()
    for cell, unit in enumerate(cells):
        low, high = borders[cell], borders[cell + 1]
        is_outer = cell in (0, len(cells) - 1)
        solver.add(equal(high, low + 1) if unit else at_most(low if is_outer else low + 1, high))
        names |= {name: high - low for name, _ in rows.key(rows.size_of(cells, cell))[0]}
    names |= {name: unknown(f"{name}{number}") for name in ("page", "mapcount")}
    for formula in via.conditions:
        solver.add(all_replaced(formula, names))
