# SPDX-License-Identifier: GPL-2.0-only
"""Two processes, and chains: the effect of fork on vmas and their anon_vmas (docs/rules-6.md section 5).

The process that does not run has slots of its own, which are swapped with the other's while it runs. Either can fork
when it is alone, and exit when it is not. The chain of a vma is link_1 to link_8, newest first. The kernel's
num_children and num_active_vmas are counted where they are needed. A page of both processes has, in mate, the address
of its other mapping, plus one.

Linked over the base, in place of what it has under these names.
"""

from vmacheck.model.common.canonical import canonical_name
from vmacheck.model.common.lookup import kmem_cache_alloc_vma
from vmacheck.model.common.mm import (
    ANON_VMA_ALLOC,
    BUG,
    EFAULT,
    EINVAL,
    LIVE,
    NR_ANON_VMAS,
    NR_VMAS,
    NULL,
    TASK_SIZE,
    UNUSED,
    VM_SHARED,
    VMA_NEW,
    count_vm_event,
)
from vmacheck.model.common.pages import anon_vma_free, linear_page_index
from vmacheck.model.common.unistd import NR_exit, NR_fork
from vmacheck.model.linux.mm import VM_COPY_ON_FORK, VM_DONTCOPY, VM_LOCKED_MASK, VM_WIPEONFORK
from vmacheck.model.linux.mmap import vms_complete_munmap_vmas
from vmacheck.model.linux.rmap import anon_vma_prepare
from vmacheck.model.linux.shmem import shmem_fault
from vmacheck.model.linux.syscall import system_call
from vmacheck.model.linux_2_6.memory import do_no_page

CHAIN = 8  # the most links of a chain
OTHER = NR_VMAS + 1  # slot OTHER + i is the i-th vma of the process that does not run
SPARE_VMA = OTHER + NR_VMAS + 1
SPARE_PAGE = 2 * TASK_SIZE

# ---- chains ------------------------------------------------------------------------------------


def link(mm, vma, i):
    """The i-th anon_vma of the chain, from 1; NULL after the last."""
    if i == 1:
        return mm.vma[vma].link_1
    if i == 2:
        return mm.vma[vma].link_2
    if i == 3:
        return mm.vma[vma].link_3
    if i == 4:
        return mm.vma[vma].link_4
    if i == 5:
        return mm.vma[vma].link_5
    if i == 6:
        return mm.vma[vma].link_6
    if i == 7:
        return mm.vma[vma].link_7
    return mm.vma[vma].link_8


def clear_chain(mm, vma):
    """Take the vma off all lists, by clearing its chain."""
    mm.vma[vma].link_1 = NULL
    mm.vma[vma].link_2 = NULL
    mm.vma[vma].link_3 = NULL
    mm.vma[vma].link_4 = NULL
    mm.vma[vma].link_5 = NULL
    mm.vma[vma].link_6 = NULL
    mm.vma[vma].link_7 = NULL
    mm.vma[vma].link_8 = NULL


def is_on_chain(mm, vma, anon_vma):
    """Is anon_vma on the chain of vma?"""
    for i in range(1, CHAIN + 1):
        if link(mm, vma, i) == anon_vma:
            return True
    return False


def list_is_singular(mm, vma):
    """Is the chain of vma one link long?"""
    return mm.vma[vma].link_1 != NULL and mm.vma[vma].link_2 == NULL


def list_add(mm, vma, anon_vma):
    """Add a link to the front of vma's chain."""
    if mm.vma[vma].link_8 != NULL or mm.anon_vma[anon_vma].life != LIVE:
        BUG(mm)
    mm.vma[vma].link_8 = mm.vma[vma].link_7
    mm.vma[vma].link_7 = mm.vma[vma].link_6
    mm.vma[vma].link_6 = mm.vma[vma].link_5
    mm.vma[vma].link_5 = mm.vma[vma].link_4
    mm.vma[vma].link_4 = mm.vma[vma].link_3
    mm.vma[vma].link_3 = mm.vma[vma].link_2
    mm.vma[vma].link_2 = mm.vma[vma].link_1
    mm.vma[vma].link_1 = anon_vma


def list_empty(mm, anon_vma):
    """Is the anon_vma on no chain?"""
    for vma in range(1, OTHER + mm.other_count + 1):
        if is_on_chain(mm, vma, anon_vma):
            return False
    return True


def anon_vma_clone(mm, dst, src):
    """Give dst, which has no chain, a copy of that of src."""
    mm.vma[dst].link_1 = mm.vma[src].link_1
    mm.vma[dst].link_2 = mm.vma[src].link_2
    mm.vma[dst].link_3 = mm.vma[src].link_3
    mm.vma[dst].link_4 = mm.vma[src].link_4
    mm.vma[dst].link_5 = mm.vma[src].link_5
    mm.vma[dst].link_6 = mm.vma[src].link_6
    mm.vma[dst].link_7 = mm.vma[src].link_7
    mm.vma[dst].link_8 = mm.vma[src].link_8


def unlink_anon_vmas(mm, vma):
    """Take vma off its lists, the newest first, and free an anon_vma with its last vma."""
    while mm.vma[vma].link_1 != NULL:
        anon_vma = mm.vma[vma].link_1
        mm.vma[vma].link_1 = mm.vma[vma].link_2
        mm.vma[vma].link_2 = mm.vma[vma].link_3
        mm.vma[vma].link_3 = mm.vma[vma].link_4
        mm.vma[vma].link_4 = mm.vma[vma].link_5
        mm.vma[vma].link_5 = mm.vma[vma].link_6
        mm.vma[vma].link_6 = mm.vma[vma].link_7
        mm.vma[vma].link_7 = mm.vma[vma].link_8
        mm.vma[vma].link_8 = NULL
        if list_empty(mm, anon_vma):
            anon_vma_free(mm, anon_vma)
    mm.vma[vma].anon_vma = NULL


def anon_vma_alloc(mm):
    """A new anon_vma, its own parent. An identity that something still points at is never reused."""
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.anon_vma[anon_vma].life == UNUSED:
            mm.anon_vma[anon_vma].life = LIVE
            mm.anon_vma[anon_vma].parent = anon_vma
            count_vm_event(mm, ANON_VMA_ALLOC)
            return anon_vma
    BUG(mm)
    return 1


def num_children(mm, parent):
    """The number of anon_vmas with this one as their parent; a root is its own."""
    children = 0
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.anon_vma[anon_vma].life == LIVE and mm.anon_vma[anon_vma].parent == parent:
            children = children + 1
    return children


def num_active_vmas(mm, anon_vma):
    """The number of vmas with this anon_vma as their own."""
    active = 0
    for vma in range(1, OTHER + mm.other_count + 1):
        if mm.vma[vma].anon_vma == anon_vma:
            active = active + 1
    return active


def anon_vma_fork(mm, vma, pvma):
    """Give vma, a child's copy of pvma, its chain, and an anon_vma: the oldest that nobody needs, or a new one."""
    reused = NULL
    for i in range(CHAIN, 0, -1):
        anon_vma = link(mm, pvma, i)
        if anon_vma != NULL and reused == NULL:
            if num_children(mm, anon_vma) < 2 and num_active_vmas(mm, anon_vma) == 0:
                reused = anon_vma
    anon_vma_clone(mm, vma, pvma)
    if reused == NULL:
        reused = anon_vma_alloc(mm)
        mm.anon_vma[reused].parent = mm.vma[pvma].anon_vma
        list_add(mm, vma, reused)
    mm.vma[vma].anon_vma = reused


# ---- vmas and pages ----------------------------------------------------------------------------


def last_vma(mm):
    """The highest slot of a vma that may be in use, of either process."""
    return OTHER + mm.other_count


def clear_vma(mm, vma):
    """Zero a slot."""
    mm.vma[vma].vm_start = 0
    mm.vma[vma].vm_end = 0
    mm.vma[vma].vm_flags = 0
    mm.vma[vma].vm_pgoff = 0
    mm.vma[vma].vm_file = NULL
    mm.vma[vma].i_size = 0
    mm.vma[vma].vm_policy = NULL
    mm.vma[vma].anon_vma = NULL
    mm.vma[vma].was = NULL
    clear_chain(mm, vma)


def vm_area_dup(mm, vma):
    """A copy of vma, not yet on a list or part of the mm."""
    new = kmem_cache_alloc_vma(mm)
    mm.vma[new] = mm.vma[vma]
    mm.vma[new].was = NULL
    clear_chain(mm, new)
    return new


def leave_mate(mm, address):
    """Stop sharing the page at address with the other process."""
    if mm.page[address].mate != 0:
        mm.page[TASK_SIZE + mm.page[address].mate - 1].mate = 0
        mm.page[address].mate = 0


def page_remove_rmap(mm, address):
    """Unmap the page at address; a shared one is now the other process's alone."""
    leave_mate(mm, address)
    mm.page[address].mapcount = 0
    mm.page[address].mapping = NULL
    mm.page[address].index = 0


def move_page_tables(mm, old_addr, new_addr, len):
    """Move the anonymous pages, and the markers, of [old_addr, old_addr + len) to new_addr."""
    for offset in range(len):
        mm.page[new_addr + offset] = mm.page[old_addr + offset]
        if mm.page[old_addr + offset].mate != 0:
            mm.page[TASK_SIZE + mm.page[old_addr + offset].mate - 1].mate = new_addr + offset + 1
        mm.page[old_addr + offset].mate = 0
        mm.page[old_addr + offset].guard = 0
        page_remove_rmap(mm, old_addr + offset)


def handle_mm_fault(mm, vma, address, write_access):
    """Handle an access that vma allows. A write copies a shared page; the other process keeps it.

    A page of one process alone is written in place, and then hangs from the vma's own anon_vma.
    """
    if mm.page[address].guard != 0:
        return -EFAULT
    if mm.vma[vma].vm_flags & VM_SHARED:
        return shmem_fault(mm, vma, address)
    if mm.page[address].mapcount == 0:
        return do_no_page(mm, vma, address, write_access)
    if write_access:
        if mm.page[address].mate != 0:
            anon_vma_prepare(mm, vma)
            leave_mate(mm, address)
            mm.page[address].index = linear_page_index(mm, vma, address)
        if mm.vma[vma].anon_vma != NULL:
            mm.page[address].mapping = mm.vma[vma].anon_vma
    return 0


# ---- processes ---------------------------------------------------------------------------------


def switch_mm(mm):
    """Swap the two processes."""
    for vma in range(1, NR_VMAS + 1):
        mm.vma[SPARE_VMA] = mm.vma[vma]
        mm.vma[vma] = mm.vma[OTHER + vma]
        mm.vma[OTHER + vma] = mm.vma[SPARE_VMA]
    clear_vma(mm, SPARE_VMA)
    for page in range(TASK_SIZE):
        mm.page[SPARE_PAGE] = mm.page[page]
        mm.page[page] = mm.page[TASK_SIZE + page]
        mm.page[TASK_SIZE + page] = mm.page[SPARE_PAGE]
    map_count = mm.map_count
    mm.map_count = mm.other_count
    mm.other_count = map_count


def copy_pages(mm, start, end):
    """Share the pages of [start, end) with the child, and copy the markers."""
    for page in range(start, end):
        if mm.page[page].mapcount != 0:
            mm.page[page].mate = page + 1
        mm.page[TASK_SIZE + page] = mm.page[page]


def dup_mmap(mm):
    """Make the other process a copy of the one that runs, vma by vma, without merging."""
    for vma in range(1, mm.map_count + 1):
        if (mm.vma[vma].vm_flags & VM_DONTCOPY) == 0:
            new = OTHER + mm.other_count + 1
            mm.vma[new] = mm.vma[vma]
            clear_chain(mm, new)
            mm.vma[new].anon_vma = NULL
            mm.vma[new].was = NULL
            mm.vma[new].vm_flags = mm.vma[vma].vm_flags & ~VM_LOCKED_MASK
            mm.other_count = mm.other_count + 1
            if (mm.vma[vma].vm_flags & VM_WIPEONFORK) == 0:
                if mm.vma[vma].anon_vma != NULL:
                    anon_vma_fork(mm, new, vma)
                if mm.vma[vma].anon_vma != NULL or (mm.vma[vma].vm_flags & VM_COPY_ON_FORK) != 0:
                    copy_pages(mm, mm.vma[vma].vm_start, mm.vma[vma].vm_end)


def call_in_process(mm, call):
    """Run a call of the process that runs."""
    if call.nr == NR_fork:
        if mm.forked != 0:
            return -EINVAL
        dup_mmap(mm)
        mm.forked = 1
        return 0
    if call.nr == NR_exit:
        if mm.forked == 0:
            return -EINVAL
        vms_complete_munmap_vmas(mm, 0, TASK_SIZE)
        mm.forked = 0
        mm.left = 1 - call.process
        return 0
    return system_call(mm, call)


def step(mm, call):
    """Run one call of an existing process."""
    if mm.forked == 0 and mm.left != call.process:
        return -EINVAL
    if call.process == 0:
        return call_in_process(mm, call)
    switch_mm(mm)
    result = call_in_process(mm, call)
    switch_mm(mm)
    return result


# ---- the normal form ---------------------------------------------------------------------------


def name_chain(mm, vma):
    """Name the anon_vmas of a vma."""
    mm.vma[vma].anon_vma = canonical_name(mm, mm.vma[vma].anon_vma)
    mm.vma[vma].link_1 = canonical_name(mm, mm.vma[vma].link_1)
    mm.vma[vma].link_2 = canonical_name(mm, mm.vma[vma].link_2)
    mm.vma[vma].link_3 = canonical_name(mm, mm.vma[vma].link_3)
    mm.vma[vma].link_4 = canonical_name(mm, mm.vma[vma].link_4)
    mm.vma[vma].link_5 = canonical_name(mm, mm.vma[vma].link_5)
    mm.vma[vma].link_6 = canonical_name(mm, mm.vma[vma].link_6)
    mm.vma[vma].link_7 = canonical_name(mm, mm.vma[vma].link_7)
    mm.vma[vma].link_8 = canonical_name(mm, mm.vma[vma].link_8)


def name_anon_vmas(mm):
    """Rename the anon_vmas in order of first appearance: vmas and their chains, then pages. Forget unnamed ones."""
    mm.names = 0
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        mm.renamed[anon_vma].name = NULL
    for vma in range(1, OTHER + mm.other_count + 1):
        name_chain(mm, vma)
    for page in range(2 * TASK_SIZE):
        mm.page[page].mapping = canonical_name(mm, mm.page[page].mapping)
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        mm.renamed[anon_vma].life = mm.anon_vma[anon_vma].life
        mm.renamed[anon_vma].parent = NULL
        if mm.anon_vma[anon_vma].parent != NULL:
            mm.renamed[anon_vma].parent = mm.renamed[mm.anon_vma[anon_vma].parent].name
        if mm.anon_vma[anon_vma].life == LIVE and mm.renamed[anon_vma].name == NULL:
            mm.leaked = 1
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        mm.anon_vma[anon_vma].life = UNUSED
        mm.anon_vma[anon_vma].parent = NULL
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        name = mm.renamed[anon_vma].name
        if name != NULL:
            mm.anon_vma[name].life = mm.renamed[anon_vma].life
            mm.anon_vma[name].parent = mm.renamed[anon_vma].parent


def begin(mm):
    """Forget what calls left."""
    clear_vma(mm, VMA_NEW)
    clear_vma(mm, SPARE_VMA)
    for vma in range(1, mm.map_count + 1):
        mm.vma[vma].was = vma
