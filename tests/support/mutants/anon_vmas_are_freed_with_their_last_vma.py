# SPDX-License-Identifier: GPL-2.0-only
"""Nobody frees an anon_vma."""


def anon_vma_unlink(mm, vma):
    if mm.vma[vma].anon_vma != NULL:
        list_del(mm, vma)
