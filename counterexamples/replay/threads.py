# SPDX-License-Identifier: GPL-2.0-only
"""Threads and processes, step by step: a column for the calls, one per thread, and the address spaces after."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.kernels.threads import build, without_renaming
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.system import OOPS, System
from vmacheck.counterexamples.replay.one_process import STOPPED, Page, Vma, pages_in, pages_of, second_process, vmas_of
from vmacheck.model.calls.interleaving import NAMES_OF_POINTS, THREAD_OPERATIONS, Call
from vmacheck.model.calls.operations import ERRNO, TraceError
from vmacheck.model.common.mm import EINVAL, MAP_GROWSDOWN, MAX_MAP_COUNT
from vmacheck.model.common.unistd import NR_reclaim, NR_step


@dataclass(frozen=True)
class Process:
    """The address space of a process."""

    name: str
    vmas: tuple[Vma, ...]
    pages: tuple[Page, ...]


@dataclass(frozen=True)
class ThreadStep:
    """A call or a step, its result, the processes after it, and the next action of each thread, if any."""

    call: Call
    result: int | str
    processes: tuple[Process, ...]
    threads: tuple[str | None, ...]


def replay_threads(system: System, calls: Sequence[Call]) -> list[ThreadStep]:
    """Run the calls, from the first state on. Ends early at one that stops the kernel.

    Raises TraceError for a call outside the scope, or a step that no thread can make then.
    """
    pages, threads = pages_of(system), system.program.constants["NR_THREADS"]
    machine = Machine(without_renaming(system, calls))
    before, after = machine.new(), machine.new()
    steps: list[ThreadStep] = []
    for number, call in enumerate(calls, 1):
        where = f"operation {number}, '{call}'"
        if call.end > pages:
            raise TraceError(f"{where}: outside of the address space of {pages} pages")
        if call.thread > threads:
            raise TraceError(f"{where}: there are {threads} threads")
        result = machine.step(before, call, after)
        if result == -EINVAL and (call.thread or (call.process and not before.forked)):
            raise TraceError(f"{where}: {why_not(before, call)}")
        shown = STOPPED if result == OOPS else ERRNO.get(-result, result)
        at = [after.task[thread].at for thread in range(1, threads + 1)]
        steps.append(
            ThreadStep(call, shown, processes_in(after, pages), tuple(NAMES_OF_POINTS.get(point) for point in at))
        )
        before, after = after, before
        if result == OOPS:
            break
    return steps


def replay_text(
    kernel: str, pages: int, calls: Sequence[Call], max_map_count: int = MAX_MAP_COUNT, every_step: bool = False
) -> list[ThreadStep]:
    """Run a user's calls, with steps as large as they can be with every call still possible.

    every_step: with the smallest steps.

    Raises as replay_threads does, and UnknownName and LinkError.
    """
    threads = max(1, *(call.thread for call in calls))
    needed = {"stack" for call in calls if call.flags & MAP_GROWSDOWN}
    needed |= {"reclaim" for call in calls if call.nr == NR_reclaim}
    scope = Scope(pages=pages, operations=THREAD_OPERATIONS, max_map_count=max_map_count, threads=threads)
    coarse = [
        replace(scope, operations=tuple(word for word in THREAD_OPERATIONS if word not in absent))
        for absent in (("stack", "reclaim"), ("reclaim",), ("stack",), ())
        if not needed & set(absent)
    ]
    first = None
    for one in (*(() if every_step else coarse), replace(scope, every_step=True)):
        try:
            return replay_threads(build(kernel, one, (), calls=calls), calls)
        except TraceError as error:
            first = first or error
    assert first is not None
    raise first


def why_not(before: Any, call: Call) -> str:
    """The reason that the thread cannot do this now."""
    if call.nr != NR_step:
        return "there is no such process"
    at = NAMES_OF_POINTS.get(before.task[call.thread].at)
    return f"t{call.thread} is inside no fault" if at is None else f"t{call.thread} is at @{at}"


def processes_in(mm: Any, pages: int) -> tuple[Process, ...]:
    """The processes of a state."""
    found = [Process("p0", vmas_of(mm), pages_in(mm, pages))]
    if mm.forked:
        other = second_process(mm, pages)
        found.append(Process("p1", vmas_of(other), pages_in(other, pages)))
    return tuple(found)
