# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference of accesses and of new memory: private, shared, locked, and what grows down.

Rules: docs/rules-6.md sections 1, 4.1, 4.4, 4.8 and 4.9. What is in shared memory is its object's, and no page's own.
"""

from vmacheck.model.common.mm import (
    MAP_GROWSDOWN,
    MAP_NORESERVE,
    NULL,
    TASK_SIZE,
    VM_ACCOUNT,
    VM_EXEC,
    VM_GROWSDOWN,
    VM_READ,
    VM_SHARED,
    VM_WRITE,
)
from vmacheck.model.common.unistd import NR_brk, NR_memw, NR_mmap, NR_read, NR_write
from vmacheck.model.linux.mm import (
    MAP_LOCKED,
    MAP_POPULATE,
    MAP_SHARED,
    MAP_STACK,
    NR_NAMED_FILES,
    VM_LOCKED,
    VM_NOHUGEPAGE,
    VM_NORESERVE,
)
from vmacheck.properties.flat_linux.pages import (
    file_at,
    flags_at,
    guard_at,
    is_mapped_at,
    mapping_at,
    mappings_of,
    offset_at,
    policy_at,
    slots_before,
)

# ---- objects for shared memory -------------------------------------------------------------------


def object_size_at(mm, process, page):
    """The size, in pages, of the page's object for shared memory; 0 without one."""
    vma = mapping_at(mm, process, page)
    return 0 if vma == NULL else mm.vma[vma].i_size


def is_past_end(mm, process, page):
    """Does the page lie past the end of its object for shared memory?"""
    return file_at(mm, process, page) > NR_NAMED_FILES and offset_at(mm, process, page) >= object_size_at(
        mm, process, page
    )


def is_private_at(mm, process, page):
    """Is the page mapped private?"""
    flags = flags_at(mm, process, page)
    return flags != -1 and (flags & VM_SHARED) == 0


# ---- growing down --------------------------------------------------------------------------------


def is_access(call):
    """Is the call an access of a program to a page?"""
    return call.nr == NR_write or call.nr == NR_read or call.nr == NR_memw


def next_mapped(mm, process, page):
    """The first mapped page from this one on, or TASK_SIZE."""
    if is_mapped_at(mm, process, page):
        return page
    first = slots_before(process)
    found = TASK_SIZE
    for i in range(1, mappings_of(mm, process) + 1):
        if mm.vma[first + i].vm_start > page and mm.vma[first + i].vm_start < found:
            found = mm.vma[first + i].vm_start
    return found


def last_mapped(mm, process, page):
    """The last mapped page before this unmapped one, or -1."""
    first = slots_before(process)
    found = -1
    for i in range(1, mappings_of(mm, process) + 1):
        if mm.vma[first + i].vm_end <= page and mm.vma[first + i].vm_end > found + 1:
            found = mm.vma[first + i].vm_end - 1
    return found


def is_in_the_way(mm, process, page):
    """Does the mapped page keep memory from growing down near it? Usable memory does, unless it grows down, too."""
    flags = flags_at(mm, process, page)
    return (flags & VM_GROWSDOWN) == 0 and (flags & (VM_READ | VM_WRITE | VM_EXEC)) != 0


def grows_down(before, call):
    """Does memory grow down to the page of the call, with no usable page below, and enough offsets?"""
    if not is_access(call) or is_mapped_at(before, call.process, call.addr):
        return False
    above = next_mapped(before, call.process, call.addr)
    if above == TASK_SIZE or (flags_at(before, call.process, above) & VM_GROWSDOWN) == 0:
        return False
    below = last_mapped(before, call.process, call.addr)
    if below != -1 and is_in_the_way(before, call.process, below):
        return False
    return above - call.addr <= offset_at(before, call.process, above)


def is_grown_page(before, call, page):
    """Is the page mapped by memory growing down to it, or past it?"""
    return page >= call.addr and grows_down(before, call) and page < next_mapped(before, call.process, call.addr)


# ---- accesses ------------------------------------------------------------------------------------


def flags_at_access(before, call):
    """The flags of the page of the call, as the call finds them; -1 if it is unmapped."""
    if grows_down(before, call):
        return flags_at(before, call.process, next_mapped(before, call.process, call.addr))
    return flags_at(before, call.process, call.addr)


def access_is_allowed(before, call):
    """May the page be accessed? A marker and the end of an object prevent that.

    Writable or executable memory is readable; through /proc/self/mem, private memory is writable.
    """
    flags = flags_at_access(before, call)
    if flags == -1 or is_past_end(before, call.process, call.addr) or guard_at(before, call.process, call.addr) != 0:
        return False
    if call.nr == NR_memw and (flags & VM_SHARED) == 0:
        return True
    return (flags & (VM_READ | VM_WRITE | VM_EXEC if call.nr == NR_read else VM_WRITE)) != 0


def is_whole_mapping(mm, process, start, end):
    """Do start and end bound one mapping?"""
    vma = mapping_at(mm, process, start)
    return vma != NULL and mm.vma[vma].vm_start == start and mm.vma[vma].vm_end == end


def is_written_to(before, call, page):
    """Does the access give the page contents of its own? A mapping of any size may stand for one page (segments.py)."""
    if call.nr != NR_write and call.nr != NR_memw:
        return False
    if page != call.addr:
        if page < call.addr or page >= call.addr + call.len or call.len < 2:
            return False
        if not is_whole_mapping(before, call.process, call.addr, call.addr + call.len):
            return False
    return access_is_allowed(before, call) and (flags_at_access(before, call) & VM_SHARED) == 0


# ---- new memory ----------------------------------------------------------------------------------


def heap_grows(before, call):
    """Does the heap grow: is all up to a page beyond its end unmapped, and does the next mapping not grow down?"""
    if call.addr <= before.brk:
        return False
    above = next_mapped(before, call.process, before.brk)
    return above == TASK_SIZE or (above > call.addr and (flags_at(before, call.process, above) & VM_GROWSDOWN) == 0)


def mmap_is_refused(call):
    """Is mmap's length 0, or does MAP_GROWSDOWN not fit the mapping?"""
    is_of_file = call.file != NULL or (call.flags & MAP_SHARED) != 0
    return call.len == 0 or ((call.flags & MAP_GROWSDOWN) != 0 and is_of_file)


def fills_page(call):
    """Does mmap give its pages contents of their own?"""
    is_private = (call.prot & VM_WRITE) != 0 and (call.flags & MAP_SHARED) == 0
    return is_private and (call.flags & (MAP_POPULATE | MAP_LOCKED)) != 0


def flags_of_new(before, call):
    """The flags of memory that the call maps: writable memory is accounted, unless shared, or that is waived."""
    if call.nr == NR_brk:
        return VM_READ | VM_WRITE | VM_ACCOUNT
    if is_access(call):
        return flags_at_access(before, call)
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


def is_new_object(before, call, after, page):
    """Is a page that mmap mapped shared at its place in an unshared object of the mapping's size?"""
    file = file_at(after, call.process, page)
    if file <= NR_NAMED_FILES or offset_at(after, call.process, page) != page - call.addr:
        return False
    if object_size_at(after, call.process, page) != call.len:
        return False
    for other in range(TASK_SIZE):
        inside = call.addr <= other and other < call.addr + call.len
        if (file_at(after, call.process, other) == file) != inside:
            return False
    return True


def grown_page_is_good(before, call, after, page):
    """Does a page that memory grew by have the policy of the page above, and the offset before that page's?"""
    above = next_mapped(before, call.process, call.addr)
    offset = offset_at(before, call.process, above) - (above - page)
    if file_at(after, call.process, page) != NULL or offset_at(after, call.process, page) != offset:
        return False
    return policy_at(after, call.process, page) == policy_at(before, call.process, above)


def new_page_is_good(before, call, after, page):
    """Are the file, the offset and the policy of a newly mapped page right?"""
    if is_access(call):
        return grown_page_is_good(before, call, after, page)
    if policy_at(after, call.process, page) != NULL:
        return False
    if call.nr == NR_mmap and call.file == NULL and (call.flags & MAP_SHARED) != 0:
        return is_new_object(before, call, after, page)
    file = call.file if call.nr == NR_mmap else NULL
    offset = page if file == NULL else call.pgoff + page - call.addr
    return file_at(after, call.process, page) == file and offset_at(after, call.process, page) == offset
