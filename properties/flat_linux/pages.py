# SPDX-License-Identifier: GPL-2.0-only
"""A state of current kernels seen page by page: what their flat reference compares, of the process that it is about.

Where there are two processes, processes.py replaces the functions that say where a process has its vmas and pages.
"""

from vmacheck.model.common.mm import NULL
from vmacheck.model.linux.mm import VM_SEALED

# ---- where they are ------------------------------------------------------------------------------


def slots_before(process):
    """The number of slots for vmas before those of the process."""
    return 0


def mappings_of(mm, process):
    """The number of vmas of the process."""
    return mm.map_count


def place_in_state(process, page):
    """The slot of a page of the process."""
    return page


# ---- of a page -----------------------------------------------------------------------------------


def mapping_at(mm, process, page):
    """The vma that the page lies in (the last of several), or NULL."""
    first = slots_before(process)
    found = NULL
    for i in range(1, mappings_of(mm, process) + 1):
        if mm.vma[first + i].vm_start <= page and page < mm.vma[first + i].vm_end:
            found = first + i
    return found


def is_mapped_once(mm, process, page):
    """Does the page lie in no more than one vma?"""
    first = slots_before(process)
    found = 0
    for i in range(1, mappings_of(mm, process) + 1):
        if mm.vma[first + i].vm_start <= page and page < mm.vma[first + i].vm_end:
            found = found + 1
    return found < 2


def flags_at(mm, process, page):
    """The flags of the page; -1 if it is not mapped."""
    vma = mapping_at(mm, process, page)
    return -1 if vma == NULL else mm.vma[vma].vm_flags


def is_mapped_at(mm, process, page):
    """Is the page mapped?"""
    return mapping_at(mm, process, page) != NULL


def file_at(mm, process, page):
    """The file that the page is mapped from, or NULL."""
    vma = mapping_at(mm, process, page)
    return NULL if vma == NULL else mm.vma[vma].vm_file


def policy_at(mm, process, page):
    """The memory policy of the page, or NULL."""
    vma = mapping_at(mm, process, page)
    return NULL if vma == NULL else mm.vma[vma].vm_policy


def offset_at(mm, process, page):
    """The offset of the page in its object, in pages; -1 if it is not mapped."""
    vma = mapping_at(mm, process, page)
    return -1 if vma == NULL else mm.vma[vma].vm_pgoff + page - mm.vma[vma].vm_start


def is_faulted_at(mm, process, page):
    """Has the mapping of the page been faulted, at any page?"""
    vma = mapping_at(mm, process, page)
    return vma != NULL and mm.vma[vma].anon_vma != NULL


def is_joined_at(mm, process, page):
    """Are the page and the one before it in one mapping?"""
    vma = mapping_at(mm, process, page)
    return vma != NULL and mm.vma[vma].vm_start < page


def contents_at(mm, process, page):
    """Does the page have contents of its own: 1 or 0?"""
    return mm.page[place_in_state(process, page)].mapcount


def guard_at(mm, process, page):
    """Does the page have a guard marker: 1 or 0?"""
    return mm.page[place_in_state(process, page)].guard


def markers_are_copied_at(mm, process, page):
    """Does fork copy an existing marker: has the mapping been faulted?"""
    return is_faulted_at(mm, process, page)


# ---- of a range ----------------------------------------------------------------------------------


def first_unmapped(mm, process, start, end):
    """The first page of start..end-1 that is not mapped, or end."""
    for page in range(start, end):
        if not is_mapped_at(mm, process, page):
            return page
    return end


def is_sealed_in(mm, process, start, end):
    """Is one of the pages start..end-1 sealed?"""
    for page in range(start, end):
        flags = flags_at(mm, process, page)
        if flags != -1 and (flags & VM_SEALED) != 0:
            return True
    return False


def is_one_mapping(mm, process, start, end):
    """Are the pages start..end-1, the first at least, mapped, and in one mapping?"""
    if not is_mapped_at(mm, process, start):
        return False
    for page in range(start + 1, end):
        if not is_joined_at(mm, process, page):
            return False
    return True
