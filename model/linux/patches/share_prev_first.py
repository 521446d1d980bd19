# SPDX-License-Identifier: GPL-2.0-only
"""No kernel: current kernels with the other order. The previous vma is tried before the next one.

Replaces find_mergeable_anon_vma.
"""

from vmacheck.model.common.lookup import vma_next
from vmacheck.model.common.mm import NULL
from vmacheck.model.linux.rmap import reusable_anon_vma


def find_mergeable_anon_vma(mm, vma):
    """An anon_vma that vma can share: that of the previous vma, else of the next one, or NULL."""
    prev = vma - 1
    if prev != NULL:
        anon_vma = reusable_anon_vma(mm, prev, prev, vma)
        if anon_vma != NULL:
            return anon_vma
    next = vma_next(mm, vma)
    if next != NULL:
        return reusable_anon_vma(mm, next, vma, next)
    return NULL
