# SPDX-License-Identifier: GPL-2.0-only
"""A trace, run call by call on a kernel, with the address space after each."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from vmacheck.checker.kernels.one_process import without_renaming
from vmacheck.checker.program.interpreted import Machine, Oops
from vmacheck.checker.program.system import OOPS, System
from vmacheck.model.calls.operations import FILES, POLICIES, Call, TraceError, name_of, protection_text, result_text
from vmacheck.model.common.mm import (
    FREED,
    VM_ACCOUNT,
    VM_EXEC,
    VM_GROWSDOWN,
    VM_LOCKED,
    VM_RAND_READ,
    VM_READ,
    VM_SEQ_READ,
    VM_SHARED,
    VM_WRITE,
)
from vmacheck.model.linux import mm as linux_mm

STOPPED = "BUG"
FLAG_NAMES = {
    VM_ACCOUNT: "ACCOUNT",
    VM_LOCKED: "LOCKED",
    VM_SEQ_READ: "SEQ_READ",
    VM_RAND_READ: "RAND_READ",
    VM_SHARED: "SHARED",
    VM_GROWSDOWN: "GROWSDOWN",
    linux_mm.VM_LOCKONFAULT: "LOCKONFAULT",
    linux_mm.VM_NORESERVE: "NORESERVE",
    linux_mm.VM_DONTCOPY: "DONTCOPY",
    linux_mm.VM_WIPEONFORK: "WIPEONFORK",
    linux_mm.VM_DONTDUMP: "DONTDUMP",
    linux_mm.VM_MERGEABLE: "MERGEABLE",
    linux_mm.VM_HUGEPAGE: "HUGEPAGE",
    linux_mm.VM_NOHUGEPAGE: "NOHUGEPAGE",
    linux_mm.VM_MAYBE_GUARD: "MAYBE_GUARD",
    linux_mm.VM_SEALED: "SEALED",
}


@dataclass(frozen=True)
class Vma:
    """A vma as a report shows it; anon_vma is a letter or None, file and policy are names or None."""

    start: int
    end: int
    prot: str
    flags: tuple[str, ...]
    pgoff: int
    anon_vma: str | None
    file: str | None = None
    policy: str | None = None


@dataclass(frozen=True)
class Page:
    """A mapped anonymous page: its address, the anon_vma it hangs from, whether that was freed, and its index there."""

    page: int
    anon_vma: str | None
    freed: bool
    index: int


@dataclass(frozen=True)
class Step:
    """A call, its result ("BUG" if it stopped the kernel), and the address space after it."""

    call: Call
    result: int | str
    vmas: tuple[Vma, ...]
    pages: tuple[Page, ...]


def pages_of(system: System) -> int:
    """The size of the system's address space, in pages."""
    return system.program.constants["TASK_SIZE"]


def replay(system: System, calls: Sequence[Call]) -> list[Step]:
    """Run the calls, from the first state on.

    Ends early at a call that stops the kernel. Raises TraceError if a call does not fit into the address space, and
    OutOfBounds.
    """
    pages = pages_of(system)
    for number, call in enumerate(calls, 1):
        if call.end > pages:
            raise TraceError(f"operation {number}, '{call}': outside of the address space of {pages} pages")
    machine = Machine(without_renaming(system, calls))
    before, after = machine.new(), machine.new()
    steps: list[Step] = []
    for call in calls:
        result = machine.step(before, call, after)
        shown = STOPPED if result == OOPS else result_text(call, result)
        try:
            steps.append(Step(call, shown, vmas_of(after), pages_in(after, pages)))
        except (Oops, IndexError):
            machine.check_bounds(machine.fields(after))
            raise
        before, after = after, before
        if result == OOPS:
            break
    return steps


def letter(anon_vma: int) -> str | None:
    """A, B, ..., Z, AA, AB, ... for the anon_vmas 1, 2, ...; None for NULL."""
    letters = ""
    while anon_vma > 0:
        anon_vma, digit = divmod(anon_vma - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters or None


def file_name(vm_file: int) -> str | None:
    """The name of a file, or shm and the number of an object for shared memory; None for NULL."""
    if vm_file > linux_mm.NR_NAMED_FILES:
        return f"shm{vm_file - linux_mm.NR_NAMED_FILES}"
    return name_of(vm_file, FILES) if vm_file else None


def vmas_of(mm: Any) -> tuple[Vma, ...]:
    """The vmas of a state."""
    return tuple(
        Vma(
            vma.vm_start,
            vma.vm_end,
            protection_text(vma.vm_flags & (VM_READ | VM_WRITE | VM_EXEC)),
            tuple(name for bit, name in FLAG_NAMES.items() if vma.vm_flags & bit),
            vma.vm_pgoff,
            letter(vma.anon_vma),
            file_name(vma.vm_file),
            name_of(vma.vm_policy, POLICIES) if vma.vm_policy else None,
        )
        for vma in (mm.vma[i] for i in range(1, mm.map_count + 1))
    )


def second_process(mm: Any, pages: int) -> Any:
    """The address space of the second process of a state, as if there were no other: it has the slots behind."""
    return SimpleNamespace(
        map_count=mm.other_count,
        vma=mm.vma[pages + 1 : 2 * pages + 2],
        page=mm.page[pages : 2 * pages],
        anon_vma=mm.anon_vma,
    )


def pages_in(mm: Any, pages: int) -> tuple[Page, ...]:
    """The anonymous pages of a state with an address space of `pages` pages."""
    found = []
    for address in range(pages):
        page = mm.page[address]
        if page.mapcount:
            freed = page.mapping != 0 and mm.anon_vma[page.mapping].life == FREED
            found.append(Page(address, letter(page.mapping), freed, page.index))
    return tuple(found)
