# SPDX-License-Identifier: GPL-2.0-only
"""arch/x86/mm/fault.c of 6.12, and parts of mm/memory.c and mm/mmap.c: allowed accesses, and growing down."""

from vmacheck.model.common.lookup import find_vma
from vmacheck.model.common.mm import EFAULT, ENOMEM, NULL, VM_EXEC, VM_GROWSDOWN, VM_READ, VM_SHARED, VM_WRITE
from vmacheck.model.linux.mm import EIO, STACK_GUARD_GAP
from vmacheck.model.linux.rmap import anon_vma_prepare
from vmacheck.model.linux.shmem import shmem_fault
from vmacheck.model.linux_2_6.memory import do_no_page


def handle_mm_fault(mm, vma, address, write_access):
    """Handle an access that vma allows; a marker refuses it. An existing page is the process's own."""
    if mm.page[address].guard != 0:
        return -EFAULT
    if mm.vma[vma].vm_flags & VM_SHARED:
        return shmem_fault(mm, vma, address)
    if mm.page[address].mapcount == 0:
        return do_no_page(mm, vma, address, write_access)
    return 0


def vma_is_accessible(mm, vma):
    """May vma be used at all?"""
    return (mm.vma[vma].vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) != 0


def expand_downwards(mm, vma, address):
    """Grow vma down to address, unless usable memory below it is too near. 0 or -ENOMEM. (mm/vma.c)

    It gets an anon_vma first, even if its offsets do not reach that far down; it is never merged.
    """
    prev = vma - 1
    if prev != NULL and (mm.vma[prev].vm_flags & VM_GROWSDOWN) == 0 and vma_is_accessible(mm, prev):
        if address - mm.vma[prev].vm_end < STACK_GUARD_GAP:
            return -ENOMEM
    anon_vma_prepare(mm, vma)
    grow = mm.vma[vma].vm_start - address
    if grow > mm.vma[vma].vm_pgoff:
        return -ENOMEM
    mm.vma[vma].vm_start = address
    mm.vma[vma].vm_pgoff = mm.vma[vma].vm_pgoff - grow
    return 0


def lock_mm_and_find_vma(mm, address):
    """The vma of address, grown down to it if needed, or NULL. (mm/mmap_lock.c)"""
    vma = find_vma(mm, address)
    if vma == NULL or mm.vma[vma].vm_start <= address:
        return vma
    if (mm.vma[vma].vm_flags & VM_GROWSDOWN) == 0 or expand_downwards(mm, vma, address) != 0:
        return NULL
    return vma


def access_remote_vm(mm, address):
    """Write to address through /proc/self/mem, which private memory allows whatever its protection. 0 or -EIO."""
    vma = lock_mm_and_find_vma(mm, address)
    if vma == NULL or (mm.vma[vma].vm_flags & (VM_SHARED | VM_WRITE)) == VM_SHARED:
        return -EIO
    return 0 if handle_mm_fault(mm, vma, address, True) == 0 else -EIO


def do_page_fault(mm, address, write_access):
    """User access to address. 0, or -EFAULT where the process would get a signal. Writable memory is readable."""
    vma = lock_mm_and_find_vma(mm, address)
    if vma == NULL:
        return -EFAULT
    if write_access:
        if (mm.vma[vma].vm_flags & VM_WRITE) == 0:
            return -EFAULT
    elif not vma_is_accessible(mm, vma):
        return -EFAULT
    return handle_mm_fault(mm, vma, address, write_access)
