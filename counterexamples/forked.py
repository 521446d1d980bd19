# SPDX-License-Identifier: GPL-2.0-only
"""Two processes, call by call: the address spaces of both after each."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from checker.interpreted import Machine
from checker.processes import without_renaming
from checker.system import OOPS, System
from counterexamples.interleaving import Process, ThreadStep
from counterexamples.picture import note_on_shared, picture
from counterexamples.replay import STOPPED, pages_in, pages_of, vmas_of
from model.operations import Call, TraceError, result_text


def replay_processes(system: System, calls: Sequence[Call]) -> list[ThreadStep]:
    """Carry out the calls, from the first state on. Ends early at one that stops the kernel.

    Raises TraceError if a call does not fit into the address space, or is of a process that there is not.
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
    """The processes that there are."""
    return (0, 1) if mm.forked else (mm.left,)


def mm_of(mm: Any, process: int, pages: int) -> Any:
    """The address space of one process, as if there were no other."""
    if process == 0:
        return mm
    return SimpleNamespace(
        map_count=mm.other_count,
        vma=mm.vma[pages + 1 : 2 * pages + 2],
        page=mm.page[pages : 2 * pages],
        anon_vma=mm.anon_vma,
    )


def process_film(steps: Sequence[ThreadStep], pages: int) -> list[str]:
    """A line a step: its number, the call, the address space of each process, and the result if it is an error."""
    calls = [str(step.call) for step in steps]
    width = max(map(len, calls), default=0)
    lines = []
    for number, (step, call) in enumerate(zip(steps, calls, strict=True), 1):
        failed = f"   {step.result}" if isinstance(step.result, str) else ""
        if step.result == STOPPED:
            failed += ": the kernel stops here"
        drawn = [f"{process.name}: {picture(process.vmas, pages):{2 * pages - 1}}" for process in step.processes]
        lines.append(f"{number:3}  {call:{width}}   {'  '.join(drawn).rstrip()}{failed}")
    return lines + note_on_shared(vma for step in steps for process in step.processes for vma in process.vmas)
