# SPDX-License-Identifier: GPL-2.0-only
"""Words that several claims use: which vma a page lies in, and how like each other two neighbours are."""

from vmacheck.model.common.mm import NULL, VM_EXEC, VM_READ, VM_WRITE


def vma_of_page(mm, page):
    """The vma that a page lies in, or NULL."""
    found = NULL
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start <= page and page < mm.vma[vma].vm_end:
            found = vma
    return found


def anon_vma_of_page(mm, page):
    """The anon_vma of the vma that a page lies in, or NULL."""
    vma = vma_of_page(mm, page)
    if vma == NULL:
        return NULL
    return mm.vma[vma].anon_vma


def continues(mm, vma, next):
    """Does next start where vma ends, with the same file, the next offset, and the same policy?"""
    return (
        mm.vma[vma].vm_end == mm.vma[next].vm_start
        and mm.vma[vma].vm_file == mm.vma[next].vm_file
        and mm.vma[vma].vm_policy == mm.vma[next].vm_policy
        and mm.vma[vma].vm_pgoff + (mm.vma[vma].vm_end - mm.vma[vma].vm_start) == mm.vma[next].vm_pgoff
    )


def alike_but_for_protection(mm, vma, next):
    """Do vma and next, which follows it, differ in R, W and X at most? Then mprotect can make them one.

    This is the patch's test. VM_ACCOUNT counts as a difference, though mprotect to writable can add it as well.
    """
    difference = mm.vma[vma].vm_flags ^ mm.vma[next].vm_flags
    return continues(mm, vma, next) and (difference & ~(VM_READ | VM_WRITE | VM_EXEC)) == 0
