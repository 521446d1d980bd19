# SPDX-License-Identifier: GPL-2.0-only
"""A vma made by a split is not put on the list."""


def anon_vma_link(mm, vma):
    return


def list_del(mm, vma):
    mm.vma[vma].anon_vma_node = NULL
