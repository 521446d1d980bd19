# SPDX-License-Identifier: GPL-2.0-only
"""The patch, searching further afield for a compatible anon_vma, as a comment in it suggests.

If neither neighbour will do, the nearest vma of the process that differs in R, W, X at most and has the same file,
policy and linear offset gives its anon_vma: the two could merge, were everything between alike. Replaces
find_mergeable_anon_vma of rmap40. "Compatible" is the rule book's reading (section 6, P6); the patch has none.
"""

from vmacheck.model.common.lookup import mpol_equal
from vmacheck.model.common.mm import NULL
from vmacheck.model.linux_2_6.mmap import is_mergeable_vma
from vmacheck.model.linux_2_6.patches.rmap40 import (
    mergeable_anon_vma_of_next,
    mergeable_anon_vma_of_prev,
    with_protection_of,
)


def is_compatible(mm, vma, far):
    """Could vma and far become parts of one vma some day?"""
    return (
        mm.vma[far].anon_vma != NULL
        and mpol_equal(mm.vma[vma].vm_policy, mm.vma[far].vm_policy)
        and is_mergeable_vma(mm, far, mm.vma[vma].vm_file, with_protection_of(mm, vma, far))
        and mm.vma[vma].vm_pgoff - mm.vma[vma].vm_start == mm.vma[far].vm_pgoff - mm.vma[far].vm_start
    )


def distance_between(mm, vma, far):
    """The distance between two vmas, in pages."""
    if far < vma:
        return mm.vma[vma].vm_start - mm.vma[far].vm_end
    return mm.vma[far].vm_start - mm.vma[vma].vm_end


def find_mergeable_anon_vma(mm, vma):
    """A touching neighbour's anon_vma, else that of the nearest compatible vma (of two, the one above), or NULL."""
    anon_vma = mergeable_anon_vma_of_next(mm, vma)
    if anon_vma == NULL:
        anon_vma = mergeable_anon_vma_of_prev(mm, vma)
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
