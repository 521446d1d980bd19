# SPDX-License-Identifier: GPL-2.0-only
"""The kernels by name: two trees, each with the files of its base, its kernels, and the patches over it.

A tree's record holds all that distinguishes it from the other: code elsewhere asks the record, never which tree a
kernel is of.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from vmacheck.model.calls.operations import EVERY_OPERATION, OPERATIONS, Call, Operation, only_of_current_kernels
from vmacheck.model.common import mm
from vmacheck.model.states import linux, linux_2_6

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


class Kernel(NamedTuple):
    """A kernel: the patches over the base of its tree in order, a description, and the goals that it cannot meet."""

    patches: tuple[str, ...]
    what: str
    never: tuple[str, ...] = ()


class Patch(NamedTuple):
    """A change to a tree: its description, and the kernels that it applies to, if not all."""

    what: str
    over: tuple[str, ...] = ()


KERNELS_2_6 = {
    "anonmm": Kernel(("anonmm",), "object-based rmap by process and address (rmap 11 to 37): no anon_vma at all"),
    "rmap39": Kernel((), "anon_vma rmap: every first write fault allocates an anon_vma"),
    "andrea-aa": Kernel(
        ("andrea", "andrea-aa"),
        "Andrea Arcangeli's 2.6.5-aa: a new area takes a neighbour's anon_vma; mprotect and mremap hardly merge",
        ("vma_merge case 4",),
    ),
    "andrea": Kernel(("andrea",), "rmap39 with Andrea's sharing: a new area takes a neighbour's anon_vma if it can"),
    "andrea-rwx": Kernel(("andrea", "andrea-rwx"), "andrea, between neighbours that differ in protection only"),
    "rmap40": Kernel(("rmap40",), "the patch as posted: a first write fault takes a neighbour's anon_vma if it can"),
    "one-per-mm": Kernel(("rmap40", "one-per-mm"), "the extreme: one anon_vma for the whole address space"),
    "further-afield": Kernel(("rmap40", "further-afield"), "rmap40, then any compatible vma's anon_vma, nearest first"),
    "linux-2.6.8": Kernel(("rmap40", "importer", "list-lock"), "the patch with the fixes of June 2004"),
}
PATCHES_2_6 = {
    "importer": Patch("mprotect propagate anon_vma: a vma that takes in a neighbour's pages gets its anon_vma"),
    "list-lock": Patch("a fault locks the list that its vma joins (only with --threads does it matter)"),
    "prev-first": Patch("find_mergeable_anon_vma asks the previous vma before the next", ("rmap40", "linux-2.6.8")),
    "ignore-locked": Patch("find_mergeable_anon_vma passes over VM_LOCKED, too", ("rmap40", "linux-2.6.8")),
    "ignore-hints": Patch("find_mergeable_anon_vma passes over madvise's hints, too", ("rmap40", "linux-2.6.8")),
    "extend-mremap": Patch("mremap works through touching vmas that are alike instead of refusing to span them"),
    "copy-vma-import": Patch(
        "mremap into a vma without an anon_vma gives it the source's",
        tuple(name for name in KERNELS_2_6 if name != "andrea-aa"),
    ),
}
MERGE_FAULTED, MREMAP_MANY, GUARDS = "merge-faulted", "mremap-many", "guard-regions"
CURRENT_KERNELS = {
    "linux-6.12": Kernel((), "what was faulted is not merged into what was not"),
    "linux-6.16": Kernel(
        (GUARDS, MERGE_FAULTED),
        "what was faulted may be merged into what was not, in mremap unsafely",
    ),
    "linux-6.18": Kernel(
        (GUARDS, MERGE_FAULTED, MREMAP_MANY, "mremap-dup-anon-vma"),
        "with the fix of January 2026, by which mremap brings the anon_vma along; mremap moves many vmas",
    ),
}
CURRENT_PATCHES = {
    GUARDS: Patch("MADV_GUARD_INSTALL and MADV_GUARD_REMOVE (6.13, and for files 6.15)", ("linux-6.12",)),
    MERGE_FAULTED: Patch("what was faulted may be merged into what was not (6.16)", ("linux-6.12",)),
    MREMAP_MANY: Patch("mremap moves many vmas, and looks before it unmaps (6.17)", ("linux-6.12", "linux-6.16")),
    "mremap-dup-anon-vma": Patch("what mremap moves brings its anon_vma along (6.18.y)", ("linux-6.16",)),
    "sticky": Patch("merges neither mind nor forget VM_MAYBE_GUARD (7.0, and the running 6.18)", ("linux-6.18",)),
    **{
        name: Patch(f"no kernel, to measure by: {what}", tuple(CURRENT_KERNELS))
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


def _nothing(_call: Call) -> None:
    return None


class Tree(NamedTuple):
    """A tree of kernels, and everything in which it differs from the other.

    word: its kernels, in words. base: its files in linking order; patches_at: the folder of its patches. states: the
    module of the fields of a state. operations: the calls that it knows, by their word; lacks(call): the feature of a
    call that it does not know. worlds: kinds of its states besides those of one process (checker/kernels).
    properties: files of properties/ that are linked next to those of all kernels, and properties_over those that are
    linked over them. has_max_map_count: can the limit on vmas be chosen? shows_flags: are its flags those that the
    running kernel shows? waives_accounts: does a flag of a vma say that it is not accounted (VM_NORESERVE)?
    """

    word: str
    base: tuple[Path, ...]
    patches_at: Path
    kernels: dict[str, Kernel]
    patches: dict[str, Patch]
    states: ModuleType
    operations: Mapping[str, Operation]
    worlds: tuple[str, ...]
    lacks: Callable[[Call], str | None] = _nothing
    properties: tuple[str, ...] = ()
    properties_over: tuple[str, ...] = ()
    has_max_map_count: bool = False
    shows_flags: bool = False
    waives_accounts: bool = False

    def files(self, patches: tuple[str, ...]) -> list[Path]:
        """The files of the base with patches over it, in linking order."""
        return [*self.base, *map(self.patch_file, patches)]

    def patch_file(self, patch: str) -> Path:
        """The file of a patch."""
        return self.patches_at / f"{patch.replace('-', '_')}.py"


LINUX_2_6 = Tree(
    word="2.6 kernels",
    base=tuple(HERE / f"{name}.py" for name in LINUX_2_6_NAMES),
    patches_at=HERE / "linux_2_6" / "patches",
    kernels=KERNELS_2_6,
    patches=PATCHES_2_6,
    states=linux_2_6,
    operations=OPERATIONS,
    worlds=("segments", "threads"),
    lacks=only_of_current_kernels,
    has_max_map_count=True,
)
LINUX = Tree(
    word="current kernels",
    base=tuple(HERE / f"{name}.py" for name in LINUX_NAMES),
    patches_at=HERE / "linux" / "patches",
    kernels=CURRENT_KERNELS,
    patches=CURRENT_PATCHES,
    states=linux,
    operations=EVERY_OPERATION,
    worlds=("segments", "processes"),
    properties=tuple(f"flat_linux/{name}" for name in ("pages", "memory", "ranges", "mremap", "reference")),
    properties_over=("flat_linux/rules",),
    shows_flags=True,
    waives_accounts=True,
)
TREES = (LINUX_2_6, LINUX)


def every_kernel() -> dict[str, Kernel]:
    """All kernels by name: 2.6 kernels, then current ones."""
    return {name: kernel for tree in TREES for name, kernel in tree.kernels.items()}


def tree_of(kernel: str) -> Tree:
    """The tree of an existing kernel."""
    return next(tree for tree in TREES if kernel in tree.kernels)


# patches that decide by the number of pages, or of those in between; to all others pages are alike
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
    """An event that must happen where the scope allows it, and its requirements."""

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
