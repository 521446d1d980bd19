# SPDX-License-Identifier: GPL-2.0-only
"""mm/madvise.c as of 2.6.7: hints, which cut and never merge, and MADV_DONTNEED (docs/rules-2.6.md section 4.7)."""

from vmacheck.model.common.lookup import find_vma
from vmacheck.model.common.mm import (
    EAGAIN,
    EINVAL,
    ENOMEM,
    MADV_DONTNEED,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    NULL,
    VM_LOCKED,
    VM_RAND_READ,
    VM_SEQ_READ,
)
from vmacheck.model.linux_2_6.memory import zap_page_range
from vmacheck.model.linux_2_6.mmap import split_vma


def madvise_behavior(mm, vma, start, end, behavior):
    """Set the hint of [start, end) of vma, which is cut even if nothing changes. 0 or -EAGAIN."""
    if start != mm.vma[vma].vm_start:
        if split_vma(mm, vma, start, 1) != 0:
            return -EAGAIN
        vma = vma + 1
    if end != mm.vma[vma].vm_end:
        if split_vma(mm, vma, end, 0) != 0:
            return -EAGAIN
    newflags = mm.vma[vma].vm_flags & ~(VM_SEQ_READ | VM_RAND_READ)
    if behavior == MADV_SEQUENTIAL:
        newflags = newflags | VM_SEQ_READ
    elif behavior == MADV_RANDOM:
        newflags = newflags | VM_RAND_READ
    mm.vma[vma].vm_flags = newflags
    return 0


def madvise_dontneed(mm, vma, start, end):
    """Drop the pages of [start, end) of vma; its anon_vma stays. 0, or -EINVAL if they are locked."""
    if mm.vma[vma].vm_flags & VM_LOCKED:
        return -EINVAL
    zap_page_range(mm, start, end)
    return 0


def madvise_vma(mm, vma, start, end, behavior):
    """Apply the advice to [start, end) of vma. 0 or a negative errno."""
    if behavior == MADV_DONTNEED:
        return madvise_dontneed(mm, vma, start, end)
    return madvise_behavior(mm, vma, start, end, behavior)


def sys_madvise(mm, start, len, behavior):
    """Apply the advice to [start, start + len), vma by vma. Holes are skipped, and end in -ENOMEM."""
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
            tmp = end
            if mm.vma[vma].vm_end < end:
                tmp = mm.vma[vma].vm_end
            error = madvise_vma(mm, vma, start, tmp, behavior)
            if error != 0:
                return error
            start = tmp
    return unmapped_error
