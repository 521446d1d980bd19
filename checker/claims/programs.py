# SPDX-License-Identifier: GPL-2.0-only
"""Programs from the patch's discussion, for growing n, and the counts after them."""

from collections.abc import Sequence

from vmacheck.checker.claims.parts import states_after
from vmacheck.model.calls.operations import Call
from vmacheck.model.common.mm import FIND_VMA_PREV


def program_1(n: int) -> str:
    """Hugh Dickins' first test: map, write, protect, page after page."""
    return "; ".join(f"mmap({k},1,RW); write({k}); mprotect({k},1,R)" for k in range(n))


def program_2(n: int) -> str:
    """Every other page of a reservation written, with the pages between made read-only meanwhile."""
    odd = [f"mprotect({k},1,R)" for k in range(1, n, 2)]
    even = [f"write({k})" for k in range(0, n, 2)]
    return "; ".join([f"mmap(0,{n},RW)", *odd, *even, f"mprotect(0,{n},RW)"])


def fill_holes(n: int) -> str:
    """Every other page mapped and written, then the pages between mapped."""
    even = [f"mmap({k},1,RW); write({k})" for k in range(0, n, 2)]
    return "; ".join([*even, *(f"mmap({k},1,RW)" for k in range(1, n, 2))])


def alternating(n: int) -> str:
    """Pages that differ in protection in turn, each written."""
    return "; ".join(f"mmap({k},1,{'RWX' if k % 2 else 'RW'}); write({k})" for k in range(n))


def ascending(n: int) -> str:
    """Touching vmas, made first, then written upwards."""
    made = [f"mmap({k},1,{'RWX' if k % 2 else 'RW'})" for k in range(n)]
    return "; ".join([*made, *(f"write({k})" for k in range(n))])


def descending(n: int) -> str:
    """The same, written downwards."""
    made = [f"mmap({k},1,{'RWX' if k % 2 else 'RW'})" for k in range(n)]
    return "; ".join([*made, *(f"write({k})" for k in reversed(range(n)))])


HUGHS_PROGRAM_2 = "mmap(0,2,R); mmap(2,2,RW); " + "; ".join(
    f"mprotect({p},1,RW); write({p}); mprotect({p},1,R)" for p in range(4)
)


def longest_list_after(kernel: str, calls: Sequence[Call], pages: int) -> int:
    """The most vmas on one anon_vma's list."""
    mm = states_after(kernel, calls, pages)[-1]
    nodes = [mm.vma[vma].anon_vma_node for vma in range(1, mm.map_count + 1)]
    return max((nodes.count(node) for node in nodes if node), default=0)


def find_vma_prevs(kernel: str, calls: Sequence[Call], pages: int) -> int:
    """The number of calls that looked up the previous vma because of a fault."""
    return sum(bool(mm.events & FIND_VMA_PREV) for mm in states_after(kernel, calls, pages))


FIRST_FAULTS = "mmap(0,1,RW); mmap(1,1,RWX); t1: write(0);"
AT_ONCE = f"{FIRST_FAULTS} t2: write(1); t1: @page_table_lock; t2: @page_table_lock; mprotect(0,1,RWX)"
ONE_BY_ONE = f"{FIRST_FAULTS} t1: @page_table_lock; t1: write(1); t1: @page_table_lock; mprotect(0,1,RWX)"
