# SPDX-License-Identifier: GPL-2.0-only
"""arch/x86/mm/fault.c of 6.12, and a part of mm/memory.c: which user accesses are allowed."""

from model.lookup import find_vma
from model.memory import do_no_page
from model.mm import EFAULT, NULL, VM_EXEC, VM_READ, VM_WRITE


def handle_mm_fault(mm, vma, address, write_access):
    """An access that vma allows: no marker may be there. A page that is there is the process's own."""
    if mm.page[address].guard != 0:
        return -EFAULT
    if mm.page[address].mapcount == 0:
        return do_no_page(mm, vma, address, write_access)
    return 0


def do_page_fault(mm, address, write_access):
    """User access to address. 0, or -EFAULT where the process would get a signal. What may be written may be read."""
    vma = find_vma(mm, address)
    if vma == NULL or mm.vma[vma].vm_start > address:
        return -EFAULT
    if write_access:
        if (mm.vma[vma].vm_flags & VM_WRITE) == 0:
            return -EFAULT
    elif (mm.vma[vma].vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) == 0:
        return -EFAULT
    return handle_mm_fault(mm, vma, address, write_access)
