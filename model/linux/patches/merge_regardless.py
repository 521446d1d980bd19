# SPDX-License-Identifier: GPL-2.0-only
"""No kernel: current kernels, merging as if there were no anon_vmas. This is the most that could merge, were it safe.

Reclaim would miss pages of merged vmas. It is a yardstick, as anonmm is for the 2.6 kernels. Replaces
is_mergeable_anon_vma and are_anon_vmas_compatible.
"""


def is_mergeable_anon_vma(mm, vma):
    """May vma and the area share one anon_vma? Always."""
    return True


def are_anon_vmas_compatible(mm, vma1, vma2):
    """May both be part of one vma? Always, whatever their anon_vmas."""
    return True
