# SPDX-License-Identifier: GPL-2.0-only
"""No merge is missed: neither one that a call was to make, nor, for anon_vmas' sake, one between equal neighbours."""

from vmacheck.model.common.mm import NULL, VM_SPECIAL
from vmacheck.model.common.unistd import NR_mmap, NR_mprotect
from vmacheck.model.linux_2_6.mmap import can_vma_merge_after
from vmacheck.properties import always, sometimes, step
from vmacheck.properties.neighbours import continues, vma_of_page


@sometimes
def two_written_vmas_become_one(before, call, after):
    """Two written pages that lay in different vmas lie in one vma after the call."""
    for vma in range(1, after.map_count + 1):
        written_in = NULL
        for page in range(after.vma[vma].vm_start, after.vma[vma].vm_end):
            if before.page[page].mapcount != 0 and after.page[page].mapcount != 0:
                if written_in != NULL and vma_of_page(before, page) != written_in:
                    return True
                written_in = vma_of_page(before, page)
    return False


@always(premise=two_written_vmas_become_one)
def equal_neighbours_are_not_kept_apart(mm):
    """No two adjacent vmas that are alike in everything else stay two because they have different anon_vmas."""
    for vma in range(1, mm.map_count):
        if mm.vma[vma].anon_vma != NULL and mm.vma[vma + 1].anon_vma != NULL:
            if mm.vma[vma].anon_vma != mm.vma[vma + 1].anon_vma and continues(mm, vma, vma + 1):
                if mm.vma[vma].vm_flags == mm.vma[vma + 1].vm_flags:
                    return False
    return True


def flags_of_page(mm, page):
    """The flags of the vma that a page lies in, or -1 if it lies in none."""
    vma = vma_of_page(mm, page)
    if vma == NULL:
        return -1
    return mm.vma[vma].vm_flags


def changed_by_call(before, call, after, page):
    """Did mmap map the page, or mprotect change its flags?"""
    if page < call.addr or page >= call.addr + call.len:
        return False
    if call.nr == NR_mmap:
        return call.result >= 0
    return flags_of_page(before, page) != flags_of_page(after, page)


def could_be_one(mm, vma, next):
    """Do the kernel's own rules allow vma and next, which follows it, to be one vma?"""
    if mm.vma[vma].vm_end != mm.vma[next].vm_start or (mm.vma[vma].vm_flags & VM_SPECIAL) != 0:
        return False
    return mm.vma[vma].vm_policy == mm.vma[next].vm_policy and can_vma_merge_after(
        mm, vma, mm.vma[next].vm_flags, mm.vma[next].anon_vma, mm.vma[next].vm_file, mm.vma[next].vm_pgoff
    )


@sometimes
def a_call_merges(before, call, after):
    """mmap or mprotect ends with a changed page in one vma with a page next to it that was not in its range."""
    if call.nr != NR_mmap and call.nr != NR_mprotect:
        return False
    if call.addr == 0 or not changed_by_call(before, call, after, call.addr):
        return False
    vma = vma_of_page(after, call.addr)
    return vma != NULL and vma_of_page(after, call.addr - 1) == vma


@step(premise=a_call_merges)
def calls_miss_no_merge(before, call, after):
    """After mmap or mprotect, no page that was changed borders on a vma that the rules allow its own to merge with."""
    if call.nr != NR_mmap and call.nr != NR_mprotect:
        return True
    for vma in range(1, after.map_count):
        border = after.vma[vma].vm_end
        if changed_by_call(before, call, after, border - 1) or changed_by_call(before, call, after, border):
            if could_be_one(after, vma, vma + 1):
                return False
    return True
