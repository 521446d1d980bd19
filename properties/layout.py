# SPDX-License-Identifier: GPL-2.0-only
"""The list of vmas is well formed (docs/rules-2.6.md section 7.1: I6, I7)."""

from vmacheck.model.common.mm import NR_VMAS, NULL, TASK_SIZE
from vmacheck.properties import always, sometimes


@sometimes
def two_vmas_exist(mm):
    """There are two vmas at the same time."""
    return mm.map_count > 1


@sometimes
def a_vma_is_unfaulted(mm):
    """There is a vma without an anon_vma."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].anon_vma == NULL:
            return True
    return False


@always(premise=two_vmas_exist)
def vmas_are_sorted_and_disjoint(mm):
    """The vmas are non-empty, in address order, disjoint, inside the address space, and map_count is their number."""
    last_end = 0
    for vma in range(1, NR_VMAS + 1):
        if vma <= mm.map_count:
            if mm.vma[vma].vm_start < last_end or mm.vma[vma].vm_end <= mm.vma[vma].vm_start:
                return False
            last_end = mm.vma[vma].vm_end
        elif mm.vma[vma].vm_start != 0 or mm.vma[vma].vm_end != 0 or mm.vma[vma].vm_flags != 0:
            return False
    return last_end <= TASK_SIZE


@always(premise=a_vma_is_unfaulted)
def unfaulted_vmas_have_pgoff_of_their_start(mm):
    """An anonymous vma without an anon_vma has its start address as its offset (I7)."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_file == NULL and mm.vma[vma].anon_vma == NULL:
            if mm.vma[vma].vm_pgoff != mm.vma[vma].vm_start:
                return False
    return True
