# SPDX-License-Identifier: GPL-2.0-only
"""The search in an address space of any size, against one in a fixed number of pages."""

import itertools

import pytest

from tests.search.test_search import compiled_keys
from tests.support.helpers import MUTANTS, checked, rest, system
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import CallRecord, Machine
from vmacheck.checker.program.system import OOPS
from vmacheck.checker.proofs import rows
from vmacheck.checker.proofs.any_size import Violation, templates
from vmacheck.checker.proofs.bounded import search
from vmacheck.checker.proofs.least import cost_of, least_program
from vmacheck.checker.proofs.rows import ANY, UNIT
from vmacheck.checker.search import rounds
from vmacheck.checker.search.outcome import Limits
from vmacheck.properties import PROPERTIES

MILLISECONDS = 10_000
FEW = ("mmap", "mprotect", "write")
NAMES = (
    "adjacent_vmas_share_anon_vma",
    "rmap_finds_every_page",
    "equal_neighbours_are_not_kept_apart",
    "first_write_takes_neighbours_anon_vma",
    "calls_miss_no_merge",
    "vmas_are_sorted_and_disjoint",
)


def mutant(name):
    return f"rmap40+{MUTANTS / name}.py"


# ---- the ranges of a row, against those of addresses -----------------------------------------------------------------

CELLS = [
    (ANY, ANY),
    (ANY, ANY, ANY),
    (ANY, UNIT, ANY),
    (ANY, UNIT, ANY, UNIT, ANY),
    (ANY, ANY, UNIT, UNIT, ANY),
    (ANY, ANY, ANY, UNIT, ANY),
]


def layouts(cells, largest):
    """The old cell of each page, with every choice of sizes."""
    outer = (0, len(cells) - 1)
    sizes = [[1] if unit else range(int(cell not in outer), largest + 1) for cell, unit in enumerate(cells)]
    for chosen in itertools.product(*sizes):
        yield [cell for cell, size in enumerate(chosen) for _ in range(size)]


def cut_as(cells, pages, marks):
    """The row of which the pages are labelled (old cell, is it a unit, anything else that sets pieces apart).

    With the place in it of each border of the old row, and of each of the marks (page numbers); and its cells.
    """
    last, new, parts = len(cells) - 1, [], [[] for _ in cells]
    at = {}

    def piece(cell, unit):
        parts[cell].append(len(new))
        new.append(unit)

    if not pages or pages[0][0] != 0 or pages[0][1] or 0 in marks:
        piece(0, ANY)
    for number, (label, before) in enumerate(zip(pages, [None, *pages], strict=False)):
        if label[1] or label != before:
            piece(label[0], label[1])
        at[number] = len(new) - 1
    if not pages or pages[-1][0] != last or pages[-1][1] or len(pages) in marks:
        piece(last, ANY)
    at[len(pages)] = len(new) - 1
    return tuple(new), tuple(at[mark] for mark in marks), tuple(tuple(part) for part in parts)


def ranges_by_addresses(cells, new, longest, sizes):
    """The expected result of unit_ranges, from all ranges in all layouts."""
    found = set()
    for pages in layouts(cells, sizes):
        for first, end in itertools.combinations(range(len(pages) + 1), 2):
            inside = range(first, end)
            if end - first <= longest and sum(not cells[pages[page]] for page in inside) <= new:
                marked = [(cell, cells[cell] or n in inside, n >= end) for n, cell in enumerate(pages)]
                new_cells, _, parts = cut_as(cells, marked, ())
                position = [n for n, _ in enumerate(pages)]
                found.add((new_cells, *_place_of(marked, position, first, end), parts))
    return found


def _place_of(marked, position, first, end):
    """In which cell the range begins, and in which one ends: as many cells lie below as pieces of the pages before."""
    below = 0 if marked[0][0] == 0 and not marked[0][1] else 1  # the lowest cell is there even if it is empty
    for number in position[:first]:
        below += marked[number][1] or number == 0 or marked[number] != marked[number - 1]
    return below, below + end - first


@pytest.mark.parametrize("cells", CELLS, ids=str)
@pytest.mark.parametrize(("new", "longest"), [(0, 3), (1, 1), (1, 3), (2, 2), (2, 4), (3, 3)])
def test_ranges_in_units_are_those_of_addresses(cells, new, longest):
    found = [(p.cells, p.first, p.end, p.parts) for p in rows.unit_ranges(cells, new, longest)]
    assert len(found) == len(set(found))
    assert set(found) == ranges_by_addresses(cells, new, longest, new + 2)


@pytest.mark.parametrize("cells", CELLS, ids=str)
def test_pages_are_those_of_addresses(cells):
    found = [(p.cells, p.first, p.end, p.parts) for p in rows.any_pages(cells)]
    assert len(found) == len(set(found))
    assert set(found) == ranges_by_addresses(cells, 1, 1, 3)


@pytest.mark.parametrize("cells", CELLS, ids=str)
def test_ranges_of_any_size_are_those_of_addresses(cells):
    """A range is known by which cells its ends lie in, and whether inside or at the border."""
    expected = set()
    for pages in layouts(cells, 4):
        ends = []
        for place in range(len(pages) + 1):
            below, above = (pages[place - 1] if place else 0), (pages[place] if place < len(pages) else len(cells) - 1)
            ends.append(((below, True),) if below == above else tuple((cell, False) for cell in range(below, above)))
        for a, b in itertools.combinations(ends, 2):
            expected |= {(one, two, one == two and one[1]) for one in a[-1:] for two in b[:1]}
    found = []
    for place in rows.any_ranges(cells):
        assert [place.cells[part] for parts in place.parts for part in parts] == list(place.cells)
        assert all(place.cells[part] == cells[cell] for cell, parts in enumerate(place.parts) for part in parts)
        ends = []
        for cut in (place.first, place.end):
            (cell,) = (cell for cell, parts in enumerate(place.parts) if cut in parts)
            ends.append((cell, True) if cut != place.parts[cell][0] else (cell - 1, False))
        found.append((ends[0], ends[1], ends[0] == ends[1] and ends[0][1]))
    assert len(found) == len(set(found))
    assert set(found) == expected


# ---- the states that programs lead to --------------------------------------------------------------------------------


def classes_by_rows(kernel, name, depth, monkeypatch):
    """The rows of a search, each as its vmas: their fields, and whether each touches the one before."""
    found, simplest = set(), rows.simplest

    def noted(row, keep):
        plain, kept = simplest(row, keep)
        (side,) = plain.sides
        vmas, last = [], None
        for first, end, (flags, file, policy, *names), pgoff in side.vmas:
            assert (first < end, file, policy, pgoff) == (True, 0, 0, None)
            vmas.append((flags, *names, last == first))
            last = end
        found.add((tuple(vmas), side.leaked, side.bug))
        return plain, kept

    with monkeypatch.context() as patch:
        patch.setattr(rows, "simplest", noted)
        levels = search(kernel, name, Scope(pages=4), depth, MILLISECONDS).levels
    return levels, found | {((), 0, 0)}


def class_of(mm):
    vmas = [mm.vma[number] for number in range(1, mm.map_count + 1)]
    ends = [None, *(vma.vm_end for vma in vmas)]
    shape = [(v.vm_flags, v.anon_vma, v.anon_vma_node, v.vm_start == end) for v, end in zip(vmas, ends, strict=False)]
    return tuple(shape), mm.leaked, mm.bug


def classes_by_pages(kernel, pages, depth):
    explorer = rounds.Explorer(system(kernel, pages), (), Limits(depth=depth))
    explorer.run()
    machine = Machine(explorer.system)
    mm, found = machine.new(), set()
    for key in compiled_keys(explorer):
        machine.load(mm, key)
        found.add(class_of(mm))
    return found


@pytest.mark.parametrize(
    ("kernel", "levels"), rest(pytest.mark.proofs, [("rmap40", [1, 2, 13, 97]), ("andrea", [1, 2, 13, 99])])
)
def test_rows_are_the_classes_of_states(kernel, levels, monkeypatch):
    for depth, pages in ((1, 3), (2, 5), (3, 7)):
        found, by_rows = classes_by_rows(kernel, "adjacent_vmas_share_anon_vma", depth, monkeypatch)
        assert found == levels[: depth + 1]
        assert by_rows == classes_by_pages(kernel, pages, depth)
        assert len(by_rows) == sum(levels[: depth + 1])


# ---- verdicts --------------------------------------------------------------------------------------------------------


def shows(kernel, name, calls, pages, **scope):
    """Is the claim false after the last of the calls, or of it, and never before?"""
    run = Machine(system(kernel, pages, (name,), **scope))
    before, after, good = run.new(), run.new(), []
    for call in calls:
        result = run.step(before, call, after)
        arguments = (before, CallRecord(call, result), after) if PROPERTIES[name].on_step else (after,)
        good.append(result == OOPS if PROPERTIES[name].on_step and result == OOPS else run.evaluate(name, *arguments))
        before, after = after, before
    return all(good[:-1]) and not good[-1]


def agree(kernel, names, depth, pages, **scope):
    results = checked(kernel, *names, limits=Limits(depth=depth), pages=pages, **scope).results
    for result in results:
        name, length = result.claim.name, len(result.calls or ())
        found = search(kernel, name, Scope(pages=4, **scope), depth, MILLISECONDS)
        assert found.open is None
        assert len(found.program or ()) == length, (kernel, name)
        assert len(found.levels) == (length or depth) + 1
        if found.program:
            assert shows(kernel, name, found.program, max(call.end for call in found.program))
    return [len(result.calls or ()) for result in results]


@pytest.mark.parametrize(
    "kernel", rest(pytest.mark.proofs, ["linux-2.6.8", "rmap39", "rmap40", "andrea", "one-per-mm"])
)
def test_no_claim_is_violated_within_three_calls(kernel):
    names = NAMES if kernel == "rmap40" else NAMES[1:4:2]
    assert agree(kernel, names, 3, 4) == [0] * len(names)


@pytest.mark.proofs
def test_the_lost_page_is_found_after_four_calls():
    assert agree("rmap40", ["rmap_finds_every_page"], 4, 4, operations=FEW) == [4]


@pytest.mark.proofs
def test_four_calls_keep_neighbours_together():
    assert agree("rmap40", ["adjacent_vmas_share_anon_vma"], 4, 4, operations=FEW) == [0]


@pytest.mark.parametrize(
    ("kernel", "name", "length"),
    rest(
        pytest.mark.proofs,
        [
            (mutant("calls_miss_no_merge.mmap"), "calls_miss_no_merge", 2),
            (mutant("kernel_bug_is_never_hit.null"), "kernel_bug_is_never_hit", 2),
            (mutant("page_index_is_linear"), "page_index_is_linear", 2),
            ("andrea-aa", "calls_miss_no_merge", 3),
            (mutant("anon_vmas_are_freed_with_their_last_vma"), "anon_vmas_are_freed_with_their_last_vma", 3),
            (mutant("calls_miss_no_merge"), "calls_miss_no_merge", 3),
            (mutant("faulted_vmas_are_on_their_list"), "faulted_vmas_are_on_their_list", 3),
            (mutant("faulted_vmas_are_on_their_list"), "rmap_finds_every_page", 3),
            (mutant("kernel_bug_is_never_hit.loop"), "kernel_bug_is_never_hit", 3),
            (mutant("nothing_refers_to_a_freed_anon_vma"), "nothing_refers_to_a_freed_anon_vma", 3),
            (mutant("pages_match_flat_reference.contents"), "rmap_finds_every_page", 3),
        ],
        3,
    ),
    ids=lambda value: str(value).rpartition("/")[2],
)
def test_a_violation_is_found_in_any_size_as_well(kernel, name, length):
    assert agree(kernel, [name], 3, 5) == [length]


# ---- the least program -----------------------------------------------------------------------------------------------


def least_by_trying(kernel, name, length, pages, **scope):
    """The least of all programs of `length` calls in `pages` pages that show the violation with their last call."""
    tried = system(kernel, pages, (name,), **scope)
    run, known = Machine(tried), {}
    before, after, on_step = run.new(), run.new(), PROPERTIES[name].on_step

    def step(key, call):
        """The state after the call, and whether the claim is false there."""
        if (key, call) not in known:
            run.load(before, key)
            result = run.step(before, call, after)
            if on_step:
                good = result == OOPS or run.evaluate(name, before, CallRecord(call, result), after)
            else:
                good = run.evaluate(name, after)
            known[key, call] = run.key(after), not good
        return known[key, call]

    states, best = [(run.key(run.new()), ())], None
    for number in range(1, length + 1):
        following = []
        for key, calls in states:
            for call in tried.calls:
                then, wrong = step(key, call)
                program = (*calls, call)
                if wrong and number == length:
                    best = min(best or program, program, key=cost_of)
                elif not wrong and number < length:
                    following.append((then, program))
        states = following
    return best


LEAST = [
    ("andrea-aa", "calls_miss_no_merge", 3, 3, {}),
    (mutant("calls_miss_no_merge.mmap"), "calls_miss_no_merge", 2, 4, {}),
    (mutant("kernel_bug_is_never_hit.null"), "kernel_bug_is_never_hit", 2, 3, {}),
    (mutant("nothing_refers_to_a_freed_anon_vma"), "nothing_refers_to_a_freed_anon_vma", 3, 3, {}),
    (mutant("faulted_vmas_are_on_their_list"), "faulted_vmas_are_on_their_list", 2, 3, {}),
    (mutant("calls_miss_no_merge.mmap"), "calls_miss_no_merge", 3, 3, {"operations": ("mmap", "move")}),
    (mutant("pages_match_flat_reference.contents"), "page_index_is_linear", 3, 3, {"protections": ("RW",)}),
    (mutant("page_index_is_linear"), "rmap_finds_every_page", 2, 4, {}),
]


def test_what_is_not_followed_leaves_it_open():
    kernel = mutant("unfaulted_vmas_have_pgoff_of_their_start")
    found = search(kernel, "kernel_bug_is_never_hit", Scope(pages=4), 2, MILLISECONDS)
    assert found.open == "an offset that is not the address, as mremap makes them"


def as_test(case):
    return pytest.param(*case, marks=[pytest.mark.proofs] * (case[2] > 2))


@pytest.mark.parametrize(
    ("kernel", "name", "length", "pages", "scope"),
    [as_test(case) for case in LEAST],
    ids=lambda value: str(value).rpartition("/")[2],
)
def test_the_least_program_is_the_least_of_all(kernel, name, length, pages, scope):
    by_trying = least_by_trying(kernel, name, length, pages, **scope)
    violation = Violation((kernel,), name)
    found = least_program(violation, templates(Scope(pages=4, **scope)), length, pages, length + 1, MILLISECONDS)
    assert found.open is None
    assert found.program == by_trying
    if by_trying is not None:
        assert shows(kernel, name, found.program, pages, **scope)
