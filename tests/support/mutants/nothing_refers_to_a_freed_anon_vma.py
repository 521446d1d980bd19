# SPDX-License-Identifier: GPL-2.0-only
"""The first vma to go frees the anon_vma."""


def anon_vma_unlink(mm, vma):
    anon_vma = mm.vma[vma].anon_vma
    if anon_vma == NULL:
        return
    list_del(mm, vma)
    if mm.anon_vma[anon_vma].life == LIVE:
        anon_vma_free(mm, anon_vma)
