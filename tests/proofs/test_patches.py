# SPDX-License-Identifier: GPL-2.0-only
"""Small patches of which one run once said what another refuted: every run that answers now says the same."""

import pytest

from tests.support.helpers import vmacheck, vmacheck_json

BUG = "kernel_bug_is_never_hit"
FEW = ("--ops", "mmap,munmap", "--prot", "RW")

# mmap of one page only; two of them make a vma that one call cannot make
TWO_PAGES = """
def map_new_area(mm, addr, len, vm_flags, file, pgoff):
    prev = find_vma_prev(mm, addr)
    if len == 1:
        if vma_merge(mm, prev, addr, addr + len, vm_flags, 0, file, pgoff, 0) != 0:
            return
        vma = kmem_cache_alloc_vma(mm)
        mm.vma[vma].vm_start = addr
        mm.vma[vma].vm_end = addr + len
        mm.vma[vma].vm_flags = vm_flags
        mm.vma[vma].vm_pgoff = pgoff
        vma_link(mm, vma)


def unmap_region(mm, start, end):
    if mm.vma[1].vm_start == start and mm.vma[1].vm_end == start + 2:
        BUG(mm)
    zap_page_range(mm, start, end)
"""
# the same of three pages: a row that is reached twice more
THREE_PAGES = TWO_PAGES.replace("start + 2", "start + 3")
# one page was written and the next was not; what says so is a function of the kernel
PAGES_APART = """
def unmap_region(mm, start, end):
    if end - start > 1:
        if page_visits(mm, start) > 0 and page_visits(mm, start + 1) == 0:
            BUG(mm)
    zap_page_range(mm, start, end)
"""
# the last page of the address space has no next one
A_PAGE_TOO_MANY = """
def unmap_region(mm, start, end):
    zap_page_range(mm, start, end + 1)
"""
NO_SUCH_PAGE = """
def unmap_region(mm, start, end):
    if mm.page[end].mapcount != 0:
        BUG(mm)
    zap_page_range(mm, start, end)
"""
# bit 32 of ~vm_flags is always set
BIT_32 = """
def do_mmap_pgoff(mm, file, addr, len, prot, flags, pgoff):
    if len > 1 and (~prot & ((1 << 31) << 1)) != 0:
        BUG(mm)
    return -EINVAL
"""
# 2^31 - 1, squared, times 16: it wraps below 0
WRAPS = """
def is_mergeable_anon_vma(mm, vma):
    x = 2147483647
    x = x * x
    x = x * 4
    x = x * 4
    if x < 0:
        return False
    return mm.vma[vma].anon_vma == mm.vmg_anon_vma
"""
PLAIN = """
def is_mergeable_anon_vma(mm, vma):
    return mm.vma[vma].anon_vma == mm.vmg_anon_vma
"""
# nothing is freed, and so there are more and more vmas
NOTHING_FREED = """
def unmap_region(mm, start, end):
    return


def do_munmap(mm, start, len):
    return 0
"""
# a merge with the next vma forgets its offset
NO_OFFSET = """
def vma_merge_new_range(mm):
    if mm.vmg_flags & VM_SPECIAL:
        return NULL
    can_merge_left = can_vma_merge_left(mm)
    can_merge_right = not mm.vmg_just_expand and can_vma_merge_right(mm, can_merge_left)
    if can_merge_right:
        mm.vmg_end = mm.vma[mm.vmg_next].vm_end
        mm.vmg_target = mm.vmg_next
        if not can_merge_left and mm.vmg_copied_from != NULL:
            mm.vmg_pgoff = mm.vma[mm.vmg_next].vm_pgoff
    if can_merge_left:
        mm.vmg_start = mm.vma[mm.vmg_prev].vm_start
        mm.vmg_pgoff = mm.vma[mm.vmg_prev].vm_pgoff
        mm.vmg_target = mm.vmg_prev
    if mm.vmg_target == NULL:
        return NULL
    vma_expand(mm)
    return mm.vmg_target
"""


@pytest.fixture
def patched(tmp_path, monkeypatch):
    """The name of a kernel with a patch."""
    monkeypatch.chdir(tmp_path)

    def name(text, base="linux-2.6.8", file="patch.py"):
        (tmp_path / file).write_text(text)
        return f"{base}+./{file}"

    return name


def length_of(code, data):
    """The length of the counterexample of a result of check or prove; None if there is none."""
    assert code in (0, 1)
    program = data["results"][0]["counterexample"] if "results" in data else data["counterexample"]
    return program and program["length"]


@pytest.mark.parametrize(
    ("text", "pages", "length", "more"),
    [
        (TWO_PAGES, 2, 3, FEW),
        (THREE_PAGES, 3, 4, FEW),
        (PAGES_APART, 3, 3, ("--ops", "mmap,munmap,write", "--prot", "RW")),
        (BIT_32, 3, 1, ("--ops", "mmap", "--prot", "RW")),
        (A_PAGE_TOO_MANY, 2, 2, FEW),
        (NO_SUCH_PAGE, 2, 2, FEW),
    ],
    ids=["two pages", "three pages", "pages apart", "bit 32", "a page too many", "no such page"],
)
def test_any_size_finds_what_few_pages_show(text, pages, length, more, patched):
    kernel = patched(text)
    found = [
        vmacheck_json("check", kernel, "-p", BUG, "--pages", str(pages), *more),
        vmacheck_json("check", kernel, "-p", BUG, "--pages", str(pages), *more, "--run", "interpreted"),
        vmacheck_json("prove", kernel, BUG, "--depth", str(length), *more),
        vmacheck_json("prove", kernel, BUG, "--depth", str(length + 1), *more),
    ]
    assert [length_of(*one) for one in found] == [length] * 4


@pytest.mark.parametrize("run", ["compiled", "interpreted"])
def test_every_run_wraps_at_64_bits(run, patched):
    words = ("--pages", "2", "--prot", "RW,R", "--run", run)
    merges = vmacheck_json("check", patched(PLAIN, "linux-6.18"), *words)[1]["coverage"][0]["states"]
    assert vmacheck_json("check", patched(WRAPS, "linux-6.18"), *words)[1]["coverage"][0]["states"] > merges


def test_so_do_proofs(patched):
    two = patched(PLAIN, "linux-6.18", "a.py"), patched(WRAPS, "linux-6.18", "b.py")
    code, out, _ = vmacheck("prove", "--equivalent", *two, "is_mergeable_anon_vma", "--vmas", "1", "--ops", "mmap")
    assert code == 1
    assert out.count("DIFFERENT") == 1


# ---- out of range --------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["compiled", "interpreted"])
def test_what_leaves_its_range_is_judged(run, patched):
    kernel = patched(NO_OFFSET, "linux-6.18")
    words = ("--pages", "3", "--ops", "file,move", "--prot", "R", "--run", run)
    code, data = vmacheck_json("check", kernel, *words)
    found = {one["property"]: one for one in data["results"]}
    assert code == 1
    assert found["pages_match_flat_reference"]["counterexample"]["length"] == 3
    assert found["state_stays_in_range"]["counterexample"]["length"] == 4
    assert found["vmas_are_sorted_and_disjoint"]["verdict"] == "incomplete"
    assert "state_stays_in_range" in found["vmas_are_sorted_and_disjoint"]["reason"]


def test_too_few_slots_are_no_bug(patched):
    kernel = patched(NOTHING_FREED)
    code, data = vmacheck_json("check", kernel, "--pages", "2", "-p", BUG, *FEW)
    found = {one["property"]: (one["verdict"], one["counterexample"]) for one in data["results"]}
    assert code == 1
    assert found[BUG][0] == "incomplete"
    assert found["state_stays_in_range"][0] == "violated"
    assert vmacheck("prove", kernel, BUG, "--depth", "2", *FEW)[0] in (0, 3)


MORE_AND_MORE = """
def kmem_cache_free_vma(mm, vma):
    for i in range(vma, mm.map_count):
        mm.vma[i] = mm.vma[i + 1]
    mm.map_count = mm.map_count + 1
"""


def test_slots_that_are_no_state_are_not_judged(patched):
    words = ("check", patched(MORE_AND_MORE, "rmap39"), "--pages", "2", "-p", "faulted_vmas_are_on_their_list")
    code, out, _ = vmacheck(*words)
    assert code == 1
    assert "faulted_vmas_are_on_their_list: incomplete" in out
    assert vmacheck(*words, "--run", "interpreted")[1] == out


# ---- what is refused -----------------------------------------------------------------------------

ORDER = """
def find_mergeable_anon_vma(mm, vma):
    a = NULL
    b = NULL
    if vma > 1 and mm.vma[vma - 1].vm_end == mm.vma[vma].vm_start:
        a = mm.vma[vma - 1].anon_vma
    if vma < mm.map_count and mm.vma[vma + 1].vm_start == mm.vma[vma].vm_end:
        b = mm.vma[vma + 1].anon_vma
    if {test}:
        BUG(mm)
    return a if b == NULL else b
"""
TESTS = {
    "b != NULL and a > b": "compares by order the names of an anon_vma",
    "a + 1 == b": "calculates with the name of an anon_vma",
    "b == 2": "compares with a number the name of an anon_vma",
    "mm.anon_vma[1].life == LIVE": "uses a number as the name of an anon_vma",
    "mm.vma[a].vm_end == 1": "uses as an index of vma the name of an anon_vma",
    "find_vma(mm, a) != NULL": "compares by order the names of an anon_vma",
    "least(mm) == a": "takes the first in the order of the names of an anon_vma",
}
FIRST = """

def least(mm):
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.anon_vma[anon_vma].life == LIVE:
            return anon_vma
    return NULL
"""
ASKED = [
    ("check", "{}", "--pages", "2"),
    ("check", "{}", "--pages", "2", "--processes", "2"),
    ("check", "{}", "--pages", "1", "--threads", "2", "--every-step"),
    ("compare", "{}", "linux-2.6.8", "--pages", "2"),
    ("prove", "{}", BUG, "--depth", "2"),
    ("prove", "{}", BUG, "--vmas", "1"),
    ("minimise", "{}", BUG, "--pages", "2"),
    ("coverage", "{}", "--pages", "2"),
    ("graph", "{}", "--pages", "2"),
]


@pytest.mark.parametrize("test", TESTS)
def test_names_are_only_compared(test, patched):
    kernel = patched(ORDER.format(test=test) + (FIRST if "least" in test else ""))
    code, out, err = vmacheck("check", kernel, "--pages", "2")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert TESTS[test] in err


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_every_search_asks(words, patched):
    base = "linux-6.18" if "--processes" in words else "linux-2.6.8"
    kernel = patched(ORDER.format(test="b != NULL and a > b"), base)
    code, _, err = vmacheck(*(word.format(kernel) for word in words))
    assert code == 2
    assert "compares by order" in err


def test_a_single_program_shows_the_order(patched):
    kernel = patched(ORDER.format(test="b != NULL and a > b"))
    trace = "mmap(0,1,RW); mmap(2,1,RW); mmap(1,1,RWX); write(2); write(0); write(1)"
    assert "BUG" in vmacheck("run", kernel, trace)[1]


def test_names_may_be_compared(patched):
    kernel = patched(ORDER.format(test="a != NULL and b > 0 and a != b and not (a == NULL)"))
    assert vmacheck("check", kernel, "--pages", "2", "-p", BUG)[0] in (0, 1)


def test_steps_are_not_joined_under_a_patch_that_could_tell(patched):
    kernel = patched(
        "def find_mergeable_anon_vma(mm, vma):\n    if mm.vma[vma].anon_vma != NULL:\n        BUG(mm)\n    return NULL\n"
    )
    words = ("check", kernel, "--threads", "2", "--pages", "1", "--prot", "RW", "-p", BUG)
    code, _, err = vmacheck(*words)
    assert (code, "give --every-step" in err) == (2, True)
    assert vmacheck(*words, "--every-step")[0] == 1


OWN = """
from vmacheck.model.common.mm import VMA_NEW
from vmacheck.properties import always, step


@always()
def mine(mm):
    return {}


@step()
def at_a_call(before, call, after):
    return {} or call.nr > 0
"""


@pytest.mark.parametrize("name", ["mine", "at_a_call"])
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("(mm.events & 2) == 0", "events is no part of a state"),
        ("mm.names == 0", "names is no part of a state"),
        ("mm.vma[1].was == 0", "was is no part of a state"),
        ("mm.fuel > 9000", "fuel is no part of a state"),
        ("mm.vma[VMA_NEW].vm_end == 0", "VMA_NEW is a slot of no state"),
    ],
)
def test_own_properties_look_at_the_state_only(what, why, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN.format(what, what.replace("mm.", "after.")))
    code, out, err = vmacheck("check", "linux-2.6.8", "--pages", "2", "-p", f"own.py:{name}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert why in err
