# SPDX-License-Identifier: GPL-2.0-only
"""A state seen page by page: what the flat reference compares."""

from vmacheck.model.common.mm import MAX_MAP_COUNT


def flat_flags(mm, page):
    """The flags of a page; -1 if it is not mapped, -2 if it is mapped more than once."""
    flags = -1
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start <= page and page < mm.vma[vma].vm_end:
            if flags != -1:
                return -2
            flags = mm.vma[vma].vm_flags
    return flags


def is_mapped(mm, page):
    """Is the page mapped?"""
    return flat_flags(mm, page) != -1


def flat_policy(mm, page):
    """The memory policy of a page, or NULL."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start <= page and page < mm.vma[vma].vm_end:
            return mm.vma[vma].vm_policy
    return 0


def flat_file(mm, page):
    """The file that a page is mapped from, or NULL."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start <= page and page < mm.vma[vma].vm_end:
            return mm.vma[vma].vm_file
    return 0


def flat_offset(mm, page):
    """The offset of a page in its object, in pages; -1 if it is not mapped."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start <= page and page < mm.vma[vma].vm_end:
            return mm.vma[vma].vm_pgoff + page - mm.vma[vma].vm_start
    return -1


def first_hole(mm, start, end):
    """The first page of start..end-1 that is not mapped, or end."""
    for page in range(start, end):
        if not is_mapped(mm, page):
            return page
    return end


def is_inside(mm, page):
    """Would a cut just below the page split a mapping: are it and the page before in one?"""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start < page and page < mm.vma[vma].vm_end:
            return 1
    return 0


def cuts_are_refused(mm, start, end):
    """Is a cut at start or end needed that exceeds max_map_count?"""
    first = is_inside(mm, start)
    if first != 0 and mm.map_count >= MAX_MAP_COUNT:
        return True
    return is_inside(mm, end) != 0 and mm.map_count + first >= MAX_MAP_COUNT
