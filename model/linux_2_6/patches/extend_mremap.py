# SPDX-License-Identifier: GPL-2.0-only
"""mremap that may span vmas, which the patch calls right: it works through touching vmas that are alike.

Vmas are alike if they have the same flags, file and policy, and in a file consecutive offsets: only their anon_vmas
can keep them apart. Replaces do_mremap. Rules: docs/rules-2.6.md section 7, C4.
"""

from vmacheck.model.common.lookup import find_vma, mpol_equal, vma_next
from vmacheck.model.common.mm import (
    EFAULT,
    ENOMEM,
    MAX_MAP_COUNT,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    NULL,
    TASK_SIZE,
    VM_DONTEXPAND,
    VM_LOCKED,
)
from vmacheck.model.linux_2_6.mlock import make_pages_present
from vmacheck.model.linux_2_6.mmap import get_unmapped_area, is_mergeable_vma, vma_adjust
from vmacheck.model.linux_2_6.mremap import move_vma, unmap_new_and_rest


def last_vma_of_source(mm, addr, len):
    """The last vma of [addr, addr + len), if that lies in touching vmas that are alike, or NULL."""
    vma = find_vma(mm, addr)
    if vma == NULL or mm.vma[vma].vm_start > addr:
        return NULL
    while mm.vma[vma].vm_end < addr + len:
        next = vma_next(mm, vma)
        if next == NULL or mm.vma[next].vm_start != mm.vma[vma].vm_end:
            return NULL
        if not is_mergeable_vma(mm, next, mm.vma[vma].vm_file, mm.vma[vma].vm_flags):
            return NULL
        if not mpol_equal(mm.vma[vma].vm_policy, mm.vma[next].vm_policy):
            return NULL
        pgoff = mm.vma[vma].vm_pgoff + (mm.vma[vma].vm_end - mm.vma[vma].vm_start)
        if mm.vma[vma].vm_file != NULL and mm.vma[next].vm_pgoff != pgoff:
            return NULL
        vma = next
    return vma


def grows_in_place(mm, last, addr, old_len, new_len):
    """Make the last vma longer, if the source ends with it and there is room. Returns whether it did."""
    if old_len != mm.vma[last].vm_end - addr:
        return False
    max_addr = TASK_SIZE
    next = vma_next(mm, last)
    if next != NULL:
        max_addr = mm.vma[next].vm_start
    if max_addr - addr < new_len:
        return False
    vma_adjust(mm, last, mm.vma[last].vm_start, addr + new_len, mm.vma[last].vm_pgoff, NULL)
    if mm.vma[last].vm_flags & VM_LOCKED:
        make_pages_present(mm, addr + old_len, addr + new_len)
    return True


def move_vmas(mm, addr, old_len, new_len, new_addr):
    """Move the source vma by vma; new pages come with the last. Returns new_addr or -ENOMEM."""
    offset = 0
    while offset < old_len:
        vma = find_vma(mm, addr + offset)
        len = old_len - offset
        more = new_len - old_len
        if mm.vma[vma].vm_end < addr + old_len:
            len = mm.vma[vma].vm_end - (addr + offset)
            more = 0
        moved = move_vma(mm, vma, addr + offset, len, len + more, new_addr + offset)
        if moved < 0:
            return moved
        offset = offset + len
    return new_addr


def do_mremap(mm, addr, old_len, new_len, flags, new_addr):
    """Resize [addr, addr + old_len), and move it. Returns its new address, or a negative errno."""
    error = unmap_new_and_rest(mm, addr, old_len, new_len, flags, new_addr)
    if error != 0:
        return error
    if old_len >= new_len:
        if (flags & MREMAP_FIXED) == 0 or new_addr == addr:
            return addr
        old_len = new_len

    last = last_vma_of_source(mm, addr, old_len)
    if last == NULL:
        return -EFAULT
    if (mm.vma[last].vm_flags & VM_DONTEXPAND) != 0 and new_len > old_len:
        return -EFAULT
    if (flags & MREMAP_FIXED) == 0 and grows_in_place(mm, last, addr, old_len, new_len):
        return addr
    if (flags & MREMAP_MAYMOVE) == 0 or mm.map_count >= MAX_MAP_COUNT - 3:
        return -ENOMEM
    if (flags & MREMAP_FIXED) == 0:
        new_addr = get_unmapped_area(mm, new_len)
        if new_addr < 0:
            return new_addr
    if old_len == 0:
        return move_vma(mm, last, addr, 0, new_len, new_addr)
    return move_vmas(mm, addr, old_len, new_len, new_addr)
