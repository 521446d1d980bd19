# SPDX-License-Identifier: GPL-2.0-only
"""No kernel: current kernels, also ignoring the hints of madvise, which a comment of rmap 40 decides against.

Replaces anon_vma_compatible.
"""

from vmacheck.model.common.lookup import mpol_equal
from vmacheck.model.common.mm import VM_EXEC, VM_RAND_READ, VM_READ, VM_SEQ_READ, VM_WRITE
from vmacheck.model.linux.mm import VM_STICKY


def anon_vma_compatible(mm, a, b):
    """Could mprotect and the like make b, which follows a, one vma with it?"""
    changeable = VM_READ | VM_WRITE | VM_EXEC | VM_STICKY | VM_SEQ_READ | VM_RAND_READ
    return (
        mm.vma[a].vm_end == mm.vma[b].vm_start
        and mpol_equal(mm.vma[a].vm_policy, mm.vma[b].vm_policy)
        and mm.vma[a].vm_file == mm.vma[b].vm_file
        and ((mm.vma[a].vm_flags ^ mm.vma[b].vm_flags) & ~changeable) == 0
        and mm.vma[b].vm_pgoff == mm.vma[a].vm_pgoff + (mm.vma[b].vm_start - mm.vma[a].vm_start)
    )
