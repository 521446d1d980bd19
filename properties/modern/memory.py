# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference of shared memory, of what grows down, and of writes through /proc/self/mem, page by page."""

from model.mm import MAP_GROWSDOWN, MAX_MAP_COUNT, NULL, TASK_SIZE, VM_EXEC, VM_GROWSDOWN, VM_READ, VM_SHARED, VM_WRITE
from model.modern.mm import MAP_LOCKED, MAP_POPULATE, MAP_SHARED, NR_NAMED_FILES
from model.unistd import NR_brk, NR_memw, NR_mmap, NR_read, NR_write
from properties.pages import flat_file, flat_flags, flat_offset, flat_policy, is_mapped

# ---- growing down --------------------------------------------------------------------------------


def is_access(call):
    """Is it an access of a program to a page?"""
    return call.nr == NR_write or call.nr == NR_read or call.nr == NR_memw


def next_mapped(mm, page):
    """The first mapped page from this one on, or TASK_SIZE."""
    while page < TASK_SIZE and not is_mapped(mm, page):
        page = page + 1
    return page


def last_mapped(mm, page):
    """The last mapped page before this one, or -1."""
    page = page - 1
    while page >= 0 and not is_mapped(mm, page):
        page = page - 1
    return page


def grows_down(before, call):
    """Does memory grow down to the page that the call is about, for nothing usable below, and with offsets left?"""
    if not is_access(call) or is_mapped(before, call.addr):
        return False
    above = next_mapped(before, call.addr)
    if above == TASK_SIZE or (flat_flags(before, above) & VM_GROWSDOWN) == 0:
        return False
    below = last_mapped(before, call.addr)
    if below != -1 and (flat_flags(before, below) & VM_GROWSDOWN) == 0:
        if (flat_flags(before, below) & (VM_READ | VM_WRITE | VM_EXEC)) != 0:
            return False
    return above - call.addr <= flat_offset(before, above)


def is_grown_page(before, call, page):
    """Is the page mapped by what grows down to it, or past it?"""
    return page >= call.addr and grows_down(before, call) and page < next_mapped(before, call.addr)


def brk_grows(before, call):
    """Does the heap grow? Nothing is mapped up to a page beyond, and what comes next does not grow down."""
    if call.addr <= before.brk or before.map_count > MAX_MAP_COUNT:
        return False
    above = next_mapped(before, before.brk)
    return above == TASK_SIZE or (above > call.addr and (flat_flags(before, above) & VM_GROWSDOWN) == 0)


# ---- accesses ------------------------------------------------------------------------------------


def flags_at_access(before, call):
    """The flags of the page that the call is about, as it finds them; 0 if there is no page."""
    page = next_mapped(before, call.addr) if grows_down(before, call) else call.addr
    return flat_flags(before, page) if page < TASK_SIZE and is_mapped(before, page) else 0


def object_size(mm, page):
    """The size of the object for shared memory that a page is of; 0 if there is none."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start <= page and page < mm.vma[vma].vm_end:
            return mm.vma[vma].i_size
    return 0


def is_past_end(mm, page):
    """Does a page lie behind the end of the object for shared memory that it is of?"""
    return flat_file(mm, page) > NR_NAMED_FILES and flat_offset(mm, page) >= object_size(mm, page)


def write_is_allowed(before, call):
    """May the page be written? Through /proc/self/mem, what is mapped privately may."""
    flags = flags_at_access(before, call)
    if call.nr == NR_memw and (is_mapped(before, call.addr) or grows_down(before, call)) and (flags & VM_SHARED) == 0:
        return True
    return (flags & VM_WRITE) != 0 and not is_past_end(before, call.addr)


def read_is_allowed(before, call):
    """May the page be read? What may be written or executed may be read."""
    return (flags_at_access(before, call) & (VM_READ | VM_WRITE | VM_EXEC)) != 0 and not is_past_end(before, call.addr)


def is_written(before, call, page):
    """Does the call write to the page, if it may, and does that give the page contents of its own?"""
    is_write = (call.nr == NR_write or call.nr == NR_memw) and page == call.addr
    return is_write and (flags_at_access(before, call) & VM_SHARED) == 0


# ---- new pages -----------------------------------------------------------------------------------


def mmap_is_refused(call):
    """Is mmap given nothing to map, or told to make something grow down that cannot?"""
    is_of_file = call.file != NULL or (call.flags & MAP_SHARED) != 0
    return call.len == 0 or ((call.flags & MAP_GROWSDOWN) != 0 and is_of_file)


def maps_page(before, call, page):
    """Does the call map the page anew?"""
    if call.nr == NR_brk:
        return brk_grows(before, call) and before.brk <= page and page < call.addr
    if call.nr == NR_mmap:
        return call.addr <= page and page < call.addr + call.len and not mmap_is_refused(call)
    return is_grown_page(before, call, page)


def fills_page(call):
    """Does mmap give its pages contents of their own?"""
    is_private = (call.prot & VM_WRITE) != 0 and (call.flags & MAP_SHARED) == 0
    return is_private and (call.flags & (MAP_POPULATE | MAP_LOCKED)) != 0


def is_new_object(before, call, after, page):
    """Is a page that mmap mapped shared in its place of an object as large as the mapping, that nothing else is of?"""
    file = flat_file(after, page)
    if file <= NR_NAMED_FILES or flat_offset(after, page) != page - call.addr or object_size(after, page) != call.len:
        return False
    for other in range(TASK_SIZE):
        inside = call.addr <= other and other < call.addr + call.len
        if (flat_file(after, other) == file) != inside:
            return False
    return True


def new_page_is_good(before, call, after, page):
    """Are the file, the offset and the policy of a page that the call mapped anew as they are to be?"""
    if is_access(call):
        above = next_mapped(before, call.addr)
        offset = flat_offset(before, above) - (above - page)
        is_like_above = flat_file(after, page) == NULL and flat_policy(after, page) == flat_policy(before, above)
        return is_like_above and flat_offset(after, page) == offset
    if flat_policy(after, page) != NULL:
        return False
    if call.nr == NR_mmap and call.file == NULL and (call.flags & MAP_SHARED) != 0:
        return is_new_object(before, call, after, page)
    file = call.file if call.nr == NR_mmap else NULL
    offset = page if file == NULL else call.pgoff + page - call.addr
    return flat_file(after, page) == file and flat_offset(after, page) == offset
