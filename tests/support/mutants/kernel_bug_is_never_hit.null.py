# SPDX-License-Identifier: GPL-2.0-only
"""The next vma is used without a test for NULL."""


def find_mergeable_anon_vma(mm, vma):
    near = vma_next(mm, vma)
    if mm.vma[near].vm_start == mm.vma[vma].vm_end:
        return mm.vma[near].anon_vma
    return NULL
