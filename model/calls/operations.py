# SPDX-License-Identifier: GPL-2.0-only
"""The calls as data and as text: numbers, the trace notation, and all calls that fit in a scope.

Page numbers and counts are decimal, P is one of N, R, W, RW, RX, RWX. A trace is calls separated by ";" or newlines;
"#" starts a comment. OPERATIONS has the forms.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from vmacheck.model.common import mm
from vmacheck.model.common.mm import MREMAP_FIXED, MREMAP_MAYMOVE, VM_EXEC, VM_READ, VM_WRITE
from vmacheck.model.common.unistd import (
    NR_brk,
    NR_exit,
    NR_fork,
    NR_madvise,
    NR_mbind,
    NR_memw,
    NR_mlock,
    NR_mlock2,
    NR_mmap,
    NR_mprotect,
    NR_mremap,
    NR_mseal,
    NR_munlock,
    NR_munmap,
    NR_read,
    NR_write,
)
from vmacheck.model.linux import mm as linux_mm
from vmacheck.model.worlds.segments import KEEP, LONG

PROTECTIONS = {
    "N": 0,
    "R": VM_READ,
    "W": VM_WRITE,
    "RW": VM_READ | VM_WRITE,
    "RX": VM_READ | VM_EXEC,
    "RWX": VM_READ | VM_WRITE | VM_EXEC,
}
ADVICE_2_6 = {
    "NORMAL": mm.MADV_NORMAL,
    "RANDOM": mm.MADV_RANDOM,
    "SEQUENTIAL": mm.MADV_SEQUENTIAL,
    "DONTNEED": mm.MADV_DONTNEED,
}
# advice with a word of its own in scopes of current kernels: advice and its opposite
ADVICE_PAIRS = {
    "dontfork": {"DONTFORK": linux_mm.MADV_DONTFORK, "DOFORK": linux_mm.MADV_DOFORK},
    "wipeonfork": {"WIPEONFORK": linux_mm.MADV_WIPEONFORK, "KEEPONFORK": linux_mm.MADV_KEEPONFORK},
    "dontdump": {"DONTDUMP": linux_mm.MADV_DONTDUMP, "DODUMP": linux_mm.MADV_DODUMP},
    "mergeable": {"MERGEABLE": linux_mm.MADV_MERGEABLE, "UNMERGEABLE": linux_mm.MADV_UNMERGEABLE},
    "guard": {"GUARD_INSTALL": linux_mm.MADV_GUARD_INSTALL, "GUARD_REMOVE": linux_mm.MADV_GUARD_REMOVE},
    "hugepage": {"HUGEPAGE": linux_mm.MADV_HUGEPAGE, "NOHUGEPAGE": linux_mm.MADV_NOHUGEPAGE},
}
ADVICE = {**ADVICE_2_6, **{name: value for pair in ADVICE_PAIRS.values() for name, value in pair.items()}}
MMAP_FLAGS = {
    "SHARED": linux_mm.MAP_SHARED,
    "GROWSDOWN": mm.MAP_GROWSDOWN,
    "LOCKED": linux_mm.MAP_LOCKED,
    "NORESERVE": mm.MAP_NORESERVE,
    "POPULATE": linux_mm.MAP_POPULATE,
    "STACK": linux_mm.MAP_STACK,
}
POLICIES = {"DEFAULT": mm.NULL, "BIND": mm.MPOL_BIND, "INTERLEAVE": mm.MPOL_INTERLEAVE}
FILES = {"F": 1}
FIXED = MREMAP_MAYMOVE | MREMAP_FIXED
DONTUNMAP = FIXED | linux_mm.MREMAP_DONTUNMAP
ERRNO = {mm.EAGAIN: "EAGAIN", mm.ENOMEM: "ENOMEM", mm.EFAULT: "EFAULT", mm.EINVAL: "EINVAL", mm.EBUSY: "EBUSY"}
ERRNO |= {linux_mm.EPERM: "EPERM", linux_mm.EACCES: "EACCES", linux_mm.EIO: "EIO"}


class TraceError(ValueError):
    """A trace that is unreadable, or does not fit; the message names the operation."""


class Call(NamedTuple):
    """One call or user access: its number and arguments, in pages. Unused arguments are 0."""

    nr: int
    addr: int
    len: int = 0
    prot: int = 0
    flags: int = 0
    file: int = 0
    pgoff: int = 0
    new_len: int = 0
    new_addr: int = 0
    behavior: int = 0
    policy: int = 0
    process: int = 0  # that makes the call; current kernels only

    @property
    def end(self) -> int:
        """The least number of pages with which all pages named by the call exist."""
        if self.nr == NR_brk:
            return max(1, self.addr)
        if self.nr in (NR_fork, NR_exit):
            return 1
        end = self.addr + max(1, self.len)
        if self.nr == NR_mremap and self.flags & MREMAP_FIXED:
            return max(end, self.new_addr + self.new_len)
        return end

    @property
    def room(self) -> int:
        """The least number of pages with which the call has room, also to grow in place."""
        if self.nr == NR_mremap and not self.flags & MREMAP_FIXED:
            return max(self.end, self.addr + self.new_len)
        return self.end

    def __str__(self) -> str:
        return f"p{self.process}: {self.what}" if self.process else self.what

    @property
    def what(self) -> str:
        """The call without its caller."""
        if self.nr == NR_mremap:
            return f"mremap({self.addr},{self.len}{_destination(self)})"
        if self.nr in (NR_fork, NR_exit):
            return f"{NAMES[self.nr]}()"
        name = NAMES[self.nr]
        words = [str(self.addr)]
        if EVERY_OPERATION[name].form.startswith("a,n"):
            words.append(str(self.len))
        if self.nr in (NR_mmap, NR_mprotect):
            words.append(protection_text(self.prot))
        if self.nr == NR_madvise:
            words.append(name_of(self.behavior, ADVICE))
        if self.nr == NR_mbind:
            words.append(name_of(self.policy, POLICIES))
        if self.nr == NR_mmap:
            words += [word for word, bit in MMAP_FLAGS.items() if self.flags & bit]
        if self.nr == NR_mlock2:
            words.append("ONFAULT")
        if self.file:
            words += [f"file={name_of(self.file, FILES)}", f"off={self.pgoff}"]
        return f"{name}({','.join(words)})"


def _destination(call: Call) -> str:
    if call.flags & MREMAP_FIXED:
        more = ",DONTUNMAP" if call.flags & linux_mm.MREMAP_DONTUNMAP else ""
        return f"->{call.new_addr}" + (f",{call.new_len}" if call.new_len != call.len else "") + more
    return f",{call.new_len}" + (",MAYMOVE" if call.flags & MREMAP_MAYMOVE else "")


def name_of(value: int, names: dict[str, int]) -> str:
    """The name that has the value, or the number for an unnamed one."""
    return next((name for name, known in names.items() if known == value), str(value))


def protection_text(prot: int) -> str:
    """R, W, X bits as in the notation; "N" for none."""
    letters = "".join(c for c, bit in (("R", VM_READ), ("W", VM_WRITE), ("X", VM_EXEC)) if prot & bit)
    return letters or "N"


def result_text(call: Call, result: int) -> int | str:
    """The result of a call: 0, an address in pages, or the name of an errno."""
    return ERRNO.get(-result, f"errno {-result}") if result < 0 else result


# ---- all calls of a scope ------------------------------------------------------------------------

Range = tuple[int, int]  # address, length


class Choice(NamedTuple):
    """The arguments that calls choose from: ranges, shorter and then lower ones first, protections, mmap's flags.

    shares: does the scope have shared memory, which mremap can map a second time?
    """

    pages: int
    ranges: list[Range]
    protections: list[int]
    map_flags: tuple[int, ...]
    shares: bool = False


def _mmap(choice: Choice) -> Iterator[Call]:
    for addr, length in choice.ranges:
        for prot in choice.protections:
            yield from (Call(NR_mmap, addr, length, prot, flags) for flags in choice.map_flags)


def _mmap_file(choice: Choice) -> Iterator[Call]:
    for call in _mmap(choice):
        yield from (call._replace(file=FILES["F"], pgoff=pgoff) for pgoff in range(choice.pages))


def _mprotect(choice: Choice) -> Iterator[Call]:
    for addr, length in choice.ranges:
        yield from (Call(NR_mprotect, addr, length, prot) for prot in choice.protections)


def _move(choice: Choice) -> Iterator[Call]:
    for addr, length in choice.ranges:
        for new_addr in range(choice.pages - length + 1):
            yield Call(NR_mremap, addr, length, 0, FIXED, new_len=length, new_addr=new_addr)


def _mremap(choice: Choice) -> Iterator[Call]:
    yield from _move(choice)
    for addr, length in choice.ranges:
        for new_len in range(1, choice.pages + 1):
            yield Call(NR_mremap, addr, length, new_len=new_len)
            if new_len > length:
                yield Call(NR_mremap, addr, length, flags=MREMAP_MAYMOVE, new_len=new_len)
    for addr, length in choice.ranges:
        for new_addr in range(choice.pages):
            for new_len in range(1, choice.pages - new_addr + 1):
                if new_len != length:
                    yield Call(NR_mremap, addr, length, 0, FIXED, new_len=new_len, new_addr=new_addr)
    if choice.shares:
        for new_addr, new_len in choice.ranges:
            yield from (_again(addr, new_len, new_addr) for addr in range(choice.pages))


def _again(addr: int, new_len: int, new_addr: int) -> Call:
    """mremap of 0 pages, which maps shared memory again, from page addr on."""
    return Call(NR_mremap, addr, 0, 0, FIXED, new_len=new_len, new_addr=new_addr)


def _dontunmap(choice: Choice) -> Iterator[Call]:
    yield from (call._replace(flags=DONTUNMAP) for call in _move(choice))


def _mmap_with(flag: int, calls: Callable[[Choice], Iterator[Call]] = _mmap) -> Callable[[Choice], Iterator[Call]]:
    return lambda choice: (call._replace(flags=call.flags | flag) for call in calls(choice))


def _mlock2(choice: Choice) -> Iterator[Call]:
    yield from (Call(NR_mlock2, addr, length, flags=linux_mm.MLOCK_ONFAULT) for addr, length in choice.ranges)


def _on_ranges(nr: int) -> Callable[[Choice], Iterator[Call]]:
    return lambda choice: (Call(nr, addr, length) for addr, length in choice.ranges)


def _on_pages(nr: int) -> Callable[[Choice], Iterator[Call]]:
    return lambda choice: (Call(nr, addr) for addr in range(choice.pages))


def _brk(choice: Choice) -> Iterator[Call]:
    yield from (Call(NR_brk, addr) for addr in range(choice.pages + 1))


def _madvise(advice: dict[str, int]) -> Callable[[Choice], Iterator[Call]]:
    return lambda choice: (
        Call(NR_madvise, addr, length, behavior=behavior)
        for addr, length in choice.ranges
        for behavior in advice.values()
    )


def _mbind(choice: Choice) -> Iterator[Call]:
    for addr, length in choice.ranges:
        yield from (Call(NR_mbind, addr, length, policy=policy) for policy in POLICIES.values())


class Operation(NamedTuple):
    """A kind of call, as a scope names it: its number, its form in the notation, a description, and all its calls."""

    nr: int
    form: str
    what: str
    calls: Callable[[Choice], Iterator[Call]]


OPERATIONS = {
    "mmap": Operation(
        NR_mmap, "a,n,P[,NORESERVE]", "anonymous MAP_PRIVATE MAP_FIXED mapping of n pages at page a", _mmap
    ),
    "munmap": Operation(NR_munmap, "a,n", "unmap n pages from page a", _on_ranges(NR_munmap)),
    "mprotect": Operation(NR_mprotect, "a,n,P", "set the protection of n pages from page a", _mprotect),
    "write": Operation(NR_write, "a", "user write to page a, with a fault if one is needed", _on_pages(NR_write)),
    "read": Operation(NR_read, "a", "user read of page a, with a fault if one is needed", _on_pages(NR_read)),
    "move": Operation(NR_mremap, "a,n->b", "mremap that moves n pages from page a to b, and changes no size", _move),
    "mremap": Operation(
        NR_mremap, "a,n->b[,m] | a,n,m[,MAYMOVE]", "mremap: move to b, or stay or move as needed; new size m", _mremap
    ),
    "mlock": Operation(NR_mlock, "a,n", "lock n pages from page a, and fault them in", _on_ranges(NR_mlock)),
    "munlock": Operation(NR_munlock, "a,n", "unlock n pages from page a", _on_ranges(NR_munlock)),
    "madvise": Operation(
        NR_madvise, "a,n,ADVICE", f"advice on n pages from page a: {', '.join(ADVICE_2_6)}", _madvise(ADVICE_2_6)
    ),
    "brk": Operation(NR_brk, "n", "make the heap, which starts at page 0, end at page n", _brk),
    "mbind": Operation(NR_mbind, "a,n,POLICY", f"memory policy of n pages from page a: {', '.join(POLICIES)}", _mbind),
    "file": Operation(
        NR_mmap, "a,n,P[,NORESERVE],file=F,off=K", "private mapping of the file F from its page K on", _mmap_file
    ),
}
# current kernels only
CURRENT_OPERATIONS = {
    "mlock2": Operation(NR_mlock2, "a,n,ONFAULT", "lock n pages from page a when they are faulted in", _mlock2),
    "mseal": Operation(NR_mseal, "a,n", "seal n pages from page a", _on_ranges(NR_mseal)),
    "populate": Operation(
        NR_mmap, "a,n,P,POPULATE", "anonymous mapping that is faulted in", _mmap_with(linux_mm.MAP_POPULATE)
    ),
    "locked": Operation(
        NR_mmap, "a,n,P,LOCKED", "anonymous mapping that is locked, and faulted in", _mmap_with(linux_mm.MAP_LOCKED)
    ),
    "growsdown": Operation(
        NR_mmap, "a,n,P,GROWSDOWN", "anonymous mapping that grows down when needed", _mmap_with(mm.MAP_GROWSDOWN)
    ),
    "shared": Operation(
        NR_mmap,
        "a,n,P,SHARED",
        "shared memory: an object of n pages, made by the call",
        _mmap_with(linux_mm.MAP_SHARED),
    ),
    "sharedfile": Operation(
        NR_mmap,
        "a,n,P,SHARED,file=F,off=K",
        "shared mapping of the file F from its page K on",
        _mmap_with(linux_mm.MAP_SHARED, _mmap_file),
    ),
    "memw": Operation(NR_memw, "a", "write to page a through /proc/self/mem", _on_pages(NR_memw)),
    "dontunmap": Operation(NR_mremap, "a,n->b,DONTUNMAP", "mremap that leaves the old place mapped", _dontunmap),
    **{
        word: Operation(NR_madvise, "a,n,ADVICE", f"madvise: {', '.join(pair)}", _madvise(pair))
        for word, pair in ADVICE_PAIRS.items()
    },
}
EVERY_OPERATION = {**OPERATIONS, **CURRENT_OPERATIONS}
SHARED = ("shared", "sharedfile")
PARTS = (
    "move",
    "file",
    "populate",
    "locked",
    "growsdown",
    *SHARED,
    "dontunmap",
    *ADVICE_PAIRS,
)  # words of a scope for some calls of one kind
# the name of a call by its number, the first for those that share one; those of threads are left out
NAMES = {operation.nr: name for name, operation in EVERY_OPERATION.items() if name not in PARTS}
NAMES |= {NR_fork: "fork", NR_exit: "exit"}


def only_of_current_kernels(call: Call) -> str | None:
    """The feature of the call that only current kernels have, or None."""
    if call.nr in (NR_mlock2, NR_mseal, NR_memw):
        return NAMES[call.nr]
    if call.nr == NR_madvise and call.behavior not in ADVICE_2_6.values():
        return name_of(call.behavior, ADVICE)
    if call.nr == NR_mmap:
        return next((word for word, bit in MMAP_FLAGS.items() if call.flags & bit & ~mm.MAP_NORESERVE), None)
    return "DONTUNMAP" if call.nr == NR_mremap and call.flags & linux_mm.MREMAP_DONTUNMAP else None


def all_calls(pages: int, protections: tuple[str, ...], operations: tuple[str, ...], noreserve: bool) -> Iterator[Call]:
    """Every call of the given kinds in an address space of `pages` pages, in the order that decides between
    counterexamples of the same length: by kind, then shorter ranges first, then lower addresses, then the rest."""
    ranges = [(addr, length) for length in range(1, pages + 1) for addr in range(pages - length + 1)]
    bits = [bits for name, bits in PROTECTIONS.items() if name in protections]
    shares = any(word in operations for word in SHARED)
    choice = Choice(pages, ranges, bits, (0, mm.MAP_NORESERVE) if noreserve else (0,), shares)
    for name, operation in EVERY_OPERATION.items():
        if name in operations and not (name == "move" and "mremap" in operations):
            yield from operation.calls(choice)


def calls_of_processes(
    pages: int, protections: tuple[str, ...], operations: tuple[str, ...], noreserve: bool
) -> Iterator[Call]:
    """Every call of the given kinds by each of two processes, and fork and exit of each."""
    for process in range(2):
        for call in all_calls(pages, protections, operations, noreserve):
            yield call._replace(process=process)
    for nr in (NR_fork, NR_exit):
        yield from (Call(nr, 0, process=process) for process in range(2))


# the calls that segments.py knows: without those that name a distance, an offset or a destination, or write to
# several pages
SEGMENT_OPERATIONS = (
    *("mmap", "munmap", "mprotect", "write", "read", "munlock", "madvise", "mbind", "mseal"),
    *("dontfork", "wipeonfork", "dontdump", "mergeable", "hugepage"),
)


def segment_calls(
    pages: int, protections: tuple[str, ...], operations: tuple[str, ...], noreserve: bool, keeps_page: bool
) -> Iterator[Call]:
    """Calls for segments.py: below the last page; with keeps_page, also writes that choose the kept page.

    Without a kept page, segments begin at multiples of LONG, so a call needs only to begin with a segment or one
    page into it, and to end with one or one page before.
    """
    for call in all_calls(pages - 1, protections, operations, noreserve):
        ends_well = call.len == 0 or (call.addr % LONG < 2 and (call.addr + call.len) % LONG != 1)
        if keeps_page or (ends_well and (call.len > 0 or call.addr % LONG == 0)):
            yield call
    if keeps_page and "write" in operations:
        yield from (Call(NR_write, addr, flags=KEEP) for addr in range(pages - 1))
        yield from (Call(NR_write, addr, LONG, flags=KEEP) for addr in range(pages - LONG))
