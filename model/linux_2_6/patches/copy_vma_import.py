# SPDX-License-Identifier: GPL-2.0-only
"""A repair of copy_vma, as the importer fix is of mprotect: a vma that takes in another's pages gets its anon_vma.

When mremap moves pages into a vma without an anon_vma, by a merge at the new place, that vma gets the anon_vma of the
source. Replaces copy_vma. Rules: docs/rules-2.6.md section 7.1, T-SAFE-4.
"""

from vmacheck.model.common.lookup import find_vma_prev
from vmacheck.model.common.mm import COPY_VMA_MERGE, NULL, count_vm_event
from vmacheck.model.linux_2_6.mmap import link_copy_of_vma, vma_merge
from vmacheck.model.linux_2_6.rmap import anon_vma_link


def copy_vma(mm, vma, addr, len, pgoff):
    """A vma for [addr, addr + len), to which pages of vma are about to be moved: merged if possible, and always with
    vma's anon_vma."""
    anon_vma = mm.vma[vma].anon_vma
    if mm.vma[vma].vm_file == NULL and anon_vma == NULL:
        pgoff = addr
    prev = find_vma_prev(mm, addr)
    merged = vma_merge(
        mm,
        prev,
        addr,
        addr + len,
        mm.vma[vma].vm_flags,
        anon_vma,
        mm.vma[vma].vm_file,
        pgoff,
        mm.vma[vma].vm_policy,
    )
    if merged != NULL:
        count_vm_event(mm, COPY_VMA_MERGE)
        if mm.vma[merged].anon_vma == NULL:
            mm.vma[merged].anon_vma = anon_vma
            anon_vma_link(mm, merged)
        return
    link_copy_of_vma(mm, vma, addr, len, pgoff)
