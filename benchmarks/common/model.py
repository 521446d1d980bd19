# SPDX-License-Identifier: GPL-2.0-only
"""The common benchmark as a model for vmacheck: an address space whose vmas merge and share anon_vmas.

A page's cell is 0 if unmapped; else its protection, R or RW, in two bits, and above them its anon_vma, from 1, or 0
for none. A vma is a run of equal cells. After each call neighbouring vmas of the same protection merge if one lacks an
anon_vma (or both have the same), and the anon_vmas are numbered in the order of first appearance.
"""

MAP = 0
UNMAP = 1
PROTECT = 2
FAULT = 3
REFUSED = -1

R = 1
RW = 3
PROT = 3

PAGES = 4  # of the address space; replaced by the benchmark's size


def fill(state, start, end, cell):
    """Give the pages from start to end the same cell."""
    for page in range(start, end):
        state.page[page].cell = cell


def can_merge(one, two):
    """Can neighbouring cells belong to one vma: with the same protection, and at most one anon_vma?"""
    return ((one ^ two) & PROT) == 0 and (one == two or one <= PROT or two <= PROT)


def joined(cell, neighbour):
    """The cell, with the neighbour's anon_vma if it lacks one and the two can merge."""
    return neighbour if cell <= PROT and ((cell ^ neighbour) & PROT) == 0 else cell


def tidy(state):
    """Merge from left to right: cells without anon_vma take the left one's, else the right one's; then number them."""
    for page in range(1, PAGES):
        state.page[page].cell = joined(state.page[page].cell, state.page[page - 1].cell)
    for page in range(PAGES - 2, -1, -1):
        state.page[page].cell = joined(state.page[page].cell, state.page[page + 1].cell)
    for old in range(PAGES + 1):
        state.number[old].new = 0
    numbered = 0
    for page in range(PAGES):
        cell = state.page[page].cell
        if cell > PROT:
            if state.number[cell >> 2].new == 0:
                numbered = numbered + 1
                state.number[cell >> 2].new = numbered
            state.page[page].cell = (cell & PROT) | (state.number[cell >> 2].new << 2)


def fault(state, page):
    """Give the vma at page an anon_vma: the next vma's if that has one, else the previous one's, else a new one."""
    start = page
    while start > 0 and state.page[start - 1].cell == RW:
        start = start - 1
    end = page + 1
    while end < PAGES and state.page[end].cell == RW:
        end = end + 1
    found = 0
    if end < PAGES:
        found = state.page[end].cell >> 2
    if found == 0 and start > 0:
        found = state.page[start - 1].cell >> 2
    if found == 0:
        for other in range(PAGES):
            if state.page[other].cell >> 2 > found:
                found = state.page[other].cell >> 2
        found = found + 1
    fill(state, start, end, RW | (found << 2))


def begin(_state):
    """Do nothing: a call needs only the state."""


def step(state, call):
    """Run a call where it is enabled: 0, or REFUSED."""
    start = call.start
    end = call.end
    if call.kind == MAP:
        fill(state, start, end, call.prot)
    elif call.kind == UNMAP:
        mapped = 0
        for page in range(start, end):
            mapped = mapped | state.page[page].cell
        if mapped == 0:
            return REFUSED
        fill(state, start, end, 0)
    elif call.kind == PROTECT:
        for page in range(start, end):
            if state.page[page].cell == 0:
                return REFUSED
        for page in range(start, end):
            state.page[page].cell = (state.page[page].cell & ~PROT) | call.prot
    else:
        if state.page[start].cell != RW:
            return REFUSED
        fault(state, start)
    tidy(state)
    return 0


def canonicalise(_state):
    """Do nothing: step() leaves the normal form."""


def merged(state):
    """INV: no neighbouring vmas are left that could be merged."""
    for page in range(PAGES - 1):
        one = state.page[page].cell
        two = state.page[page + 1].cell
        if one != two and can_merge(one, two):
            return False
    return True


def shared(state):
    """FRAG (false): no neighbouring vmas of the same protection have different anon_vmas."""
    for page in range(PAGES - 1):
        one = state.page[page].cell
        two = state.page[page + 1].cell
        if one != two and one != 0 and ((one ^ two) & PROT) == 0:
            return False
    return True
