# SPDX-License-Identifier: GPL-2.0-only
"""mm/mempolicy.c as of 2.6.7, as far as sys_mbind goes, which cuts and never merges (docs/rules-2.6.md section 4.7)."""

from vmacheck.model.common.lookup import find_vma, vma_next
from vmacheck.model.common.mm import EFAULT, NULL
from vmacheck.model.linux_2_6.mmap import split_vma


def check_range(mm, start, end):
    """The first vma of [start, end), or -EFAULT. Holes before it, or with a vma anywhere after them, go unnoticed,
    except between two vmas of the range."""
    first = find_vma(mm, start)
    if first == NULL:
        return -EFAULT
    prev = NULL
    vma = first
    while vma != NULL and mm.vma[vma].vm_start < end:
        if vma_next(mm, vma) == NULL and mm.vma[vma].vm_end < end:
            return -EFAULT
        if prev != NULL and mm.vma[prev].vm_end < mm.vma[vma].vm_start:
            return -EFAULT
        prev = vma
        vma = vma_next(mm, vma)
    return first


def mbind_range(mm, vma, start, end, policy):
    """Give the vmas of [start, end), from vma on, the policy, cutting the first and the last. 0 or -ENOMEM."""
    while vma != NULL and mm.vma[vma].vm_start < end:
        if mm.vma[vma].vm_start < start:
            error = split_vma(mm, vma, start, 1)
            if error != 0:
                return error
            vma = vma + 1
        if mm.vma[vma].vm_end > end:
            error = split_vma(mm, vma, end, 0)
            if error != 0:
                return error
        mm.vma[vma].vm_policy = policy
        vma = vma_next(mm, vma)
    return 0


def sys_mbind(mm, start, len, policy):
    """Set the memory policy of [start, start + len); NULL is the default one. 0 or a negative errno."""
    if len == 0:
        return 0
    end = start + len
    vma = check_range(mm, start, end)
    if vma < 0:
        return vma
    return mbind_range(mm, vma, start, end, policy)
