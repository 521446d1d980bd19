# SPDX-License-Identifier: GPL-2.0-only
"""rmap 40 better anon_vma sharing (Hugh Dickins, 18 May 2004), as posted.

At the first write fault a vma takes the anon_vma of a touching neighbour that mprotect could later make one with
it, or else gets a new one. Adds find_mergeable_anon_vma, replaces anon_vma_prepare. Rules: the patch, and
docs/rules-2.6.md sections 4.10 and 4.11.
"""

from vmacheck.model.common.lookup import find_vma_prev, mpol_equal, vma_next
from vmacheck.model.common.mm import BUG, FIND_VMA_PREV, NULL, VM_EXEC, VM_READ, VM_WRITE, count_vm_event
from vmacheck.model.common.pages import anon_vma_alloc, anon_vma_free, list_add
from vmacheck.model.linux_2_6.mmap import can_vma_merge_after, can_vma_merge_before, vm_start_of


def with_protection_of(mm, vma, near):
    """The flags of vma if it were mprotected to near's protection: only mprotect merges vmas later on."""
    vm_flags = mm.vma[vma].vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC)
    return vm_flags | (mm.vma[near].vm_flags & (VM_READ | VM_WRITE | VM_EXEC))


def mergeable_anon_vma_of_next(mm, vma):
    """The anon_vma of the next vma, if that touches vma and differs from it in R, W, X at most; or NULL."""
    near = vma_next(mm, vma)
    if near == NULL:
        return NULL
    pgoff = mm.vma[vma].vm_pgoff + (mm.vma[vma].vm_end - mm.vma[vma].vm_start)
    if (
        mm.vma[near].anon_vma != NULL
        and mm.vma[vma].vm_end == mm.vma[near].vm_start
        and mpol_equal(mm.vma[vma].vm_policy, mm.vma[near].vm_policy)
        and can_vma_merge_before(mm, near, with_protection_of(mm, vma, near), NULL, mm.vma[vma].vm_file, pgoff)
    ):
        return mm.vma[near].anon_vma
    return NULL


def mergeable_anon_vma_of_prev(mm, vma):
    """The anon_vma of the previous vma, which has to be looked up, on the same conditions; or NULL."""
    count_vm_event(mm, FIND_VMA_PREV)
    near = find_vma_prev(mm, vm_start_of(mm, vma))
    if vma_next(mm, near) != vma:
        BUG(mm)
    if near == NULL:
        return NULL
    pgoff = mm.vma[vma].vm_pgoff
    if (
        mm.vma[near].anon_vma != NULL
        and mm.vma[near].vm_end == mm.vma[vma].vm_start
        and mpol_equal(mm.vma[near].vm_policy, mm.vma[vma].vm_policy)
        and can_vma_merge_after(mm, near, with_protection_of(mm, vma, near), NULL, mm.vma[vma].vm_file, pgoff)
    ):
        return mm.vma[near].anon_vma
    return NULL


def find_mergeable_anon_vma(mm, vma):
    """The anon_vma of the next, else of the previous vma, if it touches vma and differs from it in R, W, X at most."""
    anon_vma = mergeable_anon_vma_of_next(mm, vma)
    if anon_vma == NULL:
        anon_vma = mergeable_anon_vma_of_prev(mm, vma)
    return anon_vma


def anon_vma_prepare(mm, vma):
    """Give vma an anon_vma, before its first anonymous page: a neighbour's, or a new one. Returns 0."""
    anon_vma = mm.vma[vma].anon_vma
    if anon_vma == NULL:
        allocated = NULL
        anon_vma = find_mergeable_anon_vma(mm, vma)
        if anon_vma == NULL:
            anon_vma = anon_vma_alloc(mm)
            allocated = anon_vma
        # page_table_lock is taken here: another thread may have been faster
        if mm.vma[vma].anon_vma == NULL:
            mm.vma[vma].anon_vma = anon_vma
            list_add(mm, vma, anon_vma)
            allocated = NULL
        if allocated != NULL:
            anon_vma_free(mm, allocated)
    return 0


def sharable_anon_vma(mm, vma):
    """The anon_vma that vma can have of a neighbour, or NULL; for a fault in steps (threads.py)."""
    return find_mergeable_anon_vma(mm, vma)
