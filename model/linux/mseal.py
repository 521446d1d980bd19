# SPDX-License-Identifier: GPL-2.0-only
"""mm/mseal.c of 6.12 (docs/rules-6.md section 4.10)."""

from vmacheck.model.common.lookup import find_vma, vma_next
from vmacheck.model.common.mm import ENOMEM, NULL
from vmacheck.model.linux.mm import VM_SEALED
from vmacheck.model.linux.mmap import can_modify_vma
from vmacheck.model.linux.vma import vma_modify_flags


def check_mm_seal(mm, start, end):
    """Is all of [start, end) mapped?"""
    vma = find_vma(mm, start)
    while vma != NULL and mm.vma[vma].vm_start <= start:
        start = mm.vma[vma].vm_end
        if start >= end:
            return True
        vma = vma_next(mm, vma)
    return False


def do_mseal(mm, start, len):
    """Seal [start, start + len), which must be mapped in full. 0 or -ENOMEM."""
    if len == 0:
        return 0
    end = start + len
    if not check_mm_seal(mm, start, end):
        return -ENOMEM
    while start < end:
        vma = find_vma(mm, start)
        tmp = mm.vma[vma].vm_end if mm.vma[vma].vm_end < end else end
        if can_modify_vma(mm, vma):
            vma = vma_modify_flags(mm, vma, start, tmp, mm.vma[vma].vm_flags | VM_SEALED)
            if vma < 0:
                return vma
        start = mm.vma[vma].vm_end
    return 0
