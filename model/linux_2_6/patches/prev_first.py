# SPDX-License-Identifier: GPL-2.0-only
"""The patch with the other order: the previous vma is tried before the next one.

Replaces find_mergeable_anon_vma of rmap40. Rules: docs/rules-2.6.md section 7, C20.
"""

from vmacheck.model.common.mm import NULL
from vmacheck.model.linux_2_6.patches.rmap40 import mergeable_anon_vma_of_next, mergeable_anon_vma_of_prev


def find_mergeable_anon_vma(mm, vma):
    """The anon_vma of the previous, else of the next vma, if it touches vma and differs from it in R, W, X at most."""
    anon_vma = mergeable_anon_vma_of_prev(mm, vma)
    if anon_vma == NULL:
        anon_vma = mergeable_anon_vma_of_next(mm, vma)
    return anon_vma
