# SPDX-License-Identifier: GPL-2.0-only
"""States of an address space of any size: a row of cells, some of one page and the others of any size.

The kernel's work depends on the order of addresses and on which of them are the same. So a state stands for all
those that differ in the sizes of their cells only, and a call for all those that begin and end at the same places of
the row. Only the first and the last cell may be empty: nothing is mapped there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from vmacheck.checker.symbolic.machine import SymbolicMachine
from vmacheck.checker.symbolic.values import Linear, Unsupported, linear, unknown
from vmacheck.model.common.mm import FREED, LIVE

Offset = tuple[tuple[tuple[str, int], ...], int]  # a sum of cell sizes, and a number of pages
UNIT, ANY = True, False


class Side(NamedTuple):
    """The state of one kernel over a row: its vmas, (first cell, end cell, other fields, pgoff), and written pages.

    other fields: vm_flags, vm_file, vm_policy, anon_vma, anon_vma_node. pages: (cell, mapping, index). freed: the
    anon_vmas that only pages refer to. Offsets are None where they are the address.
    """

    vmas: tuple[tuple[int, int, tuple[int, ...], Offset | None], ...] = ()
    pages: tuple[tuple[int, int, Offset | None], ...] = ()
    freed: tuple[int, ...] = ()
    leaked: int = 0
    bug: int = 0


@dataclass(frozen=True)
class Row:
    """Cells, each a unit or not, and the state of each kernel on them. length: sum over all calls so far, in pages."""

    cells: tuple[bool, ...] = (ANY, ANY)
    sides: tuple[Side, ...] = (Side(),)
    length: int = 0

    @property
    def stopped(self) -> bool:
        """Has a call stopped a kernel? Then no call follows."""
        return any(side.bug for side in self.sides)

    @property
    def touched(self) -> int:
        """The number of cells that are units."""
        return sum(self.cells)


class Place(NamedTuple):
    """The place of a range in a row: the row with its cells cut as needed, and the range's first and end cell in it.

    parts[c] are the new cells that old cell c was cut into.
    """

    cells: tuple[bool, ...]
    first: int
    end: int
    parts: tuple[tuple[int, ...], ...]


def _cut(cells: Sequence[bool], pieces: dict[int, list[bool]], first: tuple[int, int], end: tuple[int, int]) -> Place:
    """Cut cells into pieces; first and end are (old cell, number of pieces of it that lie before)."""
    new: list[bool] = []
    parts = []
    for cell, unit in enumerate(cells):
        own = pieces.get(cell, [unit])
        parts.append(tuple(range(len(new), len(new) + len(own))))
        new += own
    at = [parts[cell][0] + before for cell, before in (first, end)]
    return Place(tuple(new), at[0], at[1], tuple(parts))


# ---- the places of calls -------------------------------------------------------------------------


def any_ranges(cells: Sequence[bool]) -> Iterator[Place]:
    """Every range: each end at the border of two cells, or inside of one that is not a unit."""
    ends = [(cell, 0) for cell in range(1, len(cells))]
    ends += [(cell, 1) for cell, unit in enumerate(cells) if not unit]
    ends.sort()
    for a, first in enumerate(ends):
        if first[1] == 1:
            yield _cut(cells, {first[0]: [ANY, ANY, ANY]}, first, (first[0], 2))
        for end in ends[a + 1 :]:
            pieces = {place[0]: [ANY, ANY] for place in (first, end) if place[1] == 1}
            yield _cut(cells, pieces, first, end)


def any_pages(cells: Sequence[bool]) -> Iterator[Place]:
    """Every page: a cell that is a unit, or a page of one that is not."""
    last = len(cells) - 1
    for cell, unit in enumerate(cells):
        if unit:
            yield _cut(cells, {}, (cell, 0), (cell, 1))
            continue
        for below, above in product((0, 1), (0, 1)):
            if (cell == 0 and not below) or (cell == last and not above):
                continue
            yield _cut(cells, {cell: [ANY] * below + [UNIT] + [ANY] * above}, (cell, below), (cell, below + 1))


def unit_ranges(cells: Sequence[bool], new: int, longest: int) -> Iterator[Place]:
    """Every range of up to `longest` pages, all made units, at most `new` of them new."""
    for a in range(len(cells)):
        for b in range(a, len(cells)):
            choices = []
            for cell in range(a, b + 1):
                choices.append(list(_pieces(cells, cell, cell == a, cell == b, new)))
            for chosen in product(*choices):
                fresh = sum(
                    sum(pieces) for cell, (pieces, _, _) in zip(range(a, b + 1), chosen, strict=True) if not cells[cell]
                )
                size = sum(sum(pieces) for pieces, _, _ in chosen)
                if fresh <= new and size <= longest:
                    pieces = {cell: list(one[0]) for cell, one in zip(range(a, b + 1), chosen, strict=True)}
                    yield _cut(cells, pieces, (a, chosen[0][1]), (b, chosen[-1][2]))


def _pieces(
    cells: Sequence[bool], cell: int, is_first: bool, is_last: bool, new: int
) -> Iterator[tuple[tuple[bool, ...], int, int]]:
    """The ways to cut a cell that a range takes a part of: the pieces, and where in them the range begins and ends."""
    if cells[cell]:
        yield (UNIT,), 0, 1
        return
    for below, above in product((0, 1), (0, 1)):
        if (below and not is_first) or (above and not is_last):
            continue
        if (cell == 0 and not below) or (cell == len(cells) - 1 and not above):
            continue
        for size in range(1, new + 1):
            yield (ANY,) * below + (UNIT,) * size + (ANY,) * above, below, below + size


# ---- rows as states of a kernel ------------------------------------------------------------------


def size_of(cells: Sequence[bool], cell: int) -> Any:
    """The size of a cell."""
    if cells[cell]:
        return 1
    return unknown("lead" if cell == 0 else "trail" if cell == len(cells) - 1 else f"gap{cell}")


def borders(cells: Sequence[bool]) -> list[Any]:
    """The address at which each cell begins, and, last, the size of the address space."""
    found: list[Any] = [0]
    for cell in range(len(cells)):
        found.append(found[-1] + size_of(cells, cell))
    return found


def key(value: Any) -> Offset:
    """A key to compare numbers by."""
    return (value.terms, value.constant) if isinstance(value, Linear) else ((), value)


def borders_of(state: Any) -> dict[Offset, Any]:
    """The addresses at which vmas begin and end, each once, by key."""
    vmas = [state.vma[number] for number in range(1, state.map_count + 1)]
    return {key(border): border for vma in vmas for border in (vma.vm_start, vma.vm_end)}


def cut_side(side: Side, old: Sequence[bool], place: Place) -> Side:
    """The same state over the cells of a place."""

    def moved(offset: Offset | None) -> Offset | None:
        if offset is None:
            return None
        total: Any = offset[1]
        for cell in range(len(old)):
            size = key(size_of(old, cell))[0]
            for name, c in offset[0]:
                if size and size[0][0] == name:
                    total = total + c * sum((size_of(place.cells, part) for part in place.parts[cell]), 0)
        return key(total)

    vmas = tuple(
        (place.parts[first][0], place.parts[end][0], fields, moved(pgoff)) for first, end, fields, pgoff in side.vmas
    )
    pages = tuple((place.parts[cell][0], mapping, moved(index)) for cell, mapping, index in side.pages)
    return side._replace(vmas=vmas, pages=pages)


def load(machine: SymbolicMachine, side: Side, cells: Sequence[bool]) -> Any:
    """The side as a state of the machine."""
    state, at = machine.new(), borders(cells)
    state.map_count, state.leaked, state.bug = len(side.vmas), side.leaked, side.bug
    for number, (first, end, fields, pgoff) in enumerate(side.vmas, 1):
        vma = state.vma[number]
        vma.vm_start, vma.vm_end = at[first], at[end]
        vma.vm_flags, vma.vm_file, vma.vm_policy, vma.anon_vma, vma.anon_vma_node = fields
        vma.vm_pgoff = at[first] if pgoff is None else linear(*pgoff)
        for anon_vma in (vma.anon_vma, vma.anon_vma_node):
            if anon_vma:
                state.anon_vma[anon_vma].life = LIVE
    for cell, mapping, index in side.pages:
        page = state.page.add(at[cell])
        page.mapcount, page.mapping = 1, mapping
        page.index = at[cell] if index is None else linear(*index)
    for anon_vma in side.freed:
        state.anon_vma[anon_vma].life = FREED
    return state


def store(state: Any, cells: Sequence[bool]) -> Side:
    """A state of a machine as a side, with the anon_vmas renamed in order of appearance. Raises Unsupported."""
    at = {key(border): cell for cell, border in enumerate(borders(cells))}
    names: dict[int, int] = {0: 0}

    def name(anon_vma: int) -> int:
        return names.setdefault(anon_vma, len(names))

    def cell_at(address: Any) -> int:
        cell = at.get(key(address))
        if cell is None:
            raise Unsupported("a call makes a border at a place that is not one of its own")
        return cell

    def offset(value: Any, address: Any) -> Offset | None:
        return None if key(value) == key(address) else key(value)

    _check_kept(state)
    vmas = []
    for number in range(1, state.map_count + 1):
        vma = state.vma[number]
        fields = (vma.vm_flags, vma.vm_file, vma.vm_policy, name(vma.anon_vma), name(vma.anon_vma_node))
        vmas.append((cell_at(vma.vm_start), cell_at(vma.vm_end), fields, offset(vma.vm_pgoff, vma.vm_start)))
    pages = sorted(
        (cell_at(address), page.mapping, offset(page.index, address))
        for address, page in state.page.entries
        if page.mapcount
    )
    named = tuple((cell, name(mapping), index) for cell, mapping, index in pages)
    lives = {names[old]: state.anon_vma[old].life for old in names if old}
    leaked = any(
        state.anon_vma[old].life == LIVE
        for old in range(1, len(state.anon_vma))
        if old not in names and _exists(state, old)
    )
    freed = tuple(sorted(new for new, life in lives.items() if life == FREED))
    return Side(tuple(vmas), named, freed, int(leaked or state.leaked), state.bug)


def _check_kept(state: Any) -> None:
    """Raise Unsupported if the state has values that a side does not keep."""
    vmas = [state.vma[number] for number in range(1, state.map_count + 1)]
    names = ("vm_flags", "vm_file", "vm_policy", "anon_vma", "anon_vma_node")
    kept = all(isinstance(getattr(vma, name), int) for vma in vmas for name in names)
    for _, page in state.page.entries:
        kept = kept and page.mapcount in (0, 1) and isinstance(page.mapping, int)
        kept = kept and key(getattr(page, "guard", 0)) == key(0)
        kept = kept and (page.mapcount == 1 or (page.mapping == 0 and key(page.index) == key(0)))
    referred = {vma.anon_vma for vma in vmas} | {vma.anon_vma_node for vma in vmas}
    referred |= {page.mapping for _, page in state.page.entries}
    if not kept or key(state.brk) != key(0) or not all(state.anon_vma[n].life in (LIVE, FREED) for n in referred if n):
        raise Unsupported("a call leaves a state with something in it that rows of cells do not keep")


def _exists(state: Any, anon_vma: int) -> bool:
    return hasattr(type(state.anon_vma[anon_vma]), "assign")


def simplest(row: Row, keep_pages: bool) -> tuple[Row, tuple[int, ...]]:
    """The row with only the borders of vmas and kept pages, and no units but kept pages; and those borders.

    The simpler row stands for more states than the row does: it is an over-approximation.
    """
    units = {cell for side in row.sides for cell, _, _ in side.pages} if keep_pages else set()
    kept = {cell for side in row.sides for first, end, _, _ in side.vmas for cell in (first, end)}
    kept |= units | {cell + 1 for cell in units}
    offsets = [pgoff for side in row.sides for _, _, _, pgoff in side.vmas]
    offsets += [index for side in row.sides for _, _, index in side.pages] if keep_pages else []
    if any(offset is not None for offset in offsets):
        raise Unsupported("an offset that is not the address, as mremap makes them")
    if not kept:
        return Row(sides=row.sides), ()
    new = {cell: number for number, cell in enumerate(sorted(kept), 1)}
    cells = [ANY] * (len(new) + 1)
    for unit in units:
        cells[new[unit]] = UNIT
    sides = tuple(
        side._replace(
            vmas=tuple((new[first], new[end], fields, pgoff) for first, end, fields, pgoff in side.vmas),
            pages=tuple((new[cell], mapping, index) for cell, mapping, index in side.pages) if keep_pages else (),
            freed=side.freed if keep_pages else (),
        )
        for side in row.sides
    )
    return Row(tuple(cells), sides), tuple(sorted(kept))
