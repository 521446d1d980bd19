# SPDX-License-Identifier: GPL-2.0-only
"""The search of any size on current kernels, against one in a fixed number of pages, as in test_rows.py."""

import pytest

from tests.proofs.test_rows import MILLISECONDS, agree, classes_by_pages, classes_by_rows, least_by_trying, shows
from tests.support.helpers import rest, vmacheck, vmacheck_json
from tests.support.wrong_rules import WRONG
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.proofs.any_size import Violation, templates
from vmacheck.checker.proofs.least import least_program

NAMES = ("adjacent_vmas_share_anon_vma", "rmap_finds_every_page", "calls_miss_no_merge", "vmas_are_sorted_and_disjoint")


@pytest.mark.parametrize(
    ("kernel", "levels"),
    rest(
        pytest.mark.proofs,
        [("linux-6.18", [1, 2, 9, 45]), ("linux-6.12", [1, 2, 9, 45]), ("linux-6.18+sticky", [1, 2, 9, 45])],
    ),
)
def test_rows_are_the_classes_of_states(kernel, levels, monkeypatch):
    for depth, pages in ((1, 3), (2, 5), (3, 7)):
        found, by_rows = classes_by_rows(kernel, "adjacent_vmas_share_anon_vma", depth, monkeypatch)
        assert found == levels[: depth + 1]
        assert by_rows == classes_by_pages(kernel, pages, depth)
        assert len(by_rows) == sum(levels[: depth + 1])


@pytest.mark.proofs
@pytest.mark.parametrize("kernel", ["linux-6.12", "linux-6.18"])
def test_no_claim_is_violated_within_three_calls(kernel):
    names = NAMES[1:3] if kernel == "linux-6.12" else NAMES
    assert agree(kernel, names, 3, 4) == [0] * len(names)


@pytest.mark.parametrize(
    ("rule", "name", "length"),
    rest(
        pytest.mark.proofs,
        [
            ("never left", "calls_miss_no_merge", 2),
            ("never accounted", "pages_match_flat_reference", 2),
            ("never freed", "anon_vmas_are_freed_with_their_last_vma", 3),
            ("freed too early", "nothing_refers_to_a_freed_anon_vma", 3),
            ("not put on the list", "faulted_vmas_are_on_their_list", 2),
            ("the anon_vma is not brought along", "rmap_finds_every_page", 4),
        ],
    ),
)
def test_a_violation_is_found_in_any_size_as_well(rule, name, length, tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG[rule])
    depth = min(3, length)
    expected = [length if length <= depth else 0]
    assert agree(f"linux-6.18+{tmp_path / 'wrong.py'}", [name], depth, 5) == expected


@pytest.mark.parametrize(
    ("rule", "name", "length", "pages", "scope"),
    rest(
        pytest.mark.proofs,
        [
            ("never left", "calls_miss_no_merge", 2, 4, {}),
            ("not put on the list", "faulted_vmas_are_on_their_list", 2, 3, {}),
            ("never accounted", "pages_match_flat_reference", 2, 3, {}),
            ("never left", "calls_miss_no_merge", 2, 3, {"operations": ("mmap", "move")}),
        ],
        2,
    ),
)
def test_the_least_program_is_the_least_of_all(rule, name, length, pages, scope, tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG[rule])
    kernel = f"linux-6.18+{tmp_path / 'wrong.py'}"
    by_trying = least_by_trying(kernel, name, length, pages, **scope)
    violation = Violation((kernel,), name)
    found = least_program(violation, templates(Scope(pages=4, **scope)), length, pages, length + 1, MILLISECONDS)
    assert found.open is None
    assert by_trying is not None
    assert found.program == by_trying
    assert shows(kernel, name, found.program, pages, **scope)


def test_markers_that_a_patch_leaves_are_not_lost(tmp_path):
    """Rows do not store markers, so these are reported as not followed."""
    (tmp_path / "patch.py").write_text(
        "def link_new_vma(mm, addr, len, vm_flags, file, pgoff):\n    vma = kmem_cache_alloc_vma(mm)\n"
        "    mm.vma[vma].vm_start = addr\n    mm.vma[vma].vm_end = addr + len\n    mm.vma[vma].vm_flags = vm_flags\n"
        "    mm.vma[vma].vm_pgoff = pgoff\n    mm.vma[vma].vm_file = file\n    vma_link(mm, vma)\n"
        "    madvise_guard_install(mm, find_vma(mm, addr), addr, addr + 1)\n"
    )
    kernel = f"linux-6.18+{tmp_path / 'patch.py'}"
    code, out, _ = vmacheck("prove", kernel, "vmas_are_sorted_and_disjoint", "--depth", "2", "--prot", "RW")
    assert code == 3
    assert "incomplete (a call leaves a state with something in it that rows of cells do not keep)" in out


@pytest.mark.proofs
def test_no_program_of_four_calls_of_any_size_keeps_neighbours_apart():
    code, data = vmacheck_json("prove", "linux-6.18", "adjacent_vmas_share_anon_vma", "--depth", "4")
    assert (code, data["verdict"]) == (0, "proved")
    assert data["rows"] == [1, 2, 9, 45, 269]


@pytest.mark.proofs
@pytest.mark.parametrize("name", ["equal_neighbours_are_not_kept_apart", "adjacent_vmas_share_anon_vma"])
@pytest.mark.parametrize("kernel", ["linux-6.12", "linux-6.18"])
def test_minimise_finds_the_least_and_proves_it(kernel, name):
    code, data = vmacheck_json("minimise", kernel, name)
    assert (code, data["verdict"]) == (0, "proved")
    assert data["counterexample"]["operations"] == [
        *("mmap(0,1,RW)", "write(0)", "mmap(2,1,RW)", "write(2)", "mmap(1,1,RW)"),
    ]
    assert data["general"]["condition"] == "a <= b < d < e <= g < h and a < c <= d and e <= f < h"


@pytest.mark.proofs
def test_minimise_shrinks_with_calls_of_today():
    """Unfollowed calls of current kernels leave the result open, and say so; dispensable ones are dropped."""
    trace = "mmap(0,2,RW); madvise(0,1,DONTFORK); write(0); write(1); mseal(3,1); madvise(0,1,DOFORK)"
    code, out, _ = vmacheck(
        "minimise", "linux-6.18", "equal_neighbours_are_not_kept_apart", trace, "--ops", "mmap,write"
    )
    assert code in (0, 3)
    assert "6 calls given, shrunk to 5" in out
    assert "mseal" not in out


def test_a_flag_that_no_scope_has_is_refused():
    code, out, err = vmacheck("minimise", "linux-6.18", "page_index_is_linear", "mmap(0,1,RW,STACK)")
    assert (code, out, err.count("\n")) == (2, "", 1)
