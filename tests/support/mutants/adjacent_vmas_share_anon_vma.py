# SPDX-License-Identifier: GPL-2.0-only
"""Each vma gets its own anon_vma again. Over: one_anon_vma.py, under which the claim holds."""


def find_mergeable_anon_vma(mm, vma):
    return NULL
