# SPDX-License-Identifier: GPL-2.0-only
"""A mutant that breaks each claim, and the tree that it changes, on which the claim holds."""

import pytest

from tests.support.helpers import MUTANTS, checked, rest, verdict
from vmacheck.checker.kernels import programs
from vmacheck.checker.search.outcome import Limits
from vmacheck.model.common.mm import ENOMEM
from vmacheck.model.common.unistd import NR_munmap
from vmacheck.properties import PROPERTIES, situations

BASES = {"equal_neighbours_are_not_kept_apart": "anonmm", "adjacent_vmas_share_anon_vma": "one-per-mm+importer"}
MUTANT_FILES = sorted(MUTANTS.glob("*.py"))


def base_of(name):
    return BASES.get(name, "linux-2.6.8")


def test_every_claim_has_a_mutant():
    assert {path.name.split(".")[0] for path in MUTANT_FILES} == set(programs.property_names())


@pytest.mark.parametrize("path", MUTANT_FILES, ids=lambda path: path.stem)
def test_mutant_breaks_the_claim(path):
    name = path.name.split(".")[0]
    (whole,) = (result for result in checked(base_of(name)).results if result.claim.name == name)
    assert whole.verdict == "holds"
    broken = verdict(f"{base_of(name)}+{path}", name)
    assert broken.verdict == "violated"
    interpreted = verdict(f"{base_of(name)}+{path}", name, run="interpreted")
    assert (interpreted.calls, interpreted.states, interpreted.transitions) == (
        broken.calls,
        broken.states,
        broken.transitions,
    )


def test_premises_happen():
    """Every premise happens, but for the situations that rmap40 rules out."""
    names = [name for name, prop in PROPERTIES.items() if prop.kind == "sometimes"]
    happen = {
        "places_with_different_anon_vmas_become_one_vma",
        "another_call_than_mprotect_joins_vmas",
        "a_first_write_joins_a_list",
        "a_page_changes_its_anon_vma_in_place",
        "neighbours_are_apart_for_accounting",
    }
    never = {name for name in names if name in vars(situations)} - happen
    found = {result.claim.name: result.verdict for result in checked("rmap40", *names).results}
    assert found == {name: "vacuous" if name in never else "holds" for name in names}


# the others of the seed's situations, each with what makes it happen
SITUATIONS = {
    "mlock_or_madvise_merges": "def madvise_behavior(mm, vma, start, end, behavior):\n"
    "    next = vma_next(mm, vma)\n    if next != NULL and mm.vma[next].vm_start == mm.vma[vma].vm_end:\n"
    "        vma_adjust(mm, vma, mm.vma[vma].vm_start, mm.vma[next].vm_end, mm.vma[vma].vm_pgoff, NULL)\n    return 0\n",
    "a_first_write_takes_a_strangers_anon_vma": "def find_mergeable_anon_vma(mm, vma):\n"
    "    return mm.vma[1].anon_vma\n",
    "find_vma_prev_without_a_new_anon_vma": "def do_anonymous_page(mm, vma, address, write_access):\n"
    "    find_mergeable_anon_vma(mm, vma)\n    return 0\n",
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_situations_that_never_happen_can(name, tmp_path):
    patch = tmp_path / "patch.py"
    patch.write_text(SITUATIONS[name])
    more = ("mmap", "munmap", "mprotect", "write", "madvise")
    assert verdict(f"linux-2.6.8+{patch}", name, operations=more).verdict == "holds"
    assert verdict("linux-2.6.8", name, operations=more).verdict == "vacuous"


def test_a_neighbour_is_passed_over_only_with_noreserve():
    assert verdict("linux-2.6.8", "a_first_write_passes_over_a_neighbour").verdict == "vacuous"
    assert len(verdict("linux-2.6.8", "a_first_write_passes_over_a_neighbour", noreserve=True).calls or ()) == 4


def test_without_anon_vmas_claims_about_them_are_vacuous():
    result = verdict("anonmm", "adjacent_vmas_share_anon_vma")
    assert result.verdict == "vacuous"
    assert result.reason == "never happens: neighbours_alike_but_for_protection_are_faulted"
    assert verdict("anonmm", "neighbours_alike_but_for_protection_are_faulted").verdict == "vacuous"


def test_a_merge_case_that_never_fires_is_vacuous(tmp_path):
    patch = tmp_path / "never.py"
    patch.write_text("def vma_merge(mm, prev, addr, end, vm_flags, anon_vma, file, pgoff, policy):\n    return NULL\n")
    result = verdict(f"rmap40+{patch}", "vmas_are_sorted_and_disjoint")
    assert result.verdict == "vacuous"
    assert "vma_merge case 1" in (result.reason or "")
    assert "vma_merge case 8" in (result.reason or "")


def test_an_operation_that_never_succeeds_is_vacuous():
    result = verdict("rmap40", "vmas_are_sorted_and_disjoint", protections=("R",))
    assert result.verdict == "vacuous"
    assert "a successful write" in (result.reason or "")


def test_a_case_that_the_scope_has_no_room_for_is_not_asked_for():
    assert verdict("rmap40", "vmas_are_sorted_and_disjoint", pages=2).verdict == "holds"
    assert verdict("rmap40", "two_vmas_exist", operations=("mmap", "munmap")).verdict == "holds"


def test_a_cut_search_never_holds():
    for limits in (Limits(depth=3), Limits(max_states=50)):
        result = checked("linux-2.6.8", "rmap_finds_every_page", limits=limits).results[0]
        assert result.verdict == "incomplete"
        assert not result.closed


def test_a_violation_within_the_bound_stands():
    result = checked("rmap40", "rmap_finds_every_page", limits=Limits(depth=4)).results[0]
    assert result.verdict == "violated"


def test_a_bound_that_is_not_reached_is_no_cut():
    whole = checked("linux-2.6.8", "rmap_finds_every_page").results[0]
    exact = checked("linux-2.6.8", "rmap_finds_every_page", limits=Limits(max_states=whole.states)).results[0]
    assert exact.verdict == "holds"
    assert exact.closed
    one_less = Limits(max_states=whole.states - 1)
    assert checked("linux-2.6.8", "rmap_finds_every_page", limits=one_less).results[0].verdict == "incomplete"
    enough = checked("linux-2.6.8", "rmap_finds_every_page", limits=Limits(depth=whole.depth + 1)).results[0]
    assert enough.verdict == "holds"


@pytest.mark.parametrize("kernel", rest(pytest.mark.slow, ["linux-2.6.8", "anonmm", "rmap39", "rmap40"]))
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_refused_splits_leave_everything_in_order(kernel, limit):
    names = ("vmas_are_sorted_and_disjoint", "pages_match_flat_reference", "kernel_bug_is_never_hit")
    found = checked(kernel, *names, pages=4, max_map_count=limit)
    assert found.search.closed
    assert found.search.coverage.results[NR_munmap][-ENOMEM] > 0
    assert not any(name in found.search.hits for name in names)


ALONE = sorted(programs.property_names(), key=lambda name: name not in ("rmap_finds_every_page", "calls_miss_no_merge"))


@pytest.mark.parametrize("name", rest(pytest.mark.slow, ALONE, 2))
def test_verdicts_do_not_depend_on_what_else_is_checked(name):
    (result,) = (result for result in checked("rmap39").results if result.claim.name == name)
    alone = verdict("rmap39", name)
    assert (alone.verdict, alone.calls, alone.states, alone.transitions, alone.depth) == (
        result.verdict,
        result.calls,
        result.states,
        result.transitions,
        result.depth,
    )


LIMIT_MUTANTS = {
    "munmap refuses what needs no cut": (
        "def do_munmap(mm, start, len):\n    if mm.map_count >= MAX_MAP_COUNT:\n        return -ENOMEM\n"
        "    unmap_region(mm, start, start + len)\n    vma = find_vma(mm, start)\n"
        "    while vma != NULL and vma <= mm.map_count and mm.vma[vma].vm_start < start + len:\n"
        "        anon_vma_unlink(mm, vma)\n        kmem_cache_free_vma(mm, vma)\n    return 0\n"
    ),
    "a cut is never refused": (
        "def split_vma(mm, vma, addr, new_below):\n    new = kmem_cache_alloc_vma(mm)\n"
        "    mm.vma[new] = mm.vma[vma]\n    mm.vma[new].anon_vma_node = NULL\n    mm.vma[new].was = NULL\n"
        "    if new_below:\n        mm.vma[new].vm_end = addr\n"
        "        vma_adjust(mm, vma, addr, mm.vma[vma].vm_end, addr, new)\n"
        "    else:\n        mm.vma[new].vm_start = addr\n        mm.vma[new].vm_pgoff = addr\n"
        "        vma_adjust(mm, vma, mm.vma[vma].vm_start, addr, mm.vma[vma].vm_pgoff, new)\n    return 0\n"
    ),
    "a refused cut moves the offset": (
        "def kmem_cache_alloc_vma(mm):\n    mm.vma[1].vm_pgoff = 0\n    return VMA_NEW\n"
        "def split_vma(mm, vma, addr, new_below):\n    mm.vma[vma].vm_pgoff = 0\n    return -ENOMEM\n"
    ),
}


@pytest.mark.parametrize("text", LIMIT_MUTANTS.values(), ids=LIMIT_MUTANTS)
@pytest.mark.parametrize("limit", [2, 3])
def test_wrong_limits_break_the_flat_reference(text, limit, tmp_path):
    patch = tmp_path / "limit.py"
    patch.write_text(text)
    result = verdict(f"linux-2.6.8+{patch}", "pages_match_flat_reference", pages=4, max_map_count=limit)
    assert result.verdict == "violated"


def test_cases_that_max_map_count_rules_out_are_not_asked_for():
    assert verdict("linux-2.6.8", "pages_match_flat_reference", max_map_count=1).verdict == "holds"
