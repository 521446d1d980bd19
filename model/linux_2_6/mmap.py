# SPDX-License-Identifier: GPL-2.0-only
"""mm/mmap.c as of 2.6.7: vma_merge, vma_adjust, split_vma, copy_vma, and mmap, munmap and brk.

lookup.py says what a vma is. Rules: docs/rules-2.6.md sections 2.2, 3, 4.1 to 4.3 and 4.6; departures:
model/DEPARTURES.md.
"""

from vmacheck.model.common.lookup import (
    find_vma,
    find_vma_prev,
    kmem_cache_alloc_vma,
    kmem_cache_free_vma,
    mpol_equal,
    vma_next,
)
from vmacheck.model.common.mm import (
    COPY_VMA_MERGE,
    EINVAL,
    ENOMEM,
    MAP_NORESERVE,
    MAX_MAP_COUNT,
    NO_ROOM,
    NR_VMAS,
    NULL,
    SPLIT_VMA_ABOVE,
    SPLIT_VMA_BELOW,
    TASK_SIZE,
    VM_ACCOUNT,
    VM_READ,
    VM_SPECIAL,
    VM_WRITE,
    VMA_MERGE_CASE_1,
    VMA_MERGE_CASE_2,
    VMA_MERGE_CASE_3,
    VMA_MERGE_CASE_4,
    VMA_MERGE_CASE_5,
    VMA_MERGE_CASE_6,
    VMA_MERGE_CASE_7,
    VMA_MERGE_CASE_8,
    count_vm_event,
)
from vmacheck.model.linux_2_6.memory import zap_page_range
from vmacheck.model.linux_2_6.rmap import __anon_vma_merge, anon_vma_link, anon_vma_unlink

# ---- look-up -----------------------------------------------------------------------------------


def vm_start_of(mm, vma):
    """The start of vma, as find_vma_prev looks it up."""
    return mm.vma[vma].vm_start


# ---- may two areas be one? ---------------------------------------------------------------------


def is_mergeable_vma(mm, vma, file, vm_flags):
    """Does vma have the same file and exactly the same flags, VM_ACCOUNT included?"""
    return mm.vma[vma].vm_flags == vm_flags and mm.vma[vma].vm_file == file


def is_mergeable_anon_vma(anon_vma1, anon_vma2):
    """Is one of them NULL, or are both the same?"""
    return anon_vma1 == NULL or anon_vma2 == NULL or anon_vma1 == anon_vma2


def can_vma_merge_before(mm, vma, vm_flags, anon_vma, file, vm_pgoff):
    """May an area that ends where vma starts, and at offset vm_pgoff, become part of vma?"""
    return (
        is_mergeable_vma(mm, vma, file, vm_flags)
        and is_mergeable_anon_vma(anon_vma, mm.vma[vma].anon_vma)
        and mm.vma[vma].vm_pgoff == vm_pgoff
    )


def can_vma_merge_after(mm, vma, vm_flags, anon_vma, file, vm_pgoff):
    """May an area that starts where vma ends, at offset vm_pgoff, become part of vma?"""
    vm_pglen = mm.vma[vma].vm_end - mm.vma[vma].vm_start
    return (
        is_mergeable_vma(mm, vma, file, vm_flags)
        and is_mergeable_anon_vma(anon_vma, mm.vma[vma].anon_vma)
        and mm.vma[vma].vm_pgoff + vm_pglen == vm_pgoff
    )


def vma_merge(mm, prev, addr, end, vm_flags, anon_vma, file, pgoff, policy):
    """Make [addr, end) part of a neighbour if the rules allow, and return the vma it is now part of, or NULL.

    [addr, end) is either a hole (mmap), or lies in one vma whose flags differ from vm_flags (mprotect). prev is
    the vma that contains addr if addr is inside it, else the vma before. The cases, with P = prev, N = the vma
    after, X = the one after that, and * the range:

        hole:      P*N -> PPP  1    P*. -> PP.  2    .*N -> .NN  3
        in a vma:  P*NN with * cut from P's tail  -> PNNN  4    PP*N with * cut from N's head -> PPPN  5
                   P*X, * a whole vma  -> PPP  6    P*. -> PP  7    .*X -> .** (the changed vma swallows X)  8
    """
    if vm_flags & VM_SPECIAL:
        return NULL
    area = vma_next(mm, prev)
    next = area
    if next != NULL and mm.vma[next].vm_end == end:
        next = vma_next(mm, next)

    fits_prev = (
        prev != NULL
        and mm.vma[prev].vm_end == addr
        and mpol_equal(mm.vma[prev].vm_policy, policy)
        and can_vma_merge_after(mm, prev, vm_flags, anon_vma, file, pgoff)
    )
    fits_next = (
        next != NULL
        and mm.vma[next].vm_start == end
        and mpol_equal(policy, mm.vma[next].vm_policy)
        and can_vma_merge_before(mm, next, vm_flags, anon_vma, file, pgoff + (end - addr))
    )
    if fits_prev:
        if fits_next and is_mergeable_anon_vma(mm.vma[prev].anon_vma, mm.vma[next].anon_vma):
            if next == area:
                count_vm_event(mm, VMA_MERGE_CASE_1)
            else:
                count_vm_event(mm, VMA_MERGE_CASE_6)
            vma_adjust(mm, prev, mm.vma[prev].vm_start, mm.vma[next].vm_end, mm.vma[prev].vm_pgoff, NULL)
        else:
            if next != area:
                count_vm_event(mm, VMA_MERGE_CASE_7)
            elif area != NULL and mm.vma[area].vm_start < end:
                count_vm_event(mm, VMA_MERGE_CASE_5)
            else:
                count_vm_event(mm, VMA_MERGE_CASE_2)
            vma_adjust(mm, prev, mm.vma[prev].vm_start, end, mm.vma[prev].vm_pgoff, NULL)
        return prev
    if fits_next:
        if prev != NULL and addr < mm.vma[prev].vm_end:
            count_vm_event(mm, VMA_MERGE_CASE_4)
            vma_adjust(mm, prev, mm.vma[prev].vm_start, addr, mm.vma[prev].vm_pgoff, NULL)
        else:
            if next == area:
                count_vm_event(mm, VMA_MERGE_CASE_3)
            else:
                count_vm_event(mm, VMA_MERGE_CASE_8)
            vma_adjust(mm, area, addr, mm.vma[next].vm_end, mm.vma[next].vm_pgoff - (end - addr), NULL)
        return area
    return NULL


# ---- changing the list of vmas -----------------------------------------------------------------


def vma_link(mm, vma):
    """Put the allocated vma into the mm at its place in address order, and on its anon_vma's list."""
    prev = find_vma_prev(mm, mm.vma[vma].vm_start)
    if mm.map_count == NR_VMAS:
        NO_ROOM(mm)
        return
    for i in range(mm.map_count, prev, -1):
        mm.vma[i + 1] = mm.vma[i]
    mm.map_count = mm.map_count + 1
    mm.vma[prev + 1] = mm.vma[vma]
    anon_vma_link(mm, prev + 1)


def vma_adjust(mm, vma, start, end, pgoff, insert):
    """Give vma new bounds, and adjust the vmas after it.

    With `insert` (from split_vma) only the bounds change and `insert` is linked. Without, [start, end) may swallow
    the next vmas or move the boundary with the next one, which keeps its other end.
    """
    if insert == NULL:
        next = vma_next(mm, vma)
        while next != NULL and end >= mm.vma[next].vm_end:
            if mm.vma[next].anon_vma != NULL:
                __anon_vma_merge(mm, vma, next)
            kmem_cache_free_vma(mm, next)
            next = vma_next(mm, vma)
        if next != NULL and end > mm.vma[next].vm_start:
            adjust_next = end - mm.vma[next].vm_start
            mm.vma[next].vm_start = mm.vma[next].vm_start + adjust_next
            mm.vma[next].vm_pgoff = mm.vma[next].vm_pgoff + adjust_next
        elif end < mm.vma[vma].vm_end:
            adjust_next = mm.vma[vma].vm_end - end
            mm.vma[next].vm_start = mm.vma[next].vm_start - adjust_next
            mm.vma[next].vm_pgoff = mm.vma[next].vm_pgoff - adjust_next
    mm.vma[vma].vm_start = start
    mm.vma[vma].vm_end = end
    mm.vma[vma].vm_pgoff = pgoff
    if insert != NULL:
        vma_link(mm, insert)


def split_vma(mm, vma, addr, new_below):
    """Cut vma in two at addr; both halves have its anon_vma. 0 or -ENOMEM.

    The new struct is the lower half if new_below, and vma, now the upper half, has moved up to index vma + 1.
    """
    if mm.map_count >= MAX_MAP_COUNT:
        return -ENOMEM
    new = kmem_cache_alloc_vma(mm)
    mm.vma[new] = mm.vma[vma]
    mm.vma[new].anon_vma_node = NULL
    mm.vma[new].was = NULL
    if new_below:
        count_vm_event(mm, SPLIT_VMA_BELOW)
        mm.vma[new].vm_end = addr
        pgoff = mm.vma[vma].vm_pgoff + (addr - mm.vma[vma].vm_start)
        vma_adjust(mm, vma, addr, mm.vma[vma].vm_end, pgoff, new)
    else:
        count_vm_event(mm, SPLIT_VMA_ABOVE)
        mm.vma[new].vm_start = addr
        mm.vma[new].vm_pgoff = mm.vma[vma].vm_pgoff + (addr - mm.vma[vma].vm_start)
        vma_adjust(mm, vma, mm.vma[vma].vm_start, addr, mm.vma[vma].vm_pgoff, new)
    return 0


def link_copy_of_vma(mm, vma, addr, len, pgoff):
    """Put a copy of vma, with other bounds, into the mm, and on the list of the anon_vma that it shares."""
    new = kmem_cache_alloc_vma(mm)
    mm.vma[new] = mm.vma[vma]
    mm.vma[new].anon_vma_node = NULL
    mm.vma[new].was = NULL
    mm.vma[new].vm_start = addr
    mm.vma[new].vm_end = addr + len
    mm.vma[new].vm_pgoff = pgoff
    vma_link(mm, new)


def copy_vma(mm, vma, addr, len, pgoff):
    """A vma for [addr, addr + len), to which pages of vma, from its offset pgoff on, are about to be moved.

    It is merged with its neighbours if the rules allow: it may even swallow vma, or become part of it.
    """
    if mm.vma[vma].vm_file == NULL and mm.vma[vma].anon_vma == NULL:
        pgoff = addr  # never written: as if newly mapped there
    prev = find_vma_prev(mm, addr)
    merged = vma_merge(
        mm,
        prev,
        addr,
        addr + len,
        mm.vma[vma].vm_flags,
        mm.vma[vma].anon_vma,
        mm.vma[vma].vm_file,
        pgoff,
        mm.vma[vma].vm_policy,
    )
    if merged != NULL:
        count_vm_event(mm, COPY_VMA_MERGE)
        return
    link_copy_of_vma(mm, vma, addr, len, pgoff)


# ---- munmap ------------------------------------------------------------------------------------


def unmap_region(mm, start, end):
    """Unmap the pages of [start, end)."""
    zap_page_range(mm, start, end)


def do_munmap(mm, start, len):
    """Unmap [start, start + len). 0, -EINVAL, or -ENOMEM if a split was refused; a first split then stays."""
    if len == 0 or start > TASK_SIZE or len > TASK_SIZE - start:
        return -EINVAL
    end = start + len
    vma = find_vma(mm, start)
    if vma == NULL or mm.vma[vma].vm_start >= end:
        return 0
    if start > mm.vma[vma].vm_start:
        error = split_vma(mm, vma, start, 0)
        if error != 0:
            return error
    last = find_vma(mm, end)
    if last != NULL and end > mm.vma[last].vm_start:
        error = split_vma(mm, last, end, 1)
        if error != 0:
            return error
    vma = vma_next(mm, find_vma_prev(mm, start))
    unmap_region(mm, start, end)
    while vma != NULL and vma <= mm.map_count and mm.vma[vma].vm_start < end:
        anon_vma_unlink(mm, vma)
        kmem_cache_free_vma(mm, vma)
    return 0


# ---- mmap and brk ------------------------------------------------------------------------------


def get_unmapped_area(mm, len):
    """The lowest address with len unmapped pages, or -ENOMEM."""
    addr = 0
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start < addr + len:
            addr = mm.vma[vma].vm_end
        else:
            return addr
    return addr if addr + len <= TASK_SIZE else -ENOMEM


def anon_vma_for_new_area(mm, prev, addr, end, vm_flags, file, pgoff, policy):
    """The anon_vma that an unmergeable new area starts with: NULL."""
    return NULL


def map_new_area(mm, addr, len, vm_flags, file, pgoff):
    """Map the hole [addr, addr + len), as part of a neighbour or as a vma of its own."""
    prev = find_vma_prev(mm, addr)
    if vma_merge(mm, prev, addr, addr + len, vm_flags, NULL, file, pgoff, NULL) != NULL:
        return
    vma = kmem_cache_alloc_vma(mm)
    mm.vma[vma].vm_start = addr
    mm.vma[vma].vm_end = addr + len
    mm.vma[vma].vm_flags = vm_flags
    mm.vma[vma].vm_pgoff = pgoff
    mm.vma[vma].vm_file = file
    mm.vma[vma].anon_vma = anon_vma_for_new_area(mm, prev, addr, addr + len, vm_flags, file, pgoff, NULL)
    vma_link(mm, vma)


def calc_vm_flags(prot, flags):
    """The VM_ flags of a new mapping that follow from prot and flags; those of prot have the same bits."""
    return prot


def do_mmap_pgoff(mm, file, addr, len, prot, flags, pgoff):
    """MAP_PRIVATE MAP_FIXED mapping of [addr, addr + len): anonymous, or of a file from pgoff on.

    Returns addr or a negative errno.
    """
    if len == 0:
        return addr
    if mm.map_count > MAX_MAP_COUNT:
        return -ENOMEM
    if addr > TASK_SIZE or len > TASK_SIZE - addr:
        return -ENOMEM
    vm_flags = calc_vm_flags(prot, flags)
    if file == NULL:
        pgoff = addr
    vma = find_vma(mm, addr)
    if vma != NULL and mm.vma[vma].vm_start < addr + len:
        if do_munmap(mm, addr, len) != 0:
            return -ENOMEM
    if (flags & MAP_NORESERVE) == 0 and (vm_flags & VM_WRITE) != 0:
        vm_flags = vm_flags | VM_ACCOUNT
    map_new_area(mm, addr, len, vm_flags, file, pgoff)
    return addr


def do_brk(mm, addr, len):
    """Map anonymous memory for the heap, readable, writable and accounted. Returns addr or a negative errno."""
    if len == 0:
        return addr
    if addr > TASK_SIZE or len > TASK_SIZE - addr:
        return -EINVAL
    vma = find_vma(mm, addr)
    if vma != NULL and mm.vma[vma].vm_start < addr + len:
        if do_munmap(mm, addr, len) != 0:
            return -ENOMEM
    if mm.map_count > MAX_MAP_COUNT:
        return -ENOMEM
    map_new_area(mm, addr, len, VM_READ | VM_WRITE | VM_ACCOUNT, NULL, addr)
    return addr


def sys_brk(mm, brk):
    """Move the end of the heap, which starts at page 0, to brk. Returns the end, moved or not."""
    if brk <= mm.brk:
        if brk == mm.brk or do_munmap(mm, brk, mm.brk - brk) == 0:
            mm.brk = brk
        return mm.brk
    # no page may be mapped up to one beyond the new end
    vma = find_vma(mm, mm.brk)
    if vma != NULL and mm.vma[vma].vm_start < brk + 1:
        return mm.brk
    if do_brk(mm, mm.brk, brk - mm.brk) == mm.brk:
        mm.brk = brk
    return mm.brk
