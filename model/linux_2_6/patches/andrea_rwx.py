# SPDX-License-Identifier: GPL-2.0-only
"""Andrea Arcangeli's sharing, restricted to what its comment says: neighbours that differ in protection only.

VM_ACCOUNT follows from protection, and may differ as well. Replaces flags_may_share of andrea. Rules: docs/rules-2.6.md
section 6 (P3c).
"""

from vmacheck.model.common.mm import VM_ACCOUNT, VM_EXEC, VM_READ, VM_WRITE


def flags_may_share(near_flags, vm_flags):
    """Do the flags differ, but only in protection and accounting?"""
    return near_flags != vm_flags and ((near_flags ^ vm_flags) & ~(VM_READ | VM_WRITE | VM_EXEC | VM_ACCOUNT)) == 0
