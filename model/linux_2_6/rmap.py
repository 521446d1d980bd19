# SPDX-License-Identifier: GPL-2.0-only
"""mm/rmap.c after "rmap 39 add anon_vma rmap": the life of a vma's anon_vma (docs/rules-2.6.md sections 2, 3.4)."""

from vmacheck.model.common.mm import (
    BUG,
    NULL,
)
from vmacheck.model.common.pages import anon_vma_alloc, anon_vma_free, list_add, list_del, list_empty


def anon_vma_prepare(mm, vma):
    """Give vma an anon_vma, before its first anonymous page: always a new one. Returns 0."""
    anon_vma = mm.vma[vma].anon_vma
    if anon_vma == NULL:
        anon_vma = anon_vma_alloc(mm)
        allocated = anon_vma
        # page_table_lock is taken here: another thread may have been faster
        if mm.vma[vma].anon_vma == NULL:
            mm.vma[vma].anon_vma = anon_vma
            list_add(mm, vma, anon_vma)
            allocated = NULL
        if allocated != NULL:
            anon_vma_free(mm, allocated)
    return 0


def __anon_vma_merge(mm, vma, next):
    """Make vma, which swallows next, take over next's anon_vma and its place on the list, if it has none itself."""
    if mm.vma[vma].anon_vma == NULL:
        mm.vma[vma].anon_vma = mm.vma[next].anon_vma
        list_add(mm, vma, mm.vma[next].anon_vma)
    elif mm.vma[vma].anon_vma != mm.vma[next].anon_vma:
        BUG(mm)
    list_del(mm, next)


def anon_vma_link(mm, vma):
    """Put a new vma on the list of its anon_vma, if it has one."""
    if mm.vma[vma].anon_vma != NULL:
        list_add(mm, vma, mm.vma[vma].anon_vma)


def anon_vma_unlink(mm, vma):
    """Take a dying vma off its anon_vma's list, and free the anon_vma with its last vma."""
    anon_vma = mm.vma[vma].anon_vma
    if anon_vma == NULL:
        return
    list_del(mm, vma)
    if list_empty(mm, anon_vma):
        anon_vma_free(mm, anon_vma)
