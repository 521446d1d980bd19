# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference: what a call does to each page, said page by page, without a vma in sight.

It shares no code with the model. What is compared: whether a page is mapped, its protection, its offset, whether it
has contents of its own, and what the call returned. Only where max_map_count refuses a cut does it look at where
mappings end.
"""

from model.mm import EFAULT, EINVAL, ENOMEM, MAX_MAP_COUNT, TASK_SIZE, VM_EXEC, VM_READ, VM_WRITE
from model.unistd import NR_mmap, NR_mprotect, NR_munmap, NR_write
from properties import sometimes, step


def flat_protection(mm, page):
    """R, W, X bits of a page; -1 if it is not mapped, -2 if it is mapped more than once."""
    protection = -1
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start <= page and page < mm.vma[vma].vm_end:
            if protection != -1:
                return -2
            protection = mm.vma[vma].vm_flags & (VM_READ | VM_WRITE | VM_EXEC)
    return protection


def flat_offset(mm, page):
    """The offset of a page in its object, in pages; -1 if it is not mapped."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start <= page and page < mm.vma[vma].vm_end:
            return mm.vma[vma].vm_pgoff + page - mm.vma[vma].vm_start
    return -1


def first_hole(mm, start, end):
    """The first page of start..end-1 that is not mapped, or end."""
    for page in range(start, end):
        if flat_protection(mm, page) == -1:
            return page
    return end


def is_inside(mm, page):
    """Does a cut just below the page cut something in two: are it and the page before in one mapping?"""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start < page and page < mm.vma[vma].vm_end:
            return 1
    return 0


def cuts_are_refused(mm, start, end):
    """Is one of the cuts at start and end needed, and one too many for max_map_count?"""
    first = is_inside(mm, start)
    if first != 0 and mm.map_count >= MAX_MAP_COUNT:
        return True
    return is_inside(mm, end) != 0 and mm.map_count + first >= MAX_MAP_COUNT


def refused(before, call):
    """Are mmap and munmap refused, with nothing changed, because there are too many mappings?"""
    if call.nr == NR_mmap and before.map_count > MAX_MAP_COUNT:
        return call.len != 0
    return call.nr != NR_mprotect and call.len != 0 and cuts_are_refused(before, call.addr, call.addr + call.len)


def mprotect_end(before, call, after):
    """The page at which mprotect stops: the end, the first hole, or where a cut was needed and refused.

    What merged on the way decides whether there is room for a cut, so the last is read from the state after the call:
    at the first page that did not get its protection, there has to be something to cut, and no room.
    """
    end = call.addr + call.len
    hole = first_hole(before, call.addr, end)
    for page in range(call.addr, hole):
        if flat_protection(after, page) != call.prot:
            if after.map_count >= MAX_MAP_COUNT and (is_inside(after, page) != 0 or is_inside(after, end) != 0):
                return page
            return hole
    return hole


def reached_end(before, call, after):
    """The page at which the call stops: up to there it does what it is to do."""
    if call.nr == NR_mprotect:
        return mprotect_end(before, call, after)
    if refused(before, call):
        return call.addr
    return call.addr + call.len


def write_is_allowed(before, call):
    """May the page be written?"""
    protection = flat_protection(before, call.addr)
    return protection != -1 and (protection & VM_WRITE) != 0


def read_is_allowed(before, call):
    """May the page be read? i386 cannot make a page that is there writable only."""
    protection = flat_protection(before, call.addr)
    if protection == -1:
        return False
    if (protection & (VM_READ | VM_EXEC)) != 0:
        return True
    return (protection & VM_WRITE) != 0 and before.page[call.addr].mapcount != 0


def expected_result(before, call, after):
    """What the call returns."""
    if call.nr == NR_munmap and call.len == 0:
        return -EINVAL
    if call.nr == NR_mmap or call.nr == NR_munmap or call.nr == NR_mprotect:
        if reached_end(before, call, after) != call.addr + call.len:
            return -ENOMEM
        return call.addr if call.nr == NR_mmap else 0
    allowed = write_is_allowed(before, call) if call.nr == NR_write else read_is_allowed(before, call)
    return 0 if allowed else -EFAULT


def expected_protection(before, call, after, page):
    """The protection of a page after the call."""
    if call.addr <= page and page < reached_end(before, call, after):
        if call.nr == NR_mmap or call.nr == NR_mprotect:
            return call.prot
        if call.nr == NR_munmap:
            return -1
    return flat_protection(before, page)


def expected_contents(before, call, after, page):
    """Does the page have contents of its own after the call?"""
    if call.nr == NR_mmap or call.nr == NR_munmap:
        if call.addr <= page and page < reached_end(before, call, after):
            return 0
    if call.nr == NR_write and page == call.addr and write_is_allowed(before, call):
        return 1
    return before.page[page].mapcount


@sometimes
def a_call_changes_a_page(before, call, after):
    """A call changes the protection of a page."""
    for page in range(TASK_SIZE):
        if flat_protection(before, page) != flat_protection(after, page):
            return True
    return False


@step(premise=a_call_changes_a_page)
def pages_match_flat_reference(before, call, after):
    """A call returns, and does to every page, exactly what a page table without vmas would make it."""
    if call.result != expected_result(before, call, after):
        return False
    for page in range(TASK_SIZE):
        protection = expected_protection(before, call, after, page)
        if flat_protection(after, page) != protection:
            return False
        if protection != -1 and flat_offset(after, page) != page:
            return False
        if after.page[page].mapcount != expected_contents(before, call, after, page):
            return False
    return True
