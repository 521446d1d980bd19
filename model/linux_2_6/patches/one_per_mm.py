# SPDX-License-Identifier: GPL-2.0-only
"""The patch's extreme: one anon_vma spans the whole address space, and every private vma that was written uses it.

It is allocated with the first vma that needs it and freed with the last. Replaces find_mergeable_anon_vma of rmap40.
Rules: docs/rules-2.6.md section 6 (P5).
"""

from vmacheck.model.common.mm import NULL


def find_mergeable_anon_vma(mm, vma):
    """The process's anon_vma, or NULL if no vma has it yet."""
    for any in range(1, mm.map_count + 1):
        if mm.vma[any].anon_vma != NULL:
            return mm.vma[any].anon_vma
    return NULL
