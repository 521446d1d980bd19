# SPDX-License-Identifier: GPL-2.0-only
"""The index of a page is its place in the vma, not in the object."""


def page_add_anon_rmap(mm, vma, address):
    mm.page[address].mapcount = 1
    mm.page[address].mapping = mm.vma[vma].anon_vma
    mm.page[address].index = address - mm.vma[vma].vm_start
