# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference of today's kernels, for the calls in REFERENCE_OPERATIONS of properties/__init__.py.

Where a vma was faulted shows in one thing: mprotect takes back the accounting of what was not.
"""

from model.mm import (
    EFAULT,
    EINVAL,
    ENOMEM,
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MAP_GROWSDOWN,
    MAP_NORESERVE,
    NULL,
    VM_ACCOUNT,
    VM_EXEC,
    VM_GROWSDOWN,
    VM_RAND_READ,
    VM_READ,
    VM_SEQ_READ,
    VM_SHARED,
    VM_WRITE,
)
from model.modern.mm import (
    EIO,
    MADV_DODUMP,
    MADV_DOFORK,
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MADV_HUGEPAGE,
    MADV_KEEPONFORK,
    MADV_MERGEABLE,
    MADV_NOHUGEPAGE,
    MADV_UNMERGEABLE,
    MADV_WIPEONFORK,
    MAP_LOCKED,
    MAP_SHARED,
    MAP_STACK,
    VM_DONTCOPY,
    VM_DONTDUMP,
    VM_HUGEPAGE,
    VM_LOCKED,
    VM_MERGEABLE,
    VM_NOHUGEPAGE,
    VM_NORESERVE,
    VM_WIPEONFORK,
)
from model.unistd import NR_brk, NR_madvise, NR_mbind, NR_memw, NR_mmap, NR_mprotect, NR_munmap, NR_read
from properties.flat_range import drops_pages, is_on_range
from properties.modern.memory import (
    fills_page,
    flags_at_access,
    is_access,
    is_written,
    maps_page,
    mmap_is_refused,
    read_is_allowed,
    write_is_allowed,
)
from properties.neighbours import anon_vma_of_page
from properties.pages import first_hole, flat_file, flat_flags, is_mapped
from properties.reference import expected_brk, unmaps_page


def flags_of_new_page(call):
    """The flags of memory that the call maps: what may be written is accounted, unless that is waived."""
    if call.nr == NR_brk:
        return VM_READ | VM_WRITE | VM_ACCOUNT
    flags = call.prot
    if (call.flags & MAP_STACK) != 0:
        flags = flags | VM_NOHUGEPAGE
    if (call.flags & MAP_LOCKED) != 0:
        flags = flags | VM_LOCKED
    if (call.flags & MAP_GROWSDOWN) != 0:
        flags = flags | VM_GROWSDOWN
    if (call.flags & MAP_SHARED) != 0:
        flags = flags | VM_SHARED
    if (call.flags & MAP_NORESERVE) != 0:
        return flags | VM_NORESERVE
    return flags | VM_ACCOUNT if (flags & (VM_WRITE | VM_SHARED)) == VM_WRITE else flags


# ---- calls that work their way through a range ---------------------------------------------------


def bits_that_go(behavior):
    """The flags that a page loses by the advice."""
    if behavior == MADV_NORMAL or behavior == MADV_RANDOM or behavior == MADV_SEQUENTIAL:
        return VM_SEQ_READ | VM_RAND_READ
    if behavior == MADV_HUGEPAGE or behavior == MADV_NOHUGEPAGE:
        return VM_HUGEPAGE | VM_NOHUGEPAGE
    if behavior == MADV_DOFORK:
        return VM_DONTCOPY
    if behavior == MADV_DODUMP:
        return VM_DONTDUMP
    if behavior == MADV_KEEPONFORK:
        return VM_WIPEONFORK
    return VM_MERGEABLE if behavior == MADV_UNMERGEABLE else 0


def bits_that_come(behavior, flags):
    """The flags that a page that has these gets by the advice."""
    if behavior == MADV_RANDOM:
        return VM_RAND_READ
    if behavior == MADV_SEQUENTIAL:
        return VM_SEQ_READ
    if behavior == MADV_HUGEPAGE:
        return VM_HUGEPAGE
    if behavior == MADV_NOHUGEPAGE:
        return VM_NOHUGEPAGE
    if behavior == MADV_DONTFORK:
        return VM_DONTCOPY
    if behavior == MADV_DONTDUMP:
        return VM_DONTDUMP
    if behavior == MADV_WIPEONFORK:
        return VM_WIPEONFORK
    return VM_MERGEABLE if behavior == MADV_MERGEABLE and (flags & VM_SHARED) == 0 else 0


def flags_when_page_is_reached(before, call, page):
    """The flags that a mapped page is to have when the call has come to it."""
    flags = flat_flags(before, page)
    if call.nr == NR_madvise:
        return flags & ~bits_that_go(call.behavior) | bits_that_come(call.behavior, flags)
    if call.nr != NR_mprotect:
        return flags
    changed = call.prot | (flags & ~(VM_READ | VM_WRITE | VM_EXEC))
    if (call.prot & VM_WRITE) != 0:
        return changed if (flags & (VM_NORESERVE | VM_SHARED)) != 0 else changed | VM_ACCOUNT
    was_faulted = flat_file(before, page) != NULL or anon_vma_of_page(before, page) != NULL
    if changed == flags or was_faulted:
        return changed
    return changed & ~VM_ACCOUNT


def mbind_is_refused_today(before, call):
    """Is there a hole? The default policy minds only if there is nothing else."""
    end = call.addr + call.len
    if call.policy != NULL:
        return first_hole(before, call.addr, end) < end
    for page in range(call.addr, end):
        if is_mapped(before, page):
            return False
    return True


def range_stop(before, call, after):
    """The page at which the call stops: at its end, at a hole that it minds, or at what it is refused on."""
    end = call.addr + call.len
    if call.nr == NR_mprotect:
        return first_hole(before, call.addr, end)
    if call.nr == NR_mbind:
        return call.addr if mbind_is_refused_today(before, call) else end
    if call.nr == NR_madvise and call.behavior == MADV_WIPEONFORK:
        for page in range(call.addr, end):
            if is_mapped(before, page) and flat_file(before, page) != NULL:
                return page
    if drops_pages(call):
        for page in range(call.addr, end):
            if is_mapped(before, page) and (flat_flags(before, page) & VM_LOCKED) != 0:
                return page
    return end


def range_result(before, call, after):
    """What the call returns."""
    end = call.addr + call.len
    stop = range_stop(before, call, after)
    if call.len == 0 or (stop == end and call.nr != NR_madvise):
        return 0
    if call.nr == NR_mprotect:
        return -ENOMEM
    if call.nr == NR_mbind:
        return -EFAULT
    if stop < end:
        return -EINVAL
    return 0 if first_hole(before, call.addr, end) == end else -ENOMEM


def contents_when_reached(before, call, page):
    """Does a page have contents of its own when the call has come to it?"""
    if call.nr == NR_mprotect and (call.prot & VM_WRITE) != 0:
        # what was locked, and is written first from now on, is faulted in
        if (flat_flags(before, page) & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED:
            return 1
    return 0 if drops_pages(call) else before.page[page].mapcount


# ---- all calls -----------------------------------------------------------------------------------


def expected_result(before, call, after):
    """What the call returns."""
    if is_on_range(call):
        return range_result(before, call, after)
    if call.nr == NR_brk:
        return expected_brk(before, call)
    if call.nr == NR_mmap:
        return -EINVAL if mmap_is_refused(call) else call.addr
    if call.nr == NR_munmap:
        return 0 if call.len != 0 else -EINVAL
    if call.nr == NR_memw:
        return 0 if write_is_allowed(before, call) else -EIO
    allowed = read_is_allowed(before, call) if call.nr == NR_read else write_is_allowed(before, call)
    return 0 if allowed else -EFAULT


def expected_flags(before, call, after, page):
    """The flags of a page after the call, -1 if it is not mapped."""
    if maps_page(before, call, page):
        return flags_at_access(before, call) if is_access(call) else flags_of_new_page(call)
    if unmaps_page(before, call, page):
        return -1
    flags = flat_flags(before, page)
    if flags == -1 or not is_on_range(call) or page < call.addr or page >= range_stop(before, call, after):
        return flags
    return flags_when_page_is_reached(before, call, page)


def expected_contents(before, call, after, page):
    """Does the page have contents of its own after the call?"""
    if call.nr == NR_mmap and maps_page(before, call, page):
        return 1 if fills_page(call) else 0
    if unmaps_page(before, call, page):
        return 0
    if is_written(before, call, page) and write_is_allowed(before, call):
        return 1
    if is_on_range(call) and call.addr <= page and page < range_stop(before, call, after):
        return contents_when_reached(before, call, page)
    return before.page[page].mapcount
