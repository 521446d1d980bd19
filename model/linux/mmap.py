# SPDX-License-Identifier: GPL-2.0-only
"""mm/mmap.c and mm/vma.c of 6.12: munmap, mmap and brk (docs/rules-6.md sections 4.1, 4.2 and 4.8)."""

from vmacheck.model.common.lookup import find_vma, find_vma_prev, kmem_cache_alloc_vma, vma_next
from vmacheck.model.common.mm import (
    EINVAL,
    ENOMEM,
    MAP_GROWSDOWN,
    MAP_NORESERVE,
    MAX_MAP_COUNT,
    NULL,
    TASK_SIZE,
    VM_ACCOUNT,
    VM_GROWSDOWN,
    VM_READ,
    VM_SHARED,
    VM_WRITE,
)
from vmacheck.model.linux.mlock import mm_populate
from vmacheck.model.linux.mm import (
    EPERM,
    MAP_LOCKED,
    MAP_POPULATE,
    MAP_SHARED,
    MAP_STACK,
    STACK_GUARD_GAP,
    VM_LOCKED,
    VM_NOHUGEPAGE,
    VM_NORESERVE,
    VM_SEALED,
)
from vmacheck.model.linux.shmem import shmem_zero_setup
from vmacheck.model.linux.vma import __split_vma, remove_vma, vma_link, vma_merge_new_range, vmg_init
from vmacheck.model.linux_2_6.memory import zap_page_range

# ---- munmap ------------------------------------------------------------------------------------


def can_modify_vma(mm, vma):
    """Is vma not sealed? (mm/mseal.c)"""
    return (mm.vma[vma].vm_flags & VM_SEALED) == 0


def vms_gather_munmap_vmas(mm, start, end):
    """Cut, so that [start, end) can be unmapped in whole vmas. 0 or a negative errno; cuts made by then stay."""
    vma = find_vma(mm, start)
    if vma != NULL and start > mm.vma[vma].vm_start:
        if end < mm.vma[vma].vm_end and mm.map_count >= MAX_MAP_COUNT:
            return -ENOMEM
        if not can_modify_vma(mm, vma):
            return -EPERM
        __split_vma(mm, vma, start, 1)
        vma = vma + 1
    while vma != NULL and mm.vma[vma].vm_start < end:
        if not can_modify_vma(mm, vma):
            return -EPERM
        if mm.vma[vma].vm_end > end:
            __split_vma(mm, vma, end, 0)
        vma = vma_next(mm, vma)
    return 0


def vms_complete_munmap_vmas(mm, start, end):
    """Unmap [start, end), which consists of whole vmas and holes."""
    zap_page_range(mm, start, end)
    for page in range(start, end):
        mm.page[page].guard = 0
    vma = vma_next(mm, find_vma_prev(mm, start))
    while vma != NULL and vma <= mm.map_count and mm.vma[vma].vm_start < end:
        remove_vma(mm, vma)


def do_munmap(mm, start, len):
    """Unmap [start, start + len). 0 or a negative errno."""
    if len == 0 or start > TASK_SIZE or len > TASK_SIZE - start:
        return -EINVAL
    error = vms_gather_munmap_vmas(mm, start, start + len)
    if error != 0:
        return error
    vms_complete_munmap_vmas(mm, start, start + len)
    return 0


# ---- mmap --------------------------------------------------------------------------------------


def accountable_mapping(vm_flags):
    """Is memory with these flags accounted: private, writable, and not exempt?"""
    return (vm_flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE


def calc_vm_flags(prot, flags):
    """The VM_ flags of a new mapping that follow from prot and flags; those of prot have the same bits."""
    vm_flags = prot
    if flags & MAP_NORESERVE:
        vm_flags = vm_flags | VM_NORESERVE
    if flags & MAP_STACK:
        vm_flags = vm_flags | VM_NOHUGEPAGE
    if flags & MAP_GROWSDOWN:
        vm_flags = vm_flags | VM_GROWSDOWN
    if flags & MAP_LOCKED:
        vm_flags = vm_flags | VM_LOCKED
    if flags & MAP_SHARED:
        vm_flags = vm_flags | VM_SHARED
    return vm_flags


def map_new_area(mm, addr, len, vm_flags, file, pgoff):
    """Map the hole [addr, addr + len), as part of its neighbours or as a vma of its own."""
    vmg_init(mm, addr, addr + len, vm_flags, pgoff, file, NULL, NULL)
    mm.vmg_prev = find_vma_prev(mm, addr)
    mm.vmg_next = vma_next(mm, mm.vmg_prev)
    if vma_merge_new_range(mm) == NULL:
        link_new_vma(mm, addr, len, vm_flags, file, pgoff)


def link_new_vma(mm, addr, len, vm_flags, file, pgoff):
    """Add a vma for [addr, addr + len), with an object of its own if it is shared without a file."""
    vma = kmem_cache_alloc_vma(mm)
    mm.vma[vma].vm_start = addr
    mm.vma[vma].vm_end = addr + len
    mm.vma[vma].vm_flags = vm_flags
    mm.vma[vma].vm_pgoff = pgoff
    mm.vma[vma].vm_file = file
    if (vm_flags & VM_SHARED) != 0 and file == NULL:
        shmem_zero_setup(mm, vma, len)
    vma_link(mm, vma)


def do_mmap(mm, file, addr, len, prot, flags, pgoff):
    """MAP_FIXED mapping of [addr, addr + len), private or shared: anonymous, or of a file from pgoff on.

    Returns addr or a negative errno. Old mappings are cut first, and unmapped only when nothing can fail any more.
    """
    if len == 0:
        return -EINVAL
    if addr > TASK_SIZE or len > TASK_SIZE - addr or mm.map_count > MAX_MAP_COUNT:
        return -ENOMEM
    vm_flags = calc_vm_flags(prot, flags)
    if (vm_flags & VM_GROWSDOWN) != 0 and (file != NULL or (vm_flags & VM_SHARED) != 0):
        return -EINVAL
    if file == NULL:
        pgoff = 0 if (vm_flags & VM_SHARED) != 0 else addr
    error = vms_gather_munmap_vmas(mm, addr, addr + len)
    if error != 0:
        return error
    if accountable_mapping(vm_flags):
        vm_flags = vm_flags | VM_ACCOUNT
    vms_complete_munmap_vmas(mm, addr, addr + len)
    map_new_area(mm, addr, len, vm_flags, file, pgoff)
    if flags & (MAP_POPULATE | MAP_LOCKED):
        mm_populate(mm, addr, addr + len)
    return addr


# ---- brk ---------------------------------------------------------------------------------------


def do_brk_flags(mm, addr, len):
    """Map memory for the heap: it extends the vma that ends at addr, if the rules allow, never the one that follows."""
    vm_flags = VM_READ | VM_WRITE | VM_ACCOUNT
    vmg_init(mm, addr, addr + len, vm_flags, addr, NULL, NULL, NULL)
    mm.vmg_prev = find_vma_prev(mm, addr)
    mm.vmg_next = vma_next(mm, mm.vmg_prev)
    mm.vmg_just_expand = 1
    if vma_merge_new_range(mm) == NULL:
        link_new_vma(mm, addr, len, vm_flags, NULL, addr)


def vm_start_gap(mm, vma):
    """The start of vma, less the gap that it keeps if it grows down."""
    if mm.vma[vma].vm_flags & VM_GROWSDOWN:
        return mm.vma[vma].vm_start - STACK_GUARD_GAP
    return mm.vma[vma].vm_start


def sys_brk(mm, brk):
    """Move the end of the heap, which starts at page 0, to brk. Returns the end, moved or not."""
    if brk <= mm.brk:
        if brk == mm.brk or do_munmap(mm, brk, mm.brk - brk) == 0:
            mm.brk = brk
        return mm.brk
    # no page may be mapped up to one beyond the new end
    vma = find_vma(mm, mm.brk)
    if vma != NULL and vm_start_gap(mm, vma) < brk + 1:
        return mm.brk
    if mm.map_count > MAX_MAP_COUNT:
        return mm.brk
    do_brk_flags(mm, mm.brk, brk - mm.brk)
    mm.brk = brk
    return mm.brk
