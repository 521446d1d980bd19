# SPDX-License-Identifier: GPL-2.0-only
"""rmap 40 better anon_vma sharing (Hugh Dickins, 18 May 2004), as posted.

At the first write fault a vma takes the anon_vma of a touching neighbour that it could later be mprotected
together with; only when there is none does it get a new one. Adds find_mergeable_anon_vma, replaces
anon_vma_prepare. Rules: the seed, and kernel-2004 sections 4.10 and 4.11.
"""

from model.mm import BUG, NULL, VM_EXEC, VM_READ, VM_WRITE
from model.mmap import can_vma_merge_after, can_vma_merge_before, find_vma_prev, mpol_equal, vma_next
from model.rmap import anon_vma_alloc, anon_vma_free, list_add


def find_mergeable_anon_vma(mm, vma):
    """The anon_vma of the next, else of the previous vma, if it touches vma and differs from it in R, W, X at most."""
    near = vma_next(mm, vma)
    if near != NULL:
        # as if vma were mprotected to near's protection: nothing but mprotect merges vmas later on
        vm_flags = mm.vma[vma].vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC)
        vm_flags = vm_flags | (mm.vma[near].vm_flags & (VM_READ | VM_WRITE | VM_EXEC))
        pgoff = mm.vma[vma].vm_pgoff + (mm.vma[vma].vm_end - mm.vma[vma].vm_start)
        if (
            mm.vma[near].anon_vma != NULL
            and mm.vma[vma].vm_end == mm.vma[near].vm_start
            and mpol_equal(mm.vma[vma].vm_policy, mm.vma[near].vm_policy)
            and can_vma_merge_before(mm, near, vm_flags, NULL, mm.vma[vma].vm_file, pgoff)
        ):
            return mm.vma[near].anon_vma

    near = find_vma_prev(mm, mm.vma[vma].vm_start)
    if vma_next(mm, near) != vma:
        BUG(mm)
    if near != NULL:
        vm_flags = mm.vma[vma].vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC)
        vm_flags = vm_flags | (mm.vma[near].vm_flags & (VM_READ | VM_WRITE | VM_EXEC))
        if (
            mm.vma[near].anon_vma != NULL
            and mm.vma[near].vm_end == mm.vma[vma].vm_start
            and mpol_equal(mm.vma[near].vm_policy, mm.vma[vma].vm_policy)
            and can_vma_merge_after(mm, near, vm_flags, NULL, mm.vma[vma].vm_file, mm.vma[vma].vm_pgoff)
        ):
            return mm.vma[near].anon_vma
    return NULL


def anon_vma_prepare(mm, vma):
    """See that vma has an anon_vma, before its first anonymous page: a neighbour's, or a new one. 0."""
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
