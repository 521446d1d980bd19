# SPDX-License-Identifier: GPL-2.0-only
"""mm/mlock.c as of 2.6.7: mlock and munlock, which never merge (docs/rules-2.6.md section 4.7)."""

from vmacheck.model.common.lookup import find_vma
from vmacheck.model.common.mm import EAGAIN, EFAULT, ENOMEM, NULL, VM_LOCKED, VM_READ, VM_WRITE
from vmacheck.model.linux_2_6.memory import handle_mm_fault
from vmacheck.model.linux_2_6.mmap import split_vma


def make_pages_present(mm, addr, end):
    """Fault in [addr, end), which lies in one vma: by writes if it is writable. 0, or -EFAULT if it allows no access.

    mm/memory.c has it, on top of get_user_pages.
    """
    vma = find_vma(mm, addr)
    write = (mm.vma[vma].vm_flags & VM_WRITE) != 0
    if not write and (mm.vma[vma].vm_flags & VM_READ) == 0:
        return -EFAULT
    for address in range(addr, end):
        error = handle_mm_fault(mm, vma, address, write)
        if error != 0:
            return error
    return 0


def mlock_fixup(mm, vma, start, end, newflags):
    """Give [start, end) of vma newflags, cutting as needed, and fault it in for VM_LOCKED. 0 or a negative errno."""
    if newflags == mm.vma[vma].vm_flags:
        return 0
    if start != mm.vma[vma].vm_start:
        if split_vma(mm, vma, start, 1) != 0:
            return -EAGAIN
        vma = vma + 1
    if end != mm.vma[vma].vm_end:
        if split_vma(mm, vma, end, 0) != 0:
            return -EAGAIN
    mm.vma[vma].vm_flags = newflags
    if newflags & VM_LOCKED:
        return make_pages_present(mm, start, end)
    return 0


def do_mlock(mm, start, len, on):
    """Lock or unlock [start, start + len), vma by vma; those before a hole or an error stay changed."""
    if len == 0:
        return 0
    end = start + len
    vma = find_vma(mm, start)
    if vma == NULL or mm.vma[vma].vm_start > start:
        return -ENOMEM
    nstart = start
    while nstart < end:
        newflags = mm.vma[vma].vm_flags | VM_LOCKED
        if not on:
            newflags = newflags & ~VM_LOCKED
        tmp = end
        if mm.vma[vma].vm_end < end:
            tmp = mm.vma[vma].vm_end
        error = mlock_fixup(mm, vma, nstart, tmp, newflags)
        if error != 0:
            return error
        nstart = tmp
        if nstart < end:
            vma = find_vma(mm, nstart)
            if vma == NULL or mm.vma[vma].vm_start != nstart:
                return -ENOMEM
    return 0
