# SPDX-License-Identifier: GPL-2.0-only
"""Andrea Arcangeli's own engine (2.6.5-aa), to go with his sharing: mprotect and mremap as they were before rmap 36.

mprotect merges the changed part with the previous vma only, and only from the start of a vma; when its range ends with
a vma, it tries once more, at the end, to join the next one. mremap never merges, and moved memory keeps its offset,
even if never written. Replaces mprotect_fixup, sys_mprotect and copy_vma. Rules: docs/rules-2.6.md sections 4.5 and 6
(P3a).
"""

from vmacheck.model.common.lookup import find_vma, mpol_equal, vma_next
from vmacheck.model.common.mm import (
    ENOMEM,
    NULL,
    VM_ACCOUNT,
    VM_EXEC,
    VM_READ,
    VM_SHARED,
    VM_SPECIAL,
    VM_WRITE,
    VMA_MERGE_CASE_5,
    VMA_MERGE_CASE_6,
    VMA_MERGE_CASE_7,
    VMA_MERGE_CASE_8,
    count_vm_event,
)
from vmacheck.model.linux_2_6.mmap import (
    can_vma_merge_after,
    can_vma_merge_before,
    link_copy_of_vma,
    split_vma,
    vma_adjust,
)


def mprotect_attempt_merge(mm, vma, prev, end, newflags):
    """Make [start of vma, end) part of prev, the vma before, if the rules allow. Returns whether it did."""
    if (newflags & VM_SPECIAL) != 0 or prev == NULL or mm.vma[prev].vm_end != mm.vma[vma].vm_start:
        return False
    if not mpol_equal(mm.vma[prev].vm_policy, mm.vma[vma].vm_policy):
        return False
    if not can_vma_merge_after(mm, prev, newflags, mm.vma[vma].anon_vma, mm.vma[vma].vm_file, mm.vma[vma].vm_pgoff):
        return False
    if end == mm.vma[vma].vm_end:
        count_vm_event(mm, VMA_MERGE_CASE_7)
    else:
        count_vm_event(mm, VMA_MERGE_CASE_5)
    vma_adjust(mm, prev, mm.vma[prev].vm_start, end, mm.vma[prev].vm_pgoff, NULL)
    return True


def mprotect_attempt_merge_final(mm, prev, case):
    """Make the vma after prev part of it, if the rules allow."""
    next = vma_next(mm, prev)
    if next == NULL or mm.vma[prev].vm_end != mm.vma[next].vm_start or (mm.vma[prev].vm_flags & VM_SPECIAL) != 0:
        return
    pgoff = mm.vma[prev].vm_pgoff + (mm.vma[prev].vm_end - mm.vma[prev].vm_start)
    if mpol_equal(mm.vma[prev].vm_policy, mm.vma[next].vm_policy) and can_vma_merge_before(
        mm, next, mm.vma[prev].vm_flags, mm.vma[prev].anon_vma, mm.vma[prev].vm_file, pgoff
    ):
        count_vm_event(mm, case)
        vma_adjust(mm, prev, mm.vma[prev].vm_start, mm.vma[next].vm_end, mm.vma[prev].vm_pgoff, NULL)


def mprotect_fixup(mm, vma, prev, start, end, newflags):
    """Give [start, end) of vma newflags, joining it to prev, the vma before, if possible. The new prev, or an errno."""
    if newflags == mm.vma[vma].vm_flags:
        return vma
    accounted = mm.vma[vma].vm_flags & (VM_ACCOUNT | VM_WRITE | VM_SHARED)
    if (newflags & VM_WRITE) != 0 and accounted == 0:
        newflags = newflags | VM_ACCOUNT
    if start == mm.vma[vma].vm_start:
        if mprotect_attempt_merge(mm, vma, prev, end, newflags):
            return prev
    else:
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
    case = VMA_MERGE_CASE_8
    nstart = start
    while nstart < end:
        newflags = prot | (mm.vma[vma].vm_flags & ~(VM_READ | VM_WRITE | VM_EXEC))
        if mm.vma[vma].vm_end > end:
            prev = mprotect_fixup(mm, vma, prev, nstart, end, newflags)
            return prev if prev < 0 else 0
        tmp = mm.vma[vma].vm_end
        prev = mprotect_fixup(mm, vma, prev, nstart, tmp, newflags)
        if prev < 0:
            return prev
        case = VMA_MERGE_CASE_6 if prev != vma else VMA_MERGE_CASE_8
        nstart = tmp
        if nstart < end:
            vma = vma_next(mm, prev)
            if vma == NULL or mm.vma[vma].vm_start != nstart:
                return -ENOMEM
    mprotect_attempt_merge_final(mm, prev, case)
    return 0


def copy_vma(mm, vma, addr, len, pgoff):
    """A vma of its own for [addr, addr + len), to which pages of vma, from its offset pgoff on, are to be moved."""
    link_copy_of_vma(mm, vma, addr, len, pgoff)
