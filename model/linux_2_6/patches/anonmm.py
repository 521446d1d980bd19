# SPDX-License-Identifier: GPL-2.0-only
"""anonmm rmap (rmap 11 to 37, Hugh Dickins, 2004), on the merge engine of rmap 36: what anon_vma replaced.

A page is found through its process and virtual address, so vmas carry no anonymous identity: nothing is refused
for an anon_vma's sake, and the offset of anonymous memory does not count. Replaces the merge predicates, what a
fault and a move record, and the walk. Rules: docs/rules-2.6.md sections 3.1, 4.6 and 6 (P1).
"""

from vmacheck.model.common.mm import NULL
from vmacheck.model.common.pages import page_remove_rmap
from vmacheck.model.linux_2_6.mmap import is_mergeable_vma


def can_vma_merge_before(mm, vma, vm_flags, anon_vma, file, vm_pgoff):
    """May an area that ends where vma starts become part of vma? Offsets count for files only."""
    if not is_mergeable_vma(mm, vma, file, vm_flags):
        return False
    return file == NULL or mm.vma[vma].vm_pgoff == vm_pgoff


def can_vma_merge_after(mm, vma, vm_flags, anon_vma, file, vm_pgoff):
    """May an area that starts where vma ends become part of vma? Offsets count for files only."""
    if not is_mergeable_vma(mm, vma, file, vm_flags):
        return False
    return file == NULL or mm.vma[vma].vm_pgoff + (mm.vma[vma].vm_end - mm.vma[vma].vm_start) == vm_pgoff


def anon_vma_prepare(mm, vma):
    """Return 0: there is nothing to prepare."""
    return 0


def page_add_anon_rmap(mm, vma, address):
    """Map a new anonymous page at address: it belongs to the only process, at its address."""
    mm.page[address].mapcount = 1
    mm.page[address].mapping = NULL
    mm.page[address].index = address


def move_one_page(mm, old_addr, new_addr):
    """Move the page at old_addr to new_addr; it belongs to the process at that address."""
    mm.page[new_addr] = mm.page[old_addr]
    mm.page[new_addr].index = new_addr
    page_remove_rmap(mm, old_addr)


def page_referenced_anon(mm, page):
    """Look up the page's own address in its process. Returns the number of mappings of this very page found there."""
    if mm.page[page].index == page:
        return mm.page[page].mapcount
    return 0


def page_visits(mm, page):
    """1: a walk has no list, and visits the only process."""
    return 1


def page_lookups(mm, page):
    """1: a look into the page table, at the page's own address."""
    return 1
