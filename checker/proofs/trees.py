# SPDX-License-Identifier: GPL-2.0-only
"""The parts of a state, and the calls, in the tree of a kernel.

Where functions are compared, vmas of any state have any flags that calls give, even calls that are not tried; where
reachable states matter, only those of the calls that are tried.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from vmacheck.checker.kernels.names import tree_of
from vmacheck.model.calls.operations import (
    ADVICE,
    ADVICE_2_6,
    ADVICE_PAIRS,
    EVERY_OPERATION,
    OPERATIONS,
    PROTECTIONS,
    Operation,
    all_calls,
)
from vmacheck.model.common import mm
from vmacheck.model.kernels import LINUX, LINUX_2_6
from vmacheck.model.linux import mm as linux_mm
from vmacheck.model.states import linux, linux_2_6

VM_FLAGS = linux_2_6.PROTECTION | mm.VM_ACCOUNT | mm.VM_LOCKED | mm.VM_SEQ_READ | mm.VM_RAND_READ
CURRENT_VM_FLAGS = (
    VM_FLAGS
    | linux_mm.VM_NORESERVE
    | linux_mm.VM_LOCKONFAULT
    | linux_mm.VM_SEALED
    | linux_mm.VM_MERGEABLE
    | linux_mm.VM_MAYBE_GUARD
    | linux_mm.VM_DONTCOPY
    | linux_mm.VM_DONTDUMP
    | linux_mm.VM_WIPEONFORK
    | linux_mm.VM_HUGEPAGE
    | linux_mm.VM_NOHUGEPAGE
)
FOLLOWED = ("mmap", "munmap", "mprotect", "write", "read", "munlock", "madvise", "brk", "mbind", "file")
CURRENT_FOLLOWED = (
    *FOLLOWED,
    *("mlock", "mlock2", "mseal", "guard", "dontfork", "wipeonfork", "dontdump", "mergeable", "hugepage"),
)


class Kind(NamedTuple):
    """A tree, as proofs see it.

    vm_flags: those that a vma can have; page_fields: the fields of a page; operations: the calls by their word;
    followed: those that a proof can be about; advice: the numbers of the words for madvise; layout: the fields of a
    state within bounds; populates: does mprotect fault in locked memory that becomes writable?
    accounts: is writable memory known to be accounted, unless that is waived?
    """

    vm_flags: int
    page_fields: tuple[str, ...]
    operations: Mapping[str, Operation]
    followed: tuple[str, ...]
    advice: Mapping[str, Mapping[str, int]]
    layout: Callable[[linux_2_6.Bounds], list[tuple[Any, ...]]]
    populates: bool
    accounts: bool = False

    def given_by(self, operations: Collection[str]) -> "Kind":
        """The same, for vmas with the flags that these calls give."""
        if not self.populates:
            return self
        flags = linux_2_6.PROTECTION | mm.VM_ACCOUNT
        for call in all_calls(1, tuple(PROTECTIONS), tuple(operations), noreserve=True):
            flags |= linux.flags_of(call)
        return self._replace(vm_flags=flags)

    def leaves_out_locked(self, operations: Collection[str]) -> bool:
        """Do these calls start from states without memory that is locked other than on fault?

        If none of them locks any, such memory is unreachable, and mprotect could fault in without end.
        """
        return self.populates and "mlock" not in operations

    def bounds(self, pages: int, max_map_count: int, max_pgoff: int, more_anon_vmas: int = 0) -> linux_2_6.Bounds:
        """Bounds with room for any state of `pages` pages."""
        whole = linux_2_6.bounds(pages, list(OPERATIONS), (), max_map_count, max_pgoff, more_anon_vmas)
        return whole._replace(vm_flags=self.vm_flags)


OF_2_6 = Kind(
    VM_FLAGS,
    ("mapcount", "mapping", "index"),
    OPERATIONS,
    FOLLOWED,
    {"madvise": ADVICE},
    linux_2_6.layout,
    populates=False,
)
CURRENT = Kind(
    CURRENT_VM_FLAGS,
    ("mapcount", "mapping", "index", "guard"),
    EVERY_OPERATION,
    CURRENT_FOLLOWED,
    {"madvise": ADVICE_2_6, **ADVICE_PAIRS},
    linux.layout,
    populates=True,
)


KINDS = {LINUX_2_6.word: OF_2_6, LINUX.word: CURRENT}


def kind_of(kernel: str) -> Kind:
    """The tree of the kernel, as proofs see it."""
    return KINDS[tree_of(kernel).word]
