# SPDX-License-Identifier: GPL-2.0-only
"""Faults in steps, and a second process: what is so however they interleave.

Rules: docs/rules-2.6.md section 5, C21, C22, H1.
"""

from vmacheck.model.common.mm import FREED, LIVE, NR_ANON_VMAS, NULL, TASK_SIZE
from vmacheck.model.common.unistd import NR_step
from vmacheck.model.worlds.fork_2_6 import NR_NODES, NR_THREADS, OTHER
from vmacheck.model.worlds.threads_2_6 import (
    AT_FIRST,
    AT_GROW_LOCK,
    AT_LOCK,
    AT_LOCK_LIST,
    AT_SET_PTE,
    AT_UNLOCK,
    AT_VISIT,
)
from vmacheck.properties import always, sometimes, step
from vmacheck.properties.neighbours import alike_but_for_protection


def nobody_faults(mm):
    """Is no thread inside a fault?"""
    for thread in range(1, NR_THREADS + 1):
        if mm.task[thread].at != NULL:
            return False
    return True


def is_being_joined(mm, anon_vma):
    """Is a thread about to link a vma into the list of the anon_vma?"""
    for thread in range(1, NR_THREADS + 1):
        if mm.task[thread].anon_vma == anon_vma and mm.task[thread].at >= AT_FIRST and mm.task[thread].at <= AT_UNLOCK:
            return True
    return False


def is_waiting(mm, thread):
    """Does the thread wait for a held lock?"""
    at = mm.task[thread].at
    if at == AT_SET_PTE and page_is_walked(mm, thread):
        return True
    if at == AT_LOCK or at == AT_SET_PTE:
        return (mm.ptl if mm.task[thread].process == 0 else mm.other_ptl) != 0
    if at == AT_GROW_LOCK:
        vma = vma_of_fault(mm, mm.task[thread].process, mm.task[thread].address)
        return mm.anon_vma[mm.vma[vma].anon_vma].lock != 0
    return at == AT_LOCK_LIST and mm.anon_vma[mm.task[thread].anon_vma].lock != 0


def vma_of_fault(mm, process, address):
    """The vma of a fault of the process at the address, in it or below it, or NULL."""
    first = 1 if process == 0 else OTHER + 1
    vmas = mm.map_count if process == 0 else mm.other_count
    for vma in range(first, first + vmas):
        if mm.vma[vma].vm_end > address:
            return vma
    return NULL


def page_is_walked(mm, thread):
    """Does a walk hold the page where the thread faults?"""
    address = mm.task[thread].address
    for other in range(1, NR_THREADS + 1):
        if mm.task[other].at == AT_VISIT and mm.task[other].address == address:
            if mm.task[other].process == mm.task[thread].process or mm.page[address].shared != 0:
                return True
    return False


@sometimes
def two_faults_are_under_way(mm):
    """Two threads are inside a fault."""
    under_way = 0
    for thread in range(1, NR_THREADS + 1):
        if mm.task[thread].at != NULL:
            under_way = under_way + 1
    return under_way > 1


@sometimes
def a_list_has_two_vmas(mm):
    """Two vmas are on one list."""
    for vma in range(1, OTHER + mm.other_count + 1):
        for other in range(1, vma):
            if mm.vma[vma].anon_vma_node != NULL and mm.vma[vma].anon_vma_node == mm.vma[other].anon_vma_node:
                return True
    return False


@sometimes
def a_fault_comes_too_late(before, call, after):
    """A thread frees what it allocated, since another one has given the vma an anon_vma in the meantime."""
    if call.nr != NR_step or before.task[call.thread].allocated == 0:
        return False
    anon_vma = before.task[call.thread].anon_vma
    return anon_vma != NULL and after.anon_vma[anon_vma].life == FREED


@sometimes
def a_fault_gives_an_anon_vma(before, call, after):
    """A thread gives a vma its anon_vma."""
    return gives_anon_vma(before, call, after)


def gives_anon_vma(before, call, after):
    """Does a thread give a vma its anon_vma in this step?"""
    if call.nr != NR_step or before.task[call.thread].at == NULL:
        return False
    vma = vma_of_fault(before, before.task[call.thread].process, before.task[call.thread].address)
    return before.vma[vma].anon_vma == NULL and after.vma[vma].anon_vma != NULL


@always(premise=a_list_has_two_vmas)
def lists_are_whole_when_nobody_joins_them(mm):
    """Each list leads through each vma that is on it once, forwards and backwards, and through nothing else."""
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.anon_vma[anon_vma].life == LIVE and not is_being_joined(mm, anon_vma):
            vmas = 0
            for vma in range(1, OTHER + mm.other_count + 1):
                if mm.vma[vma].anon_vma_node == anon_vma:
                    vmas = vmas + 1
            nodes = 0
            prev = NULL
            node = mm.anon_vma[anon_vma].first
            while node != NULL and nodes <= NR_NODES:
                if mm.node[node].life != LIVE or mm.node[node].prev != prev:
                    return False
                prev = node
                node = mm.node[node].next
                nodes = nodes + 1
            if nodes != vmas or mm.anon_vma[anon_vma].last != prev:
                return False
    return True


@always(premise=a_fault_gives_an_anon_vma)
def vmas_end_on_the_list_of_their_anon_vma(mm):
    """When no fault is under way, a vma is on the list of its anon_vma, and on no other; without one it is on none."""
    if not nobody_faults(mm):
        return True
    for vma in range(1, OTHER + mm.other_count + 1):
        if mm.vma[vma].anon_vma_node != mm.vma[vma].anon_vma:
            return False
    return True


@always(premise=a_fault_gives_an_anon_vma)
def no_anon_vma_is_left_behind(mm):
    """When no fault is under way, an anon_vma has a vma on its list, or is free."""
    if not nobody_faults(mm):
        return True
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.anon_vma[anon_vma].life == LIVE and mm.anon_vma[anon_vma].first == NULL:
            return False
    return mm.leaked == 0


@always(premise=a_fault_gives_an_anon_vma)
def no_vma_has_a_freed_anon_vma(mm):
    """No vma of either process has an anon_vma that was freed."""
    for vma in range(1, OTHER + mm.other_count + 1):
        if mm.vma[vma].anon_vma != NULL and mm.anon_vma[mm.vma[vma].anon_vma].life == FREED:
            return False
    return True


@always(premise=a_fault_gives_an_anon_vma)
def locks_are_free_in_the_end(mm):
    """When no fault is under way, no lock is held."""
    if not nobody_faults(mm):
        return True
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.anon_vma[anon_vma].lock != 0:
            return False
    return mm.ptl == 0 and mm.other_ptl == 0


@always(premise=a_fault_gives_an_anon_vma)
def somebody_can_go_on(mm):
    """Not all threads that are inside a fault wait for locks."""
    for thread in range(1, NR_THREADS + 1):
        if mm.task[thread].at != NULL and not is_waiting(mm, thread):
            return True
    return nobody_faults(mm)


@sometimes
def a_walk_comes_to_its_page(mm):
    """A walk of reclaim has found the page that it is for."""
    for thread in range(1, NR_THREADS + 1):
        if mm.task[thread].found != 0:
            return True
    return False


@always(premise=a_walk_comes_to_its_page)
def walks_miss_no_page(mm):
    """A walk of reclaim from a page, which stays mapped, comes to all its mappings, unless a page table was locked."""
    return mm.missed == 0


def is_found_through(mm, page, first, vmas):
    """Does one of `vmas` vmas, from `first` on, map the page, by the list of its anon_vma and its offset?"""
    address = page if page < TASK_SIZE else page - TASK_SIZE
    for vma in range(first, first + vmas):
        if (
            mm.vma[vma].anon_vma_node == mm.page[page].mapping
            and mm.vma[vma].vm_start <= address
            and address < mm.vma[vma].vm_end
            and mm.page[page].index - mm.vma[vma].vm_pgoff == address - mm.vma[vma].vm_start
        ):
            return True
    return False


@always(premise=a_list_has_two_vmas)
def pages_are_found_through_their_anon_vma(mm):
    """When no fault is under way, each mapped page is where a vma on the list of its anon_vma says it is."""
    if not nobody_faults(mm):
        return True
    for page in range(TASK_SIZE):
        if mm.page[page].mapcount != 0 and not is_found_through(mm, page, 1, mm.map_count):
            return False
        if mm.forked != 0 and mm.page[TASK_SIZE + page].mapcount != 0:
            if not is_found_through(mm, TASK_SIZE + page, OTHER + 1, mm.other_count):
                return False
    return True


@step(premise=a_fault_gives_an_anon_vma)
def faults_share_with_their_neighbours(before, call, after):
    """A fault gives a vma the anon_vma of a touching neighbour that differs in R, W and X at most, if one has one."""
    if not gives_anon_vma(before, call, after):
        return True
    process = before.task[call.thread].process
    vma = vma_of_fault(before, process, before.task[call.thread].address)
    first = 1 if process == 0 else OTHER + 1
    last = before.map_count if process == 0 else OTHER + before.other_count
    above = NULL
    if vma < last and alike_but_for_protection(before, vma, vma + 1):
        above = before.vma[vma + 1].anon_vma
    below = NULL
    if vma > first and alike_but_for_protection(before, vma - 1, vma):
        below = before.vma[vma - 1].anon_vma
    taken = after.vma[vma].anon_vma
    return (above == NULL and below == NULL) or taken == above or taken == below
