# SPDX-License-Identifier: GPL-2.0-only
"""mm/vma.c of 6.12: which areas may be one, merging, splitting, and copying a vma (docs/rules-6.md sections 2 and 3).

mm.vmg_* is the only struct vma_merge_struct: the area to merge, the vmas around it, and the result of a possible
merge. It is meaningful only during a merge.
"""

from vmacheck.model.common.lookup import (
    find_vma_prev,
    kmem_cache_alloc_vma,
    kmem_cache_free_vma,
    mpol_equal,
    vma_next,
)
from vmacheck.model.common.mm import (
    COPY_VMA_MERGE,
    ENOMEM,
    MAX_MAP_COUNT,
    NO_ROOM,
    NR_VMAS,
    NULL,
    SPLIT_VMA_ABOVE,
    SPLIT_VMA_BELOW,
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
from vmacheck.model.linux.mm import VM_SPECIAL, VM_STICKY
from vmacheck.model.linux.rmap import anon_vma_clone, list_is_singular, unlink_anon_vmas

# ---- may two areas be one? ---------------------------------------------------------------------


def vmg_init(mm, start, end, vm_flags, pgoff, file, policy, anon_vma):
    """Set the area to merge: [start, end), with these attributes. The vmas around it are set later."""
    mm.vmg_start = start
    mm.vmg_end = end
    mm.vmg_flags = vm_flags
    mm.vmg_pgoff = pgoff
    mm.vmg_file = file
    mm.vmg_policy = policy
    mm.vmg_anon_vma = anon_vma
    mm.vmg_prev = NULL
    mm.vmg_middle = NULL
    mm.vmg_next = NULL
    mm.vmg_target = NULL
    mm.vmg_copied_from = NULL
    mm.vmg_just_expand = False


def vmg_of_vma(mm, vma, start, end, vm_flags, pgoff):
    """Set the area to merge: a piece of vma, or a copy of one, with these flags."""
    vmg_init(mm, start, end, vm_flags, pgoff, mm.vma[vma].vm_file, mm.vma[vma].vm_policy, mm.vma[vma].anon_vma)


def is_mergeable_vma(mm, vma):
    """Is vma like the area in everything but its anon_vma and its place?"""
    return (
        mpol_equal(mm.vma[vma].vm_policy, mm.vmg_policy)
        and ((mm.vma[vma].vm_flags ^ mm.vmg_flags) & ~VM_STICKY) == 0
        and mm.vma[vma].vm_file == mm.vmg_file
    )


def is_mergeable_anon_vma(mm, vma):
    """May vma and the area share one anon_vma? If one lacks an anon_vma, only next to a vma whose chain is one link."""
    if mm.vma[vma].anon_vma == NULL or mm.vmg_anon_vma == NULL:
        if list_is_singular(mm, vma):
            return True
    return mm.vma[vma].anon_vma == mm.vmg_anon_vma


def are_anon_vmas_compatible(mm, vma1, vma2):
    """May both be part of one vma: do they have at most one anon_vma?"""
    return (
        mm.vma[vma1].anon_vma == NULL or mm.vma[vma2].anon_vma == NULL or mm.vma[vma1].anon_vma == mm.vma[vma2].anon_vma
    )


def can_vma_merge_before(mm):
    """May the area become part of the next vma, whose offset is that of the area's end?"""
    return (
        is_mergeable_vma(mm, mm.vmg_next)
        and is_mergeable_anon_vma(mm, mm.vmg_next)
        and mm.vma[mm.vmg_next].vm_pgoff == mm.vmg_pgoff + (mm.vmg_end - mm.vmg_start)
    )


def can_vma_merge_after(mm):
    """May the area become part of the previous vma, whose end has the offset of the area?"""
    vm_pglen = mm.vma[mm.vmg_prev].vm_end - mm.vma[mm.vmg_prev].vm_start
    return (
        is_mergeable_vma(mm, mm.vmg_prev)
        and is_mergeable_anon_vma(mm, mm.vmg_prev)
        and mm.vma[mm.vmg_prev].vm_pgoff + vm_pglen == mm.vmg_pgoff
    )


def can_vma_merge_left(mm):
    """Does the area touch the previous vma, and may it become part of it?"""
    return mm.vmg_prev != NULL and mm.vma[mm.vmg_prev].vm_end == mm.vmg_start and can_vma_merge_after(mm)


def can_vma_merge_right(mm, can_merge_left):
    """Does the area touch the next vma, and may it become part of it, and of the previous one if can_merge_left?"""
    if mm.vmg_next == NULL or mm.vma[mm.vmg_next].vm_start != mm.vmg_end or not can_vma_merge_before(mm):
        return False
    return not can_merge_left or are_anon_vmas_compatible(mm, mm.vmg_prev, mm.vmg_next)


# ---- changing the list of vmas -----------------------------------------------------------------


def clear_vma(mm, vma):
    """Zero a slot."""
    mm.vma[vma].vm_start = 0
    mm.vma[vma].vm_end = 0
    mm.vma[vma].vm_flags = 0
    mm.vma[vma].vm_pgoff = 0
    mm.vma[vma].vm_file = NULL
    mm.vma[vma].i_size = 0
    mm.vma[vma].vm_policy = NULL
    mm.vma[vma].anon_vma = NULL
    mm.vma[vma].anon_vma_node = NULL
    mm.vma[vma].was = NULL


def vma_link(mm, vma):
    """Put the allocated vma into the mm at its place in address order. Returns its index."""
    prev = find_vma_prev(mm, mm.vma[vma].vm_start)
    if mm.map_count == NR_VMAS:
        NO_ROOM(mm)
        return prev
    for i in range(mm.map_count, prev, -1):
        mm.vma[i + 1] = mm.vma[i]
    mm.map_count = mm.map_count + 1
    mm.vma[prev + 1] = mm.vma[vma]
    clear_vma(mm, vma)
    return prev + 1


def remove_vma(mm, vma):
    """Take vma off its lists and out of the mm; those above it move down by one."""
    unlink_anon_vmas(mm, vma)
    kmem_cache_free_vma(mm, vma)


def vm_area_dup(mm, vma):
    """A copy of vma, not yet on a list or part of the mm."""
    new = kmem_cache_alloc_vma(mm)
    mm.vma[new] = mm.vma[vma]
    mm.vma[new].anon_vma_node = NULL
    mm.vma[new].was = NULL
    return new


def dup_anon_vma(mm, dst, src):
    """Give dst, which is about to take in pages of src, the anon_vma of src if it has none."""
    if mm.vma[src].anon_vma != NULL and mm.vma[dst].anon_vma == NULL:
        mm.vma[dst].anon_vma = mm.vma[src].anon_vma
        anon_vma_clone(mm, dst, src)


def __split_vma(mm, vma, addr, new_below):
    """Cut vma in two at addr. With new_below, the new struct is the lower half, and vma moves to index vma + 1."""
    new = vm_area_dup(mm, vma)
    if new_below:
        count_vm_event(mm, SPLIT_VMA_BELOW)
        mm.vma[new].vm_end = addr
    else:
        count_vm_event(mm, SPLIT_VMA_ABOVE)
        mm.vma[new].vm_start = addr
        mm.vma[new].vm_pgoff = mm.vma[vma].vm_pgoff + (addr - mm.vma[vma].vm_start)
    anon_vma_clone(mm, new, vma)
    if new_below:
        mm.vma[vma].vm_pgoff = mm.vma[vma].vm_pgoff + (addr - mm.vma[vma].vm_start)
        mm.vma[vma].vm_start = addr
    else:
        mm.vma[vma].vm_end = addr
    vma_link(mm, new)


def split_vma(mm, vma, addr, new_below):
    """Cut vma in two at addr, unless at the limit on vmas. 0 or -ENOMEM."""
    if mm.map_count >= MAX_MAP_COUNT:
        return -ENOMEM
    __split_vma(mm, vma, addr, new_below)
    return 0


# ---- a new area --------------------------------------------------------------------------------


def vma_expand(mm):
    """Give the target the area, and, if the area ends with it, all of the next vma, which then goes."""
    target = mm.vmg_target
    next = mm.vmg_next
    remove_next = next != NULL and target != next and mm.vmg_end == mm.vma[next].vm_end
    sticky = mm.vmg_flags
    if remove_next:
        sticky = sticky | mm.vma[next].vm_flags
        dup_anon_vma(mm, target, next)
    mm.vma[target].vm_start = mm.vmg_start
    mm.vma[target].vm_end = mm.vmg_end
    mm.vma[target].vm_pgoff = mm.vmg_pgoff
    mm.vma[target].vm_flags = mm.vma[target].vm_flags | sticky & VM_STICKY
    if remove_next:
        remove_vma(mm, next)


def vma_merge_new_range(mm):
    """Make the area, a hole, part of its neighbours if the rules allow. Returns the vma it is then in, or NULL."""
    if mm.vmg_flags & VM_SPECIAL:
        return NULL
    can_merge_left = can_vma_merge_left(mm)
    can_merge_right = not mm.vmg_just_expand and can_vma_merge_right(mm, can_merge_left)
    if can_merge_right:
        mm.vmg_end = mm.vma[mm.vmg_next].vm_end
        mm.vmg_target = mm.vmg_next
    if can_merge_left:
        mm.vmg_start = mm.vma[mm.vmg_prev].vm_start
        mm.vmg_pgoff = mm.vma[mm.vmg_prev].vm_pgoff
        mm.vmg_target = mm.vmg_prev
    if mm.vmg_target == NULL:
        return NULL
    if can_merge_left and can_merge_right:
        count_vm_event(mm, VMA_MERGE_CASE_1)
    elif can_merge_left:
        count_vm_event(mm, VMA_MERGE_CASE_2)
    else:
        count_vm_event(mm, VMA_MERGE_CASE_3)
    vma_expand(mm)
    return mm.vmg_target


# ---- a part of a vma ---------------------------------------------------------------------------


def merge_into_both(mm, prev, middle, next):
    """Make prev take in middle and next. Returns the vma that they then are."""
    count_vm_event(mm, VMA_MERGE_CASE_6)
    if mm.vma[next].anon_vma != NULL:
        dup_anon_vma(mm, prev, next)
    else:
        dup_anon_vma(mm, prev, middle)
    sticky = mm.vmg_flags | mm.vma[next].vm_flags
    mm.vma[prev].vm_end = mm.vma[next].vm_end
    mm.vma[prev].vm_flags = mm.vma[prev].vm_flags | sticky & VM_STICKY
    remove_vma(mm, next)
    remove_vma(mm, middle)
    return prev


def merge_into_prev(mm, prev, middle):
    """Make prev take in the area, the start of middle; middle goes if the area is all of it. Returns prev."""
    dup_anon_vma(mm, prev, middle)
    mm.vma[prev].vm_end = mm.vmg_end
    mm.vma[prev].vm_flags = mm.vma[prev].vm_flags | mm.vmg_flags & VM_STICKY
    if mm.vmg_end == mm.vma[middle].vm_end:
        count_vm_event(mm, VMA_MERGE_CASE_7)
        remove_vma(mm, middle)
    else:
        count_vm_event(mm, VMA_MERGE_CASE_5)
        mm.vma[middle].vm_pgoff = mm.vma[middle].vm_pgoff + (mm.vmg_end - mm.vma[middle].vm_start)
        mm.vma[middle].vm_start = mm.vmg_end
    return prev


def merge_into_next(mm, middle, next):
    """Make next take in the area, the end of middle; middle goes if the area is all of it. Returns next."""
    dup_anon_vma(mm, next, middle)
    mm.vma[next].vm_pgoff = mm.vma[next].vm_pgoff - (mm.vmg_end - mm.vmg_start)
    mm.vma[next].vm_start = mm.vmg_start
    mm.vma[next].vm_flags = mm.vma[next].vm_flags | mm.vmg_flags & VM_STICKY
    if mm.vmg_start == mm.vma[middle].vm_start:
        count_vm_event(mm, VMA_MERGE_CASE_8)
        remove_vma(mm, middle)
        return middle
    count_vm_event(mm, VMA_MERGE_CASE_4)
    mm.vma[middle].vm_end = mm.vmg_start
    return next


def vma_merge_existing_range(mm):
    """Make the area, a part of the middle vma, part of its neighbours if the rules allow. Its new vma, or NULL."""
    middle = mm.vmg_middle
    left_side = mm.vmg_start == mm.vma[middle].vm_start
    right_side = mm.vmg_end == mm.vma[middle].vm_end
    if (mm.vmg_flags & VM_SPECIAL) != 0 or not (left_side or right_side):
        return NULL
    merge_left = False
    merge_right = False
    if left_side:
        mm.vmg_prev = middle - 1
        merge_left = can_vma_merge_left(mm)
    if right_side:
        mm.vmg_next = vma_next(mm, middle)
        merge_right = can_vma_merge_right(mm, merge_left)
    if merge_left and merge_right:
        return merge_into_both(mm, mm.vmg_prev, middle, mm.vmg_next)
    if merge_left:
        return merge_into_prev(mm, mm.vmg_prev, middle)
    if merge_right:
        return merge_into_next(mm, middle, mm.vmg_next)
    return NULL


def vma_modify(mm, vma, start, end, vm_flags, policy):
    """Merge [start, end) of vma, or cut it out, before it gets these flags and this policy.

    Returns the vma that has to get them, or -ENOMEM; if the second cut is refused, the first stays.
    """
    pgoff = mm.vma[vma].vm_pgoff + (start - mm.vma[vma].vm_start)
    vmg_of_vma(mm, vma, start, end, vm_flags, pgoff)
    mm.vmg_policy = policy
    mm.vmg_middle = vma
    merged = vma_merge_existing_range(mm)
    if merged != NULL:
        return merged
    if mm.vma[vma].vm_start < start:
        error = split_vma(mm, vma, start, 1)
        if error != 0:
            return error
        vma = vma + 1
    if mm.vma[vma].vm_end > end:
        error = split_vma(mm, vma, end, 0)
        if error != 0:
            return error
    return vma


def vma_modify_flags(mm, vma, start, end, vm_flags):
    """Give [start, end) of vma new flags. Returns the vma that it then is, or -ENOMEM."""
    vma = vma_modify(mm, vma, start, end, vm_flags, mm.vma[vma].vm_policy)
    if vma > 0:
        mm.vma[vma].vm_flags = vm_flags | mm.vma[vma].vm_flags & VM_STICKY
    return vma


def vma_modify_policy(mm, vma, start, end, policy):
    """Give [start, end) of vma another memory policy. Returns the vma that it then is, or -ENOMEM."""
    vma = vma_modify(mm, vma, start, end, mm.vma[vma].vm_flags, policy)
    if vma > 0:
        mm.vma[vma].vm_policy = policy
    return vma


# ---- mremap's ----------------------------------------------------------------------------------


def vma_merge_extend(mm, vma, delta):
    """Grow vma by delta unmapped pages, perhaps taking in the next vma. Returns the vma it then is, or NULL."""
    end = mm.vma[vma].vm_end
    pgoff = mm.vma[vma].vm_pgoff + (end - mm.vma[vma].vm_start)
    vmg_init(
        mm,
        end,
        end + delta,
        mm.vma[vma].vm_flags,
        pgoff,
        mm.vma[vma].vm_file,
        mm.vma[vma].vm_policy,
        mm.vma[vma].anon_vma,
    )
    mm.vmg_prev = vma
    mm.vmg_next = vma_next(mm, vma)
    return vma_merge_new_range(mm)


def copy_vma(mm, vma, addr, len, pgoff, with_source):
    """A vma for the hole [addr, addr + len), to which pages of vma from pgoff on are to be moved.

    It is merged with its neighbours if the rules allow; with_source, vma itself may be one of them, if it has no
    anon_vma.
    """
    if mm.vma[vma].vm_file == NULL and mm.vma[vma].anon_vma == NULL:
        pgoff = addr
    vmg_init(
        mm,
        addr,
        addr + len,
        mm.vma[vma].vm_flags,
        pgoff,
        mm.vma[vma].vm_file,
        mm.vma[vma].vm_policy,
        mm.vma[vma].anon_vma,
    )
    mm.vmg_prev = find_vma_prev(mm, addr)
    mm.vmg_next = vma_next(mm, mm.vmg_prev)
    if not with_source and mm.vmg_prev == vma:
        mm.vmg_prev = NULL
    if not with_source and mm.vmg_next == vma:
        mm.vmg_next = NULL
    mm.vmg_copied_from = vma
    if vma_merge_new_range(mm) != NULL:
        count_vm_event(mm, COPY_VMA_MERGE)
        return
    new = vm_area_dup(mm, vma)
    mm.vma[new].vm_start = addr
    mm.vma[new].vm_end = addr + len
    mm.vma[new].vm_pgoff = pgoff
    anon_vma_clone(mm, new, vma)
    vma_link(mm, new)
