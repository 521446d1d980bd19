# SPDX-License-Identifier: GPL-2.0-only
"""No kernel: current kernels with one anon_vma for the whole address space, the extreme that rmap 40 speaks of.

Replaces find_mergeable_anon_vma.
"""

from vmacheck.model.common.mm import NULL


def find_mergeable_anon_vma(mm, vma):
    """The process's anon_vma, or NULL if no vma has it yet."""
    for any in range(1, mm.map_count + 1):
        if mm.vma[any].anon_vma != NULL:
            return mm.vma[any].anon_vma
    return NULL
