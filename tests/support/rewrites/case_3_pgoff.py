# SPDX-License-Identifier: GPL-2.0-only
"""A vma that is extended down keeps its offset."""


def extend_down(mm, area, next, addr, pgoff):
    vma_adjust(mm, area, addr, mm.vma[next].vm_end, mm.vma[next].vm_pgoff, NULL)
