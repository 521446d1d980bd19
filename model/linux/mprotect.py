# SPDX-License-Identifier: GPL-2.0-only
"""mm/mprotect.c of 6.12 (docs/rules-6.md sections 4.3 and 4.4)."""

from vmacheck.model.common.lookup import find_vma, vma_next
from vmacheck.model.common.mm import ENOMEM, NULL, VM_ACCOUNT, VM_EXEC, VM_READ, VM_SHARED, VM_WRITE
from vmacheck.model.linux.mlock import populate_vma_page_range
from vmacheck.model.linux.mm import EPERM, VM_LOCKED, VM_NORESERVE
from vmacheck.model.linux.mmap import can_modify_vma
from vmacheck.model.linux.vma import vma_modify_flags


def flags_with_account(mm, vma, newflags):
    """newflags, with VM_ACCOUNT if vma first becomes writable, without it if not writable and never faulted."""
    oldflags = mm.vma[vma].vm_flags
    if newflags & VM_WRITE:
        if (oldflags & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE)) == 0:
            return newflags | VM_ACCOUNT
    elif (oldflags & VM_ACCOUNT) != 0 and mm.vma[vma].vm_file == NULL and mm.vma[vma].anon_vma == NULL:
        return newflags & ~VM_ACCOUNT
    return newflags


def mprotect_fixup(mm, vma, start, end, newflags):
    """Give [start, end) of vma newflags, merging if they change. Returns its new vma, or a negative errno."""
    oldflags = mm.vma[vma].vm_flags
    if not can_modify_vma(mm, vma):
        return -EPERM
    if newflags == oldflags:
        return vma
    newflags = flags_with_account(mm, vma, newflags)
    vma = vma_modify_flags(mm, vma, start, end, newflags)
    if vma < 0:
        return vma
    if (oldflags & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED and (newflags & VM_WRITE) != 0:
        populate_vma_page_range(mm, vma, start, end)
    return vma


def do_mprotect(mm, start, len, prot):
    """Set the protection of [start, start + len), vma by vma; those before a hole or an error stay changed."""
    if len == 0:
        return 0
    end = start + len
    vma = find_vma(mm, start)
    if vma == NULL or mm.vma[vma].vm_start > start:
        return -ENOMEM
    nstart = start
    while nstart < end:
        if vma == NULL or mm.vma[vma].vm_start > nstart:
            return -ENOMEM
        newflags = prot | (mm.vma[vma].vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC))
        tmp = mm.vma[vma].vm_end if mm.vma[vma].vm_end < end else end
        vma = mprotect_fixup(mm, vma, nstart, tmp, newflags)
        if vma < 0:
            return vma
        # a merged vma may end beyond the range
        nstart = mm.vma[vma].vm_end
        vma = vma_next(mm, vma)
    return 0
