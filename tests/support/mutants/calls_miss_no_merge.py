# SPDX-License-Identifier: GPL-2.0-only
"""mprotect merges with the vma before only."""


def mprotect_fixup(mm, vma, prev, start, end, newflags):
    if newflags == mm.vma[vma].vm_flags:
        return vma
    if (newflags & VM_WRITE) != 0:
        newflags = newflags | VM_ACCOUNT
    anon_vma = mm.vma[vma].anon_vma
    pgoff = mm.vma[vma].vm_pgoff + (start - mm.vma[vma].vm_start)
    if prev != NULL and start == mm.vma[vma].vm_start and mm.vma[prev].vm_end == start:
        if can_vma_merge_after(mm, prev, newflags, anon_vma, NULL, pgoff):
            vma_adjust(mm, prev, mm.vma[prev].vm_start, end, mm.vma[prev].vm_pgoff, NULL)
            return prev
    if start != mm.vma[vma].vm_start:
        if split_vma(mm, vma, start, 1) != 0:
            return -ENOMEM
        vma = vma + 1
    if end != mm.vma[vma].vm_end:
        if split_vma(mm, vma, end, 0) != 0:
            return -ENOMEM
    mm.vma[vma].vm_flags = newflags
    return vma
