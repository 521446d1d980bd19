# SPDX-License-Identifier: GPL-2.0-only
"""mm/memory.c as of 2.6.7: faults on private memory, and unmapping (docs/rules-2.6.md sections 4.3 and 4.9).

mm.page[a] is the anonymous page mapped at address a (mapcount 0: none). A single process never shares a page.
"""

from vmacheck.model.common.mm import NULL
from vmacheck.model.common.pages import page_add_anon_rmap, page_remove_rmap
from vmacheck.model.linux_2_6.rmap import anon_vma_prepare


def zap_page_range(mm, start, end):
    """Unmap, and so free, the anonymous pages of [start, end)."""
    for address in range(start, end):
        if mm.page[address].mapcount != 0:
            page_remove_rmap(mm, address)


def do_anonymous_page(mm, vma, address, write_access):
    """First access to anonymous memory: a write makes a page, a read maps the zero page, which has no rmap."""
    if write_access:
        error = anon_vma_prepare(mm, vma)
        if error != 0:
            return error
        page_add_anon_rmap(mm, vma, address)
    return 0


def do_no_page(mm, vma, address, write_access):
    """First access to an address: of a private file mapping, a write copies the file's page, a read maps it."""
    if mm.vma[vma].vm_file == NULL:
        return do_anonymous_page(mm, vma, address, write_access)
    if write_access:
        error = anon_vma_prepare(mm, vma)
        if error != 0:
            return error
        page_add_anon_rmap(mm, vma, address)
    return 0


def handle_mm_fault(mm, vma, address, write_access):
    """Handle an access that vma allows. An existing page is the process's own, and written in place."""
    if mm.page[address].mapcount == 0:
        return do_no_page(mm, vma, address, write_access)
    return 0
