# SPDX-License-Identifier: GPL-2.0-only
"""The kernels by name: the files of the base tree, and the patches over it."""

from pathlib import Path
from typing import NamedTuple

from model import mm

HERE = Path(__file__).parent
BASE = tuple(
    HERE / f"{name}.py" for name in ("unistd", "mm", "rmap", "memory", "mmap", "mprotect", "fault", "syscall")
)


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


class Goal(NamedTuple):
    """Something that must be seen to happen where the scope allows it: an event, and what it takes."""

    name: str
    event: int
    pages: int
    operation: str
    protections: int


GOALS = (
    Goal("vma_merge case 1", mm.VMA_MERGE_CASE_1, 3, "mmap", 1),
    Goal("vma_merge case 2", mm.VMA_MERGE_CASE_2, 2, "mmap", 1),
    Goal("vma_merge case 3", mm.VMA_MERGE_CASE_3, 2, "mmap", 1),
    Goal("vma_merge case 4", mm.VMA_MERGE_CASE_4, 3, "mprotect", 2),
    Goal("vma_merge case 5", mm.VMA_MERGE_CASE_5, 3, "mprotect", 2),
    Goal("vma_merge case 6", mm.VMA_MERGE_CASE_6, 3, "mprotect", 2),
    Goal("vma_merge case 7", mm.VMA_MERGE_CASE_7, 2, "mprotect", 2),
    Goal("vma_merge case 8", mm.VMA_MERGE_CASE_8, 2, "mprotect", 2),
)


def files(patches: tuple[str, ...]) -> list[Path]:
    """The files of the base tree with patches over it, in linking order."""
    return [*BASE, *(HERE / "patches" / f"{patch}.py" for patch in patches)]
