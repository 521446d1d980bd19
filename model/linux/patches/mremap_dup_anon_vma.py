# SPDX-License-Identifier: GPL-2.0-only
"""mm/vma: fix anon_vma UAF on mremap() faulted, unfaulted merge (13 January 2026, and in 6.18.y).

A vma that mremap moves may be merged, at its new place, into neighbours without an anon_vma. Its pages hang from the
anon_vma of the source, so the merged vma has to get it; and a source of a fork must not be merged like this.
Replaces vma_expand and is_mergeable_anon_vma. Rules: docs/rules-6.md sections 2 and 3.
"""

from vmacheck.model.common.mm import NULL
from vmacheck.model.linux.mm import VM_STICKY
from vmacheck.model.linux.rmap import vma_is_fork_child
from vmacheck.model.linux.vma import dup_anon_vma, remove_vma


def is_mergeable_anon_vma(mm, vma):
    """May vma and the area share one anon_vma? If one lacks an anon_vma, only if the other is not of a fork."""
    if mm.vma[vma].anon_vma == NULL and mm.vmg_anon_vma != NULL:
        return not vma_is_fork_child(mm, mm.vmg_middle) and not vma_is_fork_child(mm, mm.vmg_copied_from)
    if mm.vma[vma].anon_vma != NULL and mm.vmg_anon_vma == NULL:
        return not vma_is_fork_child(mm, vma)
    return mm.vma[vma].anon_vma == mm.vmg_anon_vma


def vma_expand(mm):
    """Give the target the area, and, if the area ends with it, all of the next vma, which then goes.

    Memory that mremap moves there brings its anon_vma.
    """
    target = mm.vmg_target
    next = mm.vmg_next
    remove_next = next != NULL and target != next and mm.vmg_end == mm.vma[next].vm_end
    sticky = mm.vmg_flags
    if remove_next:
        sticky = sticky | mm.vma[next].vm_flags
        dup_anon_vma(mm, target, next)
    if mm.vmg_copied_from != NULL:
        dup_anon_vma(mm, target, mm.vmg_copied_from)
    mm.vma[target].vm_start = mm.vmg_start
    mm.vma[target].vm_end = mm.vmg_end
    mm.vma[target].vm_pgoff = mm.vmg_pgoff
    mm.vma[target].vm_flags = mm.vma[target].vm_flags | sticky & VM_STICKY
    if remove_next:
        remove_vma(mm, next)
