# SPDX-License-Identifier: GPL-2.0-only
"""mm/mremap.c of 6.12 (docs/rules-6.md section 4.7, but for the order of its steps, which 6.17 changed)."""

from vmacheck.model.common.lookup import find_vma, vma_next
from vmacheck.model.common.mm import (
    EFAULT,
    EINVAL,
    ENOMEM,
    MAX_MAP_COUNT,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    NULL,
    TASK_SIZE,
    VM_DONTEXPAND,
    VM_LOCKED,
    VM_SHARED,
)
from vmacheck.model.common.pages import page_remove_rmap
from vmacheck.model.linux.mlock import mm_populate
from vmacheck.model.linux.mm import EPERM, MREMAP_DONTUNMAP, VM_LOCKED_MASK, VM_PFNMAP
from vmacheck.model.linux.mmap import can_modify_vma, do_munmap, vm_start_gap
from vmacheck.model.linux.rmap import unlink_anon_vmas
from vmacheck.model.linux.vma import __split_vma, copy_vma, vma_merge_extend

# ---- moving ------------------------------------------------------------------------------------


def get_unmapped_area(mm, len):
    """The lowest address with len unmapped pages, and a gap above them if the next vma grows down; or -ENOMEM."""
    addr = 0
    for vma in range(1, mm.map_count + 1):
        if vm_start_gap(mm, vma) < addr + len:
            addr = mm.vma[vma].vm_end
        else:
            return addr
    return addr if addr + len <= TASK_SIZE else -ENOMEM


def move_page_tables(mm, old_addr, new_addr, len):
    """Move the anonymous pages, and the markers, of [old_addr, old_addr + len) to new_addr.

    Pages keep their mapping and index.
    """
    for offset in range(len):
        mm.page[new_addr + offset].guard = mm.page[old_addr + offset].guard
        mm.page[old_addr + offset].guard = 0
        if mm.page[old_addr + offset].mapcount != 0:
            mm.page[new_addr + offset] = mm.page[old_addr + offset]
            page_remove_rmap(mm, old_addr + offset)


def dontunmap_complete(mm, old_addr, old_len, new_addr):
    """Leave the old place mapped: unlocked, and without an anon_vma if all of its vma was moved to another one."""
    vma = find_vma(mm, old_addr)
    mm.vma[vma].vm_flags = mm.vma[vma].vm_flags & ~VM_LOCKED_MASK
    is_new = mm.vma[vma].vm_start <= new_addr and new_addr < mm.vma[vma].vm_end
    if not is_new and mm.vma[vma].vm_start == old_addr and mm.vma[vma].vm_end == old_addr + old_len:
        unlink_anon_vmas(mm, vma)


def merges_with_source(flags):
    """May moved memory merge with the vma that it comes from? 6.12 refuses if that stays."""
    return (flags & MREMAP_DONTUNMAP) == 0


def cut_out(mm, vma, start, end):
    """Make [start, end) of vma a vma of its own, and return it."""
    if mm.vma[vma].vm_start < start:
        __split_vma(mm, vma, start, 1)
        vma = vma + 1
    if mm.vma[vma].vm_end > end:
        __split_vma(mm, vma, end, 0)
    return vma


def move_vma(mm, vma, old_addr, old_len, new_len, flags, new_addr):
    """Move [old_addr, old_addr + old_len) of vma to new_addr, with a new length. Returns new_addr or -ENOMEM."""
    if mm.map_count >= MAX_MAP_COUNT - 3:
        return -ENOMEM
    vm_flags = mm.vma[vma].vm_flags
    if (vm_flags & VM_LOCKED) != 0 and not merges_with_source(flags):
        # of a source that stays, 6.12 unlocks only the moved part
        vma = cut_out(mm, vma, old_addr, old_addr + old_len)
    pgoff = mm.vma[vma].vm_pgoff + (old_addr - mm.vma[vma].vm_start)
    copy_vma(mm, vma, new_addr, new_len, pgoff, merges_with_source(flags))
    move_page_tables(mm, old_addr, new_addr, old_len)
    if flags & MREMAP_DONTUNMAP:
        dontunmap_complete(mm, old_addr, old_len, new_addr)
        return new_addr
    do_munmap(mm, old_addr, old_len)
    if (vm_flags & VM_LOCKED) != 0 and new_len > old_len:
        mm_populate(mm, new_addr + old_len, new_addr + new_len)
    return new_addr


# ---- what may be moved, and where to -----------------------------------------------------------


def check_mremap_params(mm, addr, old_len, new_len, flags, new_addr):
    """Do the arguments allow the destination? 0 or a negative errno."""
    if new_len > TASK_SIZE or new_addr > TASK_SIZE - new_len:
        return -EINVAL
    if addr + old_len > new_addr and new_addr + new_len > addr:
        return -EINVAL
    # move_vma may need three more vmas, and would fail only after the destination is unmapped
    if mm.map_count + 2 >= MAX_MAP_COUNT - 3:
        return -ENOMEM
    return 0


def vma_to_resize(mm, addr, old_len, new_len, flags):
    """May [addr, addr + old_len) become new_len pages long? 0 or a negative errno."""
    vma = find_vma(mm, addr)
    if vma == NULL or mm.vma[vma].vm_start > addr:
        return -EFAULT
    if old_len == 0 and (mm.vma[vma].vm_flags & VM_SHARED) == 0:
        return -EINVAL
    if (flags & MREMAP_DONTUNMAP) != 0 and (mm.vma[vma].vm_flags & (VM_DONTEXPAND | VM_PFNMAP)) != 0:
        return -EINVAL
    if old_len > mm.vma[vma].vm_end - addr:
        return -EFAULT
    if new_len > old_len and (mm.vma[vma].vm_flags & (VM_DONTEXPAND | VM_PFNMAP)) != 0:
        return -EFAULT
    return 0


def mremap_to(mm, addr, old_len, new_len, flags, new_addr):
    """mremap to a given place, unmapping that and the part that is cut off before it looks at the source."""
    error = check_mremap_params(mm, addr, old_len, new_len, flags, new_addr)
    if error == 0 and (flags & MREMAP_FIXED) != 0:
        error = do_munmap(mm, new_addr, new_len)
    if error == 0 and old_len > new_len:
        error = do_munmap(mm, addr + new_len, old_len - new_len)
        old_len = new_len
    if error == 0:
        error = vma_to_resize(mm, addr, old_len, new_len, flags)
    if error != 0:
        return error
    return move_vma(mm, find_vma(mm, addr), addr, old_len, new_len, flags, new_addr)


def vma_expandable(mm, vma, delta):
    """Are there `delta` unmapped pages behind vma?"""
    end = mm.vma[vma].vm_end + delta
    next = vma_next(mm, vma)
    return end <= TASK_SIZE and (next == NULL or mm.vma[next].vm_start >= end)


def expand_vma(mm, addr, old_len, new_len, flags):
    """Grow in place if there is room, else move to where the kernel chooses, if allowed. The address or an errno."""
    vma = find_vma(mm, addr)
    if addr + old_len == mm.vma[vma].vm_end and vma_expandable(mm, vma, new_len - old_len):
        locked = mm.vma[vma].vm_flags & VM_LOCKED
        if vma_merge_extend(mm, vma, new_len - old_len) == NULL:
            return -ENOMEM
        if locked != 0:
            mm_populate(mm, addr + old_len, addr + new_len)
        return addr
    if (flags & MREMAP_MAYMOVE) == 0:
        return -ENOMEM
    new_addr = get_unmapped_area(mm, new_len)
    if new_addr < 0:
        return new_addr
    return move_vma(mm, vma, addr, old_len, new_len, flags, new_addr)


def do_mremap(mm, addr, old_len, new_len, flags, new_addr):
    """Resize [addr, addr + old_len), and move it. Returns its new address, or a negative errno."""
    if new_len == 0 or ((flags & MREMAP_DONTUNMAP) != 0 and old_len != new_len):
        return -EINVAL
    vma = find_vma(mm, addr)
    if vma == NULL or mm.vma[vma].vm_start > addr:
        return -EFAULT
    if not can_modify_vma(mm, vma):
        return -EPERM
    if flags & (MREMAP_FIXED | MREMAP_DONTUNMAP):
        return mremap_to(mm, addr, old_len, new_len, flags, new_addr)
    if old_len >= new_len:
        if old_len == new_len:
            return addr
        error = do_munmap(mm, addr + new_len, old_len - new_len)
        return error if error != 0 else addr
    error = vma_to_resize(mm, addr, old_len, new_len, flags)
    if error != 0:
        return error
    return expand_vma(mm, addr, old_len, new_len, flags)
