# SPDX-License-Identifier: GPL-2.0-only
"""No kernel: current kernels, merging as if there were no anon_vmas. It merges the most that could be, were it safe.

Reclaim would not find what it merged: this is to measure against, as anonmm is for the 2.6 kernels. Replaces
is_mergeable_anon_vma and are_anon_vmas_compatible.
"""


def is_mergeable_anon_vma(mm, vma):
    """May vma and the area have one anon_vma? That is not asked."""
    return True


def are_anon_vmas_compatible(mm, vma1, vma2):
    """May both be part of one vma? Whatever anon_vmas they have."""
    return True
