# SPDX-License-Identifier: GPL-2.0-only
"""linux-6.18's vma_merge_existing_range, written another way: without the first test for anything to merge."""

from vmacheck.model.common.lookup import vma_next
from vmacheck.model.common.mm import NULL
from vmacheck.model.linux.mm import VM_SPECIAL
from vmacheck.model.linux.vma import (
    can_vma_merge_left,
    can_vma_merge_right,
    merge_into_both,
    merge_into_next,
    merge_into_prev,
)


def merge_of_end(mm, middle, merge_left):
    """The merge of an area, a part of middle, also with the vma before it if merge_left."""
    if mm.vmg_end == mm.vma[middle].vm_end:
        mm.vmg_next = vma_next(mm, middle)
        if can_vma_merge_right(mm, merge_left):
            if merge_left:
                return merge_into_both(mm, middle - 1, middle, middle + 1)
            return merge_into_next(mm, middle, middle + 1)
    return merge_into_prev(mm, middle - 1, middle) if merge_left else NULL


def vma_merge_existing_range(mm):
    """Make the area, a part of the middle vma, part of its neighbours if the rules allow. Its new vma, or NULL."""
    middle = mm.vmg_middle
    if mm.vmg_flags & VM_SPECIAL:
        return NULL
    if mm.vmg_start != mm.vma[middle].vm_start:
        return merge_of_end(mm, middle, False)
    mm.vmg_prev = middle - 1
    return merge_of_end(mm, middle, can_vma_merge_left(mm))
