# SPDX-License-Identifier: GPL-2.0-only
"""anonmm, but every vma gets an anon_vma, and two different ones do not mix. Over: anonmm."""


def can_vma_merge_before(mm, vma, vm_flags, anon_vma, file, vm_pgoff):
    return is_mergeable_vma(mm, vma, file, vm_flags) and is_mergeable_anon_vma(anon_vma, mm.vma[vma].anon_vma)


def can_vma_merge_after(mm, vma, vm_flags, anon_vma, file, vm_pgoff):
    return is_mergeable_vma(mm, vma, file, vm_flags) and is_mergeable_anon_vma(anon_vma, mm.vma[vma].anon_vma)


def anon_vma_prepare(mm, vma):
    if mm.vma[vma].anon_vma == NULL:
        mm.vma[vma].anon_vma = anon_vma_alloc(mm)
        list_add(mm, vma, mm.vma[vma].anon_vma)
    return 0
