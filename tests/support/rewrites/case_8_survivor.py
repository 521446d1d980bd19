# SPDX-License-Identifier: GPL-2.0-only
"""Where the changed vma should swallow the next one, the next one swallows it."""


def extend_down(mm, area, next, addr, pgoff):
    if next == area:
        vma_adjust(mm, area, addr, mm.vma[next].vm_end, pgoff, NULL)
        return
    if mm.vma[area].anon_vma != NULL:
        __anon_vma_merge(mm, next, area)
    mm.vma[next].vm_start = addr
    mm.vma[next].vm_pgoff = pgoff
    kmem_cache_free_vma(mm, area)
