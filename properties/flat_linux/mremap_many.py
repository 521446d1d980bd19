# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference for mremap of 6.17 and later: all checks first, and moves of many mappings (docs/rules-6.md 4.7).

Functions in place of those of mremap.py, for kernels with the patch of this name.
"""

from vmacheck.model.common.mm import EFAULT, EINVAL, NULL
from vmacheck.model.linux.mm import EPERM
from vmacheck.properties.flat_linux.mremap import (
    DID_FREE,
    DID_MOVE,
    ERRNO_ROOM,
    cut_is_refused,
    frees_its_source,
    is_told_where,
    page_moved_to,
    pages_kept,
    place_is_bad,
    resize_outcome,
    source_error,
    span_error,
    stays_mapped,
)
from vmacheck.properties.flat_linux.pages import file_at, is_faulted_at, is_joined_at, is_mapped_at, is_sealed_in


def moves_by_mapping(call):
    """Does the call move mapping by mapping, and skip holes?"""
    return is_told_where(call) and call.len == call.new_len


def piece_end(before, call, start):
    """The end of the part of the range in one mapping with start."""
    page = start + 1
    while page < call.addr + call.len and is_joined_at(before, call.process, page):
        page = page + 1
    return page


def piece_is_refused(before, call, start):
    """Is a piece sealed, or a page in its destination?"""
    end = piece_end(before, call, start)
    place = call.new_addr - call.addr
    return is_sealed_in(before, call.process, start, end) or is_sealed_in(
        before, call.process, place + start, place + end
    )


def moving_stops_at(before, call):
    """The first page of the first refused piece, or the end. Pieces are moved one by one, lower ones first."""
    for page in range(call.addr, call.addr + call.len):
        is_first = page == call.addr or not is_joined_at(before, call.process, page)
        if is_first and is_mapped_at(before, call.process, page) and piece_is_refused(before, call, page):
            return page
    return call.addr + call.len


def moves_page(before, call, page):
    """Is the page moved?"""
    if page < call.addr or page >= call.addr + pages_kept(call):
        return False
    if mremap_reaches(before, call) < ERRNO_ROOM * DID_MOVE:
        return False
    if not moves_by_mapping(call):
        return True
    return is_mapped_at(before, call.process, page) and page < moving_stops_at(before, call)


def mremap_reaches(before, call):
    """The outcome: in these kernels everything but the destination's seals is checked before anything is unmapped."""
    if call.new_len == 0:
        return EINVAL
    if is_told_where(call) and ((stays_mapped(call) and call.len != call.new_len) or place_is_bad(call)):
        return EINVAL
    if moves_by_mapping(call):
        if not is_mapped_at(before, call.process, call.addr):
            return EFAULT
        stopped = moving_stops_at(before, call) < call.addr + call.len
        return ERRNO_ROOM * DID_MOVE + (EPERM if stopped else 0)
    error = source_error(before, call)
    if error != 0:
        return error
    if not is_told_where(call):
        return resize_outcome(before, call)
    error = span_error(before, call)
    if error != 0:
        return error
    if is_sealed_in(before, call.process, call.new_addr, call.new_addr + call.new_len):
        return EPERM
    if cut_is_refused(before, call):
        return ERRNO_ROOM * DID_FREE + EPERM
    return ERRNO_ROOM * DID_FREE + EFAULT if frees_its_source(call) else ERRNO_ROOM * DID_MOVE


def is_last_of_its_mapping(before, call, page):
    """Is the page the last one of the range in its mapping?"""
    return page == call.addr + call.len - 1 or not is_joined_at(before, call.process, page + 1)


def stays_with(before, call, page, source):
    """Are the page and source still in one mapping when source, the last of its piece, is moved?

    Pages moved with or before it have cut the mappings at their destination.
    """
    first = page if page < source else source
    last = source if page < source else page
    for between in range(first, last + 1):
        if between > first and not is_joined_at(before, call.process, between):
            return False
        taken = page_moved_to(before, call, between)
        if taken != -1 and taken <= source:
            return False
    return True


def is_unlocked_by_move(before, call, page):
    """Is the page in a mapping that stays while a part or all of it is moved?"""
    if not stays_mapped(call):
        return False
    for source in range(call.addr, call.addr + call.len):
        if moves_page(before, call, source) and is_last_of_its_mapping(before, call, source):
            if stays_with(before, call, page, source):
                return True
    return False


def may_become_one_with_source(before, call, after, page):
    """May the page be in one mapping with a page that was moved, and stays: anonymous memory that was never faulted?

    Then everything between them is mapped.
    """
    for source in range(call.addr, call.addr + call.len):
        if moves_page(before, call, source) and not is_faulted_at(before, call.process, source):
            first = page if page < source else source
            last = source if page < source else page
            joined = file_at(before, call.process, source) == NULL
            for between in range(first, last + 1):
                if not is_mapped_at(after, call.process, between):
                    joined = False
            if joined:
                return True
    return False


def may_have_been_faulted_by_then(before, call, source):
    """May earlier moves have made the mapping of source a faulted one? Not for the first piece."""
    return moves_by_mapping(call) and source >= piece_end(before, call, call.addr)
