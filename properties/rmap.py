# SPDX-License-Identifier: GPL-2.0-only
"""Every anonymous page can be found from its anon_vma, and nothing points at a freed one.

Rules: docs/rules-2.6.md section 7.1.
"""

from vmacheck.model.common.mm import FREED, LIVE, NR_ANON_VMAS, NULL, OUT_OF_ROOM, TASK_SIZE
from vmacheck.model.common.pages import page_referenced_anon
from vmacheck.properties import always, sometimes, step
from vmacheck.properties.neighbours import vma_of_page


@sometimes
def a_page_is_written(mm):
    """An anonymous page is mapped."""
    for page in range(TASK_SIZE):
        if mm.page[page].mapcount != 0:
            return True
    return False


@sometimes
def a_vma_is_faulted(mm):
    """There is a vma with an anon_vma."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].anon_vma != NULL:
            return True
    return False


@sometimes
def a_page_hangs_from_an_anon_vma(mm):
    """The mapping of an anonymous page is an anon_vma."""
    for page in range(TASK_SIZE):
        if mm.page[page].mapping != NULL:
            return True
    return False


@always()
def kernel_bug_is_never_hit(mm):
    """No call trips a BUG check, uses NULL as a pointer, or loops without end."""
    return mm.bug == 0 or mm.bug == OUT_OF_ROOM


@always(premise=a_page_is_written)
def rmap_finds_every_page(mm):
    """The kernel's walk from a mapped anonymous page comes to its mapping, once, at the right address."""
    for page in range(TASK_SIZE):
        if mm.page[page].mapcount != 0 and page_referenced_anon(mm, page) != mm.page[page].mapcount:
            return False
    return True


@always(premise=a_page_hangs_from_an_anon_vma)
def pages_hang_from_their_vmas_anon_vma(mm):
    """A mapped anonymous page lies in a vma, and its mapping is the anon_vma of that vma (I1).

    That this is not NULL is for rmap_finds_every_page to say: anonmm has neither.
    """
    for page in range(TASK_SIZE):
        if mm.page[page].mapcount != 0:
            vma = vma_of_page(mm, page)
            if vma == NULL:
                return False
            if mm.vma[vma].anon_vma != mm.page[page].mapping:
                return False
    return True


@always(premise=a_page_hangs_from_an_anon_vma)
def page_index_is_linear(mm):
    """The index of a page that hangs from an anon_vma is its linear offset in its vma (I2)."""
    for page in range(TASK_SIZE):
        if mm.page[page].mapping != NULL:
            vma = vma_of_page(mm, page)
            if vma == NULL:
                return False
            if mm.page[page].index != mm.vma[vma].vm_pgoff + (page - mm.vma[vma].vm_start):
                return False
    return True


@always(premise=a_vma_is_faulted)
def faulted_vmas_are_on_their_list(mm):
    """A vma is on the list of its anon_vma, and on no other; without an anon_vma it is on none (I3)."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].anon_vma_node != mm.vma[vma].anon_vma:
            return False
    return True


@always(premise=a_vma_is_faulted)
def anon_vmas_are_freed_with_their_last_vma(mm):
    """An anon_vma is freed exactly when no vma is left on its list; none leaks (I4)."""
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        listed = False
        for vma in range(1, mm.map_count + 1):
            if mm.vma[vma].anon_vma_node == anon_vma:
                listed = True
        if (mm.anon_vma[anon_vma].life == LIVE) != listed:
            return False
    return mm.leaked == 0


@always(premise=a_vma_is_faulted)
def nothing_refers_to_a_freed_anon_vma(mm):
    """No vma and no mapped page refers to an anon_vma that was freed."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].anon_vma != NULL and mm.anon_vma[mm.vma[vma].anon_vma].life == FREED:
            return False
    for page in range(TASK_SIZE):
        if mm.page[page].mapping != NULL and mm.anon_vma[mm.page[page].mapping].life == FREED:
            return False
    return True


@step(premise=a_vma_is_faulted)
def anon_vma_is_write_once(before, call, after):
    """A vma that has an anon_vma keeps it for as long as it lives (I5)."""
    for vma in range(1, after.map_count + 1):
        was = after.vma[vma].was
        if was != NULL:
            if before.vma[was].anon_vma != NULL and after.vma[vma].anon_vma != before.vma[was].anon_vma:
                return False
    return True
