# SPDX-License-Identifier: GPL-2.0-only
"""Only the next vma is tried."""


def find_mergeable_anon_vma(mm, vma):
    near = vma_next(mm, vma)
    if near == NULL:
        return NULL
    vm_flags = mm.vma[vma].vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC)
    vm_flags = vm_flags | (mm.vma[near].vm_flags & (VM_READ | VM_WRITE | VM_EXEC))
    if mm.vma[near].anon_vma == NULL or mm.vma[vma].vm_end != mm.vma[near].vm_start:
        return NULL
    if can_vma_merge_before(mm, near, vm_flags, NULL, NULL, mm.vma[vma].vm_end):
        return mm.vma[near].anon_vma
    return NULL
