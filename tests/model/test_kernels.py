# SPDX-License-Identifier: GPL-2.0-only
"""The differences of each kernel and each patch from the others, drawn; and the patches that fit each kernel."""

from collections import defaultdict

import pytest

from tests.model.test_vma_merge import events_of_last_call
from tests.support.helpers import all_drawn, drawn, shortest, steps
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.names import UnknownName
from vmacheck.checker.kernels.scope import Scope
from vmacheck.model.calls.traces import parse_trace
from vmacheck.model.kernels import LINUX_2_6

TWO = "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2)"
SPANNING = f"{TWO}; mmap(1,1,RW)"

# (name, trace, {kernels: picture}); kernels are separated by spaces
DIFFERENT = [
    # anonmm: nothing is refused for an anon_vma's or an offset's sake
    ("a hole between two anon_vmas", SPANNING, {
        "anonmm": "o o o .", "one-per-mm further-afield": "A A A .", "rmap39 rmap40 linux-2.6.8 andrea andrea-rwx andrea-aa": "A A|B ."}),
    ("what was written is moved", "mmap(0,2,RW); write(0); mremap(0,1->2)", {
        "anonmm": ".|o o .", "rmap39 rmap40 linux-2.6.8 one-per-mm further-afield andrea andrea-aa": ".|A|A ."}),
    ("what was written is moved to another", "mmap(0,1,RW); mmap(3,1,RW); write(0); write(3); mremap(3,1->1)", {
        "anonmm": "o o . .", "rmap40": "A|B . .", "one-per-mm": "A|A . ."}),
    ("mprotect between two anon_vmas", "mmap(0,3,RW); mprotect(1,1,R); write(0); write(2); mprotect(0,2,RW)", {
        "anonmm": "o o o .", "one-per-mm further-afield": "A A A .", "rmap39 rmap40 andrea": "A A|B ."}),
    ("offsets of a file count", "mmap(0,1,RW,file=F,off=0); mmap(1,1,RW,file=F,off=2); mmap(2,1,RW,file=F,off=3)", {
        "anonmm rmap39 rmap40 andrea-aa": "o|o o ."}),
    ("a file is not anonymous memory", "mmap(0,1,RW); mmap(1,1,RW,file=F,off=1)", {"anonmm rmap40": "o|o . ."}),
    ("mremap spans where nothing was kept apart", f"{SPANNING}; mremap(0,3,4)", {
        "anonmm": "o o o o", "one-per-mm further-afield": "A A A A", "rmap39 rmap40 linux-2.6.8 andrea": "A A|B . EFAULT"}),
    # rmap39 always allocates
    ("mlock in two steps", "mmap(0,2,RW); mlock(0,1); mlock(0,2); mprotect(0,2,R)", {
        "anonmm": "- - . .", "rmap39": "a|b . .", "rmap40": "a a . ."}),
    ("mlock over a read-only page", "mmap(0,3,RW); mmap(1,1,R); mlock(0,3); mprotect(0,2,RW)", {
        "anonmm": "o o o .", "rmap39 rmap40": "A A|B ."}),
    ("mprotect and write, page by page", "mmap(0,1,RW); write(0); mprotect(0,1,R); mmap(1,1,RW); write(1); mprotect(0,1,RW)", {
        "anonmm": "o o . .", "rmap39": "A|B . .", "rmap40 linux-2.6.8 andrea andrea-rwx one-per-mm": "A A . ."}),
    ("madvise cuts before the first write", "mmap(0,2,RW); madvise(0,1,NORMAL); write(0); write(1); mprotect(0,2,R)", {
        "anonmm": "- - . .", "rmap39": "a|b . .", "rmap40": "a a . ."}),
    ("every other page read-only", "mmap(0,4,RW); mprotect(1,1,R); mprotect(3,1,R); write(0); write(2); mprotect(0,4,RW)", {
        "anonmm": "o o o o", "rmap39 rmap40 linux-2.6.8 andrea": "A A|B B", "one-per-mm further-afield": "A A A A"}),
    # andrea: a new area takes the anon_vma of a neighbour that differs from it in flags
    ("mapped next to what was written", "mmap(0,1,RW); write(0); mmap(1,1,R)", {
        "andrea andrea-rwx andrea-aa": "A|a . .", "rmap39 rmap40 one-per-mm further-afield": "A|- . ."}),
    ("mapped below what was written", "mmap(1,1,RW); write(1); mmap(0,1,R)", {
        "andrea andrea-rwx andrea-aa": "a|A . .", "rmap39 rmap40": "-|A . ."}),
    ("mapped before anything was written", "mmap(0,1,RW); mmap(1,1,RWX); write(0); write(1)", {
        "andrea andrea-rwx andrea-aa rmap39": "A|B . .", "rmap40 one-per-mm further-afield": "A|A . ."}),
    ("mapped between two", f"{TWO}; mmap(1,1,R)", {"andrea andrea-rwx andrea-aa": "A|a|B ."}),
    ("mapped after one not written", "mmap(0,1,RW); mmap(2,1,RW); write(2); mmap(1,1,R)", {"andrea andrea-aa": "o|a|A ."}),
    ("mapped beyond a gap", "mmap(0,1,RW); write(0); mmap(2,1,R)", {"andrea andrea-aa": "A .|- ."}),
    ("mapped after what has another offset", "mmap(0,1,RW); write(0); mremap(0,1->1); mmap(2,1,R)", {"andrea andrea-aa": ".|A|- ."}),
    ("flags alike, offset not", "mmap(0,1,RW); write(0); mremap(0,1->1); mmap(2,1,RW)", {"andrea": ".|A|o ."}),
    ("a file after anonymous memory", "mmap(0,1,RW); write(0); mmap(1,1,R,file=F,off=1)", {"andrea": "A|- . ."}),
    ("the same file", "mmap(0,1,RW,file=F,off=0); write(0); mmap(1,1,R,file=F,off=1)", {"andrea": "A|a . .", "rmap40": "A|- . ."}),
    ("the heap", "brk(1); write(0); mprotect(0,1,R); brk(2)", {"andrea andrea-rwx andrea-aa": "a|A . .", "rmap40": "a|o . ."}),
    ("accounted and not", "mmap(0,1,RW); write(0); mmap(1,1,RW,NORESERVE)", {"andrea andrea-rwx": "A|A . .", "rmap40": "A|o . ."}),
    ("shared before there is a page", "mmap(0,1,RW); write(0); mmap(1,1,R); munmap(0,1)", {"andrea": ".|a . ."}),
    ("cut before the first write", "mmap(0,2,RW); mprotect(1,1,RWX); write(0); write(1)", {"andrea": "A|B . .", "rmap40": "A|A . ."}),
    # andrea-rwx: only of a neighbour that differs in protection
    ("locked and not", "mmap(0,1,RW); mlock(0,1); mmap(1,1,RW)", {"andrea andrea-aa": "A|A . .", "andrea-rwx": "A|o . ."}),
    ("advised and not", "mmap(0,1,RW); madvise(0,1,SEQUENTIAL); write(0); mmap(1,1,RW)", {"andrea": "A|A . .", "andrea-rwx": "A|o . ."}),
    ("locked, and another protection", "mmap(0,1,RW); mlock(0,1); mmap(1,1,R)", {"andrea": "A|a . .", "andrea-rwx": "A|- . ."}),
    # andrea-aa: mprotect merges with the vma before, and once at the end
    ("mprotect: with the vma before", "mmap(0,2,RW); mprotect(0,1,R); mprotect(1,1,R)", {"andrea-aa rmap39": "- - . ."}),
    ("mprotect: a part with the vma before", "mmap(0,3,RW); mprotect(0,1,R); mprotect(1,1,R)", {"andrea-aa rmap39": "- -|o ."}),
    ("mprotect: with the next, at the end", "mmap(0,2,RW); mprotect(0,1,R); mprotect(0,1,RW)", {"andrea-aa rmap39": "o o . ."}),
    ("mprotect: with both", "mmap(0,3,RW); mprotect(1,1,R); mprotect(1,1,RW)", {"andrea-aa rmap39": "o o o ."}),
    ("mprotect: not with the next on the way", "mmap(0,3,RW); mprotect(1,1,R); mprotect(0,3,R)", {
        "andrea-aa": "-|- - .", "andrea rmap39": "- - - ."}),
    ("mprotect: no change, but the end of a vma", "mmap(0,4,RW); madvise(0,3,NORMAL); mprotect(0,3,RW)", {
        "andrea-aa": "o o o o", "andrea rmap39": "o o o|o"}),
    ("mprotect: no change, inside of a vma", "mmap(0,4,RW); madvise(0,3,NORMAL); mprotect(0,2,RW)", {"andrea-aa rmap39": "o o o|o"}),
    ("mprotect: no last attempt at a hole", "mmap(0,2,RW); madvise(0,1,NORMAL); mmap(3,1,R); mprotect(0,3,RW)", {
        "andrea-aa rmap39": "o|o .|- ENOMEM"}),
    ("mprotect: not what has two anon_vmas", "mmap(0,2,RW); mprotect(0,1,R); write(1); mprotect(0,1,RWX); write(0); mprotect(0,1,RW)", {
        "andrea-aa rmap39": "B|A . .", "rmap40": "A A . ."}),
    ("mprotect: no importer fix", "mmap(0,3,RW); mprotect(0,1,R); write(1); mprotect(1,1,R)", {
        "andrea-aa andrea rmap39 rmap40": "- -|A .", "linux-2.6.8 andrea+importer andrea-aa+importer": "a a|A ."}),
    ("mremap does not merge", "mmap(0,1,RW); mmap(3,1,RW); mremap(3,1->1)", {"andrea-aa": "o|o . .", "andrea rmap39": "o o . ."}),
    ("mremap does not merge with its source", "mmap(0,2,RW); mremap(0,1->2)", {"andrea-aa": ".|o|o .", "andrea": ".|o o ."}),
    ("mremap keeps the offset", "mmap(0,1,RW); mremap(0,1->1); mmap(2,1,RW)", {"andrea-aa": ".|o|o .", "andrea": ".|o o ."}),
    # one-per-mm: one anon_vma for all that was written
    ("two places", TWO, {"one-per-mm further-afield": "A .|A .", "rmap40": "A .|B ."}),
    ("two files' worth of difference", "mmap(0,1,RW); write(0); mmap(2,1,R,file=F,off=0); mprotect(2,1,RW); write(2)", {
        "one-per-mm": "A .|A .", "further-afield rmap40": "A .|B ."}),
    ("locked elsewhere", "mmap(0,1,RW); mlock(0,1); mmap(2,1,RW); write(2)", {"one-per-mm": "A .|A .", "further-afield": "A .|B ."}),
    ("freed with the last vma", "mmap(0,1,RW); write(0); munmap(0,1); mmap(1,1,RW); write(1)", {"one-per-mm": ".|B . ."}),
    # further-afield: the nearest compatible vma, if no neighbour will do
    ("another protection elsewhere", "mmap(0,1,RW); mmap(2,1,RWX); write(0); write(2)", {"further-afield": "A .|A ."}),
    ("accounted elsewhere", "mmap(0,1,RW); mmap(2,1,RW,NORESERVE); write(0); write(2)", {"further-afield": "A .|B .", "one-per-mm": "A .|A ."}),
    ("advised elsewhere", "mmap(0,1,RW); madvise(0,1,RANDOM); mmap(2,1,RW); write(0); write(2)", {"further-afield": "A .|B ."}),
    ("another policy elsewhere", "mmap(0,1,RW); mbind(0,1,BIND); mmap(2,1,RW); write(0); write(2)", {"further-afield": "A .|B ."}),
    ("another offset elsewhere", "mmap(0,1,RW); write(0); mremap(0,1->1); mmap(3,1,RW); write(3)", {"further-afield": ".|A .|B"}),
    ("beyond a neighbour that will not do", "mmap(0,1,RW); write(0); mmap(1,1,RW,NORESERVE); write(1); mmap(2,1,RW); write(2)", {
        "further-afield": "A|B|A .", "rmap40": "A|B|C ."}),
    ("the nearer one below", "mmap(0,1,RW); write(0); mmap(2,1,RW); mlock(2,1); munlock(2,1); mmap(4,1,RW); write(4)", {
        "further-afield": "A .|B .|B .", "one-per-mm": "A .|A .|A .", "rmap40": "A .|B .|C ."}),
    ("the nearer one of both sides", "mmap(0,1,RW); write(0); mmap(5,1,RW); mlock(5,1); munlock(5,1); mmap(2,1,RW); write(2)", {
        "further-afield": "A .|A . .|B"}),
    ("the nearer one above", "mmap(0,1,RW); write(0); mmap(5,1,RW); mlock(5,1); munlock(5,1); mmap(3,1,RW); write(3)", {
        "further-afield": "A . .|B .|B"}),
    ("touching neighbours first, and the next first", f"{TWO}; mmap(1,1,RWX); write(1)", {"further-afield": "A|A|A ."}),
    # prev-first
    ("next or previous", f"{TWO}; mmap(1,1,RWX); write(1)", {
        "rmap40 linux-2.6.8": "A|B|B .", "rmap40+prev-first linux-2.6.8+prev-first": "A|A|B ."}),
    ("only the next was written", "mmap(0,1,RW); mmap(1,1,RWX); mmap(2,1,RW); write(2); write(1)", {"rmap40+prev-first rmap40": "o|A|A ."}),
    # ignore-locked, ignore-hints
    ("a neighbour is locked", "mmap(0,1,RW); mlock(0,1); mmap(1,1,RW); write(1)", {
        "rmap40 linux-2.6.8 rmap40+ignore-hints": "A|B . .", "rmap40+ignore-locked linux-2.6.8+ignore-locked": "A|A . ."}),
    ("a neighbour is not locked", "mmap(0,2,RW); write(1); munmap(0,1); mmap(0,1,RWX); mlock(0,1)", {
        "rmap40": "B|A . .", "rmap40+ignore-locked": "A|A . ."}),
    ("no longer locked", "mmap(0,2,RW); mlock(0,1); write(1); munlock(0,1); mprotect(0,2,R)", {
        "rmap40": "a|b . .", "rmap40+ignore-locked": "a a . ."}),
    ("a neighbour is advised", "mmap(0,2,RW); madvise(0,1,SEQUENTIAL); write(0); write(1)", {
        "rmap40 rmap40+ignore-locked": "A|B . .", "rmap40+ignore-hints linux-2.6.8+ignore-hints": "A|A . ."}),
    ("advised otherwise", "mmap(0,2,RW); madvise(0,1,SEQUENTIAL); madvise(1,1,RANDOM); write(0); write(1)", {
        "rmap40": "A|B . .", "rmap40+ignore-hints": "A|A . ."}),
    ("no longer advised", "mmap(0,2,RW); madvise(0,1,RANDOM); write(0); write(1); madvise(0,1,NORMAL); mprotect(0,2,R)", {
        "rmap40": "a|b . .", "rmap40+ignore-hints": "a a . ."}),
    ("a neighbour is locked and advised", "mmap(0,1,RW); mlock(0,1); madvise(0,1,RANDOM); mmap(1,1,RW); write(1)", {
        "rmap40+ignore-locked rmap40+ignore-hints": "A|B . ."}),
    ("accounting still counts", "mmap(0,1,RW); mmap(1,1,RW,NORESERVE); write(0); write(1)", {
        "rmap40+ignore-locked rmap40+ignore-hints": "A|B . ."}),
    # extend-mremap
    ("spanning: move", f"mmap(5,1,R); {SPANNING}; mremap(0,3->3)", {
        "rmap40": "A A|B . . . EFAULT", "rmap40+extend-mremap linux-2.6.8+extend-mremap": ". . .|A A|B", "anonmm": ". . .|o o o"}),
    ("spanning: grow", f"{SPANNING}; mremap(0,3,4)", {"rmap40+extend-mremap": "A A|B B"}),
    ("spanning: grow to the lowest hole", f"{SPANNING}; mmap(3,1,R); mremap(0,3,4,MAYMOVE)", {
        "rmap40+extend-mremap": ". . .|-|A A|B B", "anonmm": ". . .|-|o o o o", "rmap40": "A A|B|- . . . . EFAULT"}),
    ("spanning: a part of each", f"{SPANNING}; mremap(1,2->3)", {"rmap40+extend-mremap": "A . .|A|B", "rmap40": "A A|B . . EFAULT"}),
    ("spanning: other protection", "mmap(0,1,RW); mmap(1,1,R); mremap(0,2->2)", {"rmap40+extend-mremap anonmm": "o|- . . EFAULT"}),
    ("spanning: a hole", "mmap(0,1,RW); mmap(2,1,RW); mremap(0,3->3)", {"rmap40+extend-mremap": "o .|o . . . EFAULT"}),
    ("spanning: into itself", f"{SPANNING}; mremap(0,3->1)", {"rmap40+extend-mremap": "A A|B . EINVAL"}),
    # copy-vma-import
    ("moved into a vma with one", "mmap(0,1,RW); write(0); mmap(3,1,RW); mremap(3,1->1)", {
        "linux-2.6.8 linux-2.6.8+copy-vma-import": "A A . ."}),
    ("moved unwritten", "mmap(0,1,RW); mmap(3,1,RW); mremap(3,1->1)", {"linux-2.6.8+copy-vma-import": "o o . ."}),
    ("moved, and not merged", "mmap(0,1,RW); mmap(3,1,RW); write(3); mremap(3,1->1)", {"linux-2.6.8+copy-vma-import": "o|A . ."}),
]  # fmt: skip


def rows_of(base):
    """The rows about a kernel, without patches or with some."""
    for name, trace, pictures in DIFFERENT:
        for kernels, after in pictures.items():
            for kernel in kernels.split():
                if kernel.partition("+")[0] == base:
                    yield kernel, (name, trace, after)


@pytest.mark.parametrize("base", LINUX_2_6.kernels)
def test_drawn(base):
    rows = defaultdict(list)
    for kernel, row in rows_of(base):
        rows[kernel].append(row)
    assert base in rows
    for kernel, its_rows in rows.items():
        all_drawn(kernel, its_rows)


def test_every_row_is_about_a_kernel():
    assert sum(len(list(rows_of(base))) for base in LINUX_2_6.kernels) == sum(
        len(kernels.split()) for *_, pictures in DIFFERENT for kernels in pictures
    )


def pages(kernel, trace):
    """The anonymous pages: address, anon_vma, whether that was freed, index."""
    return [(page.page, page.anon_vma, page.freed, page.index) for page in steps(kernel, trace)[-1].pages]


# (kernel, trace, anonymous pages)
PAGES = [
    ("anonmm", "mmap(0,1,RW); write(0); mremap(0,1->2)", [(2, None, False, 2)]),
    ("anonmm", "mmap(0,1,RW,file=F,off=3); write(0)", [(0, None, False, 0)]),
    ("rmap39", "mmap(0,1,RW); write(0); mremap(0,1->2)", [(2, "A", False, 0)]),
    ("andrea-aa", "mmap(0,1,RW); mremap(0,1->2); write(2)", [(2, "A", False, 0)]),
    ("rmap40", "mmap(0,1,RW); mremap(0,1->2); write(2)", [(2, "A", False, 2)]),
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "trace", "expected"), PAGES)
def test_pages(kernel, trace, expected):
    assert pages(kernel, trace) == expected


def test_moved_into_a_vma_without_an_anon_vma():
    """The patch copy-vma-import hands the anon_vma over; without it, the vma has none, and the page's was freed."""
    trace = shortest("linux-2.6.8", "rmap_finds_every_page", "mremap")
    assert len(parse_trace(trace)) == 5
    for kernel in ("rmap39", "rmap40", "linux-2.6.8", "andrea", "one-per-mm", "further-afield"):
        assert drawn(kernel, trace) == "o o . .", kernel
        assert drawn(f"{kernel}+copy-vma-import", trace) == "A A . .", kernel
    assert drawn("anonmm+copy-vma-import", trace) == "o o . ."
    for kernel in ("rmap39", "rmap40", "linux-2.6.8"):
        assert pages(kernel, trace) == [(0, "A", True, 0)]
        assert pages(f"{kernel}+copy-vma-import", trace) == [(0, "A", False, 0)]


def test_only_andrea_aa_leaves_the_offset_of_what_was_never_written():
    for kernel in LINUX_2_6.kernels:
        vmas = steps(kernel, "mmap(0,1,RW); mremap(0,1->1)")[-1].vmas
        assert [vma.pgoff for vma in vmas] == [0 if kernel == "andrea-aa" else 1], kernel


def test_andrea_aa_has_no_case_4():
    trace = "mmap(0,3,RW); mprotect(2,1,R); mprotect(1,1,R)"
    assert drawn("andrea-aa", trace) == drawn("rmap39", trace) == "o|- - ."
    assert events_of_last_call("rmap39", trace) & 0xFF == 0x08
    assert events_of_last_call("andrea-aa", trace) & 0x08 == 0


# lengths of the vmas after Hugh Dickins' test programs (docs/rules-2.6.md section 6.1), by kernel
@pytest.mark.parametrize("kernel", LINUX_2_6.kernels)
def test_hugh_dickins_test_programs(kernel):
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        one = "; ".join(f"mmap({page},1,RW); write({page}); mprotect({page},1,R)" for page in order)
        assert len(steps(kernel, one)[-1].vmas) == (4 if kernel == "rmap39" else 1)
    two = "".join(f"; mprotect({page},1,RW); write({page}); mprotect({page},1,R)" for page in range(4))
    lengths = [vma.end - vma.start for vma in steps(kernel, f"mmap(0,2,R); mmap(2,2,RW){two}")[-1].vmas]
    assert lengths == ([1, 3] if kernel == "rmap39" or kernel.startswith("andrea") else [4])


@pytest.mark.parametrize("patch", LINUX_2_6.patches)
@pytest.mark.parametrize("kernel", LINUX_2_6.kernels)
def test_patches_are_refused_over_kernels_that_they_are_not_for(kernel, patch):
    calls = Scope(pages=2).calls()
    over = LINUX_2_6.patches[patch].over
    if patch in LINUX_2_6.kernels[kernel].patches or (over and kernel not in over):
        with pytest.raises(UnknownName):
            one_process.build(f"{kernel}+{patch}", Scope(pages=2), calls=calls)
    else:
        one_process.build(f"{kernel}+{patch}", Scope(pages=2), calls=calls)


@pytest.mark.parametrize("name", ["anonmm+prev-first", "rmap39+prev-first", "andrea+prev-first", "one-per-mm+ignore-locked",
    "further-afield+ignore-hints", "andrea-aa+copy-vma-import", "linux-2.6.8+importer", "rmap40+prev-first+prev-first",
    "rmap40+rmap40", "andrea-rwx+andrea", "rmap38"])  # fmt: skip
def test_refused(name):
    with pytest.raises(UnknownName):
        one_process.build(name, Scope(pages=2))
