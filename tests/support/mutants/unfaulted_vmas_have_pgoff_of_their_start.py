# SPDX-License-Identifier: GPL-2.0-only
"""mmap forgets that the offset of anonymous memory is its address."""


def do_mmap_pgoff(mm, file, addr, len, prot, flags, pgoff):
    if do_munmap(mm, addr, len) != 0:
        return -ENOMEM
    vm_flags = prot
    if (vm_flags & VM_WRITE) != 0:
        vm_flags = vm_flags | VM_ACCOUNT
    if vma_merge(mm, find_vma_prev(mm, addr), addr, addr + len, vm_flags, NULL, NULL, 0, NULL) != NULL:
        return addr
    vma = kmem_cache_alloc_vma(mm)
    mm.vma[vma].vm_start = addr
    mm.vma[vma].vm_end = addr + len
    mm.vma[vma].vm_flags = vm_flags
    vma_link(mm, vma)
    return addr
