# SPDX-License-Identifier: GPL-2.0-only
"""mm: implement lightweight guard pages (6.13), and mm: allow guard regions in file-backed mappings (6.15).

MADV_GUARD_INSTALL drops pages, and leaves markers that no access gets past, until MADV_GUARD_REMOVE; both cut nothing.
For the page tables' sake the vma gets an anon_vma first. Replaces madvise_vma_behavior, is_madvise_behavior and
is_madv_discard. Rules: docs/rules-6.md section 4.5.
"""

from vmacheck.model.common.mm import EAGAIN, EINVAL, ENOMEM, MADV_DONTNEED
from vmacheck.model.linux.madvise import advised_flags, can_madvise_modify, madvise_dontneed
from vmacheck.model.linux.mm import (
    EPERM,
    MADV_DONTFORK,
    MADV_GUARD_INSTALL,
    MADV_GUARD_REMOVE,
    MADV_WIPEONFORK,
    VM_LOCKED,
    VM_SPECIAL,
)
from vmacheck.model.linux.rmap import anon_vma_prepare
from vmacheck.model.linux.vma import vma_modify_flags
from vmacheck.model.linux_2_6.memory import zap_page_range


def is_madvise_behavior(behavior):
    """Does the kernel know the advice?"""
    return behavior < 20 or behavior == MADV_GUARD_INSTALL or behavior == MADV_GUARD_REMOVE


def is_madv_discard(behavior):
    """Can the advice lose contents of memory? (mm/mseal.c)"""
    return (
        behavior == MADV_DONTNEED
        or behavior == MADV_DONTFORK
        or behavior == MADV_WIPEONFORK
        or behavior == MADV_GUARD_INSTALL
    )


def prepare_for_guards(mm, vma):
    """Prepare the vma for markers: give it an anon_vma."""
    anon_vma_prepare(mm, vma)


def madvise_guard_install(mm, vma, start, end):
    """Drop the pages of [start, end) of vma, and put markers there. vma, or -EINVAL if it is locked or special."""
    if mm.vma[vma].vm_flags & (VM_SPECIAL | VM_LOCKED):
        return -EINVAL
    prepare_for_guards(mm, vma)
    zap_page_range(mm, start, end)
    for page in range(start, end):
        mm.page[page].guard = 1
    return vma


def madvise_guard_remove(mm, vma, start, end):
    """Remove the markers of [start, end) of vma. vma, or -EINVAL if it is special."""
    if mm.vma[vma].vm_flags & VM_SPECIAL:
        return -EINVAL
    for page in range(start, end):
        mm.page[page].guard = 0
    return vma


def madvise_vma_behavior(mm, vma, start, end, behavior):
    """Apply the advice to [start, end) of vma. Returns the vma that it then is, or a negative errno."""
    if not can_madvise_modify(mm, vma, behavior):
        return -EPERM
    if behavior == MADV_DONTNEED:
        return madvise_dontneed(mm, vma, start, end)
    if behavior == MADV_GUARD_INSTALL:
        return madvise_guard_install(mm, vma, start, end)
    if behavior == MADV_GUARD_REMOVE:
        return madvise_guard_remove(mm, vma, start, end)
    new_flags = advised_flags(mm.vma[vma].vm_flags, mm.vma[vma].vm_file, behavior)
    if new_flags < 0 or new_flags == mm.vma[vma].vm_flags:
        return new_flags if new_flags < 0 else vma
    vma = vma_modify_flags(mm, vma, start, end, new_flags)
    return -EAGAIN if vma == -ENOMEM else vma
