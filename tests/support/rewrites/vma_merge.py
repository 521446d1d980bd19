# SPDX-License-Identifier: GPL-2.0-only
"""vma_merge, written another way. The files next to it each replace one part, wrongly."""


def vma_merge(mm, prev, addr, end, vm_flags, anon_vma, file, pgoff, policy):
    """Test the two neighbours first, and then merge accordingly."""
    if (vm_flags & VM_SPECIAL) != 0:
        return NULL
    area = vma_next(mm, prev)
    next = area
    if area != NULL and mm.vma[area].vm_end == end:
        next = vma_next(mm, area)
    extends = False
    if prev != NULL:
        if mm.vma[prev].vm_end == addr and mm.vma[prev].vm_policy == policy:
            extends = can_vma_merge_after(mm, prev, vm_flags, anon_vma, file, pgoff)
    precedes = False
    if next != NULL:
        if end == mm.vma[next].vm_start and mm.vma[next].vm_policy == policy:
            precedes = can_vma_merge_before(mm, next, vm_flags, anon_vma, file, pgoff + end - addr)
    if not extends and not precedes:
        return NULL
    if not extends:
        if prev != NULL and mm.vma[prev].vm_end > addr:
            vma_adjust(mm, prev, mm.vma[prev].vm_start, addr, mm.vma[prev].vm_pgoff, NULL)
        else:
            extend_down(mm, area, next, addr, pgoff)
        return area
    start = mm.vma[prev].vm_start
    if precedes and may_be_joined(mm, prev, next):
        vma_adjust(mm, prev, start, mm.vma[next].vm_end, mm.vma[prev].vm_pgoff, NULL)
    else:
        vma_adjust(mm, prev, start, end, mm.vma[prev].vm_pgoff, NULL)
    return prev


def extend_down(mm, area, next, addr, pgoff):
    """Make area, which is next itself after a hole, reach from addr to the end of next."""
    vma_adjust(mm, area, addr, mm.vma[next].vm_end, pgoff, NULL)


def may_be_joined(mm, prev, next):
    """May the vmas on both sides be one?"""
    return is_mergeable_anon_vma(mm.vma[next].anon_vma, mm.vma[prev].anon_vma)
