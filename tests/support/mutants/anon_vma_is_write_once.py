# SPDX-License-Identifier: GPL-2.0-only
"""A vma that swallows another takes over its anon_vma, whatever its own is."""


def is_mergeable_anon_vma(anon_vma1, anon_vma2):
    return True


def __anon_vma_merge(mm, vma, next):
    if mm.vma[vma].anon_vma != NULL:
        list_del(mm, vma)
    mm.vma[vma].anon_vma = mm.vma[next].anon_vma
    list_add(mm, vma, mm.vma[next].anon_vma)
    list_del(mm, next)
