# SPDX-License-Identifier: GPL-2.0-only
"""vma_merge forgets cases 3 and 8: nothing grows downwards but over a boundary."""


def vma_merge(mm, prev, addr, end, vm_flags, anon_vma, file, pgoff, policy):
    next = vma_next(mm, prev)
    if next != NULL and mm.vma[next].vm_end == end:
        next = vma_next(mm, next)
    if prev == NULL or mm.vma[prev].vm_end != addr:
        return NULL
    if not can_vma_merge_after(mm, prev, vm_flags, anon_vma, file, pgoff):
        return NULL
    last = end
    if next != NULL and mm.vma[next].vm_start == end:
        if can_vma_merge_before(mm, next, vm_flags, anon_vma, file, pgoff + (end - addr)):
            if is_mergeable_anon_vma(mm.vma[prev].anon_vma, mm.vma[next].anon_vma):
                last = mm.vma[next].vm_end
    vma_adjust(mm, prev, mm.vma[prev].vm_start, last, mm.vma[prev].vm_pgoff, NULL)
    return prev
