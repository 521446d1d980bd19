# SPDX-License-Identifier: GPL-2.0-only
"""mm/mremap: permit mremap() move of multiple VMAs (6.17).

A move to a fixed place that changes no size goes through vmas and holes, and moves vma by vma; at the destination,
memory in the place of holes stays. All checks of a source precede the unmapping of its destination. Moved memory may
merge with the vma that it comes from, in 6.18 also where that stays, in 6.12 not. Replaces do_mremap and
merges_with_source. Rules: docs/rules-6.md section 4.7.
"""

from vmacheck.model.common.lookup import find_vma
from vmacheck.model.common.mm import EFAULT, EINVAL, MREMAP_FIXED, NULL, VM_DONTEXPAND, VM_SHARED
from vmacheck.model.linux.mm import EPERM, MREMAP_DONTUNMAP, VM_PFNMAP
from vmacheck.model.linux.mmap import can_modify_vma, do_munmap
from vmacheck.model.linux.mremap import check_mremap_params, expand_vma, move_vma


def merges_with_source(flags):
    """May moved memory merge with the vma that it comes from?"""
    return True


def check_prep_vma(mm, addr, old_len, new_len, flags):
    """May [addr, addr + old_len) become new_len pages long, or be moved? 0 or a negative errno."""
    vma = find_vma(mm, addr)
    if vma == NULL or mm.vma[vma].vm_start > addr:
        return -EFAULT
    if not can_modify_vma(mm, vma):
        return -EPERM
    if new_len <= old_len and (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == 0:
        return 0
    if old_len == 0 and (mm.vma[vma].vm_flags & VM_SHARED) == 0:
        return -EINVAL
    is_special = (mm.vma[vma].vm_flags & (VM_DONTEXPAND | VM_PFNMAP)) != 0
    if is_special and (flags & MREMAP_DONTUNMAP) != 0:
        return -EINVAL
    kept = new_len if new_len < old_len else old_len
    if kept > mm.vma[vma].vm_end - addr:
        return -EFAULT
    if is_special and new_len > old_len:
        return -EFAULT
    return 0


def move_one_vma(mm, addr, old_len, new_len, flags, new_addr):
    """Move [addr, addr + old_len), a part of one vma, to new_addr, unmapping that place first."""
    error = do_munmap(mm, new_addr, new_len)
    if error == 0 and old_len > new_len:
        error = do_munmap(mm, addr + new_len, old_len - new_len)
        old_len = new_len
    vma = find_vma(mm, addr)
    if error == 0 and (vma == NULL or mm.vma[vma].vm_start > addr):
        # a source to be mapped again lay at its own destination
        error = -EFAULT
    if error != 0:
        return error
    return move_vma(mm, vma, addr, old_len, new_len, flags, new_addr)


def remap_move(mm, addr, len, flags, new_addr):
    """Move every vma of [addr, addr + len), whose first page must be mapped. Returns new_addr or a negative errno."""
    end = addr + len
    start = addr
    vma = find_vma(mm, start)
    if vma == NULL or mm.vma[vma].vm_start > start:
        return -EFAULT
    while vma != NULL and start < end and mm.vma[vma].vm_start < end:
        if mm.vma[vma].vm_start > start:
            start = mm.vma[vma].vm_start
        vm_end = mm.vma[vma].vm_end
        piece = (vm_end if vm_end < end else end) - start
        error = check_prep_vma(mm, start, piece, piece, flags)
        if error == 0:
            error = move_one_vma(mm, start, piece, piece, flags, new_addr + (start - addr))
        if error < 0:
            return error
        # the move may have grown this vma: go on at its old end
        start = vm_end
        vma = find_vma(mm, start)
    return new_addr


def do_mremap(mm, addr, old_len, new_len, flags, new_addr):
    """Resize [addr, addr + old_len), and move it. Returns its new address, or a negative errno."""
    if new_len == 0:
        return -EINVAL
    moves = (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0
    if moves:
        if (flags & MREMAP_DONTUNMAP) != 0 and old_len != new_len:
            return -EINVAL
        error = check_mremap_params(mm, addr, old_len, new_len, flags, new_addr)
        if error != 0:
            return error
        if old_len == new_len:
            return remap_move(mm, addr, old_len, flags, new_addr)
    error = check_prep_vma(mm, addr, old_len, new_len, flags)
    if error != 0:
        return error
    if moves:
        return move_one_vma(mm, addr, old_len, new_len, flags, new_addr)
    if old_len == new_len:
        return addr
    if old_len > new_len:
        error = do_munmap(mm, addr + new_len, old_len - new_len)
        return error if error != 0 else addr
    return expand_vma(mm, addr, old_len, new_len, flags)
