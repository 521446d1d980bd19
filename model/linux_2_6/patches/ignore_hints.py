# SPDX-License-Identifier: GPL-2.0-only
"""The patch, ignoring madvise's hints as it ignores protection, which the comment on madvise decides against.

Replaces with_protection_of of rmap40. Rules: docs/rules-2.6.md section 7, C16.
"""

from vmacheck.model.common.mm import VM_EXEC, VM_RAND_READ, VM_READ, VM_SEQ_READ, VM_WRITE


def with_protection_of(mm, vma, near):
    """The flags of vma if it were mprotected and advised as near is."""
    changeable = VM_READ | VM_WRITE | VM_EXEC | VM_SEQ_READ | VM_RAND_READ
    return (mm.vma[vma].vm_flags & ~changeable) | (mm.vma[near].vm_flags & changeable)
