# SPDX-License-Identifier: GPL-2.0-only
"""The kernels by name: the files of the base tree, and the patches over it."""

from pathlib import Path
from typing import NamedTuple

from vmacheck.model.common import mm

COMMON = tuple(f"common/{name}" for name in ("unistd", "mm", "lookup", "pages", "canonical"))
LINUX_2_6_NAMES = (
    *COMMON,
    *(
        f"linux_2_6/{name}"
        for name in (
            "rmap",
            "memory",
            "mmap",
            "mprotect",
            "mlock",
            "mremap",
            "madvise",
            "mempolicy",
            "fault",
            "syscall",
        )
    ),
)
LINUX_NAMES = (
    *COMMON,
    "linux_2_6/memory",
    "linux_2_6/syscall",
    *(
        f"linux/{name}"
        for name in (
            "mm",
            "rmap",
            "vma",
            "shmem",
            "fault",
            "mlock",
            "mmap",
            "mprotect",
            "mremap",
            "madvise",
            "mseal",
            "mempolicy",
            "syscall",
        )
    ),
)
HERE = Path(__file__).parent


class Tree(NamedTuple):
    """A base: its files in linking order, and the folder of the patches to it."""

    base: tuple[Path, ...]
    patches: Path


SEED = Tree(tuple(HERE / f"{name}.py" for name in LINUX_2_6_NAMES), HERE / "linux_2_6" / "patches")
MODERN = Tree(tuple(HERE / f"{name}.py" for name in LINUX_NAMES), HERE / "linux" / "patches")


class Kernel(NamedTuple):
    """A tree: the patches over the base in order, what it is, and the goals that it cannot meet."""

    patches: tuple[str, ...]
    what: str
    never: tuple[str, ...] = ()
    tree: Tree = SEED


class Patch(NamedTuple):
    """A change to a tree: what it does, and the kernels that it applies to, if not all."""

    what: str
    over: tuple[str, ...] = ()


KERNELS = {
    "anonmm": Kernel(("anonmm",), "object-based rmap by process and address (rmap 11 to 37): no anon_vma at all"),
    "rmap39": Kernel((), "anon_vma rmap: every first write fault allocates an anon_vma"),
    "andrea-aa": Kernel(
        ("andrea", "andrea-aa"),
        "Andrea Arcangeli's 2.6.5-aa: a new area takes a neighbour's anon_vma; mprotect and mremap hardly merge",
        ("vma_merge case 4",),
    ),
    "andrea": Kernel(("andrea",), "rmap39 with Andrea's sharing: a new area takes a neighbour's anon_vma if it can"),
    "andrea-rwx": Kernel(("andrea", "andrea-rwx"), "andrea, between neighbours that differ in protection only"),
    "rmap40": Kernel(("rmap40",), "the seed as posted: a first write fault takes a neighbour's anon_vma if it can"),
    "one-per-mm": Kernel(("rmap40", "one-per-mm"), "the extreme: one anon_vma for the whole address space"),
    "further-afield": Kernel(("rmap40", "further-afield"), "rmap40, then any compatible vma's anon_vma, nearest first"),
    "linux-2.6.8": Kernel(("rmap40", "importer", "list-lock"), "the seed with the fixes of June 2004"),
}
PATCHES = {
    "importer": Patch("mprotect propagate anon_vma: a vma that takes in a neighbour's pages gets its anon_vma"),
    "list-lock": Patch("a fault locks the list that its vma joins (only with --threads does it matter)"),
    "prev-first": Patch("find_mergeable_anon_vma asks the previous vma before the next", ("rmap40", "linux-2.6.8")),
    "ignore-locked": Patch("find_mergeable_anon_vma passes over VM_LOCKED, too", ("rmap40", "linux-2.6.8")),
    "ignore-hints": Patch("find_mergeable_anon_vma passes over madvise's hints, too", ("rmap40", "linux-2.6.8")),
    "extend-mremap": Patch("mremap works through touching vmas that are alike instead of refusing to span them"),
    "copy-vma-import": Patch(
        "mremap into a vma without an anon_vma gives it the source's",
        tuple(name for name in KERNELS if name != "andrea-aa"),
    ),
}
MERGE_FAULTED, MREMAP_MANY, GUARDS = "merge-faulted", "mremap-many", "guard-regions"
MODERN_KERNELS = {
    "linux-6.12": Kernel((), "what was faulted is not merged into what was not", tree=MODERN),
    "linux-6.16": Kernel(
        (GUARDS, MERGE_FAULTED),
        "what was faulted may be merged into what was not, in mremap unsafely",
        tree=MODERN,
    ),
    "linux-6.18": Kernel(
        (GUARDS, MERGE_FAULTED, MREMAP_MANY, "mremap-dup-anon-vma"),
        "with the fix of January 2026, by which mremap brings the anon_vma along; mremap moves many vmas",
        tree=MODERN,
    ),
}
MODERN_PATCHES = {
    GUARDS: Patch("MADV_GUARD_INSTALL and MADV_GUARD_REMOVE (6.13, and for files 6.15)", ("linux-6.12",)),
    MERGE_FAULTED: Patch("what was faulted may be merged into what was not (6.16)", ("linux-6.12",)),
    MREMAP_MANY: Patch("mremap moves many vmas, and looks before it unmaps (6.17)", ("linux-6.12", "linux-6.16")),
    "mremap-dup-anon-vma": Patch("what mremap moves brings its anon_vma along (6.18.y)", ("linux-6.16",)),
    "sticky": Patch("merges neither mind nor forget VM_MAYBE_GUARD (7.0, and the running 6.18)", ("linux-6.18",)),
    **{
        name: Patch(f"no kernel, to measure by: {what}", tuple(MODERN_KERNELS))
        for name, what in {
            "share-never": "every first fault makes an anon_vma of its own",
            "share-all": "one anon_vma for the whole address space",
            "share-prev-first": "a first fault asks the previous vma before the next",
            "share-further": "a first fault takes any compatible vma's anon_vma, nearest first",
            "share-locked": "a first fault passes over VM_LOCKED, too",
            "share-advised": "a first fault passes over the hints of madvise, too",
            "merge-regardless": "merges as if there were no anon_vmas",
        }.items()
    },
}


def every_kernel() -> dict[str, Kernel]:
    """All kernels: those of the seed, and today's."""
    return {**KERNELS, **MODERN_KERNELS}


def patches_to(kernel: str) -> dict[str, Patch]:
    """The patches to the tree that a kernel is of."""
    return MODERN_PATCHES if kernel in MODERN_KERNELS else PATCHES


# patches that make decisions by how many pages there are, or lie between; in all others they are alike
COUNTING_PAGES = ("further-afield",)

EVENTS = {
    **{f"vma_merge case {n}": 1 << (n - 1) for n in range(1, 9)},
    "split_vma above": mm.SPLIT_VMA_ABOVE,
    "split_vma below": mm.SPLIT_VMA_BELOW,
    "anon_vma_alloc": mm.ANON_VMA_ALLOC,
    "anon_vma_free": mm.ANON_VMA_FREE,
    "find_vma_prev in a fault": mm.FIND_VMA_PREV,
    "copy_vma merges": mm.COPY_VMA_MERGE,
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


def files(patches: tuple[str, ...], tree: Tree = SEED) -> list[Path]:
    """The files of a base tree with patches over it, in linking order."""
    return [*tree.base, *(tree.patches / f"{patch.replace('-', '_')}.py" for patch in patches)]
