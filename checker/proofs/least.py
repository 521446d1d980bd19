# SPDX-License-Identifier: GPL-2.0-only
"""The least program of N calls that shows a violation, among address spaces of any size.

Programs of the same number of calls are ordered by the number of different pages of their calls, then by the sum of
their lengths, then by protections, then by addresses, call by call. A row whose touched pages are units and whose gaps
are of any size determines the first two; so it is enough to follow the rows within the limits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vmacheck.checker.proofs import rows
from vmacheck.checker.proofs.any_size import Kernels, Step, Violation, is_about_a_page, sizes
from vmacheck.checker.proofs.oracle import Oracle
from vmacheck.checker.proofs.rows import Place, Row
from vmacheck.checker.symbolic.solver import Model, Solver, least, start_afresh
from vmacheck.checker.symbolic.values import Formula, both
from vmacheck.model.calls.operations import FIXED, PROTECTIONS, Call

RANK = {bits: number for number, bits in enumerate(PROTECTIONS.values())}


def length_of(call: Call) -> int:
    """The number of pages of a call; of one that moves, at both places."""
    return call.new_len + call.len if call.flags == FIXED else max(1, call.len)


def pages_of(calls: Sequence[Call]) -> set[int]:
    """The pages of calls."""
    pages: set[int] = set()
    for call in calls:
        pages |= set(range(call.addr, call.addr + max(1, call.len)))
        if call.flags == FIXED:
            pages |= set(range(call.new_addr, call.new_addr + call.new_len))
    return pages


@dataclass(frozen=True, order=True)
class Cost:
    """The order of programs, the most important part first."""

    calls: int
    pages: int
    length: int
    protections: tuple[int, ...] = ()
    addresses: tuple[int, ...] = ()
    kinds: tuple[int, ...] = ()


def cost_of(calls: Sequence[Call]) -> Cost:
    """The place of a program in the order."""
    addresses = tuple(address for call in calls for address in _addresses(call))
    return Cost(
        len(calls),
        len(pages_of(calls)),
        sum(length_of(call) for call in calls),
        tuple(RANK[call.prot] for call in calls),
        addresses,
        tuple(call.nr for call in calls),
    )


def _addresses(call: Call) -> tuple[int, ...]:
    return (call.addr, call.new_addr) if call.flags == FIXED else (call.addr,)


@dataclass
class Least:
    """The outcome: the least program within the limits, if any, and the number of rows searched.

    open: why a lesser program may have been missed, if it may.
    """

    program: tuple[Call, ...] | None
    rows: int
    transitions: int
    open: str | None


class _Level:
    """Rows reached by programs of one number of calls, each with the least such program and the sizes for it."""

    def __init__(self) -> None:
        self.rows: dict[Row, tuple[tuple[object, ...], tuple[Step, ...], Formula]] = {}

    def add(self, row: Row, steps: tuple[Step, ...], condition: Formula = True) -> None:
        order = _order(steps)
        if row not in self.rows or order < self.rows[row][0]:
            self.rows[row] = (order, steps, condition)


def _order(steps: Sequence[Step]) -> tuple[object, ...]:
    return (
        tuple(RANK[step.template.prot] for step in steps),
        tuple(
            cell
            for step in steps
            for cell in ((step.first, step.to) if step.template.flags == FIXED else (step.first,))
        ),
        tuple(step.template.nr for step in steps),
        tuple(step.template for step in steps),
    )


def least_program(
    violation: Violation, templates: Sequence[Call], calls: int, pages: int, length: int, milliseconds: int
) -> Least:
    """The least program of `calls` calls about at most `pages` pages, of at most `length` pages in all.

    Raises Unsupported.
    """
    start_afresh()
    kernels = Kernels(violation, milliseconds, keep_pages=True)
    level, found, transitions, seen = _Level(), _Level(), 0, 1
    level.add(Row(sides=(rows.Side(),) * len(violation.kernels)), ())
    for number in range(1, calls + 1):
        following = _Level()
        for row, (_, steps, _) in level.rows.items():
            if row.stopped:
                continue
            for step, place, size in _steps(row, templates, pages - row.touched, length - row.length - calls + number):
                done = tuple(one.moved(place.parts) for one in steps)
                for after in kernels.successors(row, place, step):
                    transitions += 1
                    then = Row(after.row.cells, after.row.sides, row.length + size)
                    if number < calls and after.wrong is not True:
                        following.add(then, (*done, step))
                    elif number == calls and after.wrong is not False:
                        found.add(then, (*done, step), both([*after.conditions, after.wrong]))
        level = following
        seen += len(level.rows)
    programs = [_concrete(row, steps, condition, milliseconds) for row, (_, steps, condition) in found.rows.items()]
    room = max((call.room for program in programs for call in program or ()), default=1)
    oracle = Oracle(violation, room) if programs else None
    real = [program for program in programs if program is not None and oracle is not None and oracle.shows(program)]
    why = "Z3 did not answer in time" if kernels.gave_up else None
    if why is None and len(real) < len(programs):
        why = "rows have the violation for which no program was found"
    return Least(min(real, key=cost_of, default=None), seen, transitions, why)


def _steps(row: Row, templates: Sequence[Call], new: int, longest: int) -> Iterator[tuple[Step, Place, int]]:
    """Every call from a row about at most `new` new pages, of at most `longest` pages; with its length in pages."""
    for template in templates:
        if template.flags == FIXED:
            for step, place in _moves(row, template, new, longest // 2):
                yield step, place, 2 * (place.end - place.first)
            continue
        for place in rows.unit_ranges(row.cells, new, min(longest, 1) if is_about_a_page(template) else longest):
            yield Step(template, place.first, place.end), place, place.end - place.first


def _moves(row: Row, template: Call, new: int, longest: int) -> Iterator[tuple[Step, Place]]:
    for source in rows.unit_ranges(row.cells, new, longest):
        size = source.end - source.first
        for to in rows.unit_ranges(source.cells, new - sum(source.cells) + row.touched, size):
            if to.end - to.first == size:
                first, end = to.parts[source.first][0], to.parts[source.end][0]
                parts = tuple(tuple(part for cell in cells for part in to.parts[cell]) for cells in source.parts)
                yield Step(template, first, end, to.first), Place(to.cells, first, end, parts)


def _concrete(row: Row, steps: Sequence[Step], condition: Formula, milliseconds: int) -> tuple[Call, ...] | None:
    """The program with the smallest gaps, the lowest first, that meet the condition. None if none do."""
    solver, at = Solver(milliseconds), rows.borders(row.cells)
    for formula in (*sizes(), condition):
        solver.add(formula)
    if not isinstance(solver.find(), Model):
        return None
    for cell, unit in enumerate(row.cells):
        if not unit and least(solver, rows.size_of(row.cells, cell)) is None:
            return None
    model = solver.find()
    if not isinstance(model, Model):
        return None
    return tuple(Call(*(model.value(value) for value in step.on(at))) for step in steps)
