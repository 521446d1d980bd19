# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference of current kernels: what a call does to each page, said page by page, for every call.

It shares no code with the model. What is compared: whether a page is mapped, its flags, its memory policy, its file
and offset, whether it has contents of its own and whose, or a guard marker, the end of the heap, and what the call
returned. Where mappings begin and end, and whether they were faulted, it takes from the state before the call, and says
what then becomes of the pages (VM_ACCOUNT, what mremap refuses, what DONTUNMAP unlocks); which of them become one, and
count as faulted then, is for the claims in merging.py.

A kernel's patches may have a file here that replaces functions of these; so has the second process.
"""

from vmacheck.model.common.mm import EFAULT, EINVAL, TASK_SIZE
from vmacheck.model.common.unistd import NR_brk, NR_mbind, NR_memw, NR_mmap, NR_mremap, NR_munmap
from vmacheck.model.linux.mm import EIO, EPERM
from vmacheck.properties.flat_linux.memory import (
    access_is_allowed,
    fills_page,
    flags_of_new,
    heap_grows,
    is_access,
    is_grown_page,
    is_written_to,
    mmap_is_refused,
    new_page_is_good,
    object_size_at,
)
from vmacheck.properties.flat_linux.mremap import (
    contents_moved_to,
    mremap_faults_in,
    mremap_flags_now,
    mremap_offset_now_is_good,
    mremap_origin,
    mremap_returns,
)
from vmacheck.properties.flat_linux.pages import (
    contents_at,
    file_at,
    flags_at,
    guard_at,
    is_mapped_at,
    is_mapped_once,
    is_sealed_in,
    offset_at,
    place_in_state,
    policy_at,
)
from vmacheck.properties.flat_linux.ranges import (
    comes_to,
    drops_contents,
    faults_in,
    flags_on_range,
    goes_through_range,
    guard_on_range,
    result_on_range,
)

# ---- mmap, munmap, brk ---------------------------------------------------------------------------


def makes_new(before, call, page):
    """Does the call newly map the page? mmap replaces what is there, unless a page is sealed."""
    if call.nr == NR_brk:
        return before.brk <= page and page < call.addr and heap_grows(before, call)
    if is_access(call):
        return is_grown_page(before, call, page)
    if call.nr != NR_mmap or page < call.addr or page >= call.addr + call.len or mmap_is_refused(call):
        return False
    return not is_sealed_in(before, call.process, call.addr, call.addr + call.len)


def unmaps(before, call, page):
    """Does the call unmap the page, as munmap does, or brk when the heap shrinks? Not if a part is sealed."""
    if call.nr != NR_munmap and call.nr != NR_brk:
        return False
    end = call.addr + call.len if call.nr == NR_munmap else before.brk
    return call.addr <= page and page < end and not is_sealed_in(before, call.process, call.addr, end)


def heap_end(before, call):
    """The end of the heap after the call."""
    if call.nr != NR_brk:
        return before.brk
    if call.addr < before.brk:
        return before.brk if is_sealed_in(before, call.process, call.addr, before.brk) else call.addr
    return call.addr if heap_grows(before, call) else before.brk


# ---- all calls -----------------------------------------------------------------------------------


def result_to_be(before, call):
    """The result of the call."""
    if call.nr == NR_mremap:
        return mremap_returns(before, call)
    if goes_through_range(call):
        return result_on_range(before, call)
    if call.nr == NR_brk:
        return heap_end(before, call)
    if call.nr == NR_mmap or call.nr == NR_munmap:
        if call.len == 0 or (call.nr == NR_mmap and mmap_is_refused(call)):
            return -EINVAL
        if is_sealed_in(before, call.process, call.addr, call.addr + call.len):
            return -EPERM
        return call.addr if call.nr == NR_mmap else 0
    if access_is_allowed(before, call):
        return 0
    return -EIO if call.nr == NR_memw else -EFAULT


def origin_of(before, call, page):
    """The page, before the call, whose mapping this one has; -1 if it is not mapped, -2 if it is new."""
    if call.nr == NR_mremap:
        origin = mremap_origin(before, call, page)
    elif makes_new(before, call, page):
        return -2
    else:
        origin = -1 if unmaps(before, call, page) else page
    if origin >= 0 and not is_mapped_at(before, call.process, origin):
        return -1
    return origin


def flags_to_be(before, call, after, page):
    """The flags of a page after the call, -1 if it is not mapped."""
    if call.nr == NR_mremap:
        return mremap_flags_now(before, call, after, page)
    origin = origin_of(before, call, page)
    if origin == -2:
        return flags_of_new(before, call)
    if origin == -1:
        return -1
    return flags_on_range(before, call, page) if comes_to(before, call, page) else flags_at(before, call.process, page)


def flags_are_as_they_are_to_be(before, call, after, page, now):
    """Are these the flags that the page must have after the call?"""
    return now == flags_to_be(before, call, after, page)


def has_contents_from_a_page(before, call, page):
    """Did a page exist whose contents, or marker, this one must have?"""
    if call.nr == NR_mremap:
        return contents_moved_to(before, call, page) != -1
    return origin_of(before, call, page) >= 0


def contents_from(before, call, page):
    """The page, before the call, whose contents, or marker, this one must have, if it existed."""
    return contents_moved_to(before, call, page) if call.nr == NR_mremap else page


def is_written_by(before, call, page):
    """Does the call write to the page, or fault it in?"""
    if is_access(call):
        return is_written_to(before, call, page)
    if call.nr == NR_mmap:
        return fills_page(call) and makes_new(before, call, page)
    if call.nr == NR_mremap:
        return mremap_faults_in(before, call, page)
    return faults_in(before, call, page)


def keeps_contents(before, call, page):
    """Does the page keep contents that it, or the page that it was moved from, had before the call?"""
    if not has_contents_from_a_page(before, call, page) or (drops_contents(call) and comes_to(before, call, page)):
        return False
    return contents_at(before, call.process, contents_from(before, call, page)) != 0


def contents_are_good(before, call, after, page):
    """Does the page have contents, and a marker, exactly if it must, and the same as before if it kept them?"""
    kept = keeps_contents(before, call, page)
    if (contents_at(after, call.process, page) != 0) != (kept or is_written_by(before, call, page)):
        return False
    guard = 0
    if has_contents_from_a_page(before, call, page):
        guard = guard_at(before, call.process, contents_from(before, call, page))
    if comes_to(before, call, page):
        guard = guard_on_range(before, call, page)
    if guard_at(after, call.process, page) != guard:
        return False
    return not kept or are_the_same(before, call, after, contents_from(before, call, page), page)


def are_the_same(before, call, after, source, page):
    """Are the contents of page now those that source had?"""
    was = place_in_state(call.process, source)
    now = place_in_state(call.process, page)
    return before.page[was].mapping == after.page[now].mapping and before.page[was].index == after.page[now].index


def object_is_good(before, call, after, page):
    """Do the file, the offset and the policy of a mapped page come from the right page?"""
    origin = origin_of(before, call, page)
    if origin == -2 and call.nr != NR_mremap:
        return new_page_is_good(before, call, after, page)
    model = call.addr if origin == -2 else origin
    if call.nr == NR_mremap:
        if not mremap_offset_now_is_good(before, call, after, page):
            return False
    elif offset_at(after, call.process, page) != offset_at(before, call.process, origin):
        return False
    policy = policy_at(before, call.process, model)
    if call.nr == NR_mbind and comes_to(before, call, page):
        policy = call.policy
    return (
        policy_at(after, call.process, page) == policy
        and file_at(after, call.process, page) == file_at(before, call.process, model)
        and object_size_at(after, call.process, page) == object_size_at(before, call.process, model)
    )


def page_is_good(before, call, after, page):
    """Is the page right after the call?"""
    flags = flags_at(after, call.process, page)
    if not is_mapped_once(after, call.process, page):
        return False
    if not flags_are_as_they_are_to_be(before, call, after, page, flags):
        return False
    if flags != -1 and not object_is_good(before, call, after, page):
        return False
    return contents_are_good(before, call, after, page)


def call_is_good(before, call, after):
    """Are the result of the call, and every page of its process, right?"""
    if call.result != result_to_be(before, call) or after.brk != heap_end(before, call):
        return False
    for page in range(TASK_SIZE):
        if not page_is_good(before, call, after, page):
            return False
    return True
