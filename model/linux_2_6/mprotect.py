# SPDX-License-Identifier: GPL-2.0-only
"""mm/mprotect.c as of 2.6.7: sys_mprotect and mprotect_fixup (docs/rules-2.6.md sections 4.4 and 4.5)."""

from vmacheck.model.common.lookup import find_vma, vma_next
from vmacheck.model.common.mm import ENOMEM, NULL, VM_ACCOUNT, VM_EXEC, VM_READ, VM_SHARED, VM_WRITE
from vmacheck.model.linux_2_6.mmap import split_vma, vma_merge


def mprotect_fixup(mm, vma, prev, start, end, newflags):
    """Give [start, end) of vma newflags, merging if the flags change. Returns the new prev, or a negative errno.

    prev is vma itself if start is inside it, else the vma before. If the second split is refused, the first stays.
    """
    if newflags == mm.vma[vma].vm_flags:
        return vma
    accounted = mm.vma[vma].vm_flags & (VM_ACCOUNT | VM_WRITE | VM_SHARED)
    if (newflags & VM_WRITE) != 0 and accounted == 0:
        newflags = newflags | VM_ACCOUNT
    pgoff = mm.vma[vma].vm_pgoff + (start - mm.vma[vma].vm_start)
    merged = vma_merge(
        mm, prev, start, end, newflags, mm.vma[vma].anon_vma, mm.vma[vma].vm_file, pgoff, mm.vma[vma].vm_policy
    )
    if merged != NULL:
        mm.vma[merged].vm_flags = newflags
        return merged
    if start != mm.vma[vma].vm_start:
        error = split_vma(mm, vma, start, 1)
        if error != 0:
            return error
        vma = vma + 1
    if end != mm.vma[vma].vm_end:
        error = split_vma(mm, vma, end, 0)
        if error != 0:
            return error
    mm.vma[vma].vm_flags = newflags
    return vma


def sys_mprotect(mm, start, len, prot):
    """Set the protection of [start, start + len), vma by vma; those before a hole or an error stay changed."""
    if len == 0:
        return 0
    end = start + len
    vma = find_vma(mm, start)
    if vma == NULL or mm.vma[vma].vm_start > start:
        return -ENOMEM
    prev = vma - 1
    if start > mm.vma[vma].vm_start:
        prev = vma
    nstart = start
    while nstart < end:
        newflags = prot | (mm.vma[vma].vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC))
        tmp = end
        if mm.vma[vma].vm_end < end:
            tmp = mm.vma[vma].vm_end
        prev = mprotect_fixup(mm, vma, prev, nstart, tmp, newflags)
        if prev < 0:
            return prev
        nstart = tmp
        if nstart < mm.vma[prev].vm_end:
            nstart = mm.vma[prev].vm_end
        if nstart < end:
            vma = vma_next(mm, prev)
            if vma == NULL or mm.vma[vma].vm_start != nstart:
                return -ENOMEM
    return 0
