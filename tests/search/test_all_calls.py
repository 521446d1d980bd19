# SPDX-License-Identifier: GPL-2.0-only
"""The search over the calls beyond mmap, munmap, mprotect and write: both runs, the flat reference, limits."""

from collections import Counter

import pytest

from tests.support import naive
from tests.support.helpers import MUTANTS, checked, rest, system, vmacheck, vmacheck_json
from vmacheck.checker.search import explore, rounds
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import check
from vmacheck.model.calls.operations import OPERATIONS, PROTECTIONS
from vmacheck.model.kernels import LINUX_2_6

USUAL = ("mmap", "munmap", "mprotect", "write")
# states and transitions of linux-2.6.8 at 3 pages with one more kind of call: pinned
PINNED = {
    "move": (35420, 1664740),
    "mlock,munlock": (7230, 325350),
    "madvise": (23965, 1366005),
    "brk": (2512, 92944),
    "mbind": (22885, 1167135),
    "file": (40365, 2785185),
}
SOUND = ("pages_match_flat_reference", "kernel_bug_is_never_hit", "vmas_are_sorted_and_disjoint")


def operations(more):
    return tuple(name for name in OPERATIONS if name in (*USUAL, *more.split(",")))


@pytest.mark.parametrize("more", rest(pytest.mark.slow, sorted(PINNED, key=lambda more: PINNED[more]), 2))
def test_pinned_counts_and_the_flat_reference(more):
    result = checked("linux-2.6.8", *SOUND, operations=operations(more))
    assert (result.search.states, result.search.transitions) == PINNED[more]
    assert [one.verdict for one in result.results] == ["holds"] * len(SOUND)


EVERY_CALL = ("mremap", "move,mlock,munlock,madvise", "file,mremap", "brk,mbind,read,file")


@pytest.mark.parametrize(
    ("kernel", "more"),
    [
        *(("linux-2.6.8", more) for more in EVERY_CALL),
        *((kernel, "mremap") for kernel in LINUX_2_6.kernels if kernel != "linux-2.6.8"),
        *rest(
            pytest.mark.slow,
            [(kernel, more) for kernel in LINUX_2_6.kernels if kernel != "linux-2.6.8" for more in EVERY_CALL[1:]],
            0,
        ),
    ],
)
def test_the_flat_reference_holds_for_every_kernel_and_call(kernel, more):
    result = checked(kernel, *SOUND, pages=2, operations=operations(more), noreserve="file" not in more)
    assert {one.verdict for one in result.results} <= {"holds", "incomplete"}
    assert result.search.closed == ("mremap" not in more or (kernel == "anonmm" and "file" not in more))


@pytest.mark.parametrize("limit", rest(pytest.mark.slow, [1, 5, 2, 3, 6], 2))
def test_the_flat_reference_knows_when_cuts_are_refused(limit):
    for more in ("mlock,munlock", "madvise", "mbind", "brk") if limit < 5 else ("move", "mremap"):
        result = checked(
            "linux-2.6.8", SOUND[0], operations=operations(more), max_map_count=limit, protections=("RW", "N")
        )
        assert result.results[0].verdict == ("incomplete" if more == "mremap" else "holds"), more


@pytest.mark.parametrize("kernel", rest(pytest.mark.slow, ["rmap40", "andrea-aa", "anonmm"]))
@pytest.mark.parametrize("more", ["mremap", "mlock,munlock", "madvise", "brk", "mbind", "file", "move"])
def test_runs_agree(kernel, more):
    one = explore.explore(system(kernel, 2, operations=operations(more)))
    two = rounds.explore(system(kernel, 2, operations=operations(more)))
    assert one == two


@pytest.mark.parametrize("kernel", rest(pytest.mark.slow, ["further-afield", "andrea-aa", "andrea-rwx", "one-per-mm"]))
def test_a_naive_search_finds_the_same_of_other_kernels(kernel, monkeypatch):
    compare_with_naive(kernel, 3, USUAL, monkeypatch)


@pytest.mark.parametrize("more", ["move", "mlock,munlock", "madvise", "brk", "mbind", "file"])
def test_a_naive_search_finds_the_same_of_other_calls(more, monkeypatch):
    compare_with_naive("linux-2.6.8", 2, operations(more), monkeypatch)


def compare_with_naive(kernel, pages, calls, monkeypatch):
    small = system(kernel, pages, operations=calls)
    found = naive.reachable(naive.load(kernel, pages, monkeypatch), small.calls, pages)
    by_depth = Counter(found.values())
    assert rounds.explore(small).levels == [by_depth[depth] for depth in range(len(by_depth))]


def test_what_is_off_takes_no_room_in_the_key():
    def bits(*more, **scope):
        fields = system("rmap40", 4, operations=(*USUAL, *more), **scope).layout.key_fields()
        return sum(place.field.bits for place in fields)

    assert bits() == bits("read") == bits("move") == 136
    assert bits("mlock", "munlock") == 136 + 4  # a flag a vma
    assert bits("madvise") == bits("mbind") == 136 + 8  # two bits a vma
    assert bits("brk") == 136 + 3
    assert bits("file") == 136 + 4 + 8  # a file a vma, and a bit more for the offset of each vma and page
    assert bits("mremap") == 136 + 8
    assert bits("mremap", highest_pgoff=255) == 136 + 48


# ---- offsets without end -------------------------------------------------------------------------


def test_growing_what_was_moved_is_cut_at_a_limit_and_says_so():
    words = ("check", "rmap40+importer+copy-vma-import", "--pages", "2", "--ops", "mmap,write,mremap", "-p", SOUND[0])
    code, data = vmacheck_json(*words)
    (result,) = data["results"]
    assert (code, result["verdict"], result["closed"]) == (3, "incomplete", False)
    assert result["reason"] == "offsets beyond --max-pgoff were not followed"
    assert result["scope"]["max_pgoff"] == 3
    more = vmacheck_json(*words, "--max-pgoff", "20")[1]["results"][0]
    assert more["verdict"] == "incomplete"
    assert more["states"] > result["states"]
    out = vmacheck(*words)[1]
    assert "offsets up to 3" in out
    assert "cut by --max-pgoff" in out


def test_a_violation_within_the_limit_is_one():
    result = checked("linux-2.6.8", "rmap_finds_every_page", operations=(*USUAL, "mremap"))
    assert result.results[0].outcome == "violated 5"


def test_with_copy_vma_import_moves_are_safe_at_any_length():
    names = ("rmap_finds_every_page", "nothing_refers_to_a_freed_anon_vma", "pages_hang_from_their_vmas_anon_vma")
    result = checked("linux-2.6.8+copy-vma-import", *names, operations=(*USUAL, "move"))
    assert [one.verdict for one in result.results] == ["holds"] * 3


def test_moved_memory_that_was_never_written_keeps_its_offset_in_andreas_tree():
    result = checked("andrea-aa", "unfaulted_vmas_have_pgoff_of_their_start", operations=(*USUAL, "move"))
    assert result.results[0].outcome == "violated 2"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--max-pgoff", "5"), "--max-pgoff is about mremap"),
        (("--ops", "mmap,mremap", "--max-pgoff", "1"), "--max-pgoff is 1; pages have offsets up to 3 as it is"),
        (("--ops", "mmap,mremap", "--max-pgoff", "-1"), "--max-pgoff is -1"),
        (("--ops", "mmap,resize"), "unknown operation 'resize'"),
    ],
)
def test_bad_scopes(words, why):
    code, out, err = vmacheck("check", "rmap40", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert why in err


# ---- the reference can fail ----------------------------------------------------------------------

WRONG = {
    "move": "def move_one_page(mm, old_addr, new_addr):\n    page_remove_rmap(mm, old_addr)\n",
    "mremap": "def is_bad_destination(addr, old_len, new_len, flags, new_addr):\n    return new_addr == 0\n",
    "mlock": "def make_pages_present(mm, addr, end):\n    return 0\n",
    "madvise": "def madvise_dontneed(mm, vma, start, end):\n    zap_page_range(mm, start, end)\n    return -EINVAL\n",
    "brk": "def sys_brk(mm, brk):\n    mm.brk = brk\n    return brk\n",
    "mbind": "def check_range(mm, start, end):\n    vma = find_vma(mm, start)\n    return -EFAULT if vma == NULL else vma\n",
    "file": "def do_mmap_pgoff(mm, file, addr, len, prot, flags, pgoff):\n    do_munmap(mm, addr, len)\n"
    "    map_new_area(mm, addr, len, prot, file, addr)\n    return addr\n",
}  # fmt: skip


@pytest.mark.parametrize("more", WRONG)
def test_a_wrong_call_breaks_the_flat_reference(more, tmp_path):
    patch = tmp_path / "wrong.py"
    patch.write_text(WRONG[more])
    small = system(f"linux-2.6.8+{patch}", 3, (SOUND[0],), operations=operations(more))
    result = check(small, (SOUND[0],), Limits()).results[0]
    assert result.verdict == "violated"


def test_all_protections_and_calls_are_in_the_long_traces():
    from tests.model import test_traces

    kinds = {(call.nr, call.file, call.flags) for call in test_traces.CALLS}
    assert {nr for nr, _, _ in kinds} == {operation.nr for operation in OPERATIONS.values()}
    assert {call.prot for call in test_traces.CALLS} == set(PROTECTIONS.values())
    assert MUTANTS.is_dir()
