# SPDX-License-Identifier: GPL-2.0-only
"""Situations that the patch's claims are about: what is to happen somewhere, or never (docs/rules-2.6.md section 7)."""

from vmacheck.model.common.mm import FIND_VMA_PREV, NULL, TASK_SIZE, VM_ACCOUNT, VM_EXEC, VM_READ, VM_WRITE
from vmacheck.model.common.unistd import (
    NR_brk,
    NR_madvise,
    NR_mlock,
    NR_mmap,
    NR_mprotect,
    NR_mremap,
    NR_munlock,
    NR_munmap,
)
from vmacheck.properties import sometimes
from vmacheck.properties.merging import could_be_one
from vmacheck.properties.neighbours import alike_but_for_protection, anon_vma_of_page, continues, vma_of_page
from vmacheck.properties.sharing import is_first_write


def maps_anew(call):
    """May the call unmap or replace mapped pages?"""
    return call.nr == NR_mmap or call.nr == NR_munmap or call.nr == NR_mremap or call.nr == NR_brk


@sometimes
def a_page_changes_its_anon_vma_in_place(before, call, after):
    """A page whose vma has an anon_vma has another, or none, after a call that neither maps nor unmaps nor moves."""
    if maps_anew(call):
        return False
    for page in range(TASK_SIZE):
        was = anon_vma_of_page(before, page)
        if was != NULL and anon_vma_of_page(after, page) != was:
            return True
    return False


@sometimes
def places_with_different_anon_vmas_become_one_vma(before, call, after):
    """Two touching pages whose vmas had different anon_vmas lie in one vma after the call."""
    for page in range(1, TASK_SIZE):
        below = anon_vma_of_page(before, page - 1)
        above = anon_vma_of_page(before, page)
        if below != NULL and above != NULL and below != above:
            if vma_of_page(after, page) != NULL and vma_of_page(after, page) == vma_of_page(after, page - 1):
                return True
    return False


@sometimes
def another_call_than_mprotect_joins_vmas(before, call, after):
    """Two touching vmas become parts of one by a call other than mprotect that leaves all that they map in place."""
    if call.nr == NR_mprotect:
        return False
    for page in range(TASK_SIZE):
        for other in range(page + 1, TASK_SIZE):
            one = vma_of_page(before, page)
            two = vma_of_page(before, other)
            if one != NULL and two != NULL and one != two:
                if vma_of_page(after, page) == vma_of_page(after, other) and stays(before, call, page):
                    if stays(before, call, other):
                        return True
    return False


def stays(before, call, page):
    """Is the page outside the range of the call?"""
    return page < call.addr or page >= call.addr + call.len


@sometimes
def mlock_or_madvise_merges(before, call, after):
    """There are fewer vmas after mlock, munlock or madvise."""
    if call.nr != NR_mlock and call.nr != NR_munlock and call.nr != NR_madvise:
        return False
    return after.map_count < before.map_count


def can_be_mprotected_alike(mm, vma, next):
    """Do vma and next differ in R, W, X and VM_ACCOUNT at most? Made unwritable and writable again, both have it."""
    difference = mm.vma[vma].vm_flags ^ mm.vma[next].vm_flags
    return continues(mm, vma, next) and (difference & ~(VM_READ | VM_WRITE | VM_EXEC | VM_ACCOUNT)) == 0


@sometimes
def a_first_write_passes_over_a_neighbour(before, call, after):
    """The first write to a vma allocates an anon_vma, though a touching vma that mprotect can make alike has one."""
    if not is_first_write(before, call, after):
        return False
    vma = vma_of_page(before, call.addr)
    taken = anon_vma_of_page(after, call.addr)
    passed_over = False
    if vma > 1 and before.vma[vma - 1].anon_vma != NULL and can_be_mprotected_alike(before, vma - 1, vma):
        if before.vma[vma - 1].anon_vma == taken:
            return False
        passed_over = True
    if vma < before.map_count and before.vma[vma + 1].anon_vma != NULL:
        if can_be_mprotected_alike(before, vma, vma + 1):
            if before.vma[vma + 1].anon_vma == taken:
                return False
            passed_over = True
    return passed_over


@sometimes
def a_first_write_takes_a_strangers_anon_vma(before, call, after):
    """The first write to a vma takes an anon_vma that no touching vma has which differs in R, W and X at most."""
    if not is_first_write(before, call, after):
        return False
    vma = vma_of_page(before, call.addr)
    taken = anon_vma_of_page(after, call.addr)
    is_old = False
    for other in range(1, before.map_count + 1):
        if before.vma[other].anon_vma == taken:
            is_old = True
            if other + 1 == vma and alike_but_for_protection(before, other, vma):
                return False
            if other == vma + 1 and alike_but_for_protection(before, vma, other):
                return False
    return is_old


@sometimes
def a_first_write_joins_a_list(before, call, after):
    """The first write to a vma takes an anon_vma that another vma hangs from."""
    if not is_first_write(before, call, after):
        return False
    for other in range(1, before.map_count + 1):
        if before.vma[other].anon_vma == anon_vma_of_page(after, call.addr):
            return True
    return False


@sometimes
def find_vma_prev_without_a_new_anon_vma(before, call, after):
    """A fault looks up the previous vma, and no page lies in a vma that had no anon_vma and has one now."""
    if (after.events & FIND_VMA_PREV) == 0:
        return False
    for page in range(TASK_SIZE):
        if anon_vma_of_page(before, page) == NULL and anon_vma_of_page(after, page) != NULL:
            return False
    return True


@sometimes
def neighbours_are_apart_for_accounting(mm):
    """Two adjacent vmas are alike in everything, but that one of them is accounted."""
    for vma in range(1, mm.map_count):
        if (mm.vma[vma].vm_flags ^ mm.vma[vma + 1].vm_flags) == VM_ACCOUNT and continues(mm, vma, vma + 1):
            return True
    return False


@sometimes
def mergeable_neighbours_are_left_apart(mm):
    """Two adjacent vmas could be one by all rules, and are two."""
    for vma in range(1, mm.map_count):
        if could_be_one(mm, vma, vma + 1):
            return True
    return False
