# SPDX-License-Identifier: GPL-2.0-only
"""mm: introduce VM_MAYBE_GUARD and make it sticky (7.0, and the running 6.18.44).

A vma that ever had guard markers has the flag. It does not prevent a merge, and the merged vma has it if a part had
it. fork copies the markers of all memory. Only anonymous memory gets an anon_vma before its markers. Replaces
VM_STICKY, VM_COPY_ON_FORK and prepare_for_guards. Rules: docs/rules-6.md sections 2, 3 and 4.5; that fork copies
markers is from the running kernel.
"""

from vmacheck.model.common.mm import NULL
from vmacheck.model.linux.mm import VM_MAYBE_GUARD
from vmacheck.model.linux.rmap import anon_vma_prepare

VM_STICKY = VM_MAYBE_GUARD
VM_COPY_ON_FORK = VM_MAYBE_GUARD


def prepare_for_guards(mm, vma):
    """Prepare the vma for markers: set its flag for them, and give it an anon_vma if it is anonymous."""
    mm.vma[vma].vm_flags = mm.vma[vma].vm_flags | VM_MAYBE_GUARD
    if mm.vma[vma].vm_file == NULL:
        anon_vma_prepare(mm, vma)
