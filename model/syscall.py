# SPDX-License-Identifier: GPL-2.0-only
"""The entry points: one call by number, and the normal form of a state."""

from model.fault import do_page_fault
from model.lookup import clear_vma
from model.madvise import sys_madvise
from model.mempolicy import sys_mbind
from model.mlock import do_mlock
from model.mm import BUG, LIVE, NR_ANON_VMAS, NULL, TASK_SIZE, UNUSED, VMA_NEW
from model.mmap import do_mmap_pgoff, do_munmap, sys_brk
from model.mprotect import sys_mprotect
from model.mremap import do_mremap
from model.unistd import (
    NR_brk,
    NR_madvise,
    NR_mbind,
    NR_mlock,
    NR_mmap,
    NR_mprotect,
    NR_mremap,
    NR_munlock,
    NR_munmap,
    NR_read,
    NR_write,
)


def begin(mm):
    """Note in each vma which one it is, so that it can be told from others after a call; forget what calls left."""
    clear_vma(mm, VMA_NEW)
    for vma in range(1, mm.map_count + 1):
        mm.vma[vma].was = vma


def system_call(mm, call):
    """Carry out one call or user access. Its result: 0, an address, or a negative errno."""
    if call.nr == NR_mmap:
        return do_mmap_pgoff(mm, call.file, call.addr, call.len, call.prot, call.flags, call.pgoff)
    if call.nr == NR_munmap:
        return do_munmap(mm, call.addr, call.len)
    if call.nr == NR_mprotect:
        return sys_mprotect(mm, call.addr, call.len, call.prot)
    if call.nr == NR_write:
        return do_page_fault(mm, call.addr, True)
    if call.nr == NR_read:
        return do_page_fault(mm, call.addr, False)
    if call.nr == NR_mremap:
        return do_mremap(mm, call.addr, call.len, call.new_len, call.flags, call.new_addr)
    if call.nr == NR_mlock:
        return do_mlock(mm, call.addr, call.len, True)
    if call.nr == NR_munlock:
        return do_mlock(mm, call.addr, call.len, False)
    if call.nr == NR_madvise:
        return sys_madvise(mm, call.addr, call.len, call.behavior)
    if call.nr == NR_brk:
        return sys_brk(mm, call.addr)
    if call.nr == NR_mbind:
        return sys_mbind(mm, call.addr, call.len, call.policy)
    BUG(mm)
    return 0


def step(mm, call):
    """Carry out one call or user access, as what a search is to try."""
    return system_call(mm, call)


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

    What nothing refers to any more is forgotten: if it was freed, for good; if it was not, it has leaked, and
    mm.leaked stays set.
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
    """Make states the same that differ in nothing but the names of their anon_vmas."""
    name_anon_vmas(mm)
