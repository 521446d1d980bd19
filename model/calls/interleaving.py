# SPDX-License-Identifier: GPL-2.0-only
"""The calls that threads.py runs, as data and as text: calls of a process, faults of a thread, and their steps.

A call is written as everywhere, after the process that makes it: `munmap(0,1)` and `fork()` are p0's, `p1: exit()` is
p1's. `t1: write(0)` begins a fault in thread 1, and `p1 t1: write(0)` in one of p1's; `t1: @recheck` runs its step of
that name in POINTS, with the steps that nobody can tell from it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from vmacheck.model.calls.operations import NAMES, TraceError, all_calls
from vmacheck.model.calls.operations import Call as OneCall
from vmacheck.model.calls.traces import operations_in, parse_trace
from vmacheck.model.common.mm import MAP_GROWSDOWN
from vmacheck.model.common.unistd import (
    NR_exit,
    NR_fork,
    NR_mmap,
    NR_mprotect,
    NR_munmap,
    NR_reclaim,
    NR_step,
    NR_write,
)
from vmacheck.model.worlds import threads_2_6 as threads_model

POINTS = {
    "anon_vma": threads_model.AT_READ,
    "vm_start": threads_model.AT_START,
    "find_mergeable_anon_vma": threads_model.AT_FIND,
    "anon_vma_alloc": threads_model.AT_ALLOC,
    "page_table_lock": threads_model.AT_LOCK,
    "anon_vma_lock": threads_model.AT_LOCK_LIST,
    "recheck": threads_model.AT_RECHECK,
    "install": threads_model.AT_INSTALL,
    "head_next": threads_model.AT_FIRST,
    "next_prev_new": threads_model.AT_NEXT_PREV,
    "new_next": threads_model.AT_NEW_NEXT,
    "new_prev": threads_model.AT_NEW_PREV,
    "head_next_new": threads_model.AT_HEAD_NEXT,
    "unlock": threads_model.AT_UNLOCK,
    "anon_vma_free": threads_model.AT_FREE,
    "expand_stack": threads_model.AT_GROW_LOCK,
    "grow_start": threads_model.AT_GROW,
    "grow_pgoff": threads_model.AT_GROW_PGOFF,
    "set_pte": threads_model.AT_SET_PTE,
    "visit": threads_model.AT_VISIT,
}
ONLY_OF_THREADS = {
    "fork": ("", "with --threads: makes p1, which can write and munmap, and exit()"),
    "stack": ("a,n,P,GROWSDOWN", "with --threads: mmap of a vma that grows when a page below it is written"),
    "reclaim": ("a", "with --threads: reclaim's walk from page a over the list of its anon_vma, in steps"),
}
THREAD_OPERATIONS = ("mmap", "munmap", "mprotect", "write", *ONLY_OF_THREADS)
KINDS = {**NAMES, NR_fork: "fork", NR_exit: "exit", NR_step: "step", NR_reclaim: "reclaim"}
NAMES_OF_POINTS = {at: name for name, at in POINTS.items()}


class Call(NamedTuple):
    """A call of a process, a write of a thread in it, or a step of a thread, from the point addr."""

    nr: int
    addr: int = 0
    len: int = 0
    prot: int = 0
    flags: int = 0
    file: int = 0
    pgoff: int = 0
    process: int = 0
    thread: int = 0

    @property
    def end(self) -> int:
        """The least number of pages for the call."""
        return 0 if self.nr == NR_step else self.addr + max(1, self.len)

    @property
    def room(self) -> int:
        """The same as end: no call grows anything in place."""
        return self.end

    @property
    def what(self) -> str:
        """The call without its caller."""
        if self.nr == NR_step:
            return f"@{NAMES_OF_POINTS[self.addr]}"
        if self.nr in (NR_fork, NR_exit):
            return f"{KINDS[self.nr]}()"
        if self.nr == NR_reclaim:
            return f"reclaim({self.addr})"
        return str(OneCall(self.nr, self.addr, self.len, self.prot, self.flags))

    def __str__(self) -> str:
        who = [f"p{self.process}"] if self.process else []
        who += [f"t{self.thread}"] if self.thread else []
        return f"{' '.join(who)}: {self.what}" if who else self.what


def of_process(call: OneCall, process: int = 0) -> Call:
    """The call as one of the process."""
    return Call(call.nr, call.addr, call.len, call.prot, call.flags, process=process)


def interleaved_calls(
    pages: int, protections: tuple[str, ...], operations: tuple[str, ...], threads: int
) -> Iterator[Call]:
    """Every call of p0; steps; and, with fork, the calls of p1 that only take from its memory."""
    of_p0 = tuple(word for word in operations if word in ("mmap", "munmap", "mprotect"))
    yield from map(of_process, all_calls(pages, protections, of_p0, False))
    if "stack" in operations:
        of_mmap = map(of_process, all_calls(pages, protections, ("mmap",), False))
        yield from (call._replace(flags=MAP_GROWSDOWN) for call in of_mmap)
    processes = range(2) if "fork" in operations else range(1)
    begun = [nr for nr, name in ((NR_write, "write"), (NR_reclaim, "reclaim")) if name in operations]
    for nr in begun:
        for process in processes:
            for thread in range(1, threads + 1):
                yield from (Call(nr, page, process=process, thread=thread) for page in range(pages))
    growing = range(threads_model.AT_GROW_LOCK, threads_model.AT_GROW_PGOFF + 1)
    points = [at for at in POINTS.values() if at not in growing or "stack" in operations]
    for at in points:
        if (NR_reclaim if at == threads_model.AT_VISIT else NR_write) in begun:
            yield from (Call(NR_step, at, thread=thread) for thread in range(1, threads + 1))
    if "fork" in operations:
        yield Call(NR_fork)
        yield Call(NR_exit, process=1)
        if "munmap" in operations:
            ranges = [(addr, n) for n in range(1, pages + 1) for addr in range(pages - n + 1)]
            yield from (Call(NR_munmap, addr, n, process=1) for addr, n in ranges)


def is_interleaving(text: str, stacks: bool = True) -> bool:
    """Is the trace one of threads or processes?

    stacks: does memory that grows down belong to threads, as on 2.6 kernels?
    """
    words = operations_in(text)
    return any(re.match(r"[pt]\d|@|(fork|exit|reclaim)\b", word) or (stacks and "GROWSDOWN" in word) for word in words)


def is_of_processes(text: str) -> bool:
    """Is the trace one of two processes of current kernels?"""
    return any(re.match(r"p\d|(fork|exit)\b", word) for word in operations_in(text))


def parse_interleaving(text: str) -> list[Call]:
    """A trace as calls. Raises TraceError with the unreadable operation and the reason."""
    return [_call(number, word) for number, word in enumerate(operations_in(text), 1)]


def _call(number: int, text: str) -> Call:
    where = f"operation {number}, '{text}'"
    if match := re.match(r"p(?![01]\s*:|[01]\s+t)\w*|t(?![1-9]\s*:)\w*(?=\s*:)", text):
        raise TraceError(f"{where}: there are p0 and p1, and t1 to t9, as in p1 t2: write(0)")
    match = re.fullmatch(r"(?:p([01])(?:\s*:|(?=\s+t)))?\s*(?:t([1-9])\s*:)?\s*(.*)", text)
    assert match is not None
    process, thread, what = int(match[1] or 0), int(match[2] or 0), match[3]
    if re.match(r"[pt]\d", what):
        raise TraceError(f"{where}: who makes a call is written as p1:, t1: or p1 t1:")
    if what.startswith("@"):
        if what[1:] not in POINTS:
            raise TraceError(f"{where}: no step is called '{what[1:]}'; there are {', '.join(POINTS)}")
        if not thread or process:
            raise TraceError(f"{where}: a step is of a thread, as in t1: {what}")
        return Call(NR_step, POINTS[what[1:]], thread=thread)
    if what in ("fork()", "exit()"):
        nr = NR_fork if what == "fork()" else NR_exit
        if thread or process != (nr == NR_exit):
            raise TraceError(f"{where}: p0 forks, and p1 exits: fork(), p1: exit()")
        return Call(nr, process=process)
    if reclaim := re.fullmatch(r"reclaim\s*\(\s*(\d{1,6})\s*\)", what):
        if not thread:
            raise TraceError(f"{where}: reclaim is of a thread, as in t1: {what}")
        return Call(NR_reclaim, int(reclaim[1]), process=process, thread=thread)
    try:
        (call,) = parse_trace(what)
    except TraceError as error:
        raise TraceError(f"{where}: {str(error).split(': ', 1)[1]}") from None
    except ValueError:
        raise TraceError(f"{where}: what is the call?") from None
    if call.nr not in (NR_mmap, NR_munmap, NR_mprotect, NR_write) or call.flags & ~MAP_GROWSDOWN or call.file:
        raise TraceError(f"{where}: threads have mmap, munmap, mprotect, write, fork, exit and reclaim only")
    if process and call.nr in (NR_mmap, NR_mprotect):
        raise TraceError(f"{where}: p1 has write, munmap and exit only")
    if (call.nr == NR_write) != bool(thread):
        raise TraceError(f"{where}: a write is of a thread, as in t1: write(0), and any other call is of a process")
    return of_process(call, process)._replace(thread=thread)
