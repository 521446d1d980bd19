# SPDX-License-Identifier: GPL-2.0-only
"""The patch, ignoring VM_LOCKED as it ignores protection, which the comment on mlock decides against.

Replaces with_protection_of of rmap40. Rules: docs/rules-2.6.md section 7, C16.
"""

from vmacheck.model.common.mm import VM_EXEC, VM_LOCKED, VM_READ, VM_WRITE


def with_protection_of(mm, vma, near):
    """The flags of vma if it were mprotected, and locked or unlocked, as near is."""
    changeable = VM_READ | VM_WRITE | VM_EXEC | VM_LOCKED
    return (mm.vma[vma].vm_flags & ~changeable) | (mm.vma[near].vm_flags & changeable)
