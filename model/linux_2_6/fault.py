# SPDX-License-Identifier: GPL-2.0-only
"""arch/i386/mm/fault.c as of 2.6.7: which user accesses are allowed (docs/rules-2.6.md section 4.9)."""

from vmacheck.model.common.lookup import find_vma
from vmacheck.model.common.mm import EFAULT, NULL, VM_EXEC, VM_READ, VM_WRITE
from vmacheck.model.linux_2_6.memory import handle_mm_fault


def do_page_fault(mm, address, write_access):
    """User access to address. 0, or -EFAULT where the process would get SIGSEGV."""
    vma = find_vma(mm, address)
    if vma == NULL or mm.vma[vma].vm_start > address:
        return -EFAULT
    if write_access:
        if (mm.vma[vma].vm_flags & VM_WRITE) == 0:
            return -EFAULT
    elif (mm.vma[vma].vm_flags & (VM_READ | VM_EXEC)) == 0:
        # i386 maps a write-only area readable: an existing page causes no fault and no error
        if (mm.vma[vma].vm_flags & VM_WRITE) == 0 or mm.page[address].mapcount == 0:
            return -EFAULT
    return handle_mm_fault(mm, vma, address, write_access)
