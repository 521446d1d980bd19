# SPDX-License-Identifier: GPL-2.0-only
"""The normal form of a state between calls, in which anon_vmas are named in the order of first appearance."""

from vmacheck.model.common.lookup import clear_vma
from vmacheck.model.common.mm import LIVE, NR_ANON_VMAS, NULL, TASK_SIZE, UNUSED, VMA_NEW


def begin(mm):
    """Mark each vma, so that it can be identified after a call; forget what calls left."""
    clear_vma(mm, VMA_NEW)
    for vma in range(1, mm.map_count + 1):
        mm.vma[vma].was = vma


def canonical_name(mm, anon_vma):
    """The name of anon_vma in the normal form: the next free one if it has none yet."""
    if anon_vma == NULL:
        return NULL
    if mm.renamed[anon_vma].name == NULL:
        mm.names = mm.names + 1
        mm.renamed[anon_vma].name = mm.names
    return mm.renamed[anon_vma].name


def name_anon_vmas(mm):
    """Rename the anon_vmas in order of first appearance, vmas first, then pages.

    An anon_vma without references is forgotten: a freed one for good; any other has leaked, and mm.leaked stays
    set.
    """
    mm.names = 0
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        mm.renamed[anon_vma].name = NULL
        mm.renamed[anon_vma].life = mm.anon_vma[anon_vma].life
        mm.anon_vma[anon_vma].life = UNUSED
    for vma in range(1, mm.map_count + 1):
        mm.vma[vma].anon_vma = canonical_name(mm, mm.vma[vma].anon_vma)
        mm.vma[vma].anon_vma_node = canonical_name(mm, mm.vma[vma].anon_vma_node)
    for page in range(TASK_SIZE):
        mm.page[page].mapping = canonical_name(mm, mm.page[page].mapping)
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.renamed[anon_vma].name != NULL:
            mm.anon_vma[mm.renamed[anon_vma].name].life = mm.renamed[anon_vma].life
        elif mm.renamed[anon_vma].life == LIVE:
            mm.leaked = 1


def canonicalise(mm):
    """Make states equal that differ only in the names of their anon_vmas."""
    name_anon_vmas(mm)
