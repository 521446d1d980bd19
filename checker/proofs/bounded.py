# SPDX-License-Identifier: GPL-2.0-only
"""All programs of up to N calls, in an address space of any size: breadth-first over rows of cells."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.names import split_name
from vmacheck.checker.kernels.programs import program_with_claims
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.proofs import rows
from vmacheck.checker.proofs.any_size import (
    After,
    Kernels,
    Step,
    Violation,
    is_about_a_page,
    is_of_any_page,
    looks_at_pages,
    templates,
)
from vmacheck.checker.proofs.oracle import Oracle
from vmacheck.checker.proofs.rows import Place, Row
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import check
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

PAGES_SEARCHED = 3  # in which a search is asked whether it agrees with a proof
MOST_TRIED = 2000  # ways tried with their sizes before giving up that a program reaches a violation


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
    if one.found.open is None and one.found.program is None:
        one.found.open = _other_answer(kernel, claim, scope, depth)
    return one.found


def _other_answer(kernel: str, claim: str, scope: Scope, depth: int) -> str | None:
    """What a search of a few pages says against a proof; None if nothing."""
    small = replace(scope, pages=min(PAGES_SEARCHED, depth + 1))
    (result, *_) = check(one_process.build(kernel, small, [claim]), [claim], Limits(depth)).results
    if result.verdict != "violated":
        return None
    program = "; ".join(map(str, result.calls or ()))
    return f"the runs disagree: in address spaces of {small.pages} pages, {program} breaks it"


class _Search:
    """A search under way: the rows, each expanded once, with the ways from one to the other.

    A row stands for states that differ in sizes, and a later way to it may have sizes that the first has not. So all
    ways are kept, and where no program is found for a violation, it is looked for again with each number of calls.
    """

    def __init__(self, violation: Violation, scope: Scope, milliseconds: int, report: Report) -> None:
        self.violation, self.milliseconds, self.report = violation, milliseconds, report
        kernel = violation.kernels[0]
        users_files = [str(path) for path in split_name(kernel)[2]]
        self.keep = looks_at_pages(program_with_claims(kernel), violation.property, users_files)
        self.kernels = Kernels(violation, milliseconds, self.keep)
        self.calls = templates(scope)
        self.found = Found([1])
        self.into: dict[Row, list[Via]] = {Row(): []}
        self.out: dict[Row, list[tuple[Via, Row]]] = {}

    def run(self, depth: int) -> None:
        """Fill in self.found."""
        level, unreal = [Row()], list[Via]()
        for number in range(1, depth + 1):
            following: list[Row] = []
            self.found.levels.append(0)
            if any(self._is_real(last, number) for last in list(unreal)):
                return
            for row in [row for row in level if not row.stopped]:
                self.report(self.found)
                for step, place in self._steps(row):
                    for after in self.kernels.successors(row, place, step):
                        self.found.transitions += 1
                        if after.wrong is not False:
                            unreal.append(Via(row, step, place, (*after.conditions, after.wrong), ()))
                            if self._is_real(unreal[-1], number):
                                return
                        if after.wrong is not True:
                            self._add(row, step, place, after, following)
                            self.found.levels[-1] = len(following)
            level = following

    def _steps(self, row: Row) -> Iterator[tuple[Step, Place]]:
        for call in self.calls:
            for place in rows.any_pages(row.cells) if is_about_a_page(call) else rows.any_ranges(row.cells):
                yield Step(call, place.first, place.end), place

    def _add(self, row: Row, step: Step, place: Place, after: After, following: list[Row]) -> None:
        plain, kept = rows.simplest(after.row, self.keep)
        if plain not in self.into:
            self.into[plain] = []
            following.append(plain)
        is_idle = plain == row and place.cells == row.cells and kept == tuple(range(1, len(row.cells)))
        if not is_idle or after.wrong is not False:  # a call that changes nothing makes no program shorter
            via = Via(row, step, place, after.conditions, kept)
            self.into[plain].append(via)
            self.out.setdefault(row, []).append((via, plain))

    def _is_real(self, last: Via, calls: int) -> bool:
        """Does a program of so many calls end with this violation? Then it is entered in self.found."""
        reaching = [{last.row}]  # by the number of calls, rows from which last.row is reached
        for _ in range(calls - 1):
            reaching.append({via.row for row in reaching[-1] for via in self.into[row]})
        if Row() not in reaching[-1]:
            return False
        sizes = _Sizes(self.milliseconds)
        for program in self._programs(sizes, Row(), reaching[:-1], last):
            if program is not None and self._is_shown(program):
                self.found.program, self.found.open = program, None
                return True
            self.found.open = "no program was found for a row that has the violation"
        return False

    def _is_shown(self, program: tuple[Call, ...]) -> bool:
        oracle = Oracle(self.violation, max(call.room for call in program))
        return oracle.first_at(program) == len(program)

    def _programs(
        self, sizes: "_Sizes", row: Row, reaching: list[set[Row]], last: Via
    ) -> Iterator[tuple[Call, ...] | None]:
        """The programs by the ways from a row to the violation, one each. None for those that Z3 does not find.

        reaching: by the number of calls that are left, rows that last.row is reached from.
        """
        if not reaching:
            if sizes.allow(last) is not False:
                yield sizes.program()
            sizes.drop()
            return
        *more, here = reaching
        for via, following in self.out.get(row, ()):
            if following in here:
                if sizes.tried > MOST_TRIED:
                    yield None
                    return
                if sizes.allow(via) is not False:
                    yield from self._programs(sizes, following, more, last)
                sizes.drop()


class _Sizes:
    """A program under way along ways between rows: what is known of the sizes of the cells, and its calls."""

    def __init__(self, milliseconds: int) -> None:
        self.solver, self.size, self.tried = Solver(milliseconds), unknown("TASK_SIZE"), 0
        self.calls: list[Call] = []
        self.inner: list[list[Any]] = [[]]  # addresses at which the row's cells meet, before each call and after it

    def allow(self, via: Via) -> bool | None:
        """Go on with a way. Do any sizes allow it? None: unknown."""
        number = len(self.calls)
        self.solver.push()
        at, borders = [0, *(self.inner[-1] or [unknown(f"empty{number}")]), self.size], list[Any]()
        if not self.inner[-1]:  # of an empty address space, which is a row of two cells
            self.solver.add(at_most(0, at[1]))
            self.solver.add(at_most(at[1], self.size))
        for cell, parts in enumerate(via.place.parts):
            borders.append(at[cell])
            borders += [unknown(f"border{number}_{part}") for part in parts[1:]]
        borders.append(self.size)
        _add_sizes(self.solver, via, borders, number)
        self.calls.append(via.step.on(borders))
        self.inner.append([borders[cell] for cell in via.kept])
        self.tried += 1
        found = self.solver.find()
        return None if found is True else bool(found)

    def drop(self) -> None:
        """Take back the last way."""
        self.solver.pop()
        self.calls.pop()
        self.inner.pop()

    def program(self) -> tuple[Call, ...] | None:
        """The program with the lowest addresses, the last one minimised first. None if unknown."""
        self.solver.push()
        try:
            for cost in [self.size, *(call.addr for call in reversed(self.calls))]:
                if least(self.solver, cost) is None:
                    return None
            model = self.solver.find()
        finally:
            self.solver.pop()
        if not isinstance(model, Model):
            return None
        return tuple(Call(*(model.value(value) for value in call)) for call in self.calls)


def _add_sizes(solver: Solver, via: Via, borders: Sequence[Any], number: int) -> None:
    """Assume that the cells between the borders have the sizes of the way."""
    cells, names = via.place.cells, dict[str, Any]()
    for cell, unit in enumerate(cells):
        low, high = borders[cell], borders[cell + 1]
        is_outer = cell in (0, len(cells) - 1)
        solver.add(equal(high, low + 1) if unit else at_most(low if is_outer else low + 1, high))
        names |= {name: high - low for name, _ in rows.key(rows.size_of(cells, cell))[0]}
    others = {name for formula in via.conditions if not isinstance(formula, bool) for name in formula.names}
    names |= {name: unknown(f"{name}#{number}") for name in sorted(others) if name == "page" or is_of_any_page(name)}
    for formula in via.conditions:
        solver.add(all_replaced(formula, names))
