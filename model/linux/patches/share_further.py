# SPDX-License-Identifier: GPL-2.0-only
"""No kernel: current kernels, searching further afield for an anon_vma, as a comment of rmap 40 suggests.

If neither neighbour will do, the nearest vma that could be one with it, were everything between alike, gives its
anon_vma. Replaces find_mergeable_anon_vma.
"""

from vmacheck.model.common.lookup import mpol_equal, vma_next
from vmacheck.model.common.mm import NULL, VM_EXEC, VM_READ, VM_WRITE
from vmacheck.model.linux.mm import VM_STICKY
from vmacheck.model.linux.rmap import list_is_singular, reusable_anon_vma


def is_compatible(mm, vma, far):
    """Could vma and far become parts of one vma some day?"""
    return (
        mm.vma[far].anon_vma != NULL
        and list_is_singular(mm, far)
        and mpol_equal(mm.vma[vma].vm_policy, mm.vma[far].vm_policy)
        and mm.vma[vma].vm_file == mm.vma[far].vm_file
        and ((mm.vma[vma].vm_flags ^ mm.vma[far].vm_flags) & ~(VM_READ | VM_WRITE | VM_EXEC | VM_STICKY)) == 0
        and mm.vma[vma].vm_pgoff - mm.vma[vma].vm_start == mm.vma[far].vm_pgoff - mm.vma[far].vm_start
    )


def distance_between(mm, vma, far):
    """The distance between two vmas, in pages."""
    if far < vma:
        return mm.vma[vma].vm_start - mm.vma[far].vm_end
    return mm.vma[far].vm_start - mm.vma[vma].vm_end


def find_mergeable_anon_vma(mm, vma):
    """A touching neighbour's anon_vma, else that of the nearest compatible vma (of two, the one above), or NULL."""
    next = vma_next(mm, vma)
    anon_vma = NULL
    if next != NULL:
        anon_vma = reusable_anon_vma(mm, next, vma, next)
    if anon_vma == NULL and vma - 1 != NULL:
        anon_vma = reusable_anon_vma(mm, vma - 1, vma - 1, vma)
    if anon_vma != NULL:
        return anon_vma
    nearest = NULL
    for far in range(mm.map_count, 0, -1):
        if far != vma and is_compatible(mm, vma, far):
            if nearest == NULL or distance_between(mm, vma, far) < distance_between(mm, vma, nearest):
                nearest = far
    if nearest == NULL:
        return NULL
    return mm.vma[nearest].anon_vma
