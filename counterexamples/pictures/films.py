# SPDX-License-Identifier: GPL-2.0-only
"""Steps as a film: one line per call, with the address space after it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vmacheck.checker.kernels.scope import PAGES, PROCESSES, THREADS
from vmacheck.counterexamples.pictures.text import note_on_shared, picture
from vmacheck.counterexamples.replay.one_process import STOPPED, Step
from vmacheck.counterexamples.replay.threads import ThreadStep


def thread_film(steps: Sequence[ThreadStep], pages: int) -> list[str]:
    """One line per step: its number, the call in its caller's column, the address spaces, and the result."""
    threads = len(steps[0].threads) if steps else 0
    cells = [["calls", *(f"t{thread}" for thread in range(1, threads + 1))]]
    for step in steps:
        row = [""] * (1 + threads)
        row[step.call.thread] = str(step.call) if not step.call.thread else step.call.what
        if step.call.thread and step.call.process:
            row[step.call.thread] = f"p1: {step.call.what}"
        cells.append(row)
    widths = [max(len(row[column]) for row in cells) for column in range(1 + threads)]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    lines = [f"     {texts[0]}".rstrip()]
    for number, (step, text) in enumerate(zip(steps, texts[1:], strict=True), 1):
        failed = f"   {step.result}" if isinstance(step.result, str) else ""
        failed = failed.replace("EBUSY", "waits")
        if step.result == STOPPED:
            failed += ": the kernel stops here"
        drawn = picture(step.processes[0].vmas, pages)
        if len(step.processes) > 1:
            drawn = f"{drawn:{2 * pages - 1}}  p1: {picture(step.processes[1].vmas, pages)}"
        lines.append(f"{number:3}  {text}   {drawn}{failed}")
    return lines


def process_film(steps: Sequence[ThreadStep], pages: int) -> list[str]:
    """One line per step: its number, the call, the address space of each process, and the result if it is an error."""
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


def pages_line(step: Step) -> str:
    """The mapped anonymous pages, and the anon_vma that each hangs from."""
    words = []
    for page in step.pages:
        home = page.anon_vma or "the process"
        words.append(f"page {page.page} hangs from {'freed ' if page.freed else ''}{home} at index {page.index}")
    return "; ".join(words) or "no anonymous page is mapped"


def film(steps: Sequence[Step], pages: int) -> list[str]:
    """One line per step: its number, the call, the address space after it, and the result if it is not plain success.

    Then a line on shared memory, if there is any.
    """
    calls = [str(step.call) for step in steps]
    width = max((len(call) for call in calls), default=0)
    lines = []
    for number, (step, call) in enumerate(zip(steps, calls, strict=True), 1):
        failed = f"   {step.result}" if isinstance(step.result, str) else ""
        if step.result == STOPPED:
            failed += ": the kernel stops here"
        lines.append(f"{number:3}  {call:{width}}   {picture(step.vmas, pages)}{failed}")
    return lines + note_on_shared(vma for step in steps for vma in step.vmas)


FILMS: Mapping[str, Callable[[Sequence[Any], int], list[str]]] = {
    PAGES: film,
    THREADS: thread_film,
    PROCESSES: process_film,
}  # by the kind of world that the steps are of
