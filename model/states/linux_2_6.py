# SPDX-License-Identifier: GPL-2.0-only
"""The fields of a state, and their bounds in a scope.

A state is one fixed-size struct, mm. The entries of layout() are

    (name, bounds)                             a number in mm
    (name, first, last, spare, fields)         an array of structs; slots first..last are the state, and `spare`
                                               more behind them are for use inside a call

with bounds being the highest value (the lowest is 0), ("bits", mask), ("limit", highest value, name of the bound), or
None for a field that lives only inside a call and is not part of the state. A value outside its bounds is an error
that the checker reports, never truncated. A value beyond a limit is one that the scope reports as not followed.

The calls of a scope determine the bounds: calls that are not tried take no room.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from vmacheck.model.calls.operations import Call
from vmacheck.model.common.mm import (
    MPOL_INTERLEAVE,
    VM_ACCOUNT,
    VM_EXEC,
    VM_LOCKED,
    VM_RAND_READ,
    VM_READ,
    VM_SEQ_READ,
    VM_WRITE,
)

PROTECTION = VM_READ | VM_WRITE | VM_EXEC


class Bounds(NamedTuple):
    """The bounds of a state.

    max_pgoff: the highest offset of a page in its object. can_outgrow: growing moved memory leads beyond any bound.
    segments: the most segments of a state (segments.py), or 0 for states without them. shmem: the number of objects
    for shared memory, on current kernels.
    """

    pages: int
    vmas: int
    anon_vmas: int
    max_map_count: int
    max_pgoff: int
    can_outgrow: bool = False
    vm_flags: int = PROTECTION | VM_ACCOUNT
    files: int = 0
    policies: int = 0
    brk: int = 0
    segments: int = 0
    shmem: int = 0

    def constants(self) -> dict[str, int]:
        """The bounds, under their names in model/common/mm.py and model/linux/mm.py."""
        return {
            "TASK_SIZE": self.pages,
            "NR_VMAS": self.vmas,
            "NR_ANON_VMAS": self.anon_vmas,
            "MAX_MAP_COUNT": self.max_map_count,
            "VMA_NEW": self.vmas + 1,
            "NR_SHMEM": self.shmem,
        }


def highest_pgoff(pages: int, operations: Collection[str]) -> int:
    """The highest offset of a page unless mremap grows memory that it moved: its address or, in a file, more."""
    return 2 * pages - 2 if {"file", "sharedfile"} & set(operations) else pages - 1


def bounds(
    pages: int, operations: Collection[str], _calls: Collection[Call], max_map_count: int, max_pgoff: int, more: int = 0
) -> Bounds:
    """The bounds of states with `pages` pages, if these operations are tried; with `more` additional anon_vmas.

    Each vma, each list node and each page can name an anon_vma; one more is new inside a call.
    """
    vm_flags = PROTECTION | VM_ACCOUNT
    if "mlock" in operations:
        vm_flags |= VM_LOCKED
    if "madvise" in operations:
        vm_flags |= VM_SEQ_READ | VM_RAND_READ
    return Bounds(
        pages,
        pages,
        3 * pages + 1 + more,
        max_map_count,
        max_pgoff,
        "mremap" in operations,
        vm_flags,
        1 if {"file", "sharedfile"} & set(operations) else 0,
        MPOL_INTERLEAVE if "mbind" in operations else 0,
        pages if "brk" in operations else 0,
    )


def segment_bounds(
    segments: int, pages: int, operations: Collection[str], calls: Collection[Call], max_map_count: int
) -> Bounds:
    """The bounds of states of up to `segments` segments, in an address space with room for them when a call begins.

    A call cuts at two places, so it makes two more vmas, and two holes. Each vma, each list node and the kept page
    can name an anon_vma; one more is new.
    """
    whole = bounds(pages, operations, calls, max_map_count, pages - 1)
    return whole._replace(vmas=segments + 2, anon_vmas=2 * (segments + 2) + 2, segments=segments)


def layout(bounds: Bounds) -> list[tuple[Any, ...]]:
    """The fields of mm within the bounds."""
    pages, anon_vmas = bounds.pages, bounds.anon_vmas
    pgoff = ("limit", bounds.max_pgoff, "max-pgoff") if bounds.can_outgrow else bounds.max_pgoff
    vma = {
        "vm_start": pages - 1,
        "vm_end": pages,
        "vm_flags": ("bits", bounds.vm_flags),
        "vm_pgoff": pgoff,
        "vm_file": bounds.files,
        "vm_policy": bounds.policies,
        "anon_vma": anon_vmas,
        "anon_vma_node": anon_vmas,
        "was": None,
    }
    page = {"mapcount": 1, "mapping": anon_vmas, "index": pgoff}
    segments: list[tuple[Any, ...]] = []
    if bounds.segments:
        segments = [("segments", ("limit", bounds.segments, "segments")), ("cuts", None)]
        segments += [("kept_start", None), ("kept_end", None)]
    return [
        *segments,
        ("map_count", bounds.vmas),
        ("leaked", 1),
        ("brk", bounds.brk),
        ("vma", 1, bounds.vmas, 1, vma),
        ("page", 0, pages - 1, 0, page),
        ("anon_vma", 1, anon_vmas, 0, {"life": 2}),
        ("renamed", 1, anon_vmas, 0, {"name": None, "life": None}),
        ("names", None),
    ]
