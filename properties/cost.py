# SPDX-License-Identifier: GPL-2.0-only
"""Numbers that measure a state, mm -> int: how many vmas, where they start, what reclaim's walk costs.

Rules: docs/rules-2.6.md section 4.13. A page's walk visits the vmas on the list of its anon_vma, and looks into the
page table for those that could map it; the list's length is the most that it can visit.
"""

from vmacheck.model.common.mm import LIVE, NR_ANON_VMAS, TASK_SIZE
from vmacheck.model.common.pages import page_lookups, page_visits


def number_of_vmas(mm):
    """The number of vmas."""
    return mm.map_count


def boundaries_of_vmas(mm):
    """The boundaries between vmas: bit a is set if one ends and another starts at page a."""
    bits = 0
    bit = 1
    for page in range(1, TASK_SIZE):
        bit = bit << 1
        for vma in range(1, mm.map_count):
            if mm.vma[vma].vm_end == page and mm.vma[vma + 1].vm_start == page:
                bits = bits | bit
    return bits


def visits_of_walks(mm):
    """The number of vmas that the walks from all mapped anonymous pages visit."""
    visits = 0
    for page in range(TASK_SIZE):
        if mm.page[page].mapcount != 0:
            visits = visits + page_visits(mm, page)
    return visits


def lookups_of_walks(mm):
    """The number of page-table look-ups that the walks from all mapped anonymous pages make."""
    found = 0
    for page in range(TASK_SIZE):
        if mm.page[page].mapcount != 0:
            found = found + page_lookups(mm, page)
    return found


def longest_list(mm):
    """The largest number of vmas that hang from one anon_vma."""
    longest = 0
    for anon_vma in range(1, NR_ANON_VMAS + 1):
        length = 0
        for vma in range(1, mm.map_count + 1):
            if mm.vma[vma].anon_vma_node == anon_vma and mm.anon_vma[anon_vma].life == LIVE:
                length = length + 1
        if length > longest:
            longest = length
    return longest
