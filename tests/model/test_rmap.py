# SPDX-License-Identifier: GPL-2.0-only
"""anon_vmas: their vmas, when they are freed, and their pages, drawn."""

import pytest

from tests.support.helpers import drawn, steps

SHARING = [
    ("rmap39 always allocates", "rmap39", "mmap(0,1,RW); mmap(1,1,RWX); write(0); write(1)", "A|B . ."),
    ("rmap40 takes the previous one's", "rmap40", "mmap(0,1,RW); mmap(1,1,RWX); write(0); write(1)", "A|A . ."),
    ("rmap40 takes the next one's", "rmap40", "mmap(0,1,RW); mmap(1,1,RWX); write(1); write(0)", "A|A . ."),
    ("next first", "rmap40", "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); mmap(1,1,RWX); write(1)", "A|B|B ."),
    ("previous if next is not faulted", "rmap40", "mmap(0,1,RW); mmap(1,1,RWX); mmap(2,1,RW); write(0); write(1)", "A|A|o ."),
    ("previous if next is not compatible", "rmap40",
     "mmap(0,1,RW); mmap(2,1,RW,NORESERVE); write(0); write(2); mmap(1,1,RWX); write(1)", "A|A|B ."),
    ("VM_ACCOUNT obstructs", "rmap40", "mmap(0,1,RW); mmap(1,1,RW,NORESERVE); write(0); write(1)", "A|B . ."),
    ("a gap obstructs", "rmap40", "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2)", "A .|B ."),
    ("anonmm has none", "anonmm", "mmap(0,1,RW); mmap(1,1,RWX); write(0); write(1)", "o|o . ."),
    ("a second write changes nothing", "rmap40", "mmap(0,2,RW); write(0); write(1)", "A A . ."),
    ("an anon_vma outlives the mprotect to R", "rmap40", "mmap(0,1,RW); write(0); mprotect(0,1,R)", "a . . ."),
    ("a new mapping is unfaulted", "rmap40", "mmap(0,1,RW); write(0); mmap(0,1,R)", "- . . ."),
    ("a freed anon_vma is not given out again", "rmap40", "mmap(0,1,RW); write(0); munmap(0,1); mmap(0,1,RW); write(0)", "B . . ."),
    ("case 5 without the importer fix", "rmap40", "mmap(0,3,RW); mprotect(0,1,R); write(1); mprotect(1,1,R)", "- -|A ."),
    ("case 5 with it", "linux-2.6.8", "mmap(0,3,RW); mprotect(0,1,R); write(1); mprotect(1,1,R)", "a a|A ."),
    ("case 4 without the importer fix", "rmap40", "mmap(0,3,RW); mprotect(2,1,R); write(1); mprotect(1,1,R)", "A|- - ."),
    ("case 4 with it", "linux-2.6.8", "mmap(0,3,RW); mprotect(2,1,R); write(1); mprotect(1,1,R)", "A|a a ."),
    ("the fix gives nothing where there is nothing", "linux-2.6.8", "mmap(0,3,RW); mprotect(0,1,R); mprotect(1,1,R)", "- -|o ."),
    ("rmap39+importer", "rmap39+importer", "mmap(0,3,RW); mprotect(0,1,R); write(1); mprotect(1,1,R)", "a a|A ."),
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "trace", "after"), [c[1:] for c in SHARING], ids=[c[0] for c in SHARING])
def test_who_gets_which(kernel, trace, after):
    assert drawn(kernel, trace) == after


def test_pages_keep_mapping_and_index():
    pages = steps("rmap40", "mmap(1,2,RW); write(2); mprotect(2,1,R)")[-1].pages
    assert [(p.page, p.anon_vma, p.freed, p.index) for p in pages] == [(2, "A", False, 2)]


def test_pages_of_anonmm_are_found_by_address():
    pages = steps("anonmm", "mmap(1,2,RW); write(2)")[-1].pages
    assert [(p.page, p.anon_vma, p.index) for p in pages] == [(2, None, 2)]


def test_unmapping_frees_the_page():
    assert steps("rmap40", "mmap(0,2,RW); write(0); munmap(0,1)")[-1].pages == ()


def test_a_page_can_hang_from_a_freed_anon_vma_in_the_seeds_tree():
    trace = "mmap(0,3,RW); mprotect(0,1,R); write(1); mprotect(1,1,R); munmap(2,1)"
    assert [(p.page, p.anon_vma, p.freed) for p in steps("rmap40", trace)[-1].pages] == [(1, "A", True)]
    assert [(p.page, p.anon_vma, p.freed) for p in steps("linux-2.6.8", trace)[-1].pages] == [(1, "A", False)]


def test_hugh_dickins_test_program_2():
    trace = "mmap(0,2,R); mmap(2,2,RW)"
    for page in range(4):
        trace += f"; mprotect({page},1,RW); write({page}); mprotect({page},1,R)"
    assert [vma.end - vma.start for vma in steps("rmap40", trace)[-1].vmas] == [4]
    assert [vma.end - vma.start for vma in steps("rmap39", trace)[-1].vmas] == [1, 3]
    assert [vma.end - vma.start for vma in steps("anonmm", trace)[-1].vmas] == [4]


@pytest.mark.parametrize("order", [range(8), range(7, -1, -1)], ids=["ascending", "descending"])
def test_hugh_dickins_test_program_1(order):
    trace = ""
    for n, page in enumerate(order, 1):
        trace += f"mmap({page},1,RW); write({page}); mprotect({page},1,R);"
        assert len(steps("rmap39", trace, 8)[-1].vmas) == n
        assert len(steps("rmap40", trace, 8)[-1].vmas) == 1
        assert len(steps("anonmm", trace, 8)[-1].vmas) == 1
