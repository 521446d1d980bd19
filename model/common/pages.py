# SPDX-License-Identifier: GPL-2.0-only
"""anon_vmas, their lists, the pages that hang from them, and the walk. The same for all kernels.

An anon_vma is an index into mm.anon_vma, NULL is 0. The list of A is kept in the vmas' nodes: a vma is on it if
its anon_vma_node is A. Rules: docs/rules-2.6.md sections 2, 3.4 and 4.10 to 4.13.
"""

from vmacheck.model.common.mm import (
    ANON_VMA_ALLOC,
    ANON_VMA_FREE,
    BUG,
    FREED,
    LIVE,
    NO_ROOM,
    NR_ANON_VMAS,
    NULL,
    UNUSED,
    count_vm_event,
)

# ---- the list of an anon_vma -------------------------------------------------------------------


def list_add(mm, vma, anon_vma):
    """Put vma's node on the anon_vma's list. A node already on a list would corrupt both."""
    if mm.vma[vma].anon_vma_node != NULL or mm.anon_vma[anon_vma].life != LIVE:
        BUG(mm)
    mm.vma[vma].anon_vma_node = anon_vma


def list_del(mm, vma):
    """Take vma's node off the list it is on."""
    if mm.vma[vma].anon_vma_node == NULL:
        BUG(mm)
    mm.vma[vma].anon_vma_node = NULL


def list_empty(mm, anon_vma):
    """Is no vma on the anon_vma's list?"""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].anon_vma_node == anon_vma:
            return False
    return True


# ---- life of an anon_vma -----------------------------------------------------------------------


def anon_vma_alloc(mm):
    """A new anon_vma with an empty list. An identity that something still points at is never reused."""
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.anon_vma[anon_vma].life == UNUSED:
            mm.anon_vma[anon_vma].life = LIVE
            count_vm_event(mm, ANON_VMA_ALLOC)
            return anon_vma
    NO_ROOM(mm)
    return 1


def anon_vma_free(mm, anon_vma):
    """Free the anon_vma; freeing it twice is a bug."""
    if mm.anon_vma[anon_vma].life != LIVE:
        BUG(mm)
    mm.anon_vma[anon_vma].life = FREED
    count_vm_event(mm, ANON_VMA_FREE)


# ---- anonymous pages ---------------------------------------------------------------------------


def linear_page_index(mm, vma, address):
    """The offset of address in vma's object, in pages."""
    return mm.vma[vma].vm_pgoff + (address - mm.vma[vma].vm_start)


def page_add_anon_rmap(mm, vma, address):
    """Map a new anonymous page at address: it hangs from vma's anon_vma, at its linear index."""
    if mm.vma[vma].anon_vma == NULL:
        BUG(mm)
    mm.page[address].mapcount = 1
    mm.page[address].mapping = mm.vma[vma].anon_vma
    mm.page[address].index = linear_page_index(mm, vma, address)


def page_remove_rmap(mm, address):
    """Unmap the page at address, and free it with its only mapping."""
    mm.page[address].mapcount = 0
    mm.page[address].mapping = NULL
    mm.page[address].index = 0


def vma_address(mm, page, vma):
    """The address at which vma would map the page, or -1 if that lies outside vma."""
    address = mm.vma[vma].vm_start + (mm.page[page].index - mm.vma[vma].vm_pgoff)
    if address < mm.vma[vma].vm_start or address >= mm.vma[vma].vm_end:
        return -1
    return address


def page_visits(mm, page):
    """The most vmas that a walk from the page visits: the length of its anon_vma's list."""
    visits = 0
    for vma in range(1, mm.map_count + 1):
        if mm.page[page].mapping != NULL and mm.vma[vma].anon_vma_node == mm.page[page].mapping:
            visits = visits + 1
    return visits


def page_lookups(mm, page):
    """The most vmas for which a walk from the page looks into the page table: those that could map it."""
    lookups = 0
    for vma in range(1, mm.map_count + 1):
        if mm.page[page].mapping != NULL and mm.vma[vma].anon_vma_node == mm.page[page].mapping:
            if vma_address(mm, page, vma) != -1:
                lookups = lookups + 1
    return lookups


def page_referenced_anon(mm, page):
    """Walk the list of the page's anon_vma. Returns the number of mappings of this very page that the walk finds.

    The page is named by the address that it is mapped at. A freed anon_vma has no list to walk.
    """
    referenced = 0
    anon_vma = mm.page[page].mapping
    if anon_vma == NULL or mm.anon_vma[anon_vma].life != LIVE:
        return 0
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].anon_vma_node == anon_vma:
            if vma_address(mm, page, vma) == page:
                referenced = referenced + 1
    return referenced
