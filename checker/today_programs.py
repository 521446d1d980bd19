# SPDX-License-Identifier: GPL-2.0-only
"""Programs about today's kernels, for growing n."""


def refused(n: int) -> str:
    """n pages of which the last is sealed, and munmap from each page to the end, which is refused."""
    return "; ".join([f"mmap(0,{n},R)", f"mseal({n - 1},1)", *(f"munmap({k},{n - k})" for k in range(1, n - 1))])
