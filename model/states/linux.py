# SPDX-License-Identifier: GPL-2.0-only
"""A state of a current kernel: that of linux_2_6.py, with more flags, and the merge at hand."""

from collections.abc import Collection
from typing import Any

from vmacheck.model.calls.operations import Call
from vmacheck.model.common.mm import (
    MAP_GROWSDOWN,
    MAP_NORESERVE,
    MAX_MAP_COUNT,
    VM_ACCOUNT,
    VM_GROWSDOWN,
    VM_RAND_READ,
    VM_SEQ_READ,
    VM_SHARED,
)
from vmacheck.model.common.unistd import NR_madvise, NR_mlock, NR_mlock2, NR_mmap, NR_mseal
from vmacheck.model.linux import mm
from vmacheck.model.states import linux_2_6
from vmacheck.model.states.linux_2_6 import PROTECTION, Bounds

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
MAPPED = {
    MAP_NORESERVE: mm.VM_NORESERVE,
    mm.MAP_STACK: mm.VM_NOHUGEPAGE,
    MAP_GROWSDOWN: VM_GROWSDOWN,
    mm.MAP_LOCKED: mm.VM_LOCKED,
    mm.MAP_SHARED: VM_SHARED,
}
MERGE = "start end flags pgoff file policy anon_vma prev middle next target copied_from just_expand".split()


def flags_of(call: Call) -> int:
    """The flags that a call can give to a vma."""
    if call.nr == NR_mmap:
        return sum(vm_flag for flag, vm_flag in MAPPED.items() if call.flags & flag)
    if call.nr == NR_madvise:
        return ADVISED.get(call.behavior, 0)
    return {NR_mlock: mm.VM_LOCKED, NR_mlock2: mm.VM_LOCKED_MASK, NR_mseal: mm.VM_SEALED}.get(call.nr, 0)


def bounds(
    pages: int, operations: Collection[str], calls: Collection[Call], max_map_count: int, max_pgoff: int, more: int = 0
) -> Bounds:
    """The bounds of states with `pages` pages for these calls, with `more` additional anon_vmas."""
    vm_flags = PROTECTION | VM_ACCOUNT
    for call in calls:
        vm_flags |= flags_of(call)
    makes_objects = any(call.nr == NR_mmap and call.flags & mm.MAP_SHARED and not call.file for call in calls)
    # one per vma, and a new one
    shmem = pages + 1 if makes_objects else 0
    found = linux_2_6.bounds(pages, operations, calls, max_map_count, max_pgoff, more)
    return found._replace(vm_flags=vm_flags, shmem=shmem)


def segment_bounds(
    segments: int, pages: int, operations: Collection[str], calls: Collection[Call], max_map_count: int
) -> Bounds:
    """The bounds of states of up to `segments` segments, with room for them when a call begins (segments.py)."""
    vm_flags = bounds(pages, operations, calls, max_map_count, pages - 1).vm_flags
    found = linux_2_6.segment_bounds(segments, pages, operations, calls, max_map_count)
    return found._replace(vm_flags=vm_flags)


def layout(bounds: Bounds) -> list[tuple[Any, ...]]:
    """The fields of mm within the bounds."""
    entries = linux_2_6.layout(bounds)
    for entry in entries:
        if entry[0] == "page":
            entry[4]["guard"] = int(bounds.vm_flags & mm.VM_MAYBE_GUARD != 0)
        if entry[0] == "vma":
            entry[4]["vm_file"] = mm.NR_NAMED_FILES + bounds.shmem if bounds.shmem else bounds.files
            entry[4]["i_size"] = bounds.pages if bounds.shmem else 0
    return [*entries, *((f"vmg_{name}", None) for name in MERGE)]


def process_bounds(
    pages: int, operations: Collection[str], calls: Collection[Call], max_pgoff: int, more: int = 0
) -> Bounds:
    """The bounds for two processes, with room for `more` anon_vmas beyond those that states need."""
    one = bounds(pages, operations, calls, MAX_MAP_COUNT, max_pgoff)
    one = one._replace(shmem=2 * one.shmem)
    # a chain per vma, a page, and those new in a call; anon_vma_alloc checks that there is always room
    return one._replace(anon_vmas=8 * pages + 4 + more)


def process_constants(bounds: Bounds) -> dict[str, int]:
    """The bounds of model.mm and of processes.py."""
    pages = bounds.pages
    return {
        **bounds.constants(),
        "OTHER": pages + 1,
        "SPARE_VMA": 2 * pages + 2,
        "SPARE_PAGE": 2 * pages,
    }


def process_layout(bounds: Bounds) -> list[tuple[Any, ...]]:
    """The fields of mm for processes.py within the bounds."""
    pages, anon_vmas = bounds.pages, bounds.anon_vmas
    entries = {entry[0]: entry for entry in layout(bounds)}
    _, _, _, _, vma = entries["vma"]
    del vma["anon_vma_node"]
    vma |= {f"link_{i}": anon_vmas for i in range(1, 9)}
    _, _, _, _, page = entries["page"]
    page["mate"] = pages
    # slots of one process, the new vma, slots of the other, and one to change places with
    entries["vma"] = ("vma", 1, 2 * pages + 1, 1, vma)
    entries["page"] = ("page", 0, 2 * pages - 1, 1, page)
    entries["anon_vma"] = ("anon_vma", 1, anon_vmas, 0, {"life": 2, "parent": anon_vmas})
    entries["renamed"] = ("renamed", 1, anon_vmas, 0, dict.fromkeys(("name", "life", "parent")))
    return [*entries.values(), ("other_count", pages), ("forked", 1), ("left", 1)]
