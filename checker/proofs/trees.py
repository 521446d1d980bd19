# SPDX-License-Identifier: GPL-2.0-only
"""What a state consists of, and which calls there are, in the tree that a kernel is of: that of 2004, or today's.

Where functions are compared, any state has any flags that calls give to a vma, those of calls that are not tried
included; where it is what programs lead to that matters, those of the calls that are tried.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from vmacheck.checker.kernels.names import is_modern
from vmacheck.model.calls.operations import (
    ADVICE,
    ADVICE_PAIRS,
    EVERY_OPERATION,
    OPERATIONS,
    PROTECTIONS,
    SEED_ADVICE,
    Operation,
    all_calls,
)
from vmacheck.model.common import mm
from vmacheck.model.linux import mm as today
from vmacheck.model.states import linux as modern
from vmacheck.model.states import linux_2_6 as state

VM_FLAGS = state.PROTECTION | mm.VM_ACCOUNT | mm.VM_LOCKED | mm.VM_SEQ_READ | mm.VM_RAND_READ
MODERN_VM_FLAGS = (
    VM_FLAGS
    | today.VM_NORESERVE
    | today.VM_LOCKONFAULT
    | today.VM_SEALED
    | today.VM_MERGEABLE
    | today.VM_MAYBE_GUARD
    | today.VM_DONTCOPY
    | today.VM_DONTDUMP
    | today.VM_WIPEONFORK
    | today.VM_HUGEPAGE
    | today.VM_NOHUGEPAGE
)
FOLLOWED = ("mmap", "munmap", "mprotect", "write", "read", "munlock", "madvise", "brk", "mbind", "file")
MODERN_FOLLOWED = (
    *FOLLOWED,
    *("mlock", "mlock2", "mseal", "guard", "dontfork", "wipeonfork", "dontdump", "mergeable", "hugepage"),
)


class Kind(NamedTuple):
    """A tree, as proofs see it.

    vm_flags: those that a vma can have; page_fields: what is known of a page; operations: the calls by their word;
    followed: those that a proof can be about; advice: what the words for madvise stand for; layout: the fields of a
    state within bounds; populates: does mprotect fault in what was locked, and becomes writable?
    accounts: is what may be written known to be accounted, unless that is waived?
    """

    vm_flags: int
    page_fields: tuple[str, ...]
    operations: Mapping[str, Operation]
    followed: tuple[str, ...]
    advice: Mapping[str, Mapping[str, int]]
    layout: Callable[[state.Bounds], list[tuple[Any, ...]]]
    populates: bool
    accounts: bool = False

    def given_by(self, operations: Collection[str]) -> "Kind":
        """The same, for vmas with the flags that these calls give."""
        if not self.populates:
            return self
        flags = state.PROTECTION | mm.VM_ACCOUNT
        for call in all_calls(1, tuple(PROTECTIONS), tuple(operations), noreserve=True):
            flags |= modern.flags_of(call)
        return self._replace(vm_flags=flags)

    def leaves_out_locked(self, operations: Collection[str]) -> bool:
        """Is a state, before one of these calls, without memory that is locked other than on fault?

        Where none of them locks any, no program comes to it, and there is no end of what mprotect can fault in.
        """
        return self.populates and "mlock" not in operations

    def bounds(self, pages: int, max_map_count: int, max_pgoff: int, more_anon_vmas: int = 0) -> state.Bounds:
        """What any state of so many pages needs."""
        return state.bounds(pages, list(OPERATIONS), max_map_count, max_pgoff, more_anon_vmas)._replace(
            vm_flags=self.vm_flags
        )


SEED = Kind(
    VM_FLAGS, ("mapcount", "mapping", "index"), OPERATIONS, FOLLOWED, {"madvise": ADVICE}, state.layout, populates=False
)
MODERN = Kind(
    MODERN_VM_FLAGS,
    ("mapcount", "mapping", "index", "guard"),
    EVERY_OPERATION,
    MODERN_FOLLOWED,
    {"madvise": SEED_ADVICE, **ADVICE_PAIRS},
    modern.layout,
    populates=True,
)


def kind_of(kernel: str) -> Kind:
    """The tree that the kernel is of."""
    return MODERN if is_modern(kernel) else SEED
