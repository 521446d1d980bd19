# SPDX-License-Identifier: GPL-2.0-only
"""The state of threads and two processes of 2.6: the memory, the locks, and the point of each thread."""

from typing import Any, NamedTuple

from vmacheck.model.common.mm import (
    VM_ACCOUNT,
    VM_GROWSDOWN,
)
from vmacheck.model.states.linux_2_6 import PROTECTION

LAST_POINT = 20  # the highest point of a thread (threads.py)


class ThreadBounds(NamedTuple):
    """The bounds of a state of threads.py: the number of processes, and the pages and vmas of each."""

    pages: int
    processes: int
    threads: int
    anon_vmas: int
    nodes: int
    max_map_count: int
    stacks: int

    @property
    def offset_mask(self) -> int:
        """A mask of enough bits for every offset, also for those of pages mapped while a stack grows."""
        return (1 << (3 * self.pages).bit_length()) - 1 if self.stacks else 0x7FFFFFFF

    def constants(self) -> dict[str, int]:
        """The bounds of model.mm and model.threads."""
        return {
            "TASK_SIZE": self.pages,
            "NR_VMAS": self.pages,
            "NR_ANON_VMAS": self.anon_vmas,
            "MAX_MAP_COUNT": self.max_map_count,
            "VMA_NEW": self.pages + 1,
            "NR_THREADS": self.threads,
            "NR_NODES": self.nodes,
            "OTHER": self.pages + 1,
            "SPARE_VMA": 2 * self.pages + 2,
            "SPARE_PAGE": 2 * self.pages,
            "STACKS": self.stacks,
            "OFFSET_MASK": self.offset_mask,
        }


def thread_bounds(
    pages: int, processes: int, threads: int, max_map_count: int, stacks: int = 0, more: int = 0
) -> ThreadBounds:
    """The bounds: each vma, its place on a list, each page and each thread can name an anon_vma; one is new.

    A vma has a node; a call can make two more before it frees others, and all freed ones are one. `more` of both are
    for systems without renaming.
    """
    vmas = pages * processes
    return ThreadBounds(
        pages, processes, threads, 3 * vmas + threads + 1 + more, vmas + 4 + more, max_map_count, stacks
    )


def thread_layout(bounds: ThreadBounds) -> list[tuple[Any, ...]]:
    """The fields of mm for threads.py within the bounds."""
    pages, anon_vmas, nodes, two = bounds.pages, bounds.anon_vmas, bounds.nodes, bounds.processes - 1
    vma = {
        "vm_start": pages - 1,
        "vm_end": pages,
        "vm_flags": ("bits", PROTECTION | VM_ACCOUNT | (VM_GROWSDOWN if bounds.stacks else 0)),
        "vm_pgoff": pages - 1,
        "vm_file": 0,
        "vm_policy": 0,
        "anon_vma": anon_vmas,
        "anon_vma_node": anon_vmas,
        "link": nodes,
        "was": None,
    }
    task = {
        "at": LAST_POINT,
        "process": two,
        "address": pages - 1,
        "anon_vma": anon_vmas,
        "allocated": 1,
        "grows": bounds.stacks,
        "start": (pages - 1) * bounds.stacks,
        "node": nodes,
        "found": 1 + two,
        "skipped": 1,
    }
    index = bounds.offset_mask if bounds.stacks else pages - 1
    page = {"mapcount": 1, "mapping": anon_vmas, "index": index, "shared": two}
    last = 2 * pages + 1 if two else pages
    return [
        ("map_count", pages),
        ("other_count", pages * two),
        ("forked", two),
        ("leaked", 1),
        ("missed", 1),
        ("brk", 0),
        ("ptl", bounds.threads),
        ("other_ptl", bounds.threads * two),
        ("vma", 1, last, 2 * pages + 2 - last, vma),
        ("page", 0, pages * bounds.processes - 1, 2 * pages + 1 - pages * bounds.processes, page),
        ("anon_vma", 1, anon_vmas, 0, {"life": 2, "lock": bounds.threads, "first": nodes, "last": nodes}),
        ("node", 1, nodes, 0, {"life": 2, "next": nodes, "prev": nodes}),
        ("task", 1, bounds.threads, 0, task),
        ("renamed", 1, anon_vmas, 0, dict.fromkeys(("name", "life", "lock", "first", "last"))),
        ("new_node", 1, nodes, 0, dict.fromkeys(("name", "old", "life", "next", "prev"))),
        ("names", None),
        ("node_names", None),
        ("running", None),
        ("reader", None),
    ]
