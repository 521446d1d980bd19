# SPDX-License-Identifier: GPL-2.0-only
"""What takes the place of functions of properties/ that have the same name.

What may be one vma, said without the kernel's own words, is the rule of 6.16 and later.
"""

from vmacheck.model.common.mm import NULL
from vmacheck.model.linux.mm import VM_STICKY
from vmacheck.properties.flat_linux.reference import call_is_good
from vmacheck.properties.neighbours import continues


def could_be_one(mm, vma, next):
    """May vma and next, which follows it, be one vma: are they alike, with at most one anon_vma?"""
    if not continues(mm, vma, next) or ((mm.vma[vma].vm_flags ^ mm.vma[next].vm_flags) & ~VM_STICKY) != 0:
        return False
    anon_vma = mm.vma[vma].anon_vma
    return anon_vma == NULL or mm.vma[next].anon_vma == NULL or mm.vma[next].anon_vma == anon_vma


def pages_match_flat_reference(before, call, after):
    """A call returns, and does to every page, exactly what a page table without vmas would make it."""
    return call_is_good(before, call, after)
