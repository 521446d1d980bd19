# SPDX-License-Identifier: GPL-2.0-only
"""What holds of two processes, their chains and their pages, on current kernels (docs/rules-6.md sections 1 and 5)."""

from vmacheck.model.common.mm import FREED, LIVE, NR_ANON_VMAS, NULL, TASK_SIZE, VM_SHARED
from vmacheck.model.common.unistd import NR_fork, NR_memw, NR_write
from vmacheck.model.linux.mm import VM_DONTCOPY, VM_LOCKED_MASK, VM_WIPEONFORK
from vmacheck.model.worlds.fork_linux import CHAIN, OTHER, is_on_chain, link
from vmacheck.properties import always, sometimes, step
from vmacheck.properties.neighbours import continues


@sometimes
def a_chain_is_longer_than_one(mm):
    """A vma is linked to more anon_vmas than its own."""
    for vma in range(1, OTHER + mm.other_count + 1):
        if link(mm, vma, 2) != NULL:
            return True
    return False


@sometimes
def a_page_is_shared(mm):
    """Both processes have a page."""
    for page in range(TASK_SIZE):
        if mm.page[page].mate != 0:
            return True
    return False


@sometimes
def equal_neighbours_of_a_child_are_apart(mm):
    """Two adjacent vmas of the second process are alike in everything but their anon_vmas."""
    for vma in range(OTHER + 1, OTHER + mm.other_count):
        if mm.vma[vma].vm_flags == mm.vma[vma + 1].vm_flags and continues(mm, vma, vma + 1):
            if mm.vma[vma].anon_vma != mm.vma[vma + 1].anon_vma:
                return True
    return False


def vma_at(mm, page):
    """The vma that a page, of either process, lies in, or NULL."""
    first = 1 if page < TASK_SIZE else OTHER + 1
    last = mm.map_count if page < TASK_SIZE else OTHER + mm.other_count
    address = page if page < TASK_SIZE else page - TASK_SIZE
    for vma in range(first, last + 1):
        if mm.vma[vma].vm_start <= address and address < mm.vma[vma].vm_end:
            return vma
    return NULL


def walk_comes_to(mm, page):
    """The number of mappings of a page that the walk finds, over all vmas that its anon_vma is linked to."""
    found = 0
    for vma in range(1, OTHER + mm.other_count + 1):
        if is_on_chain(mm, vma, mm.page[page].mapping):
            address = mm.vma[vma].vm_start + (mm.page[page].index - mm.vma[vma].vm_pgoff)
            if address >= mm.vma[vma].vm_start and address < mm.vma[vma].vm_end:
                if (vma < OTHER) == (page < TASK_SIZE):
                    if address == (page if page < TASK_SIZE else page - TASK_SIZE):
                        found = found + 1
                elif address == mm.page[page].mate - 1:
                    found = found + 1
    return found


@always(premise=a_page_is_shared)
def walks_find_every_mapping(mm):
    """The walk from a page, over the vmas that its anon_vma is linked to, comes to all its mappings, once each."""
    for page in range(2 * TASK_SIZE):
        if mm.page[page].mapcount != 0:
            if mm.page[page].mapping == NULL or mm.anon_vma[mm.page[page].mapping].life != LIVE:
                return False
            if walk_comes_to(mm, page) != (1 if mm.page[page].mate == 0 else 2):
                return False
    return True


@always(premise=a_chain_is_longer_than_one)
def chains_are_well_formed(mm):
    """A vma has an anon_vma exactly if it has a chain, with the anon_vma on it, and nothing on it twice or freed."""
    for vma in range(1, OTHER + mm.other_count + 1):
        if (mm.vma[vma].anon_vma == NULL) != (link(mm, vma, 1) == NULL):
            return False
        if mm.vma[vma].anon_vma != NULL and not is_on_chain(mm, vma, mm.vma[vma].anon_vma):
            return False
        for i in range(1, CHAIN + 1):
            anon_vma = link(mm, vma, i)
            if anon_vma != NULL:
                if mm.anon_vma[anon_vma].life != LIVE or (i > 1 and link(mm, vma, i - 1) == NULL):
                    return False
                for j in range(1, i):
                    if link(mm, vma, j) == anon_vma:
                        return False
    return True


@always(premise=a_chain_is_longer_than_one)
def vmas_with_one_anon_vma_have_one_chain(mm):
    """Two vmas of a process that have the same anon_vma have the same chain."""
    for a in range(1, OTHER + mm.other_count + 1):
        for b in range(a + 1, OTHER + mm.other_count + 1):
            if (a < OTHER) == (b < OTHER) and mm.vma[a].anon_vma != NULL and mm.vma[a].anon_vma == mm.vma[b].anon_vma:
                for i in range(1, CHAIN + 1):
                    if link(mm, a, i) != link(mm, b, i):
                        return False
    return True


@always(premise=a_chain_is_longer_than_one)
def no_anon_vma_outlives_its_chains(mm):
    """An anon_vma is alive exactly as long as a vma is linked to it, and nothing refers to a freed one."""
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        linked = False
        for vma in range(1, OTHER + mm.other_count + 1):
            if is_on_chain(mm, vma, anon_vma):
                linked = True
        if (mm.anon_vma[anon_vma].life == LIVE) != linked:
            return False
    for page in range(2 * TASK_SIZE):
        if mm.page[page].mapping != NULL and mm.anon_vma[mm.page[page].mapping].life == FREED:
            return False
    return mm.leaked == 0


@always(premise=a_page_is_shared)
def pages_lie_in_vmas_that_have_them_on_their_chain(mm):
    """A mapped anonymous page lies in a vma with its anon_vma on the chain, at its linear index there."""
    for page in range(2 * TASK_SIZE):
        if mm.page[page].mapcount != 0:
            vma = vma_at(mm, page)
            if vma == NULL or not is_on_chain(mm, vma, mm.page[page].mapping):
                return False
            address = page if page < TASK_SIZE else page - TASK_SIZE
            if mm.page[page].index != mm.vma[vma].vm_pgoff + (address - mm.vma[vma].vm_start):
                return False
    return True


def differs(before, after, page):
    """Is the page replaced, gone, or moved?"""
    return (
        before.page[page].mapcount != after.page[page].mapcount
        or before.page[page].mapping != after.page[page].mapping
        or before.page[page].index != after.page[page].index
    )


@step(premise=a_page_is_shared)
def the_other_process_keeps_its_pages(before, call, after):
    """No call of one process changes what the other has mapped, and allows, and which pages it has; fork makes it."""
    if call.nr == NR_fork:
        return True
    first = OTHER if call.process == 0 else 0
    count = before.other_count if call.process == 0 else before.map_count
    if count != (after.other_count if call.process == 0 else after.map_count):
        return False
    for i in range(1, count + 1):
        if before.vma[first + i].vm_start != after.vma[first + i].vm_start:
            return False
        if before.vma[first + i].vm_end != after.vma[first + i].vm_end:
            return False
        if before.vma[first + i].vm_flags != after.vma[first + i].vm_flags:
            return False
    base = TASK_SIZE if call.process == 0 else 0
    for page in range(base, base + TASK_SIZE):
        if differs(before, after, page):
            return False
    return True


def fork_copies(before, after, vma, page):
    """Does the child have a correct copy of a page of a vma that fork copies?"""
    parent = 0 if before.left == 0 else TASK_SIZE
    child = TASK_SIZE - parent
    copied = vma_at(after, child + page)
    if copied == NULL or after.vma[copied].vm_flags != before.vma[vma].vm_flags & ~VM_LOCKED_MASK:
        return False
    offset = before.vma[vma].vm_pgoff - before.vma[vma].vm_start
    if after.vma[copied].vm_pgoff - after.vma[copied].vm_start != offset:
        return False
    if after.vma[copied].i_size != before.vma[vma].i_size:
        return False
    if after.vma[copied].vm_file != before.vma[vma].vm_file or after.vma[copied].vm_policy != before.vma[vma].vm_policy:
        return False
    if before.page[parent + page].mapcount == 0 or (before.vma[vma].vm_flags & VM_WIPEONFORK) != 0:
        return after.page[child + page].mapcount == 0
    return after.page[child + page].mapcount != 0 and after.page[child + page].mate == page + 1


@step(premise=a_page_is_shared)
def fork_gives_the_child_the_same_memory(before, call, after):
    """After fork, both have the same pages, with the same rights, but for what madvise excepts, and for locks."""
    if call.nr != NR_fork or call.result != 0:
        return True
    parent = 0 if before.left == 0 else TASK_SIZE
    for page in range(TASK_SIZE):
        vma = vma_at(before, parent + page)
        if vma == NULL or (before.vma[vma].vm_flags & VM_DONTCOPY) != 0:
            if vma_at(after, TASK_SIZE - parent + page) != NULL:
                return False
        elif not fork_copies(before, after, vma, page):
            return False
    return True


@step(premise=a_page_is_shared)
def what_is_written_is_ones_own(before, call, after):
    """After a private write, the page is not the other process's any more, and hangs from its vma's anon_vma."""
    if (call.nr != NR_write and call.nr != NR_memw) or call.result != 0:
        return True
    page = call.addr if call.process == 0 else TASK_SIZE + call.addr
    if (after.vma[vma_at(after, page)].vm_flags & VM_SHARED) != 0:
        return after.page[page].mapcount == 0
    if after.page[page].mapcount == 0 or after.page[page].mate != 0:
        return False
    return after.page[page].mapping == after.vma[vma_at(after, page)].anon_vma
