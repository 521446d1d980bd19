# SPDX-License-Identifier: GPL-2.0-only
"""mprotect propagate anon_vma (Hugh Dickins, 18 June 2004): the importer fix.

When mprotect moves the boundary between two vmas (cases 4 and 5), the one that grows takes in pages that may hang
from the other's anon_vma. If it has no anon_vma itself, it gets the other's. Replaces vma_adjust. Rules:
docs/rules-2.6.md section 3.3.
"""

from vmacheck.model.common.lookup import kmem_cache_free_vma, vma_next
from vmacheck.model.common.mm import NULL
from vmacheck.model.linux_2_6.mmap import vma_link
from vmacheck.model.linux_2_6.rmap import __anon_vma_merge, anon_vma_link


def vma_adjust(mm, vma, start, end, pgoff, insert):
    """Give vma new bounds, and adjust the vmas after it, including the anon_vma of an importer."""
    if insert == NULL:
        next = vma_next(mm, vma)
        while next != NULL and end >= mm.vma[next].vm_end:
            if mm.vma[next].anon_vma != NULL:
                __anon_vma_merge(mm, vma, next)
            kmem_cache_free_vma(mm, next)
            next = vma_next(mm, vma)
        if next != NULL and end > mm.vma[next].vm_start:
            adjust_next = end - mm.vma[next].vm_start
            mm.vma[next].vm_start = mm.vma[next].vm_start + adjust_next
            mm.vma[next].vm_pgoff = mm.vma[next].vm_pgoff + adjust_next
            import_anon_vma(mm, vma, next)
        elif end < mm.vma[vma].vm_end:
            adjust_next = mm.vma[vma].vm_end - end
            mm.vma[next].vm_start = mm.vma[next].vm_start - adjust_next
            mm.vma[next].vm_pgoff = mm.vma[next].vm_pgoff - adjust_next
            import_anon_vma(mm, next, vma)
    mm.vma[vma].vm_start = start
    mm.vma[vma].vm_end = end
    mm.vma[vma].vm_pgoff = pgoff
    if insert != NULL:
        vma_link(mm, insert)


def import_anon_vma(mm, importer, exporter):
    """The importer gets the exporter's anon_vma and joins its list, unless it has one (then they are the same)."""
    if mm.vma[importer].anon_vma == NULL:
        mm.vma[importer].anon_vma = mm.vma[exporter].anon_vma
        anon_vma_link(mm, importer)
