# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference of two processes: a call does to its own what it would if it were the only one, and to the other
nothing.

What they share is contents: fork gives the child those of its parent, each goes on having them until it writes to them,
drops them or is gone, and then the other has them alone. Functions in place of those of pages.py and reference.py.
"""

from vmacheck.model.common.mm import EINVAL, TASK_SIZE
from vmacheck.model.common.unistd import NR_exit, NR_fork
from vmacheck.model.linux.mm import VM_DONTCOPY, VM_LOCKED_MASK, VM_WIPEONFORK
from vmacheck.model.worlds.fork_linux import OTHER
from vmacheck.properties.flat_linux.memory import object_size_at
from vmacheck.properties.flat_linux.pages import (
    contents_at,
    file_at,
    flags_at,
    guard_at,
    is_mapped_once,
    markers_are_copied_at,
    offset_at,
    policy_at,
)
from vmacheck.properties.flat_linux.reference import call_is_good, contents_from, is_written_by, keeps_contents

# ---- where they are ------------------------------------------------------------------------------


def slots_before(process):
    """The number of slots for vmas before those of the process."""
    return 0 if process == 0 else OTHER


def mappings_of(mm, process):
    """The number of vmas of the process."""
    return mm.map_count if process == 0 else mm.other_count


def place_in_state(process, page):
    """The slot of a page of the process."""
    return page if process == 0 else TASK_SIZE + page


def shared_with(mm, process, page):
    """The page of the other process with the same contents, or -1."""
    return mm.page[place_in_state(process, page)].mate - 1


def exists(mm, process):
    """Does the process exist?"""
    return mm.forked != 0 or mm.left == process


# ---- what is one's own ---------------------------------------------------------------------------


def are_the_same(before, call, after, source, page):
    """Are the contents of page now those that source had? A written page may then hang from another anon_vma."""
    was = place_in_state(call.process, source)
    now = place_in_state(call.process, page)
    if is_written_by(before, call, page):
        return True
    return before.page[was].mapping == after.page[now].mapping and before.page[was].index == after.page[now].index


def is_shared_as_it_was(before, call, after, page):
    """Does the other process still share the contents of the page, unless they were written or replaced?"""
    shared = -1
    if keeps_contents(before, call, page) and not is_written_by(before, call, page):
        shared = shared_with(before, call.process, contents_from(before, call, page))
    return shared_with(after, call.process, page) == shared


def page_is_untouched(before, after, process, page):
    """Is the page unchanged, except for sharing of its contents?"""
    was = place_in_state(process, page)
    return (
        is_mapped_once(after, process, page)
        and flags_at(after, process, page) == flags_at(before, process, page)
        and file_at(after, process, page) == file_at(before, process, page)
        and object_size_at(after, process, page) == object_size_at(before, process, page)
        and offset_at(after, process, page) == offset_at(before, process, page)
        and policy_at(after, process, page) == policy_at(before, process, page)
        and guard_at(after, process, page) == guard_at(before, process, page)
        and contents_at(after, process, page) == contents_at(before, process, page)
        and before.page[was].mapping == after.page[was].mapping
        and before.page[was].index == after.page[was].index
    )


def is_shared_both_ways(mm, process, page):
    """If one page refers to one of the other process with the same contents, does that refer back?"""
    other = shared_with(mm, process, page)
    return other == -1 or shared_with(mm, 1 - process, other) == page


# ---- fork and exit -------------------------------------------------------------------------------


def child_has_its_copy(before, after, parent, page):
    """Does the child have the page as fork must give it?"""
    child = 1 - parent
    flags = flags_at(before, parent, page)
    if flags == -1 or (flags & VM_DONTCOPY) != 0:
        return flags_at(after, child, page) == -1 and contents_at(after, child, page) == 0
    if flags_at(after, child, page) != flags & ~VM_LOCKED_MASK or not is_mapped_once(after, child, page):
        return False
    if offset_at(after, child, page) != offset_at(before, parent, page):
        return False
    if file_at(after, child, page) != file_at(before, parent, page):
        return False
    if object_size_at(after, child, page) != object_size_at(before, parent, page):
        return False
    if policy_at(after, child, page) != policy_at(before, parent, page):
        return False
    copied = (flags & VM_WIPEONFORK) == 0
    contents = copied and contents_at(before, parent, page) != 0
    # of unfaulted memory fork copies only markers, and these only where the mapping is flagged for them
    guard = copied and markers_are_copied_at(before, parent, page) and guard_at(before, parent, page) != 0
    if (contents_at(after, child, page) != 0) != contents or (guard_at(after, child, page) != 0) != guard:
        return False
    return shared_with(after, child, page) == (page if contents else -1)


def fork_is_good(before, call, after):
    """Does the child have what it must have, and the parent what it had?"""
    for page in range(TASK_SIZE):
        if not page_is_untouched(before, after, call.process, page):
            return False
        if not child_has_its_copy(before, after, call.process, page):
            return False
        if not is_shared_both_ways(after, call.process, page):
            return False
    return after.forked == 1


def exit_is_good(before, call, after):
    """Is all memory of the process gone, and does the other alone have what it had?"""
    for page in range(TASK_SIZE):
        if flags_at(after, call.process, page) != -1 or contents_at(after, call.process, page) != 0:
            return False
        if guard_at(after, call.process, page) != 0 or shared_with(after, call.process, page) != -1:
            return False
        if not page_is_untouched(before, after, 1 - call.process, page):
            return False
        if shared_with(after, 1 - call.process, page) != -1:
            return False
    return after.forked == 0 and after.left == 1 - call.process


# ---- all calls -----------------------------------------------------------------------------------


def nothing_changes(before, after):
    """Is the whole state unchanged?"""
    for process in range(2):
        for page in range(TASK_SIZE):
            if not page_is_untouched(before, after, process, page):
                return False
            if shared_with(after, process, page) != shared_with(before, process, page):
                return False
    return after.forked == before.forked and after.left == before.left


def other_is_good(before, call, after):
    """Does the other process have what it had, and share what must still be shared?"""
    for page in range(TASK_SIZE):
        if not page_is_untouched(before, after, 1 - call.process, page):
            return False
        if not is_shared_as_it_was(before, call, after, page):
            return False
        if not is_shared_both_ways(after, 0, page) or not is_shared_both_ways(after, 1, page):
            return False
    return after.forked == before.forked and after.left == before.left


def pages_match_flat_reference(before, call, after):
    """A call returns, and does to every page, exactly what a page table without vmas would make it."""
    forks_twice = call.nr == NR_fork and before.forked != 0
    exits_alone = call.nr == NR_exit and before.forked == 0
    if not exists(before, call.process) or forks_twice or exits_alone:
        return call.result == -EINVAL and nothing_changes(before, after)
    if call.nr == NR_fork:
        return call.result == 0 and fork_is_good(before, call, after)
    if call.nr == NR_exit:
        return call.result == 0 and exit_is_good(before, call, after)
    return call_is_good(before, call, after) and other_is_good(before, call, after)
