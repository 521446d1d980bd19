# SPDX-License-Identifier: GPL-2.0-only
"""The least program of so many calls that shows a violation, among all of any size.

Programs of the same number of calls are ordered by how many different pages their calls are about, then by the sum of
their lengths, then by protections, then by addresses, call by call. In a row whose touched pages are units and whose
gaps are of any size, the first two are known; so it is enough to follow the rows that stay within what is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checker import rows
from checker.anysize import Kernels, Step, Violation, is_about_a_page
from checker.rows import Place, Row
from model.operations import FIXED, PROTECTIONS, Call

RANK = {bits: number for number, bits in enumerate(PROTECTIONS.values())}


def length_of(call: Call) -> int:
    """How many pages a call is about, one that moves at both places."""
    return call.new_len + call.len if call.flags == FIXED else max(1, call.len)


def pages_of(calls: Sequence[Call]) -> set[int]:
    """The pages that calls are about."""
    pages: set[int] = set()
    for call in calls:
        pages |= set(range(call.addr, call.addr + max(1, call.len)))
        if call.flags == FIXED:
            pages |= set(range(call.new_addr, call.new_addr + call.new_len))
    return pages


@dataclass(frozen=True, order=True)
class Cost:
    """What programs are ordered by, the most important first."""

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
    """What was found: the least program, if there is one within the limits, and how many rows were looked at.

    gave_up: Z3 left a question open, so that a lesser one may have been missed.
    """

    program: tuple[Call, ...] | None
    rows: int
    transitions: int
    gave_up: bool


class _Level:
    """The rows that programs of so many calls lead to, each with the least program that does."""

    def __init__(self) -> None:
        self.rows: dict[Row, tuple[tuple[object, ...], tuple[Step, ...]]] = {}

    def add(self, row: Row, steps: tuple[Step, ...]) -> None:
        order = _order(steps)
        if row not in self.rows or order < self.rows[row][0]:
            self.rows[row] = (order, steps)


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
    """The least program of so many calls about at most so many pages, of at most this length in all."""
    kernels = Kernels(violation, milliseconds, keep_pages=True)
    level, found, transitions, seen = _Level(), _Level(), 0, 1
    level.add(Row(sides=(rows.Side(),) * len(violation.kernels)), ())
    for number in range(1, calls + 1):
        following = _Level()
        for row, (_, steps) in level.rows.items():
            left = length - row.length - (calls - number)
            for step, place in _steps(row, templates, pages - row.touched, left):
                own = place.end - place.first
                size = row.length + (2 * own if step.template.flags == FIXED else own)
                if size > length - (calls - number):
                    continue
                for after, wrong in kernels.successors(row, place, step):
                    transitions += 1
                    then = Row(after.cells, after.sides, size)
                    done = (*(one.moved(place.parts) for one in steps), step)
                    if wrong and number == calls:
                        found.add(then, done)
                    elif not wrong and number < calls:
                        following.add(then, done)
        level = following
        seen += len(level.rows)
    programs = [_concrete(row, steps) for row, (_, steps) in found.rows.items()]
    return Least(min(programs, key=cost_of, default=None), seen, transitions, kernels.gave_up)


def _steps(row: Row, templates: Sequence[Call], new: int, longest: int) -> Iterator[tuple[Step, Place]]:
    """Every call from a row, within so many new pages, of at most this length."""
    for template in templates:
        if template.flags == FIXED:
            yield from _moves(row, template, new, longest // 2)
            continue
        for place in rows.unit_ranges(row.cells, new, 1 if is_about_a_page(template) else longest):
            yield Step(template, place.first, place.end), place


def _moves(row: Row, template: Call, new: int, longest: int) -> Iterator[tuple[Step, Place]]:
    for source in rows.unit_ranges(row.cells, new, longest):
        size = source.end - source.first
        for to in rows.unit_ranges(source.cells, new - sum(source.cells) + row.touched, size):
            if to.end - to.first == size:
                first, end = to.parts[source.first][0], to.parts[source.end][0]
                parts = tuple(tuple(part for cell in cells for part in to.parts[cell]) for cells in source.parts)
                yield Step(template, first, end, to.first), Place(to.cells, first, end, parts)


def _concrete(row: Row, steps: Sequence[Step]) -> tuple[Call, ...]:
    """The program with every gap one page large, and none below the first page."""
    return tuple(step.on(range(-1, len(row.cells))) for step in steps)
