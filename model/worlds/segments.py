# SPDX-License-Identifier: GPL-2.0-only
"""Address spaces of every size at once: how long a vma is decides nothing, and one written page stands for all.

A segment is a vma, or a hole below one. No call of this scope names a distance, and offsets are addresses, so pages of
a segment are interchangeable; and a call looks only at pages that it reaches, so the fate of a page can be seen
without the others. A state is therefore a row of segments, and at most one written page, which is kept; the calls
decide which one, and a statement on it holds for any. In the normal form a segment, the parts below and above the kept
page in its vma, and that page itself are one page long each. When a call begins, all but the kept page are three
pages long: so there is something below, inside and above whatever a call can cut out of them. Above the last vma is
always a hole, which does not count.

This finds every state of every size, and some more: a vma that grew together from two is at least two pages long, and
yet may be taken for the page that is written and kept. So a claim that holds here does hold; a violation has to be
shown in pages.

Linked over a kernel in place of what syscall.py has under these names.
"""

from vmacheck.model.common.canonical import name_anon_vmas
from vmacheck.model.common.lookup import clear_vma
from vmacheck.model.common.mm import BUG, NULL, TASK_SIZE, VMA_NEW
from vmacheck.model.common.pages import page_remove_rmap
from vmacheck.model.common.unistd import NR_write
from vmacheck.model.linux_2_6.fault import do_page_fault
from vmacheck.model.linux_2_6.syscall import system_call

KEEP = 1  # write's flag: keep the written page
LONG = 3  # pages of a segment when a call begins


def kept_page(mm):
    """The first written page, or TASK_SIZE."""
    for page in range(TASK_SIZE):
        if mm.page[page].mapcount != 0:
            return page
    return TASK_SIZE


def is_cut(mm, page):
    """Is it not the first page, and does something start there: a vma, a hole, the kept page or the part above it?"""
    if mm.page[page].mapcount != mm.page[page - 1].mapcount:
        return True
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start == page or mm.vma[vma].vm_end == page:
            return True
    return False


def check_addresses(mm):
    """Stop unless the vmas are in order, end before the last page, and hold anonymous memory at its own address."""
    end = 0
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start < end or mm.vma[vma].vm_end <= mm.vma[vma].vm_start:
            BUG(mm)
        end = mm.vma[vma].vm_end
        if end >= TASK_SIZE or mm.vma[vma].vm_pgoff != mm.vma[vma].vm_start or mm.vma[vma].vm_file != NULL:
            BUG(mm)
    for page in range(TASK_SIZE):
        if mm.page[page].mapcount != 0 and mm.page[page].index != page:
            BUG(mm)
    if mm.page[TASK_SIZE - 1].mapcount != 0 or mm.brk != 0:
        BUG(mm)


def forget_pages(mm):
    """Forget the contents of all pages but those to keep after the call, which are alike and adjacent."""
    for page in range(TASK_SIZE):
        if page < mm.kept_start or page >= mm.kept_end:
            page_remove_rmap(mm, page)


def count_segments(mm):
    """The number of vmas and of holes below vmas."""
    mm.segments = mm.map_count
    end = 0
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start != end:
            mm.segments = mm.segments + 1
        end = mm.vma[vma].vm_end


def move_edges(mm, page, address):
    """Move starts and ends from just below the page to just below the address."""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start == page:
            mm.vma[vma].vm_start = address
            mm.vma[vma].vm_pgoff = address
        if mm.vma[vma].vm_end == page:
            mm.vma[vma].vm_end = address


def put_page(mm, page, source):
    """Make the page like the source, at its own address."""
    mm.page[page] = mm.page[source]
    if mm.page[page].mapcount != 0:
        mm.page[page].index = page


def squeeze(mm):
    """Make everything between two cuts one page long."""
    mm.cuts = 0
    for page in range(1, TASK_SIZE):
        if is_cut(mm, page):
            mm.cuts = mm.cuts + 1
            put_page(mm, mm.cuts, page)
            move_edges(mm, page, mm.cuts)
    for page in range(mm.cuts + 1, TASK_SIZE):
        put_page(mm, page, mm.cuts)


def stretch(mm):
    """Make everything between two cuts that is one page long LONG pages, except for the kept page."""
    kept = kept_page(mm)
    end = TASK_SIZE
    for cut in range(mm.cuts, -1, -1):
        start = LONG * cut - (LONG - 1 if cut > kept else 0)
        for page in range(end - 1, start - 1, -1):
            put_page(mm, page, cut)
        move_edges(mm, cut, start)
        end = start


def begin(mm):
    """Make room between the cuts; record which page is kept; mark each vma; forget what calls left."""
    clear_vma(mm, VMA_NEW)
    squeeze(mm)
    stretch(mm)
    mm.kept_start = kept_page(mm)
    mm.kept_end = mm.kept_start + 1
    for vma in range(1, mm.map_count + 1):
        mm.vma[vma].was = vma


def is_whole_vma(mm, start, end):
    """Is [start, end) a vma?"""
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_start == start and mm.vma[vma].vm_end == end:
            return True
    return False


def step(mm, call):
    """Run one call. A write to call.len pages that are a whole vma is a write to the one page that it stands for."""
    if call.nr != NR_write or (call.flags & KEEP) == 0:
        return system_call(mm, call)
    end = call.addr + 1
    if call.len > 1 and is_whole_vma(mm, call.addr, call.addr + call.len):
        end = call.addr + call.len
    result = 0
    for page in range(call.addr, end):
        result = do_page_fault(mm, page, True)
    if result == 0:
        mm.kept_start = call.addr
        mm.kept_end = end
    return result


def canonicalise(mm):
    """Count the segments, forget all pages but the kept one, make everything short, and rename the anon_vmas."""
    check_addresses(mm)
    count_segments(mm)
    forget_pages(mm)
    squeeze(mm)
    name_anon_vmas(mm)
