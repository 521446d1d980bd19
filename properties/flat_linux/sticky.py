# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference for kernels where a mapping says that it may have markers (VM_MAYBE_GUARD).

Which pages are part of such a mapping is for the merging rules to say. What is compared: markers make all of their
mapping say so; what says so goes on saying it, wherever it is moved; and nothing else begins to, but what has become
part of a mapping with something that said so.
"""

from vmacheck.model.common.unistd import NR_madvise, NR_mremap
from vmacheck.model.linux.mm import MADV_GUARD_INSTALL, VM_MAYBE_GUARD
from vmacheck.properties.flat_linux.pages import flags_at, is_faulted_at, is_joined_at, is_mapped_at
from vmacheck.properties.flat_linux.ranges import comes_to
from vmacheck.properties.flat_linux.reference import flags_to_be


def markers_are_copied_at(mm, process, page):
    """Does fork copy an existing marker? Always: its mapping has the flag."""
    flags = flags_at(mm, process, page)
    return is_faulted_at(mm, process, page) or (flags != -1 and (flags & VM_MAYBE_GUARD) != 0)


def gets_markers(before, call, page):
    """Are markers put into the mapping of the page?"""
    if call.nr != NR_madvise or call.behavior != MADV_GUARD_INSTALL:
        return False
    for marked in range(call.addr, call.addr + call.len):
        if comes_to(before, call, marked):
            first = page if page < marked else marked
            last = marked if page < marked else page
            joined = True
            for between in range(first + 1, last + 1):
                if not is_joined_at(before, call.process, between):
                    joined = False
            if joined:
                return True
    return False


def is_to_say_so(before, call, after, page):
    """Must the page itself have the flag?"""
    flags = flags_to_be(before, call, after, page)
    return flags != -1 and ((flags & VM_MAYBE_GUARD) != 0 or gets_markers(before, call, page))


def is_next_to(call, after, page):
    """Are the page and the one before in one mapping? A later piece of an mremap may have cut that of a moved page."""
    if call.nr == NR_mremap:
        return is_mapped_at(after, call.process, page) and is_mapped_at(after, call.process, page - 1)
    return is_joined_at(after, call.process, page)


def has_become_part_of_one(before, call, after, page):
    """Is the page in one mapping with another that must have the flag?"""
    other = page
    while other > 0 and is_next_to(call, after, other):
        other = other - 1
        if is_to_say_so(before, call, after, other):
            return True
    other = page + 1
    while is_mapped_at(after, call.process, other) and is_next_to(call, after, other):
        if is_to_say_so(before, call, after, other):
            return True
        other = other + 1
    return False


def flags_are_as_they_are_to_be(before, call, after, page, now):
    """Are these the flags that the page must have after the call?"""
    flags = flags_to_be(before, call, after, page)
    if flags == -1 or now == -1:
        return flags == now
    if ((flags ^ now) & ~VM_MAYBE_GUARD) != 0:
        return False
    says_so = (now & VM_MAYBE_GUARD) != 0
    if is_to_say_so(before, call, after, page):
        return says_so
    return not says_so or has_become_part_of_one(before, call, after, page)
