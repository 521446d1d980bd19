# SPDX-License-Identifier: GPL-2.0-only
"""mm/mempolicy.c of 6.12, as far as mbind goes, which merges (docs/rules-6.md section 4.10)."""

from vmacheck.model.common.lookup import find_vma, mpol_equal, vma_next
from vmacheck.model.common.mm import EFAULT, NULL
from vmacheck.model.linux.mseal import check_mm_seal
from vmacheck.model.linux.vma import vma_modify_policy


def queue_pages_range(mm, start, end, policy):
    """May [start, end) get the policy? Holes are refused, except by the default one, which needs at least one vma."""
    if policy != NULL:
        return check_mm_seal(mm, start, end)
    vma = find_vma(mm, start)
    return vma != NULL and mm.vma[vma].vm_start < end


def do_mbind(mm, start, len, policy):
    """Set the memory policy of [start, start + len); NULL is the default one. 0 or a negative errno."""
    if len == 0:
        return 0
    end = start + len
    if not queue_pages_range(mm, start, end, policy):
        return -EFAULT
    vma = find_vma(mm, start)
    while vma != NULL and mm.vma[vma].vm_start < end:
        vmstart = mm.vma[vma].vm_start if mm.vma[vma].vm_start > start else start
        vmend = mm.vma[vma].vm_end if mm.vma[vma].vm_end < end else end
        if not mpol_equal(mm.vma[vma].vm_policy, policy):
            vma = vma_modify_policy(mm, vma, vmstart, vmend, policy)
            if vma < 0:
                return vma
        vma = vma_next(mm, vma)
    return 0
