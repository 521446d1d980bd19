# SPDX-License-Identifier: GPL-2.0-only
"""Threads inside faults, and a second process: the work under mmap_sem held for reading, in steps that interleave.

Up to NR_THREADS faults, or walks of reclaim over the list of an anon_vma, are under way at a time, each in a thread of
p0 or of p1, which fork makes and exit ends. A fault goes from one point (AT_...) to the next at each step; every other
call is one step, and waits until it can have mmap_sem for writing, and the locks of the lists that it changes. Lists
are linked as the kernel links them, so that the effect of two writers on one is visible. Rules: docs/rules-2.6.md
sections 4.8 to 4.13 and 5.

Linked over the base of a kernel, with processes.py, in place of what syscall.py has under these names.
"""

from vmacheck.model.common.lookup import find_vma
from vmacheck.model.common.mm import (
    BUG,
    EBUSY,
    EFAULT,
    EINVAL,
    LIVE,
    MAP_GROWSDOWN,
    NULL,
    TASK_SIZE,
    VM_GROWSDOWN,
    VM_WRITE,
    VMA_NEW,
)
from vmacheck.model.common.pages import anon_vma_alloc, anon_vma_free, page_add_anon_rmap
from vmacheck.model.common.unistd import NR_exit, NR_fork, NR_mprotect, NR_reclaim, NR_step, NR_write
from vmacheck.model.linux_2_6.mmap import do_munmap
from vmacheck.model.linux_2_6.syscall import system_call
from vmacheck.model.worlds.fork_2_6 import (
    NR_THREADS,
    OTHER,
    SPARE_VMA,
    clear_vma,
    dup_mmap,
    list_add_begin,
    list_empty,
    name_anon_vmas,
    name_nodes,
    page_remove_rmap,
    set_prev,
    sort_lists,
    switch_mm,
)

ANY_THREAD = 0  # 1: any idle thread can begin something; 0: the first one does, since they are alike
FUSED = 0  # 1: a step goes on to the point where others can see or hinder it
WALKS = 0  # 1: walks exist, which see how a list is linked
STACKS = 0  # 1: vmas exist that grow on a write below them
OFFSET_MASK = 0x7FFFFFFF  # the bits stored of an offset that was read while it changed

# The point of a thread: its next action.
AT_READ = 1
AT_START = 2  # find_vma_prev(vma->vm_start): read vma->vm_start
AT_FIND = 3
AT_ALLOC = 4
AT_LOCK = 5
AT_LOCK_LIST = 6
AT_RECHECK = 7
AT_INSTALL = 8
AT_FIRST = 9  # list_add: read head->next
AT_NEXT_PREV = 10  # next->prev = new
AT_NEW_NEXT = 11  # new->next = next
AT_NEW_PREV = 12  # new->prev = head
AT_HEAD_NEXT = 13  # head->next = new
AT_UNLOCK = 14
AT_FREE = 15
AT_GROW_LOCK = 16
AT_GROW = 17  # expand_stack: vma->vm_start = address
AT_GROW_PGOFF = 18  # vma->vm_pgoff -= grow
AT_SET_PTE = 19
AT_VISIT = 20  # a walk over a list, at the thread's node


# ---- faults --------------------------------------------------------------------------------------


def is_idle(mm, thread):
    """Can the thread begin something? Idle threads are alike, so only the first of them does."""
    if mm.task[thread].at != NULL:
        return False
    return ANY_THREAD != 0 or thread == 1 or mm.task[thread - 1].at != NULL


def start_fault(mm, thread, process, address):
    """Start a write in an idle thread, which takes mmap_sem for reading. 0, or a negative errno."""
    if not is_idle(mm, thread):
        return -EBUSY
    vma = find_vma(mm, address)
    if vma == NULL:
        return -EFAULT
    below = mm.vma[vma].vm_start > address
    if (mm.vma[vma].vm_flags & (VM_GROWSDOWN if below else VM_WRITE)) == 0:
        return -EFAULT
    if not below and mm.page[address].mapcount != 0 and mm.page[address].shared == 0:
        return 0
    mm.task[thread].at = AT_READ
    mm.task[thread].process = process
    mm.task[thread].address = address
    mm.task[thread].grows = 1 if below else 0
    go_on(mm, thread)
    return 0


def is_blocked(mm, thread):
    """Must the thread, whose process runs, wait for a lock?"""
    at = mm.task[thread].at
    if at == AT_SET_PTE and is_walked(mm, mm.task[thread].address, mm.task[thread].address + 1):
        return True
    if at == AT_LOCK or at == AT_SET_PTE:
        return mm.ptl != 0
    if at == AT_LOCK_LIST:
        return mm.anon_vma[mm.task[thread].anon_vma].lock != 0
    if at == AT_GROW_LOCK:
        return mm.anon_vma[mm.vma[find_vma(mm, mm.task[thread].address)].anon_vma].lock != 0
    return False


def can_go_on(mm, thread):
    """Can nobody tell the thread's next step from its last one, and no lock hinder it?

    Until it waits for page_table_lock, a fault has taken mmap_sem and read fields that others set at most once: if it
    was late, the test under the lock says so. Its allocation is its own until it is installed. Its work with
    page_table_lock held is visible only to readers of vma->anon_vma or the list: between the first of these steps
    and the last, if the list is locked as well, or if there is no second process that could change it, and no walk that
    could see it. Setting a pte that nobody else can set is one with the step before it. A growing stack is visible to
    all that read the start of a vma.
    """
    at = mm.task[thread].at
    if at == AT_NEXT_PREV or at == AT_NEW_NEXT or at == AT_HEAD_NEXT or at == AT_UNLOCK:
        return joins_lists_locked(mm) or (mm.forked == 0 and WALKS == 0)
    if at == AT_LOCK_LIST or at == AT_SET_PTE:
        return not is_blocked(mm, thread)
    if STACKS != 0 and (at == AT_START or at == AT_FIND or (at >= AT_GROW_LOCK and at <= AT_SET_PTE)):
        return False
    return at != NULL and at != AT_LOCK


def go_on(mm, thread):
    """Run the steps that are one with the thread's last one."""
    while FUSED != 0 and mm.oops == 0 and can_go_on(mm, thread):
        small_step(mm, thread)


def step_fault(mm, thread):
    """Run one step of the thread's fault, or several that are as one. 0, or -EBUSY if it has to wait."""
    if is_blocked(mm, thread):
        return -EBUSY
    if mm.task[thread].at == AT_VISIT:
        visit(mm, thread)
        return 0
    small_step(mm, thread)
    go_on(mm, thread)
    return 0


def small_step(mm, thread):
    """Run one step of the thread's fault, which nothing hinders."""
    at = mm.task[thread].at
    vma = find_vma(mm, mm.task[thread].address)
    anon_vma = mm.task[thread].anon_vma
    if at == AT_READ:
        mm.task[thread].at = AT_START if mm.vma[vma].anon_vma == NULL else at_end(mm, thread)
    elif at == AT_START:
        mm.task[thread].start = mm.vma[vma].vm_start if STACKS else 0
        mm.task[thread].at = AT_FIND
    elif at == AT_FIND:
        mm.reader = thread
        mm.task[thread].anon_vma = sharable_anon_vma(mm, vma)
        mm.task[thread].start = 0
        mm.task[thread].at = AT_ALLOC if mm.task[thread].anon_vma == NULL else AT_LOCK
    elif at == AT_ALLOC:
        mm.task[thread].anon_vma = anon_vma_alloc(mm)
        mm.task[thread].allocated = 1
        mm.task[thread].at = AT_LOCK
    elif at == AT_LOCK:
        mm.ptl = thread
        mm.task[thread].at = AT_LOCK_LIST if joins_lists_locked(mm) else AT_RECHECK
    elif at == AT_LOCK_LIST:
        mm.anon_vma[anon_vma].lock = thread
        mm.task[thread].at = AT_RECHECK
    elif at == AT_RECHECK:
        mm.task[thread].at = AT_INSTALL if is_still_without(mm, vma) else AT_UNLOCK
    elif at == AT_INSTALL:
        mm.vma[vma].anon_vma = anon_vma
        mm.task[thread].allocated = 0
        mm.task[thread].at = AT_FIRST
    elif at == AT_FIRST:
        list_add_begin(mm, vma, anon_vma)
        mm.task[thread].node = mm.anon_vma[anon_vma].first
        mm.task[thread].at = AT_NEXT_PREV
    elif at >= AT_NEXT_PREV and at <= AT_HEAD_NEXT:
        list_add_step(mm, thread, anon_vma, mm.vma[vma].link)
    elif at == AT_UNLOCK:
        unlock(mm, thread, anon_vma)
        mm.task[thread].at = AT_FREE if mm.task[thread].allocated else at_end(mm, thread)
    elif at == AT_FREE:
        anon_vma_free(mm, anon_vma)
        mm.task[thread].allocated = 0
        mm.task[thread].at = at_end(mm, thread)
    elif at >= AT_GROW_LOCK and at <= AT_GROW_PGOFF:
        expand_stack_step(mm, thread, vma)
    elif at == AT_SET_PTE:
        set_pte(mm, vma, mm.task[thread].address)
        forget_thread(mm, thread)


def list_add_step(mm, thread, anon_vma, node):
    """Run one of the four writes that put a new node between a list's head and head->next, in the kernel's order."""
    at = mm.task[thread].at
    if at == AT_NEXT_PREV:
        set_prev(mm, anon_vma, mm.task[thread].node, node)
    elif at == AT_NEW_NEXT:
        mm.node[node].next = mm.task[thread].node
        mm.task[thread].node = NULL
    elif at == AT_NEW_PREV:
        mm.node[node].prev = NULL
    else:
        mm.anon_vma[anon_vma].first = node
    mm.task[thread].at = at + 1


def at_end(mm, thread):
    """The point that anon_vma_prepare returns to: expand_stack, or the fault."""
    return AT_GROW_LOCK if mm.task[thread].grows else AT_SET_PTE


def expand_stack_step(mm, thread, vma):
    """Make vma start at the thread's page, under its anon_vma's lock: another thread may have grown it only before."""
    at = mm.task[thread].at
    anon_vma = mm.vma[vma].anon_vma
    mm.task[thread].at = at + 1
    if at == AT_GROW_LOCK:
        mm.anon_vma[anon_vma].lock = thread
    elif at == AT_GROW:
        mm.task[thread].start = mm.vma[vma].vm_start
        mm.vma[vma].vm_start = mm.task[thread].address
    else:
        mm.vma[vma].vm_pgoff = mm.vma[vma].vm_pgoff - (mm.task[thread].start - mm.task[thread].address)
        mm.task[thread].start = 0
        mm.task[thread].grows = 0
        mm.anon_vma[anon_vma].lock = 0
        if (mm.vma[vma].vm_flags & VM_WRITE) == 0:
            forget_thread(mm, thread)


def calc_vm_flags(prot, flags):
    """The VM_ flags of a new mapping that follow from prot and flags."""
    return prot | (VM_GROWSDOWN if flags & MAP_GROWSDOWN else 0)


def vm_start_of(mm, vma):
    """The start of vma, as read one step ago by the thread that looks for a neighbour's anon_vma."""
    return mm.task[mm.reader].start if STACKS else mm.vma[vma].vm_start


def sharable_anon_vma(mm, vma):
    """The anon_vma that vma can have of a neighbour: in rmap 39, NULL."""
    return NULL


def joins_lists_locked(mm):
    """Does a vma join a list that others are on under anon_vma->lock? In rmap 39 and 40, not in a fault."""
    return False


def is_still_without(mm, vma):
    """Does vma still lack an anon_vma, by the test under page_table_lock?"""
    return mm.vma[vma].anon_vma == NULL


def unlock(mm, thread, anon_vma):
    """Release anon_vma->lock, if it was taken, and page_table_lock."""
    if mm.ptl != thread:
        BUG(mm)
    mm.ptl = 0
    if joins_lists_locked(mm):
        if mm.anon_vma[anon_vma].lock != thread:
            BUG(mm)
        mm.anon_vma[anon_vma].lock = 0


def set_pte(mm, vma, address):
    """Map a page of its own at address, unless another thread did; a shared one is copied."""
    if mm.page[address].mapcount != 0 and mm.page[address].shared == 0:
        return
    if mm.page[address].mapcount != 0:
        page_remove_rmap(mm, address)
    page_add_anon_rmap(mm, vma, address)
    mm.page[address].index = mm.page[address].index & OFFSET_MASK


def forget_thread(mm, thread):
    """Release the thread's mmap_sem."""
    mm.task[thread].at = NULL
    mm.task[thread].process = 0
    mm.task[thread].address = 0
    mm.task[thread].anon_vma = NULL
    mm.task[thread].allocated = 0
    mm.task[thread].grows = 0
    mm.task[thread].start = 0
    mm.task[thread].node = NULL
    mm.task[thread].found = 0
    mm.task[thread].skipped = 0


# ---- reclaim -------------------------------------------------------------------------------------


def start_walk(mm, thread, process, address):
    """Start page_referenced_anon for the page at address: under its map lock, take anon_vma->lock. 0 or an errno."""
    if not is_idle(mm, thread):
        return -EBUSY
    anon_vma = mm.page[address].mapping
    if mm.page[address].mapcount == 0 or anon_vma == NULL:
        return -EFAULT
    if is_walked(mm, address, address + 1) or mm.anon_vma[anon_vma].lock != 0:
        return -EBUSY
    if mm.anon_vma[anon_vma].life != LIVE or list_empty(mm, anon_vma):
        BUG(mm)
    mm.anon_vma[anon_vma].lock = thread
    mm.task[thread].at = AT_VISIT
    mm.task[thread].process = process
    mm.task[thread].address = address
    mm.task[thread].anon_vma = anon_vma
    mm.task[thread].node = mm.anon_vma[anon_vma].first
    return 0


def visit(mm, thread):
    """Look into the page table of the vma that the walk has reached, unless its lock is held, and go on to the next."""
    node = mm.task[thread].node
    if node == NULL:
        address = mm.task[thread].address
        if mm.task[thread].found != 1 + mm.page[address].shared and mm.task[thread].skipped == 0:
            mm.missed = 1
        mm.anon_vma[mm.task[thread].anon_vma].lock = 0
        forget_thread(mm, thread)
        return
    vma = vma_of_node(mm, node)
    if mm.node[node].life != LIVE or vma == NULL:
        BUG(mm)
        return
    address = mm.task[thread].address
    mapped_at = mm.vma[vma].vm_start + (mm.page[address].index - mm.vma[vma].vm_pgoff)
    if mapped_at >= mm.vma[vma].vm_start and mapped_at < mm.vma[vma].vm_end:
        if (mm.ptl if vma < OTHER else mm.other_ptl) != 0:
            mm.task[thread].skipped = 1
        elif mapped_at == address and (vma < OTHER or mm.page[address].shared != 0):
            mm.task[thread].found = mm.task[thread].found + 1
    mm.task[thread].node = mm.node[node].next


def vma_of_node(mm, node):
    """The vma, of either process, that the node is part of; or NULL."""
    for vma in range(1, OTHER + mm.other_count + 1):
        if mm.vma[vma].link == node:
            return vma
    return NULL


def is_walked(mm, start, end):
    """Does a walk hold the map lock of a page of the running process in [start, end)?"""
    for thread in range(1, NR_THREADS + 1):
        address = mm.task[thread].address
        if mm.task[thread].at == AT_VISIT and address >= start and address < end:
            if mm.task[thread].process == mm.running or mm.page[address].shared != 0:
                return True
    return False


# ---- calls ---------------------------------------------------------------------------------------


def is_reading(mm, process):
    """Does a thread hold the process's mmap_sem for reading?"""
    for thread in range(1, NR_THREADS + 1):
        at = mm.task[thread].at
        if at != NULL and at != AT_VISIT and mm.task[thread].process == process:
            return True
    return False


def meets_locked_list(mm, start, end):
    """Is a vma in [start, end), or at an end of it, on a list that is locked?"""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start <= end and start <= mm.vma[vma].vm_end and mm.vma[vma].anon_vma != NULL:
            if mm.anon_vma[mm.vma[vma].anon_vma].lock != 0:
                return True
    return False


def call_as_writer(mm, call):
    """Run a call that holds mmap_sem for writing. Its result, or -EBUSY if it has to wait."""
    if is_reading(mm, call.process):
        return -EBUSY
    if call.nr == NR_fork:
        if mm.forked or meets_locked_list(mm, 0, TASK_SIZE):
            return -EBUSY
        dup_mmap(mm)
        return 0
    if call.nr == NR_exit:
        if meets_locked_list(mm, 0, TASK_SIZE) or is_walked(mm, 0, TASK_SIZE):
            return -EBUSY
        mm.forked = 0
        return do_munmap(mm, 0, TASK_SIZE)
    if meets_locked_list(mm, call.addr, call.addr + call.len):
        return -EBUSY
    if call.nr != NR_mprotect and is_walked(mm, call.addr, call.addr + call.len):
        return -EBUSY
    return system_call(mm, call)


def call_in_process(mm, call):
    """Run a call of the process that runs, or a step of a thread in it."""
    if call.nr == NR_step:
        return step_fault(mm, call.thread)
    if call.nr == NR_write:
        return start_fault(mm, call.thread, call.process, call.addr)
    if call.nr == NR_reclaim:
        return start_walk(mm, call.thread, call.process, call.addr)
    return call_as_writer(mm, call)


def step(mm, call):
    """Run one call, or one step of a thread from the point that it names."""
    process = call.process
    if call.nr == NR_step:
        if mm.task[call.thread].at != call.addr:
            return -EINVAL
        process = mm.task[call.thread].process
    mm.running = process
    if process == 0:
        return call_in_process(mm, call)
    if mm.forked == 0:
        return -EINVAL
    switch_mm(mm)
    result = call_in_process(mm, call)
    switch_mm(mm)
    return result


# ---- the normal form -----------------------------------------------------------------------------


def begin(mm):
    """Mark each vma; forget what calls left."""
    clear_vma(mm, VMA_NEW)
    clear_vma(mm, SPARE_VMA)
    for vma in range(1, mm.map_count + 1):
        mm.vma[vma].was = vma


def canonicalise(mm):
    """Make states equal that differ only in the names of their anon_vmas and of the nodes on their lists."""
    clear_vma(mm, VMA_NEW)
    clear_vma(mm, SPARE_VMA)
    name_anon_vmas(mm)
    if FUSED != 0 and WALKS == 0 and joins_lists_locked(mm):
        sort_lists(mm)
    name_nodes(mm)
