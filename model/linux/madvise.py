# SPDX-License-Identifier: GPL-2.0-only
"""mm/madvise.c of 6.12: advice that changes flags, and merges; and MADV_DONTNEED (docs/rules-6.md section 4.5)."""

from vmacheck.model.common.lookup import find_vma
from vmacheck.model.common.mm import (
    EAGAIN,
    EINVAL,
    ENOMEM,
    MADV_DONTNEED,
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    NULL,
    VM_RAND_READ,
    VM_SEQ_READ,
    VM_SHARED,
    VM_WRITE,
)
from vmacheck.model.linux.mm import (
    EPERM,
    MADV_DODUMP,
    MADV_DOFORK,
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MADV_HUGEPAGE,
    MADV_KEEPONFORK,
    MADV_MERGEABLE,
    MADV_NOHUGEPAGE,
    MADV_UNMERGEABLE,
    MADV_WIPEONFORK,
    VM_DONTCOPY,
    VM_DONTDUMP,
    VM_HUGEPAGE,
    VM_LOCKED,
    VM_MERGEABLE,
    VM_NOHUGEPAGE,
    VM_WIPEONFORK,
)
from vmacheck.model.linux.mmap import can_modify_vma
from vmacheck.model.linux.vma import vma_modify_flags
from vmacheck.model.linux_2_6.memory import zap_page_range


def is_madv_discard(behavior):
    """Can the advice lose contents of memory? (mm/mseal.c)"""
    return behavior == MADV_DONTNEED or behavior == MADV_DONTFORK or behavior == MADV_WIPEONFORK


def can_madvise_modify(mm, vma, behavior):
    """Is vma not sealed against the advice? (mm/mseal.c)"""
    if not is_madv_discard(behavior) or can_modify_vma(mm, vma):
        return True
    return mm.vma[vma].vm_file != NULL or (mm.vma[vma].vm_flags & VM_WRITE) != 0


def advised_flags(vm_flags, file, behavior):
    """The flags that the advice gives to a vma with these flags and this file, or -EINVAL."""
    if behavior == MADV_NORMAL:
        return vm_flags & ~(VM_SEQ_READ | VM_RAND_READ)
    if behavior == MADV_SEQUENTIAL:
        return vm_flags & ~VM_RAND_READ | VM_SEQ_READ
    if behavior == MADV_RANDOM:
        return vm_flags & ~VM_SEQ_READ | VM_RAND_READ
    if behavior == MADV_DONTFORK:
        return vm_flags | VM_DONTCOPY
    if behavior == MADV_DOFORK:
        return vm_flags & ~VM_DONTCOPY
    if behavior == MADV_WIPEONFORK:
        return -EINVAL if file != NULL or (vm_flags & VM_SHARED) != 0 else vm_flags | VM_WIPEONFORK
    if behavior == MADV_KEEPONFORK:
        return vm_flags & ~VM_WIPEONFORK
    if behavior == MADV_DONTDUMP:
        return vm_flags | VM_DONTDUMP
    if behavior == MADV_DODUMP:
        return vm_flags & ~VM_DONTDUMP
    if behavior == MADV_MERGEABLE:
        return vm_flags if (vm_flags & VM_SHARED) != 0 else vm_flags | VM_MERGEABLE
    if behavior == MADV_UNMERGEABLE:
        return vm_flags & ~VM_MERGEABLE
    if behavior == MADV_HUGEPAGE:
        return vm_flags & ~VM_NOHUGEPAGE | VM_HUGEPAGE
    if behavior == MADV_NOHUGEPAGE:
        return vm_flags & ~VM_HUGEPAGE | VM_NOHUGEPAGE
    return -EINVAL


def madvise_dontneed(mm, vma, start, end):
    """Drop the pages of [start, end) of vma; its anon_vma stays. Returns vma, or -EINVAL if they are locked."""
    if mm.vma[vma].vm_flags & VM_LOCKED:
        return -EINVAL
    zap_page_range(mm, start, end)
    return vma


def madvise_vma_behavior(mm, vma, start, end, behavior):
    """Apply the advice to [start, end) of vma. Returns the vma that it then is, or a negative errno."""
    if not can_madvise_modify(mm, vma, behavior):
        return -EPERM
    if behavior == MADV_DONTNEED:
        return madvise_dontneed(mm, vma, start, end)
    new_flags = advised_flags(mm.vma[vma].vm_flags, mm.vma[vma].vm_file, behavior)
    if new_flags < 0 or new_flags == mm.vma[vma].vm_flags:
        return new_flags if new_flags < 0 else vma
    vma = vma_modify_flags(mm, vma, start, end, new_flags)
    return -EAGAIN if vma == -ENOMEM else vma


def is_madvise_behavior(behavior):
    """Does the kernel know the advice?"""
    return behavior < 20


def do_madvise(mm, start, len, behavior):
    """Apply the advice to [start, start + len), vma by vma. Holes are skipped, and end in -ENOMEM."""
    if not is_madvise_behavior(behavior):
        return -EINVAL
    end = start + len
    unmapped_error = 0
    while start < end:
        vma = find_vma(mm, start)
        if vma == NULL:
            return -ENOMEM
        if start < mm.vma[vma].vm_start:
            unmapped_error = -ENOMEM
            start = mm.vma[vma].vm_start
        if start < end:
            tmp = mm.vma[vma].vm_end if mm.vma[vma].vm_end < end else end
            vma = madvise_vma_behavior(mm, vma, start, tmp, behavior)
            if vma < 0:
                return vma
            # a merged vma may end beyond the advised range
            start = mm.vma[vma].vm_end if mm.vma[vma].vm_end > tmp else tmp
    return unmapped_error
