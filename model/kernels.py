# SPDX-License-Identifier: GPL-2.0-only
"""The kernels by name: the files of the base tree, and the patches over it."""

from pathlib import Path
from typing import NamedTuple

from model import mm

HERE = Path(__file__).parent
BASE = tuple(HERE / f"{name}.py" for name in ("unistd", "mm", "rmap", "memory", "mmap", "mprotect", "fault", "syscall"))


class Kernel(NamedTuple):
    """A tree: the patches over the base in order, and what it is."""

    patches: tuple[str, ...]
    what: str


KERNELS = {
    "anonmm": Kernel(("anonmm",), "object-based rmap by process and address (rmap 11 to 37): no anon_vma at all"),
    "rmap39": Kernel((), "anon_vma rmap: every first write fault allocates an anon_vma"),
    "rmap40": Kernel(("rmap40",), "the seed as posted: a first write fault takes a neighbour's anon_vma if it can"),
    "linux-2.6.8": Kernel(("rmap40", "importer"), "the seed with the fix of June 2004 (= rmap40+importer)"),
}
PATCHES = {
    "importer": "mprotect propagate anon_vma: a vma that takes in a neighbour's pages gets its anon_vma",
}


EVENTS = {
    **{f"vma_merge case {n}": 1 << (n - 1) for n in range(1, 9)},
    "split_vma above": mm.SPLIT_VMA_ABOVE,
    "split_vma below": mm.SPLIT_VMA_BELOW,
    "anon_vma_alloc": mm.ANON_VMA_ALLOC,
    "anon_vma_free": mm.ANON_VMA_FREE,
}


class Goal(NamedTuple):
    """Something that must be seen to happen where the scope allows it: an event, and what it takes."""

    name: str
    event: int
    pages: int
    operation: str
    protections: int
    max_map_count: int


GOALS = tuple(
    Goal(f"vma_merge case {n}", 1 << (n - 1), pages, operation, protections, max_map_count)
    for n, pages, operation, protections, max_map_count in (
        (1, 3, "mmap", 1, 2),
        (2, 2, "mmap", 1, 1),
        (3, 2, "mmap", 1, 1),
        (4, 3, "mprotect", 2, 1),
        (5, 3, "mprotect", 2, 1),
        (6, 3, "mprotect", 2, 2),
        (7, 2, "mprotect", 2, 1),
        (8, 2, "mprotect", 2, 1),
    )
)


def files(patches: tuple[str, ...]) -> list[Path]:
    """The files of the base tree with patches over it, in linking order."""
    return [*BASE, *(HERE / "patches" / f"{patch}.py" for patch in patches)]
