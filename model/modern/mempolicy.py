# SPDX-License-Identifier: GPL-2.0-only
"""mm/mempolicy.c of 6.12, as far as mbind goes, which merges (kernel-modern section 4.10)."""

from model.lookup import find_vma, mpol_equal
from model.mm import EFAULT
from model.modern.mseal import check_mm_seal
from model.modern.vma import vma_modify_policy


def do_mbind(mm, start, len, policy):
    """Set the memory policy of [start, start + len), all of which has to be mapped; NULL is the default one."""
    if len == 0:
        return 0
    end = start + len
    if not check_mm_seal(mm, start, end):
        return -EFAULT
    while start < end:
        vma = find_vma(mm, start)
        tmp = mm.vma[vma].vm_end if mm.vma[vma].vm_end < end else end
        if not mpol_equal(mm.vma[vma].vm_policy, policy):
            vma = vma_modify_policy(mm, vma, start, tmp, policy)
            if vma < 0:
                return vma
        start = mm.vma[vma].vm_end
    return 0
