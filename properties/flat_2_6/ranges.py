# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference for the calls that work their way through a range: mprotect, mlock, munlock, madvise, mbind."""

from vmacheck.model.common.mm import (
    EAGAIN,
    EFAULT,
    EINVAL,
    ENOMEM,
    MADV_DONTNEED,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MAX_MAP_COUNT,
    TASK_SIZE,
    VM_ACCOUNT,
    VM_EXEC,
    VM_LOCKED,
    VM_RAND_READ,
    VM_READ,
    VM_SEQ_READ,
    VM_WRITE,
)
from vmacheck.model.common.unistd import NR_madvise, NR_mbind, NR_mlock, NR_mprotect, NR_munlock
from vmacheck.properties.flat_2_6.pages import first_hole, flat_flags, is_inside, is_mapped


def is_on_range(call):
    """Does the call work its way through a range?"""
    return (
        call.nr == NR_mprotect
        or call.nr == NR_mlock
        or call.nr == NR_munlock
        or call.nr == NR_madvise
        or call.nr == NR_mbind
    )


def drops_pages(call):
    """Is it the advice that drops contents, without cuts or other changes?"""
    return call.nr == NR_madvise and call.behavior == MADV_DONTNEED


def flags_when_reached(call, flags):
    """The flags that a page with `flags` must have once the call has reached it."""
    if call.nr == NR_mprotect:
        if (call.prot & VM_WRITE) != 0 and (flags & (VM_WRITE | VM_ACCOUNT)) == 0:
            flags = flags | VM_ACCOUNT
        return call.prot | (flags & ~(VM_READ | VM_WRITE | VM_EXEC))
    if call.nr == NR_mlock:
        return flags | VM_LOCKED
    if call.nr == NR_munlock:
        return flags & ~VM_LOCKED
    if call.nr == NR_madvise and call.behavior != MADV_DONTNEED:
        flags = flags & ~(VM_SEQ_READ | VM_RAND_READ)
        if call.behavior == MADV_SEQUENTIAL:
            flags = flags | VM_SEQ_READ
        if call.behavior == MADV_RANDOM:
            flags = flags | VM_RAND_READ
    return flags


def cannot_be_locked(flags):
    """Is a page that mlock newly locks neither readable nor writable, so that it cannot be faulted in?"""
    return (flags & (VM_LOCKED | VM_READ | VM_WRITE)) == 0


def mbind_is_refused(before, start, end):
    """Does mbind notice a hole: between two mappings of the range, or at its end with nothing above?"""
    first = start
    while first < TASK_SIZE and not is_mapped(before, first):
        first = first + 1
    if first == TASK_SIZE:
        return True
    if first >= end:
        return False
    hole = first_hole(before, first, end)
    above = hole
    while above < TASK_SIZE and not is_mapped(before, above):
        above = above + 1
    return hole < end and (above < end or above == TASK_SIZE)


def range_end(before, call):
    """The page at which the call stops, unless a cut is refused: its end, a hole, or a mapping that it fails on."""
    end = call.addr + call.len
    if call.nr == NR_mbind:
        return call.addr if mbind_is_refused(before, call.addr, end) else end
    for page in range(call.addr, end):
        flags = flat_flags(before, page)
        if call.nr == NR_madvise:
            if drops_pages(call) and flags != -1 and (flags & VM_LOCKED) != 0:
                return page
        elif flags == -1:
            return page
        elif call.nr == NR_mlock and cannot_be_locked(flags):
            last = page + 1
            while last < end and is_inside(before, last) != 0:
                last = last + 1
            return last
    return end


def is_cut_at(before, call, place, page):
    """Does the call cut at the place, because of this page next to it?"""
    if is_inside(before, place) == 0 or drops_pages(call):
        return 0
    if call.nr == NR_mlock or call.nr == NR_munlock:
        if flags_when_reached(call, flat_flags(before, page)) == flat_flags(before, page):
            return 0
    return 1


def last_piece(before, call):
    """The start of the part of the range in its last mapping."""
    page = call.addr + call.len - 1
    while page > call.addr and is_inside(before, page) != 0:
        page = page - 1
    return page


def refused_at(before, call):
    """The page at which a call other than mprotect stops because a cut is refused, or -1."""
    end = call.addr + call.len
    if call.len == 0 or (call.nr == NR_mbind and range_end(before, call) != end):
        return -1
    first = is_cut_at(before, call, call.addr, call.addr)
    if first != 0 and before.map_count >= MAX_MAP_COUNT:
        return call.addr
    if range_end(before, call) == end and is_cut_at(before, call, end, end - 1) != 0:
        if before.map_count + first >= MAX_MAP_COUNT:
            return last_piece(before, call)
    return -1


def mprotect_stop(before, call, after):
    """The page at which mprotect stops: the end, the first hole, or that of a refused cut.

    Merges on the way decide whether there is room for a cut, so that page is read from the state after the call: at
    the first page without its new flags, a cut must be needed, and refused.
    """
    end = call.addr + call.len
    hole = range_end(before, call)
    for page in range(call.addr, hole):
        if flat_flags(after, page) != flags_when_reached(call, flat_flags(before, page)):
            if after.map_count >= MAX_MAP_COUNT and (is_inside(after, page) != 0 or is_inside(after, end) != 0):
                return page
            return hole
    return hole


def range_stop(before, call, after):
    """The page at which the call stops, with its full effect on all pages before."""
    if call.nr == NR_mprotect:
        return mprotect_stop(before, call, after)
    refused = refused_at(before, call)
    return range_end(before, call) if refused == -1 else refused


def range_result(before, call, after):
    """The result of the call."""
    end = call.addr + call.len
    stop = range_stop(before, call, after)
    if call.nr == NR_mprotect:
        return 0 if stop == end else -ENOMEM
    if refused_at(before, call) != -1:
        return -ENOMEM if call.nr == NR_mbind else -EAGAIN
    if call.nr == NR_mbind:
        return 0 if stop == end else -EFAULT
    if call.nr == NR_madvise:
        if stop < end:
            return -EINVAL
        return 0 if first_hole(before, call.addr, end) == end else -ENOMEM
    for page in range(call.addr, stop):
        if call.nr == NR_mlock and cannot_be_locked(flat_flags(before, page)):
            return -EFAULT
    return 0 if stop == end else -ENOMEM


def contents_when_reached(before, call, page):
    """Does a page have contents of its own once the call has reached it?"""
    flags = flat_flags(before, page)
    if flags != -1:
        if drops_pages(call):
            return 0
        if call.nr == NR_mlock and (flags & VM_WRITE) != 0 and (flags & VM_LOCKED) == 0:
            return 1
    return before.page[page].mapcount
