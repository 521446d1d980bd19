# SPDX-License-Identifier: GPL-2.0-only
"""Two processes, call by call: the address spaces of both after each."""

from collections.abc import Sequence
from typing import Any

from vmacheck.checker.kernels import one_process, processes
from vmacheck.checker.kernels.processes import without_renaming
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.system import OOPS, System
from vmacheck.counterexamples.replay.one_process import (
    STOPPED,
    Step,
    pages_in,
    pages_of,
    replay,
    second_process,
    vmas_of,
)
from vmacheck.counterexamples.replay.threads import Process, ThreadStep
from vmacheck.model.calls.operations import Call, TraceError, result_text
from vmacheck.model.common.unistd import (
    NR_fork,
)


def replay_processes(system: System, calls: Sequence[Call]) -> list[ThreadStep]:
    """Run the calls, from the first state on. Ends early at one that stops the kernel.

    Raises TraceError for a call outside the address space, or of a missing process.
    """
    pages = pages_of(system)
    machine = Machine(without_renaming(system, calls))
    before, after = machine.new(), machine.new()
    steps: list[ThreadStep] = []
    for number, call in enumerate(calls, 1):
        where = f"operation {number}, '{call}'"
        if call.end > pages:
            raise TraceError(f"{where}: outside of the address space of {pages} pages")
        if call.process not in processes_of(before):
            raise TraceError(f"{where}: there is no such process")
        result = machine.step(before, call, after)
        shown = STOPPED if result == OOPS else result_text(call, result)
        processes = tuple(
            Process(f"p{process}", vmas_of(mm), pages_in(mm, pages))
            for process, mm in ((p, mm_of(after, p, pages)) for p in processes_of(after))
        )
        steps.append(ThreadStep(call, shown, processes, ()))  # type: ignore[arg-type]
        before, after = after, before
        if result == OOPS:
            break
    return steps


def processes_of(mm: Any) -> tuple[int, ...]:
    """The existing processes."""
    return (0, 1) if mm.forked else (mm.left,)


def mm_of(mm: Any, process: int, pages: int) -> Any:
    """The address space of one process, as if there were no other."""
    return second_process(mm, pages) if process else mm


def steps_on(kernel: str, calls: Sequence[Call], pages: int) -> tuple[Step, ...]:
    """The steps of the model; after a fork, those of the child. Raises TraceError if a call stops it."""
    if any(call.nr == NR_fork or call.process for call in calls):
        return _steps_of_child(kernel, calls, pages)
    steps = replay(one_process.build(kernel, Scope(pages=pages), calls=list(calls)), calls)
    if len(steps) < len(calls) or steps[-1].result == "BUG":
        raise TraceError(
            f"operation {len(steps)}, '{calls[len(steps) - 1]}', stops {kernel}: there is no layout after it"
        )
    return tuple(steps)


def _steps_of_child(kernel: str, calls: Sequence[Call], pages: int) -> tuple[Step, ...]:
    """The address space of the process that goes on: the first, and from the fork on its child."""
    found = replay_processes(processes.build(kernel, Scope(pages=pages), calls=list(calls)), calls)
    if len(found) < len(calls) or found[-1].result == STOPPED:
        raise TraceError(f"operation {len(found)}, '{calls[len(found) - 1]}', stops {kernel}")
    steps = []
    for call, step in zip(calls, found, strict=True):
        one = step.processes[1 if call.process or call.nr == NR_fork else 0]
        steps.append(Step(call, step.result, one.vmas, one.pages))
    return tuple(steps)
