# SPDX-License-Identifier: GPL-2.0-only
"""The two runs against each other, and against searches that share no code with them."""

from collections import Counter
from types import SimpleNamespace

import pytest

from tests.support import naive
from tests.support.helpers import KERNELS, checked, rest, steps, system, verdict
from vmacheck.checker.compiled.flat import Flat
from vmacheck.checker.search import explore, rounds
from vmacheck.checker.search.outcome import Limits

SLOW = pytest.mark.slow

# states, transitions, depth: pinned
PINNED = {
    ("anonmm", 3): (216, 7128, 6),
    ("rmap39", 3): (1198, 39534, 15),
    ("rmap40", 3): (1046, 34518, 15),
    ("linux-2.6.8", 3): (628, 20724, 11),
    ("rmap39+importer", 3): (724, 23892, 10),
    ("anonmm", 4): (1296, 69984, 7),
    ("rmap39", 4): (31290, 1689660, 22),
    ("rmap40", 4): (24482, 1322028, 25),
    ("linux-2.6.8", 4): (6945, 375030, 16),
    ("anonmm", 5): (7776, 622080, 9),
    ("linux-2.6.8", 5): (109830, 8786400, 25),
}


MARKS = {("rmap39", 4): SLOW, ("linux-2.6.8", 5): pytest.mark.large}


@pytest.mark.parametrize(
    ("kernel", "pages"), [pytest.param(*case, marks=MARKS.get(case, ())) for case in PINNED], ids=str
)
def test_pinned_counts(kernel, pages):
    search = rounds.explore(system(kernel, pages))
    assert search.closed
    assert (search.states, search.transitions, search.depth) == PINNED[kernel, pages]


@pytest.mark.parametrize("pages", rest(SLOW, range(1, 7), 4))
def test_states_of_anonmm_are_those_of_its_pages(pages):
    """A hole; R never writable; R once writable, or RW, each with or without a page: 6 for each page, and no more."""
    assert rounds.explore(system("anonmm", pages)).states == 6**pages


def compiled_keys(explorer):
    """The states that a compiled search found, as tuples of fields."""
    flat: Flat = explorer.flat
    count = sum(explorer.search.levels)
    keys = explorer.keys[:count].astype("uint64")
    columns = []
    for place, word, bit in flat.places():
        raw = keys[:, word] >> bit & (1 << place.field.bits) - 1
        if place.field.mask:
            bits = [b for b in range(64) if place.field.mask >> b & 1]
            raw = sum(((raw >> i & 1) << b for i, b in enumerate(bits)), start=raw * 0)
        columns.append(raw.tolist())
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("kernel", "pages"),
    [
        *((kernel, 2) for kernel in KERNELS),
        *rest(SLOW, [(kernel, 3) for kernel in reversed(KERNELS)]),
        *rest(SLOW, [("anonmm", 4), ("linux-2.6.8", 4)], 0),
    ],
)
def test_runs_agree_state_by_state(kernel, pages):
    one = explore.Explorer(system(kernel, pages), (), Limits())
    one.run()
    two = rounds.Explorer(system(kernel, pages), (), Limits())
    two.run()
    assert one.search.levels == two.search.levels
    assert one.search.transitions == two.search.transitions
    assert one.search.coverage == two.search.coverage
    keys, start = compiled_keys(two), 0
    for size in one.search.levels:
        assert set(one.keys[start : start + size]) == set(keys[start : start + size])
        start += size
    assert one.keys == keys  # the order within a level as well
    assert one.parents == two.parents[:start].tolist()


SCOPES = {
    "plain": {"pages": 3},
    "few vmas": {"pages": 3, "max_map_count": 2},
    "noreserve": {"pages": 3, "noreserve": True, "operations": ("mmap", "munmap", "mprotect", "write", "read")},
    "all protections": {"pages": 2, "protections": ("N", "R", "W", "RW", "RX", "RWX")},
}


# each kernel once, and each scope
FIRST = [("rmap40", "plain"), ("linux-2.6.8", "few vmas"), ("anonmm", "noreserve"), ("rmap39", "all protections")]
OTHERS = [(kernel, scope) for kernel in KERNELS for scope in SCOPES if (kernel, scope) not in FIRST]


def mark_of(kernel, scope):
    return pytest.mark.large if scope == "noreserve" else SLOW


@pytest.mark.parametrize(("kernel", "scope"), [*FIRST, *(pytest.param(*case, marks=mark_of(*case)) for case in OTHERS)])
def test_verdicts_agree(kernel, scope):
    def plain(run):
        return [
            (r.claim.name, r.verdict, r.reason, r.calls, r.states, r.transitions, r.depth, r.closed)
            for r in checked(kernel, run=run, **SCOPES[scope]).results
        ]

    assert plain("interpreted") == plain("compiled")


@pytest.mark.parametrize("limits", [Limits(depth=2), Limits(max_states=100), Limits(max_states=1), Limits(depth=1)])
def test_cut_searches_agree(limits):
    one, two = (checked("rmap40", run=run, limits=limits) for run in ("interpreted", "compiled"))
    assert one.search.levels == two.search.levels
    assert one.search.transitions == two.search.transitions
    assert one.search.stopped == two.search.stopped
    assert one.search.coverage == two.search.coverage


@pytest.mark.parametrize("kernel", rest(SLOW, ("linux-2.6.8", *KERNELS[:-1]), 2))
def test_a_naive_search_finds_the_same(kernel, monkeypatch):
    pages = 3
    calls = system(kernel, pages).calls
    found = naive.reachable(naive.load(kernel, pages, monkeypatch), calls, pages)
    by_depth = Counter(found.values())
    explorer = explore.Explorer(system(kernel, pages), (), Limits())
    explorer.run()
    assert explorer.search.levels == [by_depth[depth] for depth in range(len(by_depth))]
    mm = explorer.machine.new()
    views = set()
    for key in explorer.keys:
        explorer.machine.load(mm, key)
        views.add(
            naive.view(
                SimpleNamespace(
                    map_count=mm.map_count, brk=mm.brk, vma=mm.vma, page=mm.page[:pages], anon_vma=mm.anon_vma
                )
            )
        )
    assert views == set(found)


def test_leaving_out_calls_that_are_not_tried_changes_no_value(tmp_path):
    patch = tmp_path / "patch.py"
    patch.write_text(
        "from model.syscall import *\ndef step(mm, call):\n    if call.nr == NR_mmap:\n"
        "        return do_mmap_pgoff(mm, call.file, call.addr, call.len, call.prot, call.flags, call.pgoff)\n"
        "    return mm.map_count and call.nr != NR_mbind\n"
    )
    trace = "mmap(0,1,RW); mmap(2,1,RW); munmap(3,1)"
    results = [step.result for step in steps(f"rmap40+{patch}", trace)]
    assert results == [step.result for step in steps(f"rmap40+{patch}", f"{trace}; mbind(0,1,BIND)")][:3] == [0, 2, 1]


def test_no_shorter_program_violates():
    """Every program of up to 3 calls, one by one, without a search."""
    small = system("rmap40", 3, ("rmap_finds_every_page",))
    machine = explore.Machine(small)
    good = machine.functions["rmap_finds_every_page"]
    states = [machine.new() for _ in range(4)]
    tried = Counter()

    def run_all(depth):
        for call in small.calls:
            machine.step(states[depth], call, states[depth + 1])
            assert good(states[depth + 1])
            tried[depth + 1] += 1
            if depth < 2:
                run_all(depth + 1)

    run_all(0)
    assert tried == {1: 33, 2: 33**2, 3: 33**3}
    result = verdict("rmap40", "rmap_finds_every_page")
    assert len(result.calls or ()) == 4
    assert result.programs_ruled_out == 33 + 33**2 + 33**3


LENGTHS = {
    "rmap39": {
        "adjacent_vmas_share_anon_vma": 5,
        "first_write_takes_neighbours_anon_vma": 5,
        "rmap_finds_every_page": 4,
    },
    "rmap40": {
        "adjacent_vmas_share_anon_vma": 5,
        "rmap_finds_every_page": 4,
        "nothing_refers_to_a_freed_anon_vma": 5,
    },
    "linux-2.6.8": {"adjacent_vmas_share_anon_vma": 5},
}


@pytest.mark.parametrize("pages", [3, pytest.param(4, marks=SLOW), 5])
@pytest.mark.parametrize("kernel", LENGTHS)
def test_minimal_lengths(kernel, pages):
    found = checked(kernel, *LENGTHS[kernel], pages=pages)
    assert {result.claim.name: len(result.calls or ()) for result in found.results} == LENGTHS[kernel]


def test_the_local_form_holds_for_the_seed_and_is_closed():
    for kernel in ("rmap40", "linux-2.6.8"):
        result = verdict(kernel, "first_write_takes_neighbours_anon_vma")
        assert (result.verdict, result.closed) == ("holds", True)


@pytest.mark.parametrize("pages", [3, pytest.param(4, marks=SLOW)])
def test_a_patch_that_never_shares_is_rmap39(tmp_path, pages):
    patch = tmp_path / "never_share.py"
    patch.write_text("def find_mergeable_anon_vma(mm, vma):\n    return NULL\n")
    ours, theirs = checked(f"rmap40+{patch}", pages=pages), checked("rmap39", pages=pages)
    assert ours.search.levels == theirs.search.levels
    assert ours.search.transitions == theirs.search.transitions
    assert ours.search.coverage == theirs.search.coverage
    for one, two in zip(ours.results, theirs.results, strict=True):
        assert (one.claim, one.verdict, one.calls, one.states) == (two.claim, two.verdict, two.calls, two.states)
