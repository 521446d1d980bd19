# SPDX-License-Identifier: GPL-2.0-only
"""mm/mremap.c as of 2.6.7: do_mremap, move_vma, move_page_tables (docs/rules-2.6.md section 4.6)."""

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
    VM_ACCOUNT,
    VM_DONTEXPAND,
    VM_LOCKED,
)
from vmacheck.model.common.pages import page_remove_rmap
from vmacheck.model.linux_2_6.mlock import make_pages_present
from vmacheck.model.linux_2_6.mmap import copy_vma, do_munmap, get_unmapped_area, vma_adjust


def move_one_page(mm, old_addr, new_addr):
    """Move the page at old_addr to new_addr. Its mapping and its index stay."""
    mm.page[new_addr] = mm.page[old_addr]
    page_remove_rmap(mm, old_addr)


def move_page_tables(mm, new_addr, old_addr, len):
    """Move the anonymous pages of [old_addr, old_addr + len) to new_addr."""
    for offset in range(len):
        if mm.page[old_addr + offset].mapcount != 0:
            move_one_page(mm, old_addr + offset, new_addr + offset)


def move_vma(mm, vma, old_addr, old_len, new_len, new_addr):
    """Move [old_addr, old_addr + old_len) of vma to new_addr, with a new length. Returns new_addr or -ENOMEM."""
    if mm.map_count >= MAX_MAP_COUNT - 3:
        return -ENOMEM
    vm_flags = mm.vma[vma].vm_flags
    copy_vma(mm, vma, new_addr, new_len, mm.vma[vma].vm_pgoff + (old_addr - mm.vma[vma].vm_start))
    move_page_tables(mm, new_addr, old_addr, old_len)

    # VM_ACCOUNT is hidden while the old place is unmapped, so that the reservation moves along; then the one or
    # two remaining pieces of the vma get it back
    vma = find_vma(mm, old_addr)
    left_below = False
    left_above = False
    if vm_flags & VM_ACCOUNT:
        mm.vma[vma].vm_flags = mm.vma[vma].vm_flags & ~VM_ACCOUNT
        left_below = mm.vma[vma].vm_start < old_addr
        left_above = old_addr + old_len < mm.vma[vma].vm_end
    if do_munmap(mm, old_addr, old_len) == 0:
        if left_below:
            vma = find_vma(mm, old_addr - 1)
            mm.vma[vma].vm_flags = mm.vma[vma].vm_flags | VM_ACCOUNT
        if left_above:
            vma = find_vma(mm, old_addr + old_len)
            mm.vma[vma].vm_flags = mm.vma[vma].vm_flags | VM_ACCOUNT

    if (vm_flags & VM_LOCKED) != 0 and new_len > old_len:
        make_pages_present(mm, new_addr + old_len, new_addr + new_len)
    return new_addr


def is_bad_destination(addr, old_len, new_len, flags, new_addr):
    """Is MREMAP_FIXED refused: without MAYMOVE, out of range, or into the old place?"""
    if (flags & MREMAP_MAYMOVE) == 0 or new_len > TASK_SIZE or new_addr > TASK_SIZE - new_len:
        return True
    return (new_addr <= addr and new_addr + new_len > addr) or (addr <= new_addr and addr + old_len > new_addr)


def unmap_new_and_rest(mm, addr, old_len, new_len, flags, new_addr):
    """Unmap a fixed destination, and then the part that is cut off. 0 or a negative errno."""
    if new_len == 0:
        return -EINVAL
    if flags & MREMAP_FIXED:
        if is_bad_destination(addr, old_len, new_len, flags, new_addr):
            return -EINVAL
        error = do_munmap(mm, new_addr, new_len)
        if error != 0:
            return error
    if old_len >= new_len:
        error = do_munmap(mm, addr + new_len, old_len - new_len)
        if error != 0 and old_len != new_len:
            return error
    return 0


def do_mremap(mm, addr, old_len, new_len, flags, new_addr):
    """Resize [addr, addr + old_len), and move it. Returns its new address, or a negative errno.

    A fixed destination, and the part that is cut off, are unmapped before any other check.
    """
    error = unmap_new_and_rest(mm, addr, old_len, new_len, flags, new_addr)
    if error != 0:
        return error
    if old_len >= new_len:
        if (flags & MREMAP_FIXED) == 0 or new_addr == addr:
            return addr
        old_len = new_len

    vma = find_vma(mm, addr)
    if vma == NULL or mm.vma[vma].vm_start > addr:
        return -EFAULT
    if old_len > mm.vma[vma].vm_end - addr:
        return -EFAULT
    if (mm.vma[vma].vm_flags & VM_DONTEXPAND) != 0 and new_len > old_len:
        return -EFAULT

    is_last = old_len == mm.vma[vma].vm_end - addr
    if is_last and (flags & MREMAP_FIXED) == 0 and (old_len != new_len or (flags & MREMAP_MAYMOVE) == 0):
        max_addr = TASK_SIZE
        next = vma_next(mm, vma)
        if next != NULL:
            max_addr = mm.vma[next].vm_start
        if max_addr - addr >= new_len:
            vma_adjust(mm, vma, mm.vma[vma].vm_start, addr + new_len, mm.vma[vma].vm_pgoff, NULL)
            if mm.vma[vma].vm_flags & VM_LOCKED:
                make_pages_present(mm, addr + old_len, addr + new_len)
            return addr

    if (flags & MREMAP_MAYMOVE) == 0:
        return -ENOMEM
    if (flags & MREMAP_FIXED) == 0:
        new_addr = get_unmapped_area(mm, new_len)
        if new_addr < 0:
            return new_addr
    return move_vma(mm, vma, addr, old_len, new_len, new_addr)
