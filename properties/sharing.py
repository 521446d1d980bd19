# SPDX-License-Identifier: GPL-2.0-only
"""The patch's claim: neighbours that differ in R, W, X at most share an anon_vma (docs/rules-2.6.md section 4.11)."""

from vmacheck.model.common.mm import NULL
from vmacheck.model.common.unistd import NR_write
from vmacheck.properties import always, sometimes, step
from vmacheck.properties.neighbours import alike_but_for_protection, anon_vma_of_page, vma_of_page


@sometimes
def neighbours_alike_but_for_protection_are_faulted(mm):
    """Two adjacent vmas that differ in R, W and X at most both have an anon_vma."""
    for vma in range(1, mm.map_count):
        if mm.vma[vma].anon_vma != NULL and mm.vma[vma + 1].anon_vma != NULL:
            if alike_but_for_protection(mm, vma, vma + 1):
                return True
    return False


@always(premise=neighbours_alike_but_for_protection_are_faulted)
def adjacent_vmas_share_anon_vma(mm):
    """Any two adjacent vmas that differ in R, W and X at most, and that both have an anon_vma, have the same one."""
    for vma in range(1, mm.map_count):
        if mm.vma[vma].anon_vma != NULL and mm.vma[vma + 1].anon_vma != NULL:
            if mm.vma[vma].anon_vma != mm.vma[vma + 1].anon_vma and alike_but_for_protection(mm, vma, vma + 1):
                return False
    return True


def sharable_above(mm, vma):
    """The anon_vma that vma could take from the vma after it, or NULL."""
    if vma < mm.map_count and alike_but_for_protection(mm, vma, vma + 1):
        return mm.vma[vma + 1].anon_vma
    return NULL


def sharable_below(mm, vma):
    """The anon_vma that vma could take from the vma before it, or NULL."""
    if vma > 1 and alike_but_for_protection(mm, vma - 1, vma):
        return mm.vma[vma - 1].anon_vma
    return NULL


def is_first_write(before, call, after):
    """Did this call write to a vma that had no anon_vma, and has one now?"""
    if call.nr != NR_write or call.result != 0 or vma_of_page(before, call.addr) == NULL:
        return False
    return anon_vma_of_page(before, call.addr) == NULL and anon_vma_of_page(after, call.addr) != NULL


@sometimes
def first_write_meets_faulted_neighbour(before, call, after):
    """The first write to a vma finds a touching neighbour, alike but for its protection, with an anon_vma."""
    if not is_first_write(before, call, after):
        return False
    vma = vma_of_page(before, call.addr)
    return sharable_above(before, vma) != NULL or sharable_below(before, vma) != NULL


@step(premise=first_write_meets_faulted_neighbour)
def first_write_takes_neighbours_anon_vma(before, call, after):
    """At the first write to a vma, the anon_vma of a touching neighbour that differs in R, W and X at most is taken."""
    if not is_first_write(before, call, after):
        return True
    vma = vma_of_page(before, call.addr)
    above = sharable_above(before, vma)
    below = sharable_below(before, vma)
    taken = anon_vma_of_page(after, call.addr)
    return (above == NULL and below == NULL) or taken == above or taken == below
