# SPDX-License-Identifier: GPL-2.0-only
"""No kernel: current kernels without the sharing that rmap 40 brought. Every first fault makes an anon_vma.

Replaces find_mergeable_anon_vma.
"""

from vmacheck.model.common.mm import NULL


def find_mergeable_anon_vma(mm, vma):
    """NULL: never share."""
    return NULL
