# SPDX-License-Identifier: GPL-2.0-only
"""What a state of a kernel of today consists of: that of model/state.py, with more flags, and the merge at hand."""

from collections.abc import Collection
from typing import Any

from model import state
from model.mm import MAP_NORESERVE, VM_ACCOUNT, VM_RAND_READ, VM_SEQ_READ
from model.modern import mm
from model.operations import Call
from model.state import PROTECTION, Bounds
from model.unistd import NR_madvise, NR_mlock, NR_mlock2, NR_mmap, NR_mseal

ADVISED = {
    1: VM_RAND_READ,
    2: VM_SEQ_READ,
    mm.MADV_DONTFORK: mm.VM_DONTCOPY,
    mm.MADV_MERGEABLE: mm.VM_MERGEABLE,
    mm.MADV_HUGEPAGE: mm.VM_HUGEPAGE,
    mm.MADV_NOHUGEPAGE: mm.VM_NOHUGEPAGE,
    mm.MADV_DONTDUMP: mm.VM_DONTDUMP,
    mm.MADV_WIPEONFORK: mm.VM_WIPEONFORK,
    mm.MADV_GUARD_INSTALL: mm.VM_MAYBE_GUARD,
}
MERGE = "start end flags pgoff file policy anon_vma prev middle next target copied_from just_expand".split()


def flags_of(call: Call) -> int:
    """The flags that a call can give to a vma."""
    if call.nr == NR_mmap:
        flags = mm.VM_NORESERVE if call.flags & MAP_NORESERVE else 0
        return flags | (mm.VM_NOHUGEPAGE if call.flags & mm.MAP_STACK else 0)
    if call.nr == NR_madvise:
        return ADVISED.get(call.behavior, 0)
    return {NR_mlock: mm.VM_LOCKED, NR_mlock2: mm.VM_LOCKED_MASK, NR_mseal: mm.VM_SEALED}.get(call.nr, 0)


def bounds(
    pages: int, operations: Collection[str], calls: Collection[Call], max_map_count: int, max_pgoff: int, more: int = 0
) -> Bounds:
    """What the states of an address space of so many pages need for these calls, with so many anon_vmas more."""
    vm_flags = PROTECTION | VM_ACCOUNT
    for call in calls:
        vm_flags |= flags_of(call)
    return state.bounds(pages, operations, max_map_count, max_pgoff, more)._replace(vm_flags=vm_flags)


def layout(bounds: Bounds) -> list[tuple[Any, ...]]:
    """The fields of mm within the bounds."""
    entries = state.layout(bounds)
    for entry in entries:
        if entry[0] == "page":
            entry[4]["guard"] = int(bounds.vm_flags & mm.VM_MAYBE_GUARD != 0)
    return [*entries, *((f"vmg_{name}", None) for name in MERGE)]
