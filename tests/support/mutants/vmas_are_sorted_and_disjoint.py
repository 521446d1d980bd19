# SPDX-License-Identifier: GPL-2.0-only
"""A new vma goes to the end of the list, wherever its place is."""


def vma_link(mm, vma):
    mm.map_count = mm.map_count + 1
    mm.vma[mm.map_count] = mm.vma[vma]
    anon_vma_link(mm, mm.map_count)
