# SPDX-License-Identifier: GPL-2.0-only
"""mprotect does not report a hole."""


def sys_mprotect(mm, start, len, prot):
    vma = find_vma(mm, start)
    if vma == NULL or mm.vma[vma].vm_start > start:
        return 0
    end = mm.vma[vma].vm_end
    if end > start + len:
        end = start + len
    newflags = prot | (mm.vma[vma].vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC))
    prev = vma - 1
    if start > mm.vma[vma].vm_start:
        prev = vma
    if mprotect_fixup(mm, vma, prev, start, end, newflags) < 0:
        return -ENOMEM
    return 0
