# SPDX-License-Identifier: GPL-2.0-only
"""The search for a neighbour never advances."""


def find_mergeable_anon_vma(mm, vma):
    near = vma_next(mm, vma)
    while near != NULL and mm.vma[near].anon_vma == NULL:
        near = vma_next(mm, vma)
    return NULL
