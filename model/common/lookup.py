# SPDX-License-Identifier: GPL-2.0-only
"""The vmas of an mm: look-up, and slots. The same for all kernels.

A vma is an index into mm.vma[1..map_count], which is kept in address order; NULL is 0. So vm_next is
"index + 1", and linking or freeing a vma moves those above it. Addresses and lengths are in pages.
"""

from vmacheck.model.common.mm import NULL, VMA_NEW


def vma_next(mm, vma):
    """vma->vm_next; the first vma after NULL, as in `prev ? prev->vm_next : mm->mmap`."""
    if vma < mm.map_count:
        return vma + 1
    return NULL


def find_vma(mm, addr):
    """The lowest vma that ends above addr, or NULL. It may start above addr."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_end > addr:
            return vma
    return NULL


def find_vma_prev(mm, addr):
    """The highest vma that ends at or below addr, or NULL; vma_next() of it is find_vma(addr)."""
    prev = NULL
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_end <= addr:
            prev = vma
    return prev


def mpol_equal(a, b):
    """Are the memory policies equal by value? NULL equals only NULL."""
    return a == b


def clear_vma(mm, vma):
    """Zero a slot."""
    mm.vma[vma].vm_start = 0
    mm.vma[vma].vm_end = 0
    mm.vma[vma].vm_flags = 0
    mm.vma[vma].vm_pgoff = 0
    mm.vma[vma].vm_file = NULL
    mm.vma[vma].vm_policy = NULL
    mm.vma[vma].anon_vma = NULL
    mm.vma[vma].anon_vma_node = NULL
    mm.vma[vma].was = NULL


def kmem_cache_alloc_vma(mm):
    """A zeroed vma, not yet part of the mm."""
    clear_vma(mm, VMA_NEW)
    return VMA_NEW


def kmem_cache_free_vma(mm, vma):
    """Take vma out of the mm; those above it move down by one."""
    for i in range(vma, mm.map_count):
        mm.vma[i] = mm.vma[i + 1]
    clear_vma(mm, mm.map_count)
    mm.map_count = mm.map_count - 1
