# SPDX-License-Identifier: GPL-2.0-only
"""mm/vma: fix incorrectly disallowed anonymous VMA merges (879bca0a2c4f, 6.16).

A faulted area may be merged into an unfaulted neighbour; until then only the other way round was possible. A vma with
a chain of its own after a fork must not be merged: the check for one is on the side that has an anon_vma. Replaces
is_mergeable_anon_vma. Rules: docs/rules-6.md section 2.
"""

from vmacheck.model.common.mm import NULL
from vmacheck.model.linux.rmap import vma_is_fork_child


def is_mergeable_anon_vma(mm, vma):
    """May vma and the area share one anon_vma? If one lacks an anon_vma, only if the other is not of a fork."""
    if mm.vma[vma].anon_vma == NULL and mm.vmg_anon_vma != NULL:
        return not vma_is_fork_child(mm, mm.vmg_middle)
    if mm.vma[vma].anon_vma != NULL and mm.vmg_anon_vma == NULL:
        return not vma_is_fork_child(mm, vma)
    return mm.vma[vma].anon_vma == mm.vmg_anon_vma
