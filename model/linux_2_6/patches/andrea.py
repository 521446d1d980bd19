# SPDX-License-Identifier: GPL-2.0-only
"""Andrea Arcangeli's sharing (mprotect-vma-merging, 3 April 2004) on the engine of rmap 39: share at try-to-merge time.

When mmap or brk asks for a merge and is refused, the new vma starts with the anon_vma of a touching neighbour that
differs from it in flags only. Replaces anon_vma_for_new_area. Rules: docs/rules-2.6.md section 6 (P3b).
"""

from vmacheck.model.common.lookup import mpol_equal, vma_next
from vmacheck.model.common.mm import NULL


def flags_may_share(near_flags, vm_flags):
    """Do the flags differ? Any difference may share: the comment was about protection, the code is not."""
    return near_flags != vm_flags


def shares_with(mm, near, vm_flags, file, pgoff, policy):
    """Does a new area share near's anon_vma, if near were to start at offset pgoff to touch it linearly?"""
    return (
        mm.vma[near].anon_vma != NULL
        and mm.vma[near].vm_file == file
        and mm.vma[near].vm_pgoff == pgoff
        and mpol_equal(mm.vma[near].vm_policy, policy)
        and flags_may_share(mm.vma[near].vm_flags, vm_flags)
    )


def anon_vma_for_new_area(mm, prev, addr, end, vm_flags, file, pgoff, policy):
    """The anon_vma that an unmergeable new area starts with: the previous vma's, else the next one's."""
    if prev != NULL and mm.vma[prev].vm_end == addr:
        start = pgoff - (mm.vma[prev].vm_end - mm.vma[prev].vm_start)
        if shares_with(mm, prev, vm_flags, file, start, policy):
            return mm.vma[prev].anon_vma
    next = vma_next(mm, prev)
    if next != NULL and mm.vma[next].vm_start == end:
        if shares_with(mm, next, vm_flags, file, pgoff + (end - addr), policy):
            return mm.vma[next].anon_vma
    return NULL
