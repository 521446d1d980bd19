# SPDX-License-Identifier: GPL-2.0-only
"""What keeps neighbours apart: what is to be seen somewhere, or never (kernel-modern section 8)."""

from model.mm import VM_ACCOUNT
from properties import sometimes
from properties.merging import could_be_one
from properties.neighbours import continues


@sometimes
def neighbours_are_apart_for_accounting(mm):
    """Two adjacent vmas are alike in everything, but that one of them is accounted."""
    for vma in range(1, mm.map_count):
        if (mm.vma[vma].vm_flags ^ mm.vma[vma + 1].vm_flags) == VM_ACCOUNT and continues(mm, vma, vma + 1):
            return True
    return False


@sometimes
def mergeable_neighbours_are_left_apart(mm):
    """Two adjacent vmas could be one by all rules, and are two."""
    for vma in range(1, mm.map_count):
        if could_be_one(mm, vma, vma + 1):
            return True
    return False
