# SPDX-License-Identifier: GPL-2.0-only
"""mm/rmap.c of 6.12: how vmas get an anon_vma, and lose it (docs/rules-6.md section 5).

Without fork, the chain of a vma is one link: anon_vma_node, to the vma's own anon_vma.
"""

from vmacheck.model.common.lookup import mpol_equal, vma_next
from vmacheck.model.common.mm import NULL, VM_EXEC, VM_READ, VM_WRITE
from vmacheck.model.common.pages import anon_vma_alloc, anon_vma_free, list_add, list_del, list_empty
from vmacheck.model.linux.mm import VM_STICKY


def list_is_singular(mm, vma):
    """Is the chain of vma one link long?"""
    return mm.vma[vma].anon_vma_node != NULL


def vma_is_fork_child(mm, vma):
    """Was vma copied by fork from one that had an anon_vma? Then its chain is longer than one. False for NULL."""
    return vma != NULL and mm.vma[vma].anon_vma != NULL and not list_is_singular(mm, vma)


# ---- sharing at the first fault ----------------------------------------------------------------


def anon_vma_compatible(mm, a, b):
    """Could b, which follows a, be mprotected into one vma with it? (mm/vma.c)"""
    return (
        mm.vma[a].vm_end == mm.vma[b].vm_start
        and mpol_equal(mm.vma[a].vm_policy, mm.vma[b].vm_policy)
        and mm.vma[a].vm_file == mm.vma[b].vm_file
        and ((mm.vma[a].vm_flags ^ mm.vma[b].vm_flags) & ~(VM_READ | VM_WRITE | VM_EXEC | VM_STICKY)) == 0
        and mm.vma[b].vm_pgoff == mm.vma[a].vm_pgoff + (mm.vma[b].vm_start - mm.vma[a].vm_start)
    )


def reusable_anon_vma(mm, old, a, b):
    """The anon_vma of old, which is a or b, if the other may have it, too; or NULL. (mm/vma.c)"""
    if anon_vma_compatible(mm, a, b) and mm.vma[old].anon_vma != NULL and list_is_singular(mm, old):
        return mm.vma[old].anon_vma
    return NULL


def find_mergeable_anon_vma(mm, vma):
    """An anon_vma that vma can share: of the next vma, or else of the one before; or NULL. (mm/vma.c)"""
    next = vma_next(mm, vma)
    if next != NULL:
        anon_vma = reusable_anon_vma(mm, next, vma, next)
        if anon_vma != NULL:
            return anon_vma
    prev = vma - 1
    if prev != NULL:
        return reusable_anon_vma(mm, prev, prev, vma)
    return NULL


def anon_vma_prepare(mm, vma):
    """Give vma an anon_vma, before its first anonymous page: a neighbour's, or else a new one. Returns 0."""
    if mm.vma[vma].anon_vma == NULL:
        anon_vma = find_mergeable_anon_vma(mm, vma)
        if anon_vma == NULL:
            anon_vma = anon_vma_alloc(mm)
        mm.vma[vma].anon_vma = anon_vma
        list_add(mm, vma, anon_vma)
    return 0


# ---- chains ------------------------------------------------------------------------------------


def anon_vma_clone(mm, dst, src):
    """Give dst, which has no chain, a copy of that of src."""
    if mm.vma[src].anon_vma_node != NULL:
        list_add(mm, dst, mm.vma[src].anon_vma_node)


def unlink_anon_vmas(mm, vma):
    """Take vma off the lists that it is on, and free an anon_vma with its last vma."""
    anon_vma = mm.vma[vma].anon_vma_node
    if anon_vma != NULL:
        list_del(mm, vma)
        mm.vma[vma].anon_vma = NULL
        if list_empty(mm, anon_vma):
            anon_vma_free(mm, anon_vma)
