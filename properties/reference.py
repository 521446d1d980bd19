# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference: what a call does to each page, said page by page, without a vma in sight.

It shares no code with the model. What is compared: whether a page is mapped, its protection, its offset, whether it
has contents of its own, and what the call returned.
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


def reached_end(before, call):
    """The page at which the call stops: the end of its range, or the first hole for mprotect."""
    if call.nr == NR_mprotect:
        return first_hole(before, call.addr, call.addr + call.len)
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


def expected_result(before, call):
    """What the call returns."""
    if call.nr == NR_mmap:
        return call.addr
    if call.nr == NR_munmap:
        return -EINVAL if call.len == 0 else 0
    if call.nr == NR_mprotect:
        return 0 if reached_end(before, call) == call.addr + call.len else -ENOMEM
    allowed = write_is_allowed(before, call) if call.nr == NR_write else read_is_allowed(before, call)
    return 0 if allowed else -EFAULT


def expected_protection(before, call, page):
    """The protection of a page after the call."""
    if call.addr <= page and page < reached_end(before, call):
        if call.nr == NR_mmap or call.nr == NR_mprotect:
            return call.prot
        if call.nr == NR_munmap:
            return -1
    return flat_protection(before, page)


def expected_contents(before, call, page):
    """Does the page have contents of its own after the call?"""
    if call.nr == NR_mmap or call.nr == NR_munmap:
        if call.addr <= page and page < call.addr + call.len:
            return 0
    if call.nr == NR_write and page == call.addr and write_is_allowed(before, call):
        return 1
    return before.page[page].mapcount


def no_slot_left(before, call, after):
    """Was the call refused because the process has as many vmas as it may have?"""
    return call.result == -ENOMEM and (before.map_count >= MAX_MAP_COUNT or after.map_count >= MAX_MAP_COUNT)


def refusal_is_clean(before, call, after):
    """After a refused call the pages are as before; of mprotect's, the first ones may be changed."""
    unchanged = False
    for page in range(TASK_SIZE):
        if after.page[page].mapcount != before.page[page].mapcount:
            return False
        if flat_protection(after, page) == flat_protection(before, page):
            if call.addr <= page and flat_protection(before, page) != expected_protection(before, call, page):
                unchanged = True
        elif unchanged or call.nr != NR_mprotect:
            return False
        elif flat_protection(after, page) != expected_protection(before, call, page):
            return False
    return True


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
    if no_slot_left(before, call, after) and refusal_is_clean(before, call, after):
        return True
    if call.result != expected_result(before, call):
        return False
    for page in range(TASK_SIZE):
        protection = expected_protection(before, call, page)
        if flat_protection(after, page) != protection:
            return False
        if protection != -1 and flat_offset(after, page) != page:
            return False
        if after.page[page].mapcount != expected_contents(before, call, page):
            return False
    return True
