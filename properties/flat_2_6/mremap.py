# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference for mremap: how far it gets, and what that does to each page."""

from vmacheck.model.common.mm import (
    EFAULT,
    EINVAL,
    ENOMEM,
    MAX_MAP_COUNT,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    NULL,
    TASK_SIZE,
    VM_ACCOUNT,
    VM_LOCKED,
    VM_WRITE,
)
from vmacheck.properties.flat_2_6.pages import (
    cuts_are_refused,
    flat_file,
    flat_flags,
    flat_offset,
    is_inside,
    is_mapped,
)

# how far it gets
FLAT_INVALID = 0  # without effect
FLAT_NO_ROOM_AT_NEW = 1  # a cut is refused, without effect
FLAT_NO_ROOM_AT_OLD = 2  # a fixed destination is unmapped; a cut is refused
FLAT_RESIZED = 3  # the part cut off is unmapped, too; done
FLAT_BAD_SOURCE = 4  # unmapped, too; but the pages are not of one mapping
FLAT_GROWN = 5
FLAT_NOWHERE = 6  # no place is free, or the limit on mappings is reached
FLAT_MOVED = 7


def has_fixed_place(call):
    """Does the call name its destination?"""
    return (call.flags & MREMAP_FIXED) != 0


def is_at_fixed_place(call, page):
    """Is the page in a fixed destination?"""
    return has_fixed_place(call) and call.new_addr <= page and page < call.new_addr + call.new_len


def is_cut_off(call, page):
    """Is the page in the part of the old place that is cut off?"""
    return call.addr + call.new_len <= page and page < call.addr + call.len


def is_invalid(call):
    """Are the arguments refused?"""
    if call.new_len == 0:
        return True
    if not has_fixed_place(call):
        return False
    if (call.flags & MREMAP_MAYMOVE) == 0 or call.new_addr + call.new_len > TASK_SIZE:
        return True
    if call.addr < call.new_addr:
        return call.addr + call.len > call.new_addr
    return call.addr == call.new_addr or call.new_addr + call.new_len > call.addr


def mappings_left(before, call, with_cut_off):
    """The number of mappings with the destination unmapped, and, if with_cut_off, the part cut off as well."""
    count = 0
    alive_below = False
    for page in range(TASK_SIZE):
        alive = is_mapped(before, page) and not is_at_fixed_place(call, page)
        if with_cut_off and is_cut_off(call, page):
            alive = False
        if alive and not (alive_below and is_inside(before, page) != 0):
            count = count + 1
        alive_below = alive
    return count


def cut_off_is_refused(before, call):
    """Does a cut that shortens the old place exceed max_map_count?"""
    if call.len <= call.new_len:
        return False
    count = mappings_left(before, call, False)
    start = call.addr + call.new_len
    end = call.addr + call.len
    first = is_inside(before, start)
    if first != 0 and count >= MAX_MAP_COUNT:
        return True
    if is_at_fixed_place(call, end):
        return False
    return is_inside(before, end) != 0 and count + first >= MAX_MAP_COUNT


def kept_pages(call):
    """The number of old pages that remain."""
    return call.len if call.len < call.new_len else call.new_len


def source_is_one_mapping(before, call):
    """Are the pages that stay, or the first page if none stays, mapped, and in one mapping?"""
    if not is_mapped(before, call.addr):
        return False
    for page in range(call.addr + 1, call.addr + kept_pages(call)):
        if is_inside(before, page) == 0:
            return False
    return True


def can_grow_in_place(before, call):
    """Does the range end with its mapping, with room after it?"""
    end = call.addr + call.len
    if call.len == 0 or is_inside(before, end) != 0 or call.addr + call.new_len > TASK_SIZE:
        return False
    for page in range(end, call.addr + call.new_len):
        if is_mapped(before, page):
            return False
    return True


def lowest_hole(before, length):
    """The lowest address with `length` unmapped pages, or -1."""
    free = 0
    for page in range(TASK_SIZE):
        free = 0 if is_mapped(before, page) else free + 1
        if free == length:
            return page + 1 - length
    return -1


def new_place(before, call):
    """The address that mremap moves to, or -1."""
    return call.new_addr if has_fixed_place(call) else lowest_hole(before, call.new_len)


def mremap_outcome(before, call):
    """The point that mremap reaches, one of FLAT_*."""
    if is_invalid(call):
        return FLAT_INVALID
    if has_fixed_place(call) and cuts_are_refused(before, call.new_addr, call.new_addr + call.new_len):
        return FLAT_NO_ROOM_AT_NEW
    if cut_off_is_refused(before, call):
        return FLAT_NO_ROOM_AT_OLD
    if call.len >= call.new_len and not has_fixed_place(call):
        return FLAT_RESIZED
    if not source_is_one_mapping(before, call):
        return FLAT_BAD_SOURCE
    if not has_fixed_place(call) and can_grow_in_place(before, call):
        return FLAT_GROWN
    if (call.flags & MREMAP_MAYMOVE) == 0 or new_place(before, call) == -1:
        return FLAT_NOWHERE
    if mappings_left(before, call, True) >= MAX_MAP_COUNT - 3:
        return FLAT_NOWHERE
    return FLAT_MOVED


def mremap_result(before, call):
    """The result of mremap."""
    outcome = mremap_outcome(before, call)
    if outcome == FLAT_INVALID:
        return -EINVAL
    if outcome == FLAT_BAD_SOURCE:
        return -EFAULT
    if outcome == FLAT_MOVED:
        return new_place(before, call)
    if outcome == FLAT_RESIZED or outcome == FLAT_GROWN:
        return call.addr
    return -ENOMEM


def mremap_source(before, call, page):
    """The page, before the call, that becomes this one; -1 if it is unmapped, -2 if it is new."""
    outcome = mremap_outcome(before, call)
    if outcome == FLAT_MOVED:
        offset = page - new_place(before, call)
        if 0 <= offset and offset < call.new_len:
            return call.addr + offset if offset < call.len else -2
        if call.addr <= page and page < call.addr + call.len:
            return -1
    if outcome == FLAT_GROWN and call.addr + call.len <= page and page < call.addr + call.new_len:
        return -2
    if outcome >= FLAT_NO_ROOM_AT_OLD and is_at_fixed_place(call, page):
        return -1
    if outcome >= FLAT_RESIZED and is_cut_off(call, page):
        return -1
    return page


def loses_account(before, call, page):
    """Is the page in the source mapping of a move of 0 pages, which duplicates, and hides that from accounting?"""
    if call.len != 0 or mremap_outcome(before, call) != FLAT_MOVED:
        return False
    first = page if page < call.addr else call.addr
    last = call.addr if page < call.addr else page
    for inner in range(first + 1, last + 1):
        if is_inside(before, inner) == 0:
            return False
    return not is_at_fixed_place(call, page)


def mremap_flags(before, call, page):
    """The flags of a page after mremap, -1 if it is not mapped."""
    source = mremap_source(before, call, page)
    if source == -1:
        return -1
    if source == -2:
        return flat_flags(before, call.addr)
    flags = flat_flags(before, source)
    if flags != -1 and source == page and loses_account(before, call, page):
        return flags & ~VM_ACCOUNT
    return flags


def mremap_contents(before, call, page):
    """Does a page have contents of its own after mremap? New pages of a locked mapping are faulted in."""
    source = mremap_source(before, call, page)
    if source == -1:
        return 0
    if source == -2:
        flags = flat_flags(before, call.addr)
        return 1 if (flags & VM_LOCKED) != 0 and (flags & VM_WRITE) != 0 else 0
    return before.page[source].mapcount


def mremap_offset_is_good(before, call, after, page):
    """Does a moved or new page have the offset in its object, in pages, that fits its place in the range?

    Anonymous memory that was never written may instead have its address as its offset.
    """
    place = new_place(before, call) if mremap_outcome(before, call) == FLAT_MOVED else call.addr
    if flat_offset(after, page) == flat_offset(before, call.addr) + page - place:
        return True
    return flat_file(before, call.addr) == NULL and flat_offset(after, page) == page
