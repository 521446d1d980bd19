# SPDX-License-Identifier: GPL-2.0-only
"""mremap, mlock, madvise, brk, mbind and private files: a test for each case of docs/rules-2.6.md, drawn."""

import re
from typing import Any

import pytest

from tests.model.test_vma_merge import events_of_last_call
from tests.support.helpers import drawn, steps
from vmacheck.model.common.mm import COPY_VMA_MERGE

KERNEL = "linux-2.6.8"


def drawn_as(after, trace, kernel=KERNEL, **more):
    """The picture after the trace, of an address space as large as the picture to compare it with."""
    return drawn(kernel, trace, len(re.sub(r" E\w+$", "", after)) // 2 + 1, **more)


def last(trace, pages=4, kernel=KERNEL, **more):
    return steps(kernel, trace, pages, **more)[-1]


def flags(trace, **more):
    """The flags of each vma but the protection."""
    return [" ".join(vma.flags) for vma in last(trace, **more).vmas]


def pgoffs(trace, **more):
    return [vma.pgoff for vma in last(trace, **more).vmas]


def pages(trace, **more):
    """The anonymous pages: address, anon_vma, index."""
    return [(page.page, page.anon_vma, page.index) for page in last(trace, **more).pages]


# (name, trace, picture)
MREMAP = [
    ("shrink", "mmap(0,4,RW); mremap(0,4,2)", "o o . ."),
    ("shrink inside of a vma", "mmap(0,4,RW); mremap(1,2,1)", "o o .|o"),
    ("shrink over holes and several vmas", "mmap(0,1,RW); mmap(2,1,R); mremap(0,4,1)", "o . . ."),
    ("shrink from a hole", "mmap(2,1,RW); mremap(0,3,1)", ". . . ."),
    ("the same size, over a hole", "mmap(1,1,RW); mremap(0,2,2)", ".|o . ."),
    ("the same size, over two vmas", "mmap(0,1,RW); mmap(1,1,R); mremap(0,2,2,MAYMOVE)", "o|- . ."),
    ("grow", "mmap(0,1,RW); mremap(0,1,3)", "o o o ."),
    ("grow up to the next vma: no merge", "mmap(0,1,RW); mmap(2,1,RW); mremap(0,1,2)", "o o|o ."),
    ("grow into the next vma", "mmap(0,1,RW); mmap(2,1,R); mremap(0,1,3)", "o .|- . ENOMEM"),
    ("grow the start of a vma", "mmap(0,3,RW); mremap(0,1,2)", "o o o . ENOMEM"),
    ("grow to the lowest hole", "mmap(2,1,RW); mmap(3,1,R); mremap(2,1,2,MAYMOVE)", "o o .|-"),
    ("grow to the lowest hole that is large enough", "mmap(1,1,RW); mmap(2,1,R); mremap(1,1,2,MAYMOVE)", ". .|-|o o ."),
    ("grow the start of a vma: it moves", "mmap(0,2,RW); write(0); mremap(0,1,2,MAYMOVE)", ".|A|A A"),
    ("the old place is not a hole yet", "mmap(1,1,RW); mmap(2,1,R); mremap(1,1,2,MAYMOVE)", ".|o|- . ENOMEM"),
    ("move", "mmap(0,1,RW); mremap(0,1->2)", ". .|o ."),
    ("move the middle", "mmap(0,3,RW); write(0); mremap(1,1->3)", "A .|A|A"),
    ("move over something", "mmap(0,1,RW); mmap(2,2,R); mremap(0,1->2)", ". .|o|-"),
    ("move and shrink", "mmap(0,2,RW); write(0); mremap(0,2->2,1)", ". .|A ."),
    ("move and shrink over two vmas: the first is moved", "mmap(0,1,RW); mmap(1,1,R); mremap(0,2->2,1)", ". .|o ."),
    ("move and grow", "mmap(0,1,RW); write(0); mremap(0,1->1,3)", ".|A A A"),
    ("into itself from below", "mmap(0,2,RW); mremap(0,2->1)", "o o . . EINVAL"),
    ("onto itself", "mmap(0,2,RW); mremap(0,2->0)", "o o . . EINVAL"),
    ("into itself because it grows", "mmap(2,1,RW); mremap(2,1->0,3)", ". .|o . EINVAL"),
    ("not into itself because it shrinks", "mmap(1,2,RW); write(1); mremap(1,2->0,1)", "A . . ."),
    ("EINVAL comes before anything is unmapped", "mmap(0,2,RW); mmap(2,1,R); mremap(0,2->1)", "o o|- . EINVAL"),
    ("grow from a hole", "mmap(1,1,RW); mremap(0,2,3)", ".|o . . EFAULT"),
    ("grow two vmas", "mmap(0,1,RW); mmap(1,1,R); mremap(0,2,3)", "o|- . . EFAULT"),
    ("move two vmas: the destination is lost", "mmap(0,1,RW); mmap(1,1,R); mmap(2,2,RW); mremap(0,2->2)", "o|- . . EFAULT"),
    ("move a hole: the destination is lost", "mmap(0,1,RW); mremap(1,1->0)", ". . . . EFAULT"),
    ("move two vmas and shrink: the tail is lost, too", "mmap(0,1,RW); mmap(1,2,R); mmap(4,1,RW); mremap(0,3->4,2)", "o|- . . . . EFAULT"),
    ("unlike in anon_vma only is two vmas", "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); mmap(1,1,RW); mremap(0,3,4)", "A A|B . EFAULT"),
    # merging at the new place; the offset of what was written stays
    ("written memory has the wrong offset", "mmap(0,1,RW); mmap(3,1,RW); write(3); mremap(3,1->1)", "o|A . ."),
    ("flags differ", "mmap(0,1,R); mmap(3,1,RW); mremap(3,1->1)", "-|o . ."),
    ("policies differ", "mmap(0,1,RW); mbind(0,1,BIND); mmap(3,1,RW); mremap(3,1->1)", "o|o . ."),
    ("what is mapped next to it merges later", "mmap(0,1,RW); mremap(0,1->1); mmap(2,1,RW)", ".|o o ."),
    ("but not if it was written", "mmap(0,1,RW); write(0); mremap(0,1->1); mmap(2,1,RW)", ".|A|o ."),
]  # fmt: skip

MLOCK = [
    ("the whole is faulted in", "mmap(0,2,RW); mlock(0,2)", "A A . ."),
    ("read-only memory needs no anon_vma", "mmap(0,2,R); mlock(0,2)", "- - . ."),
    ("cut first, then faulted in", "mmap(0,2,RW); mlock(0,1)", "A|o . ."),
    ("several vmas", "mmap(0,1,RW); mmap(1,1,R); mlock(0,2)", "A|- . ."),
    ("PROT_NONE", "mmap(0,1,N); mlock(0,1)", "- . . . EFAULT"),
    ("a hole at the start", "mmap(1,1,RW); mlock(0,2)", ".|o . . ENOMEM"),
    ("a hole later on", "mmap(0,1,RW); mmap(2,1,RW); mlock(0,3)", "A .|o . ENOMEM"),
    ("locked already: not cut", "mmap(0,2,RW); mlock(0,2); mlock(0,1)", "A A . ."),
    ("not locked anyway: not cut", "mmap(0,2,RW); munlock(0,1)", "o o . ."),
    ("munlock cuts", "mmap(0,2,RW); mlock(0,2); munlock(1,1)", "A|A . ."),
    ("munlock does not merge", "mmap(0,2,RW); mlock(0,1); munlock(0,1)", "A|o . ."),
    ("mlock does not merge", "mmap(0,2,RW); mlock(0,1); mlock(1,1)", "A|A . ."),
    ("munlock at a hole", "mmap(0,1,RW); mlock(0,1); munlock(0,2)", "A . . . ENOMEM"),
    ("locked and unlocked do not merge", "mmap(0,1,RW); mlock(0,1); mmap(1,1,RW)", "A|o . ."),
    ("nor share", "mmap(0,1,RW); mlock(0,1); mmap(1,1,RW); write(1)", "A|B . ."),
    ("locked and locked merge", "mmap(0,2,RW); mlock(0,2); mprotect(0,1,R); mprotect(0,1,RW)", "A A . ."),
]  # fmt: skip

MADVISE = [
    ("cuts even if nothing changes", "mmap(0,4,RW); madvise(1,2,NORMAL)", "o|o o|o"),
    ("does not cut a whole vma", "mmap(0,2,RW); madvise(0,2,RANDOM)", "o o . ."),
    ("does not merge", "mmap(0,2,RW); madvise(0,1,SEQUENTIAL); madvise(0,2,NORMAL)", "o|o . ."),
    ("skips holes", "mmap(0,1,RW); mmap(2,2,RW); madvise(0,3,SEQUENTIAL)", "o .|o|o ENOMEM"),
    ("of a hole", "mmap(0,1,RW); madvise(1,2,NORMAL)", "o . . . ENOMEM"),
    ("hints obstruct merging", "mmap(0,1,RW); madvise(0,1,RANDOM); mmap(1,1,RW)", "o|o . ."),
    ("hints obstruct sharing", "mmap(0,2,RW); madvise(0,1,SEQUENTIAL); write(0); write(1)", "A|B . ."),
    ("DONTNEED does not cut", "mmap(0,3,RW); write(1); madvise(1,1,DONTNEED)", "A A A ."),
    ("DONTNEED skips holes", "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); madvise(0,3,DONTNEED)", "A .|B . ENOMEM"),
    ("DONTNEED of locked memory", "mmap(0,1,RW); mlock(0,1); madvise(0,1,DONTNEED)", "A . . . EINVAL"),
    ("DONTNEED stops at locked memory", "mmap(0,2,RW); write(0); mlock(1,1); madvise(0,2,DONTNEED)", "A|A . . EINVAL"),
    ("DONTNEED does not make them mergeable", "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); madvise(2,1,DONTNEED); mmap(1,1,RW)", "A A|B ."),
]  # fmt: skip

MBIND = [
    ("cuts at both ends", "mmap(0,4,RW); mbind(1,2,BIND)", "o|o o|o"),
    ("does not cut a whole vma", "mmap(0,2,RW); mbind(0,2,BIND)", "o o . ."),
    ("does not merge", "mmap(0,2,RW); mbind(0,1,BIND); mbind(0,2,DEFAULT)", "o|o . ."),
    ("of nothing", "mbind(0,1,BIND)", ". . . . EFAULT"),
    ("over a hole", "mmap(0,1,RW); mmap(2,1,RW); mbind(0,3,BIND)", "o .|o . EFAULT"),
    ("past the last vma", "mmap(0,1,RW); mbind(0,2,BIND)", "o . . . EFAULT"),
    ("a hole before the first vma is not noticed", "mmap(1,2,RW); mbind(0,2,BIND)", ".|o|o ."),
    ("several vmas get it", "mmap(0,1,RW); mmap(1,1,R); mbind(0,2,BIND); mprotect(1,1,RW)", "o o . ."),
    ("EFAULT comes before any gets it", "mmap(0,1,RW); mmap(2,1,RW); mbind(0,3,BIND); mmap(1,1,RW)", "o o o ."),
    ("it is moved along", "mmap(0,1,RW); mbind(0,1,BIND); mremap(0,1->2); mmap(3,1,RW)", ". .|o|o"),
    ("it goes with the vma", "mmap(0,2,RW); mbind(0,2,BIND); mmap(0,1,RW); mmap(1,1,RW)", "o o . ."),
    ("policies obstruct a merge by mmap", "mmap(0,1,RW); mbind(0,1,BIND); mmap(1,1,RW)", "o|o . ."),
    ("policies obstruct a merge by mprotect", "mmap(0,2,RW); mbind(0,1,BIND); mprotect(0,2,R)", "-|- . ."),
    ("so do different ones", "mmap(0,2,RW); mbind(0,1,BIND); mbind(1,1,INTERLEAVE); mprotect(0,2,R)", "-|- . ."),
    ("equal ones do not", "mmap(0,2,RW); mbind(0,1,BIND); mbind(1,1,BIND); mprotect(0,2,R)", "- - . ."),
    ("policies obstruct sharing", "mmap(0,2,RW); mbind(0,1,BIND); write(0); write(1)", "A|B . ."),
    ("equal ones do not obstruct sharing", "mmap(0,2,RW); mbind(0,1,BIND); mbind(1,1,BIND); write(0); write(1)", "A|A . ."),
]  # fmt: skip

FILES = [
    ("the next pages of the file", "mmap(0,1,RW,file=F,off=0); mmap(1,1,RW,file=F,off=1)", "o o . ."),
    ("the pages between", "mmap(0,1,R,file=F,off=1); mmap(2,1,R,file=F,off=3); mmap(1,1,R,file=F,off=2)", "- - - ."),
    ("other pages", "mmap(0,1,RW,file=F,off=0); mmap(1,1,RW,file=F,off=2)", "o|o . ."),
    ("a file after anonymous memory", "mmap(0,1,RW); mmap(1,1,RW,file=F,off=1)", "o|o . ."),
    ("mprotect merges a file", "mmap(0,2,RW,file=F,off=1); mprotect(0,1,R); mprotect(0,1,RW)", "o o . ."),
    ("mprotect does not merge other pages", "mmap(0,1,RW,file=F,off=0); mmap(1,1,R,file=F,off=0); mprotect(0,1,R)", "-|- . ."),
    ("a write fault gives an anon_vma", "mmap(0,1,RW,file=F,off=0); write(0)", "A . . ."),
    ("a read fault does not", "mmap(0,1,RW,file=F,off=0); read(0)", "o . . ."),
    ("a write to what is read-only", "mmap(0,1,R,file=F,off=0); write(0)", "- . . . EFAULT"),
    ("anon_vmas decide, too", "mmap(0,1,RW,file=F,off=0); mmap(2,1,RW,file=F,off=2); write(0); write(2); mmap(1,1,RW,file=F,off=1)", "A A|B ."),
    ("the next pages share", "mmap(0,1,RW,file=F,off=2); mmap(1,1,RWX,file=F,off=3); write(0); write(1)", "A|A . ."),
    ("other pages do not share", "mmap(0,1,RW,file=F,off=2); mmap(1,1,RWX,file=F,off=1); write(0); write(1)", "A|B . ."),
    ("a file and anonymous memory do not share", "mmap(0,1,RW); mmap(1,1,RW,file=F,off=1); write(0); write(1)", "A|B . ."),
    ("mremap to the next pages of the file", "mmap(0,1,RW,file=F,off=0); mmap(3,1,RW,file=F,off=1); mremap(3,1->1)", "o o . ."),
    ("mremap to other pages", "mmap(0,2,RW,file=F,off=0); mremap(0,1->2)", ".|o|o ."),
]  # fmt: skip

BRK = [
    ("grow", "brk(2)", "o o . .", 2),
    ("grow the heap", "brk(1); brk(3)", "o o o .", 3),
    ("shrink", "brk(3); brk(1)", "o . . .", 1),
    ("shrink what is unmapped already", "brk(3); munmap(0,3); brk(1)", ". . . .", 1),
    ("shrink over what was mapped there", "brk(3); mmap(1,1,R); brk(1)", "o . . .", 1),
    ("a page is left free above", "mmap(2,1,R); brk(1)", "o .|- .", 1),
    ("refused: no page would be free above", "mmap(2,1,R); brk(2)", ". .|- .", 0),
    ("refused: something is in the way", "brk(1); mmap(1,1,R); brk(3)", "o|- . .", 1),
    ("the heap merges with what was mapped before it", "brk(1); mmap(0,1,RW); brk(2)", "o o . .", 2),
    ("the heap does not merge with other protection", "brk(1); mprotect(0,1,R); brk(2)", "-|o . .", 2),
    ("nor with another policy", "brk(1); mbind(0,1,BIND); brk(2)", "o|o . .", 2),
    ("what is mapped above merges with the heap", "brk(1); mmap(1,1,RW); brk(1)", "o o . .", 1),
]  # fmt: skip

DRAWN = {"mremap": MREMAP, "mlock": MLOCK, "madvise": MADVISE, "mbind": MBIND, "file": FILES}
ROWS = [pytest.param(*row[1:], id=f"{call}: {row[0]}") for call, rows in DRAWN.items() for row in rows]


@pytest.mark.parametrize(("trace", "after"), ROWS)
def test_drawn(trace, after):
    assert drawn_as(after, trace) == after


@pytest.mark.parametrize(("trace", "after", "end"), [row[1:] for row in BRK], ids=[row[0] for row in BRK])
def test_brk(trace, after, end):
    assert drawn_as(after, trace) == after
    assert last(trace).result == end


# (name, trace, picture, case of vma_merge, offsets): mremap, with the merge that it has to come by
MERGES = [
    ("fills a hole", "mmap(0,1,RW); mmap(2,1,RW); mmap(4,1,RW); mremap(4,1->1)", "o o o . . .", 1, [0]),
    ("fills the hole that it came from", "mmap(0,3,RW); write(1); mremap(1,1->3); mremap(3,1->1)", "A A A .", 1, [0]),
    ("joins its source and the vma before", "mmap(0,1,RW); mmap(2,1,RW); mremap(2,1->1)", "o o . .", 1, [0]),
    ("only one of two anon_vmas", "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); mmap(4,1,RW); mremap(4,1->1)", "A A|B . . .", 2, [0, 2]),
    ("above", "mmap(0,1,RW); mmap(3,1,RW); mremap(3,1->1)", "o o . .", 2, [0]),
    ("above what was written", "mmap(0,1,RW); write(0); mmap(3,1,RW); mremap(3,1->1)", "A A . .", 2, [0]),
    ("above its source", "mmap(0,1,RW); mremap(0,1->1)", ".|o . .", 2, [1]),
    ("above its source, which goes on", "mmap(0,2,RW); mremap(0,1->2)", ".|o o .", 2, [1]),
    ("above its source, and grows", "mmap(0,1,RW); mremap(0,1->1,2)", ".|o o .", 2, [1]),
    ("above its source, as the lowest hole", "mmap(0,2,RW); mremap(0,1,2,MAYMOVE)", ".|o o o", 2, [1]),
    ("below", "mmap(1,1,RW); mmap(3,1,RW); mremap(3,1->0)", "o o . .", 3, [0]),
    ("below what was written", "mmap(1,1,RW); write(1); mmap(3,1,RW); mremap(3,1->0)", "A A . .", 3, [0]),
    ("below its source", "mmap(1,1,RW); mremap(1,1->0)", "o . . .", 3, [0]),
    ("below its source, which goes on", "mmap(1,2,RW); mremap(2,1->0)", "o o . .", 3, [0]),
]  # fmt: skip


@pytest.mark.parametrize(("trace", "after", "case", "offsets"), [m[1:] for m in MERGES], ids=[m[0] for m in MERGES])
def test_mremap_merges(trace, after, case, offsets):
    size = len(after) // 2 + 1
    assert drawn_as(after, trace) == after
    assert pgoffs(trace, pages=size) == offsets
    assert events_of_last_call(KERNEL, trace, size) & (0xFF | COPY_VMA_MERGE) == 1 << (case - 1) | COPY_VMA_MERGE


# (name, trace, offset of each vma)
PGOFFS = [
    ("unfaulted: as if mapped there", "mmap(0,1,RW); mremap(0,1->2)", [2]),
    ("faulted: as it was", "mmap(0,1,RW); write(0); mremap(0,1->2)", [0]),
    ("faulted, from inside", "mmap(0,3,RW); write(0); mremap(1,1->3)", [0, 2, 1]),
    ("no page any more, but an anon_vma", "mmap(0,1,RW); write(0); madvise(0,1,DONTNEED); mremap(0,1->2)", [0]),
    ("a file, from inside", "mmap(0,3,RW,file=F,off=2); mremap(1,1->3)", [2, 4, 3]),
    ("parts of a file", "mmap(0,4,RW,file=F,off=2); mprotect(1,2,R)", [2, 3, 5]),
]  # fmt: skip

# (name, trace, flags of each vma but the protection)
FLAGS = [
    ("both pieces left keep VM_ACCOUNT", "mmap(0,3,RW); write(0); mremap(1,1->3)", ["ACCOUNT"] * 3),
    ("the piece left below keeps it", "mmap(0,2,RW); write(0); mremap(1,1->3)", ["ACCOUNT"] * 2),
    ("the piece left above keeps it", "mmap(0,2,RW); write(0); mremap(0,1->3)", ["ACCOUNT"] * 2),
    ("what was joined to its source keeps it", "mmap(0,2,RW); mremap(0,1->2)", ["ACCOUNT"]),
    ("nothing left gets it", "mmap(0,3,RW,NORESERVE); write(0); mremap(1,1->3)", [""] * 3),
    ("once writable", "mmap(0,3,RW); write(0); mprotect(0,3,R); mremap(1,1->3)", ["ACCOUNT"] * 3),
    ("a writable private file", "mmap(0,1,RW,file=F,off=0); mmap(1,1,R,file=F,off=1)", ["ACCOUNT", ""]),
    ("mlock before a hole", "mmap(0,1,R); mmap(2,1,R); mlock(0,3)", ["LOCKED", ""]),
    ("mlock from a hole", "mmap(1,1,R); mlock(0,2)", [""]),
    ("munlock before a hole", "mmap(0,1,R); mmap(2,1,R); mlock(0,1); mlock(2,1); munlock(0,3)", ["", "LOCKED"]),
    ("madvise over holes", "mmap(0,1,R); mmap(2,1,R); madvise(0,4,SEQUENTIAL)", ["SEQ_READ"] * 2),
    ("one hint takes the other's place", "mmap(0,1,R); madvise(0,1,SEQUENTIAL); madvise(0,1,RANDOM)", ["RAND_READ"]),
    ("NORMAL is no hint", "mmap(0,1,R); madvise(0,1,RANDOM); madvise(0,1,NORMAL)", [""]),
    ("DONTNEED leaves the hint", "mmap(0,1,R); madvise(0,1,RANDOM); madvise(0,1,DONTNEED)", ["RAND_READ"]),
]  # fmt: skip

# (name, trace, anonymous pages: address, anon_vma, index)
PAGES = [
    ("moved from inside", "mmap(0,3,RW); write(0); write(1); mremap(1,1->3)", [(0, "A", 0), (3, "A", 1)]),
    ("written after the move", "mmap(0,2,RW); write(0); mremap(0,2->2); write(3)", [(2, "A", 0), (3, "A", 1)]),
    ("cut off", "mmap(0,2,RW); write(0); write(1); mremap(0,2->2,1)", [(2, "A", 0)]),
    ("not moved where mremap fails", "mmap(0,1,RW); write(0); mmap(1,1,R); mremap(0,2->2)", [(0, "A", 0)]),
    ("locked memory grows", "mmap(0,1,RW); mlock(0,1); mremap(0,1,3)", [(0, "A", 0), (1, "A", 1), (2, "A", 2)]),
    ("locked memory moves and grows", "mmap(0,1,RW); mlock(0,1); mremap(0,1->2,2)", [(2, "A", 0), (3, "A", 1)]),
    ("locked read-only memory grows", "mmap(0,1,R); mlock(0,1); mremap(0,1,2)", []),
    ("mlock of what is there in part", "mmap(0,2,RW); write(1); mlock(0,2)", [(0, "A", 0), (1, "A", 1)]),
    ("mlock of a file", "mmap(0,1,RW,file=F,off=2); mlock(0,1)", [(0, "A", 2)]),
    ("DONTNEED", "mmap(0,3,RW); write(0); write(1); write(2); madvise(1,1,DONTNEED)", [(0, "A", 0), (2, "A", 2)]),
    ("DONTNEED keeps the anon_vma", "mmap(0,1,RW); write(0); madvise(0,1,DONTNEED); write(0)", [(0, "A", 0)]),
    ("DONTNEED stops at locked memory", "mmap(0,2,RW); write(0); mlock(1,1); madvise(0,2,DONTNEED)", [(1, "A", 1)]),
    ("the page index is the offset in the file", "mmap(1,2,RW,file=F,off=3); write(2)", [(2, "A", 4)]),
    ("and stays when it is moved", "mmap(0,1,RW,file=F,off=3); write(0); mremap(0,1->2)", [(2, "A", 3)]),
    ("brk unmaps", "brk(2); write(0); write(1); brk(1)", [(0, "A", 0)]),
    ("refused brk unmaps nothing", "brk(1); write(0); mmap(2,1,R); brk(2)", [(0, "A", 0)]),
]  # fmt: skip


def test_mremap_returns_where_the_memory_is():
    assert last("mmap(1,1,RW); mremap(1,1,2)").result == 1
    assert last("mmap(0,1,RW); mremap(0,1->2)").result == 2
    assert last("mmap(0,1,RW); mmap(1,1,R); mremap(0,1,2,MAYMOVE)").result == 2


LOOKS: dict[Any, Any] = {pgoffs: PGOFFS, flags: FLAGS, pages: PAGES}
LOOK_ROWS = [
    pytest.param(look, *row[1:], id=f"{look.__name__}: {row[0]}") for look, rows in LOOKS.items() for row in rows
]


@pytest.mark.parametrize(("look", "trace", "expected"), LOOK_ROWS)
def test_look(look, trace, expected):
    assert look(trace) == expected


# (name, trace, limit, picture)
LIMITED = [
    ("move: three below the limit", "mmap(0,1,RW); mremap(0,1->2)", 5, ". .|o ."),
    ("move: nearer than that", "mmap(0,1,RW); mremap(0,1->2)", 4, "o . . . ENOMEM"),
    ("move: the destination is lost", "mmap(0,1,RW); mmap(3,1,R); mremap(0,1->3)", 4, "o . . . ENOMEM"),
    ("shrink: second split", "mmap(0,3,RW); mremap(0,2,1)", 2, "o|o o . ENOMEM"),
    ("growing in place needs no vma", "mmap(0,1,RW); mremap(0,1,2)", 1, "o o . ."),
    ("madvise: first split", "mmap(0,3,RW); madvise(1,1,NORMAL)", 1, "o o o . EAGAIN"),
    ("madvise: second split", "mmap(0,3,RW); madvise(1,1,NORMAL)", 2, "o|o o . EAGAIN"),
    ("mbind: second split", "mmap(0,3,RW); mbind(1,1,BIND)", 2, "o|o o . ENOMEM"),
    ("brk: its end stays", "brk(2); mmap(2,1,RW); brk(1)", 1, "o o o ."),
    ("brk: one vma above the limit is enough", "brk(1); mprotect(0,1,R); mmap(3,1,R); brk(2)", 1, "- . .|-"),
]  # fmt: skip


@pytest.mark.parametrize(("trace", "limit", "after"), [row[1:] for row in LIMITED], ids=[row[0] for row in LIMITED])
def test_max_map_count(trace, limit, after):
    assert drawn_as(after, trace, max_map_count=limit) == after


def test_mlock_needs_vmas_to_cut():
    refused = last("mmap(0,3,RW); mlock(1,1)", max_map_count=2)
    assert isinstance(refused.result, str)
    assert [(vma.start, vma.end, vma.flags) for vma in refused.vmas] == [(0, 1, ("ACCOUNT",)), (1, 3, ("ACCOUNT",))]
