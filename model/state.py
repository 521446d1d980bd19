# SPDX-License-Identifier: GPL-2.0-only
"""What a state consists of, and how large each field can get in a scope.

A state is one fixed-size struct, mm. The entries of layout() are

    (name, bounds)                             a number in mm
    (name, first, last, spare, fields)         an array of structs; slots first..last are the state, and `spare`
                                               more behind them are for use inside a call

with bounds being the highest value (the lowest is 0), ("bits", mask), or None for what only lives inside a call and
is not part of the state. A value outside its bounds is an error that the checker reports; nothing is cut off.
"""

from typing import Any

from model.mm import VM_ACCOUNT, VM_EXEC, VM_READ, VM_WRITE


def anon_vmas_needed(pages: int) -> int:
    """How many anon_vmas a state can name: each vma one, each list node one, each page one; and one more in a call."""
    return 3 * pages + 1


def constants(pages: int, anon_vmas: int, max_map_count: int) -> dict[str, int]:
    """The bounds of model.mm for an address space of so many pages."""
    return {
        "TASK_SIZE": pages,
        "NR_VMAS": pages,
        "NR_ANON_VMAS": anon_vmas,
        "MAX_MAP_COUNT": max_map_count,
        "VMA_NEW": pages + 1,
    }


def layout(pages: int, anon_vmas: int) -> list[tuple[Any, ...]]:
    """The fields of mm for an address space of so many pages."""
    vma = {
        "vm_start": pages - 1,
        "vm_end": pages,
        "vm_flags": ("bits", VM_READ | VM_WRITE | VM_EXEC | VM_ACCOUNT),
        "vm_pgoff": pages - 1,
        "vm_file": 0,
        "vm_policy": 0,
        "anon_vma": anon_vmas,
        "anon_vma_node": anon_vmas,
        "was": None,
    }
    page = {"mapcount": 1, "mapping": anon_vmas, "index": pages - 1}
    return [
        ("map_count", pages),
        ("leaked", 1),
        ("vma", 1, pages, 1, vma),
        ("page", 0, pages - 1, 0, page),
        ("anon_vma", 1, anon_vmas, 0, {"life": 2}),
        ("renamed", 1, anon_vmas, 0, {"name": None, "life": None}),
        ("names", None),
    ]
