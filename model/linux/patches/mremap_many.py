# SPDX-License-Identifier: GPL-2.0-only
"""mm/mremap: permit mremap() move of multiple VMAs (6.17).

A move to a fixed place that changes no size goes through vmas and holes, and takes each vma along by itself; holes stay
holes, and what lies in their place at the destination stays, too. All checks of a source come before its destination is
unmapped. What is moved may be merged with the vma that it comes from, which 6.18 does also where that stays, and 6.12
does not. Replaces do_mremap and merges_with_source. Rules: docs/rules-6.md section 4.7.
"""

from vmacheck.model.common.lookup import find_vma
from vmacheck.model.common.mm import EFAULT, EINVAL, MREMAP_FIXED, NULL, VM_DONTEXPAND, VM_SHARED
from vmacheck.model.linux.mm import EPERM, MREMAP_DONTUNMAP, VM_PFNMAP
from vmacheck.model.linux.mmap import can_modify_vma, do_munmap
from vmacheck.model.linux.mremap import check_mremap_params, expand_vma, move_vma


def merges_with_source(flags):
    """May what is moved be merged with the vma that it comes from?"""
    return True


def check_prep_vma(mm, addr, old_len, new_len, flags):
    """May [addr, addr + old_len) become so long, or be moved? 0 or a negative errno."""
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
    """Move [addr, addr + old_len), a part of one vma, to new_addr, where what is there is unmapped first."""
    error = do_munmap(mm, new_addr, new_len)
    if error == 0 and old_len > new_len:
        error = do_munmap(mm, addr + new_len, old_len - new_len)
        old_len = new_len
    vma = find_vma(mm, addr)
    if error == 0 and (vma == NULL or mm.vma[vma].vm_start > addr):
        # what was to be mapped again lay at its own destination
        error = -EFAULT
    if error != 0:
        return error
    return move_vma(mm, vma, addr, old_len, new_len, flags, new_addr)


def remap_move(mm, addr, len, flags, new_addr):
    """Move every vma of [addr, addr + len), the first page of which has to be mapped. new_addr or a negative errno."""
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
        # what was moved may have grown this vma: go on where it ended
        start = vm_end
        vma = find_vma(mm, start)
    return new_addr


def do_mremap(mm, addr, old_len, new_len, flags, new_addr):
    """Resize [addr, addr + old_len), and move it. The address that it has then, or a negative errno."""
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
