# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference: what a call does to each page, said page by page.

It shares no code with the model. What is compared: whether a page is mapped, its flags, its memory policy, its file and
offset, whether it has contents of its own and whose, the end of the heap, and what the call returned. It looks at where
mappings end only where the kernel lets that be seen: max_map_count refusing a cut, mremap refusing to span two, and
mlock, which locks the rest of a mapping that it cannot fault in.
"""

from vmacheck.model.common.mm import (
    EFAULT,
    EINVAL,
    ENOMEM,
    MAP_NORESERVE,
    MAX_MAP_COUNT,
    NULL,
    TASK_SIZE,
    VM_ACCOUNT,
    VM_EXEC,
    VM_READ,
    VM_WRITE,
)
from vmacheck.model.common.unistd import NR_brk, NR_mbind, NR_mmap, NR_mremap, NR_munmap, NR_write
from vmacheck.properties import sometimes, step
from vmacheck.properties.flat_2_6.mremap import (
    mremap_contents,
    mremap_flags,
    mremap_offset_is_good,
    mremap_result,
    mremap_source,
)
from vmacheck.properties.flat_2_6.pages import (
    cuts_are_refused,
    flat_file,
    flat_flags,
    flat_offset,
    flat_policy,
    is_mapped,
)
from vmacheck.properties.flat_2_6.ranges import (
    contents_when_reached,
    flags_when_reached,
    is_on_range,
    range_result,
    range_stop,
)
from vmacheck.properties.neighbours import vma_of_page

# ---- mmap, munmap, brk ---------------------------------------------------------------------------


def brk_grows(before, call):
    """Does the heap grow: are all pages from its end to one beyond the new end unmapped?"""
    if call.addr <= before.brk or before.map_count > MAX_MAP_COUNT:
        return False
    for page in range(before.brk, TASK_SIZE):
        if page <= call.addr and is_mapped(before, page):
            return False
    return True


def maps_page(before, call, page):
    """Does the call newly map the page?"""
    if call.nr == NR_brk:
        return brk_grows(before, call) and before.brk <= page and page < call.addr
    if call.nr != NR_mmap or page < call.addr or page >= call.addr + call.len:
        return False
    return before.map_count <= MAX_MAP_COUNT and not cuts_are_refused(before, call.addr, call.addr + call.len)


def unmaps_page(before, call, page):
    """Does the call unmap the page, as munmap does, or brk when the heap shrinks?"""
    end = before.brk
    if call.nr == NR_munmap:
        end = call.addr + call.len
    elif call.nr != NR_brk:
        return False
    if page < call.addr or page >= end:
        return False
    return not cuts_are_refused(before, call.addr, end)


def flags_of_new_page(call):
    """The flags of memory that the call maps: writable memory is accounted, unless that is waived."""
    if call.nr == NR_brk:
        return VM_READ | VM_WRITE | VM_ACCOUNT
    if (call.prot & VM_WRITE) != 0 and (call.flags & MAP_NORESERVE) == 0:
        return call.prot | VM_ACCOUNT
    return call.prot


def expected_brk(before, call):
    """The end of the heap after the call."""
    if call.nr != NR_brk:
        return before.brk
    if call.addr < before.brk:
        return before.brk if cuts_are_refused(before, call.addr, before.brk) else call.addr
    return call.addr if brk_grows(before, call) else before.brk


# ---- user accesses -------------------------------------------------------------------------------


def is_written(before, call, page):
    """Does the call write to the page? A vma standing for any size may be one page, written in full (segments.py)."""
    if call.nr != NR_write or page < call.addr or page >= call.addr + call.len:
        return call.nr == NR_write and page == call.addr
    vma = vma_of_page(before, call.addr)
    is_whole = vma != NULL and before.vma[vma].vm_start == call.addr and before.vma[vma].vm_end == call.addr + call.len
    return is_whole or page == call.addr


def write_is_allowed(before, call):
    """May the page be written?"""
    return is_mapped(before, call.addr) and (flat_flags(before, call.addr) & VM_WRITE) != 0


def read_is_allowed(before, call):
    """May the page be read? i386 cannot make an existing page write-only."""
    if not is_mapped(before, call.addr):
        return False
    flags = flat_flags(before, call.addr)
    if (flags & (VM_READ | VM_EXEC)) != 0:
        return True
    return (flags & VM_WRITE) != 0 and before.page[call.addr].mapcount != 0


# ---- all calls -----------------------------------------------------------------------------------


def expected_result(before, call, after):
    """The result of the call."""
    if call.nr == NR_mremap:
        return mremap_result(before, call)
    if is_on_range(call):
        return range_result(before, call, after)
    if call.nr == NR_brk:
        return expected_brk(before, call)
    if call.nr == NR_mmap:
        return call.addr if call.len == 0 or maps_page(before, call, call.addr) else -ENOMEM
    if call.nr == NR_munmap:
        if call.len == 0:
            return -EINVAL
        return 0 if unmaps_page(before, call, call.addr) else -ENOMEM
    allowed = write_is_allowed(before, call) if call.nr == NR_write else read_is_allowed(before, call)
    return 0 if allowed else -EFAULT


def is_reached(before, call, after, page):
    """Does a call that works its way through a range reach this page?"""
    return is_on_range(call) and call.addr <= page and page < range_stop(before, call, after)


def expected_flags(before, call, after, page):
    """The flags of a page after the call, -1 if it is not mapped."""
    if call.nr == NR_mremap:
        return mremap_flags(before, call, page)
    if maps_page(before, call, page):
        return flags_of_new_page(call)
    if unmaps_page(before, call, page):
        return -1
    flags = flat_flags(before, page)
    if flags != -1 and is_reached(before, call, after, page):
        return flags_when_reached(call, flags)
    return flags


def expected_contents(before, call, after, page):
    """Does the page have contents of its own after the call?"""
    if call.nr == NR_mremap:
        return mremap_contents(before, call, page)
    if maps_page(before, call, page) or unmaps_page(before, call, page):
        return 0
    if is_written(before, call, page) and write_is_allowed(before, call):
        return 1
    if is_reached(before, call, after, page):
        return contents_when_reached(before, call, page)
    return before.page[page].mapcount


def source_of_page(before, call, page):
    """The page, before the call, that becomes this one; -2 if it is new."""
    if call.nr == NR_mremap:
        return mremap_source(before, call, page)
    return -2 if maps_page(before, call, page) else page


def origin_is_good(before, call, after, page):
    """Do the file, the offset, the policy and the contents of a mapped page come from the right page?"""
    source = source_of_page(before, call, page)
    if source == -2 and call.nr != NR_mremap:
        file = call.file if call.nr == NR_mmap else NULL
        offset = page if file == NULL else call.pgoff + page - call.addr
        return (
            flat_file(after, page) == file and flat_offset(after, page) == offset and flat_policy(after, page) == NULL
        )
    model = call.addr if source == -2 else source
    policy = flat_policy(before, model)
    if call.nr == NR_mbind and is_reached(before, call, after, page):
        policy = call.policy
    if flat_file(after, page) != flat_file(before, model) or flat_policy(after, page) != policy:
        return False
    if source != page:
        if not mremap_offset_is_good(before, call, after, page):
            return False
    elif flat_offset(after, page) != flat_offset(before, page):
        return False
    if source != -2 and before.page[source].mapcount != 0 and after.page[page].mapcount != 0:
        return before.page[source].mapping == after.page[page].mapping
    return True


@sometimes
def a_call_changes_a_page(before, call, after):
    """A call changes the protection of a page."""
    for page in range(TASK_SIZE):
        was = flat_flags(before, page)
        now = flat_flags(after, page)
        if was == -1 or now == -1:
            if was != now:
                return True
        elif ((was ^ now) & (VM_READ | VM_WRITE | VM_EXEC)) != 0:
            return True
    return False


@step(premise=a_call_changes_a_page)
def pages_match_flat_reference(before, call, after):
    """A call returns, and does to every page, exactly what a page table without vmas would make it."""
    if call.result != expected_result(before, call, after) or after.brk != expected_brk(before, call):
        return False
    for page in range(TASK_SIZE):
        flags = expected_flags(before, call, after, page)
        if flat_flags(after, page) != flags:
            return False
        if flags != -1 and not origin_is_good(before, call, after, page):
            return False
        if after.page[page].mapcount != expected_contents(before, call, after, page):
            return False
    return True
