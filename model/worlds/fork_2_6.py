# SPDX-License-Identifier: GPL-2.0-only
"""Two processes that share anon_vmas, and lists that are linked as the kernel links them: the base of threads.py.

Process p1 is kept in slots of its own, which change places with p0's while p1 runs. A vma that is on a list has a node
there, `link`, which stays with it when it moves in the array. NULL is the head of the list that a node is on. A freed
node keeps its slot while anything points at it; to use one stops the kernel. Rules: docs/rules-2.6.md sections 4.8 and
4.12.

Linked over the base of a kernel in place of what mmap.py, memory.py, rmap.py and syscall.py have under these names.
"""

from vmacheck.model.common.canonical import canonical_name
from vmacheck.model.common.mm import BUG, FREED, LIVE, NR_ANON_VMAS, NR_VMAS, NULL, TASK_SIZE, UNUSED

NR_THREADS = 2
NR_NODES = 16
OTHER = NR_VMAS + 1  # slot OTHER + i is the i-th vma of the process that does not run
SPARE_VMA = OTHER + NR_VMAS + 1
SPARE_PAGE = 2 * TASK_SIZE


# ---- two processes -------------------------------------------------------------------------------


def switch_mm(mm):
    """Swap the two processes."""
    for vma in range(1, NR_VMAS + 1):
        mm.vma[SPARE_VMA] = mm.vma[vma]
        mm.vma[vma] = mm.vma[OTHER + vma]
        mm.vma[OTHER + vma] = mm.vma[SPARE_VMA]
    clear_vma(mm, SPARE_VMA)
    for page in range(TASK_SIZE):
        mm.page[SPARE_PAGE] = mm.page[page]
        mm.page[page] = mm.page[TASK_SIZE + page]
        mm.page[TASK_SIZE + page] = mm.page[SPARE_PAGE]
    map_count = mm.map_count
    mm.map_count = mm.other_count
    mm.other_count = map_count
    ptl = mm.ptl
    mm.ptl = mm.other_ptl
    mm.other_ptl = ptl


def dup_mmap(mm):
    """Make p1 a copy of p0, which runs: each vma joins its list, at the head, before pages are shared."""
    mm.forked = 1
    for vma in range(1, mm.map_count + 1):
        mm.vma[OTHER + vma] = mm.vma[vma]
        mm.vma[OTHER + vma].anon_vma_node = NULL
    mm.other_count = mm.map_count
    for vma in range(1, mm.map_count + 1):
        if mm.vma[OTHER + vma].anon_vma != NULL:
            list_add(mm, OTHER + vma, mm.vma[OTHER + vma].anon_vma)
    for page in range(TASK_SIZE):
        if mm.page[page].mapcount != 0:
            mm.page[page].shared = 1
        mm.page[TASK_SIZE + page] = mm.page[page]


def page_remove_rmap(mm, address):
    """Unmap the page at address; a shared one is now the other process's alone."""
    if mm.page[address].shared != 0:
        mm.page[TASK_SIZE + address].shared = 0
    mm.page[address].mapcount = 0
    mm.page[address].mapping = NULL
    mm.page[address].index = 0
    mm.page[address].shared = 0


# ---- lists ---------------------------------------------------------------------------------------


def node_alloc(mm):
    """A node for a vma that joins a list."""
    for node in range(1, NR_NODES):
        if mm.node[node].life == UNUSED:
            mm.node[node].life = LIVE
            return node
    BUG(mm)
    return 1


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
    mm.vma[vma].link = NULL
    mm.vma[vma].was = NULL


def set_prev(mm, anon_vma, node, prev):
    """node->prev = prev, where NULL is the head of the list."""
    if node == NULL:
        mm.anon_vma[anon_vma].last = prev
    else:
        if mm.node[node].life != LIVE:
            BUG(mm)
        mm.node[node].prev = prev


def set_next(mm, anon_vma, node, next):
    """node->next = next, where NULL is the head of the list."""
    if node == NULL:
        mm.anon_vma[anon_vma].first = next
    else:
        if mm.node[node].life != LIVE:
            BUG(mm)
        mm.node[node].next = next


def list_add(mm, vma, anon_vma):
    """Put vma's node at the head of the anon_vma's list, at once."""
    list_add_begin(mm, vma, anon_vma)
    node = mm.vma[vma].link
    first = mm.anon_vma[anon_vma].first
    set_prev(mm, anon_vma, first, node)
    mm.node[node].next = first
    mm.node[node].prev = NULL
    mm.anon_vma[anon_vma].first = node


def list_add_begin(mm, vma, anon_vma):
    """Give vma a node that is about to join the list."""
    if mm.vma[vma].anon_vma_node != NULL or mm.anon_vma[anon_vma].life != LIVE:
        BUG(mm)
    mm.vma[vma].anon_vma_node = anon_vma
    mm.vma[vma].link = node_alloc(mm)


def list_del(mm, vma):
    """Take vma's node off its list; vma, and with it the node, is freed next."""
    anon_vma = mm.vma[vma].anon_vma_node
    if anon_vma == NULL:
        BUG(mm)
    node = mm.vma[vma].link
    set_prev(mm, anon_vma, mm.node[node].next, mm.node[node].prev)
    set_next(mm, anon_vma, mm.node[node].prev, mm.node[node].next)
    mm.node[node].life = FREED
    mm.node[node].next = NULL
    mm.node[node].prev = NULL
    mm.vma[vma].anon_vma_node = NULL
    mm.vma[vma].link = NULL


def list_empty(mm, anon_vma):
    """Does the head point at itself?"""
    return mm.anon_vma[anon_vma].first == NULL


# ---- the normal form -----------------------------------------------------------------------------


def node_name(mm, node):
    """The name of a node in the normal form: the next free one if it has none yet. All freed nodes have the same."""
    if node == NULL:
        return NULL
    if mm.node[node].life == FREED:
        mm.new_node[NR_NODES].life = FREED
        return NR_NODES
    if mm.new_node[node].name == NULL:
        mm.node_names = mm.node_names + 1
        mm.new_node[node].name = mm.node_names
        mm.new_node[mm.node_names].old = node
    return mm.new_node[node].name


def name_nodes(mm):
    """Rename the nodes in order of first appearance: vmas, threads, then what nodes and heads point at."""
    mm.node_names = 0
    for node in range(1, NR_NODES + 1):
        mm.new_node[node].name = NULL
        mm.new_node[node].next = NULL
        mm.new_node[node].prev = NULL
        mm.new_node[node].life = UNUSED
    for vma in range(1, OTHER + mm.other_count + 1):
        mm.vma[vma].link = node_name(mm, mm.vma[vma].link)
    for thread in range(1, NR_THREADS + 1):
        mm.task[thread].node = node_name(mm, mm.task[thread].node)
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        mm.anon_vma[anon_vma].first = node_name(mm, mm.anon_vma[anon_vma].first)
        mm.anon_vma[anon_vma].last = node_name(mm, mm.anon_vma[anon_vma].last)
    for name in range(1, NR_NODES):
        if name <= mm.node_names:
            old = mm.new_node[name].old
            mm.new_node[name].next = node_name(mm, mm.node[old].next)
            mm.new_node[name].prev = node_name(mm, mm.node[old].prev)
            mm.new_node[name].life = mm.node[old].life
    for name in range(1, NR_NODES + 1):
        mm.node[name].next = mm.new_node[name].next
        mm.node[name].prev = mm.new_node[name].prev
        mm.node[name].life = mm.new_node[name].life


def is_list_whole(mm, anon_vma):
    """Does the list lead through each vma on it once, forwards and backwards, and through nothing else?"""
    vmas = 0
    for vma in range(1, OTHER + mm.other_count + 1):
        if mm.vma[vma].anon_vma_node == anon_vma:
            vmas = vmas + 1
    nodes = 0
    prev = NULL
    node = mm.anon_vma[anon_vma].first
    while node != NULL and nodes <= NR_NODES:
        if mm.node[node].life != LIVE or mm.node[node].prev != prev:
            return False
        prev = node
        node = mm.node[node].next
        nodes = nodes + 1
    return nodes == vmas and mm.anon_vma[anon_vma].last == prev


def sort_lists(mm):
    """Sort each whole list by its vmas: the order does not matter where lists are seen only under their lock."""
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.anon_vma[anon_vma].life == LIVE and is_list_whole(mm, anon_vma):
            prev = NULL
            for vma in range(1, OTHER + mm.other_count + 1):
                if mm.vma[vma].anon_vma_node == anon_vma:
                    node = mm.vma[vma].link
                    set_next(mm, anon_vma, prev, node)
                    mm.node[node].prev = prev
                    prev = node
            set_next(mm, anon_vma, prev, NULL)
            mm.anon_vma[anon_vma].last = prev


def name_anon_vmas(mm):
    """Rename the anon_vmas in order of first appearance: vmas, pages, threads."""
    mm.names = 0
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        mm.renamed[anon_vma].name = NULL
    for vma in range(1, OTHER + mm.other_count + 1):
        mm.vma[vma].anon_vma = canonical_name(mm, mm.vma[vma].anon_vma)
        mm.vma[vma].anon_vma_node = canonical_name(mm, mm.vma[vma].anon_vma_node)
    for page in range(2 * TASK_SIZE):
        mm.page[page].mapping = canonical_name(mm, mm.page[page].mapping)
    for thread in range(1, NR_THREADS + 1):
        mm.task[thread].anon_vma = canonical_name(mm, mm.task[thread].anon_vma)
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        if mm.renamed[anon_vma].name == NULL and mm.anon_vma[anon_vma].life == LIVE:
            mm.leaked = 1
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        mm.renamed[anon_vma].first = mm.anon_vma[anon_vma].first
        mm.renamed[anon_vma].last = mm.anon_vma[anon_vma].last
        mm.renamed[anon_vma].lock = mm.anon_vma[anon_vma].lock
        mm.renamed[anon_vma].life = mm.anon_vma[anon_vma].life
        forget_anon_vma(mm, anon_vma)
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        name = mm.renamed[anon_vma].name
        if name != NULL:
            mm.anon_vma[name].first = mm.renamed[anon_vma].first
            mm.anon_vma[name].last = mm.renamed[anon_vma].last
            mm.anon_vma[name].lock = mm.renamed[anon_vma].lock
            mm.anon_vma[name].life = mm.renamed[anon_vma].life


def forget_anon_vma(mm, anon_vma):
    """Zero a slot."""
    mm.anon_vma[anon_vma].first = NULL
    mm.anon_vma[anon_vma].last = NULL
    mm.anon_vma[anon_vma].lock = 0
    mm.anon_vma[anon_vma].life = UNUSED
