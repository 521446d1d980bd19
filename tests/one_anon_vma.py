# SPDX-License-Identifier: GPL-2.0-only
"""One anon_vma for the whole process: what makes the seed's claim hold in its plain form."""


def find_mergeable_anon_vma(mm, vma):
    for near in range(1, mm.map_count + 1):
        if mm.vma[near].anon_vma != NULL:
            return mm.vma[near].anon_vma
    return NULL
