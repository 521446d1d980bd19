# SPDX-License-Identifier: GPL-2.0-only
"""A trace on a model kernel and on a real one, side by side, step by step."""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from vmacheck.checker.files.json_types import Natural
from vmacheck.counterexamples.pictures.film import Strip, strips_svg
from vmacheck.counterexamples.pictures.text import LEGEND, note_on_shared, picture
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.counterexamples.real_kernels.live import Seen, cells_of, line_of, vmas_in
from vmacheck.counterexamples.real_kernels.qemu import release_of, replay_booted
from vmacheck.counterexamples.real_kernels.views import LAYOUT, View, see
from vmacheck.counterexamples.replay.one_process import Step, Vma
from vmacheck.counterexamples.replay.two_processes import steps_on
from vmacheck.model.calls.operations import Call

LIVE = "live"


@dataclass(frozen=True)
class Compared:
    """A trace on a model and on a real kernel, step by step."""

    calls: tuple[Call, ...]
    pages: int
    steps: tuple[Step, ...]
    seen: tuple[Seen, ...]

    @property
    def first(self) -> int | None:
        """The number of the first step that differs, or None."""
        pairs = zip(self.steps, self.seen, strict=True)
        return next((number for number, pair in enumerate(pairs, 1) if not self.same(*pair)), None)

    def same(self, step: Step, seen: Seen) -> bool:
        """Did both return the same and leave the same?"""
        return step.result == seen.shown and cells_of(step.vmas, self.pages) == seen.cells


def name_of_kernel(kernel: str) -> str:
    """The real kernel's release, in words."""
    return f"Linux {platform.release() if kernel == LIVE else release_of(Path(kernel))}"


def on_real(kernel: str, lines: Sequence[str], view: View = LAYOUT, processes: int = 1) -> list[list[Seen]]:
    """Run lines of line_of() on the running kernel ("live") or on an image. The visible states. Raises KernelError."""
    more = ["two"] if processes > 1 else []
    if kernel == LIVE:
        return see(view, lines, more)
    return replay_booted(Path(kernel), lines, look=[*([] if view is LAYOUT else [view.name]), *more])


def compare_with_real(model: str, kernel: str, traces: Sequence[tuple[Sequence[Call], int]]) -> list[Compared]:
    """Traces, each with its number of pages, on a model kernel and on a real one.

    Raises TraceError for a call that no program can make, KernelError, UnknownName and LinkError.
    """
    lines = [line_of(calls, pages, True) for calls, pages in traces]
    steps = [steps_on(model, calls, pages) for calls, pages in traces]
    seen = on_real(kernel, lines)
    return [
        Compared(tuple(calls), pages, left, tuple(right))
        for (calls, pages), left, right in zip(traces, steps, seen, strict=True)
    ]


def against_text(model: str, kernel: str, compared: Compared) -> list[str]:
    """One line per step: both address spaces, and the first difference marked."""
    pages, real = compared.pages, name_of_kernel(kernel)
    calls = [str(call) for call in compared.calls]
    left = [_cell(picture(step.vmas, pages), step.result) for step in compared.steps]
    right = [_cell(picture(vmas_in(seen.cells), pages), seen.shown) for seen in compared.seen]
    widths = [max(map(len, column)) for column in ([*calls], [model, *left], [real, *right])]
    lines = [f"     {'':{widths[0]}}   {model:{widths[1]}}   {real}"]
    for number, (call, one, two) in enumerate(zip(calls, left, right, strict=True), 1):
        mark = "   <- differs" if number == compared.first else ""
        lines.append(f"{number:3}  {call:{widths[0]}}   {one:{widths[1]}}   {two:{widths[2]}}{mark}".rstrip())
    verdict = "every step is the same" if compared.first is None else f"step {compared.first} differs"
    lines += note_on_shared(vma for step in compared.steps for vma in step.vmas)
    return [*lines, "", f"{verdict}; anon_vmas are the model's, a real kernel does not show them", "", LEGEND]


def _cell(drawn: str, result: int | str) -> str:
    return f"{drawn}   {result}" if isinstance(result, str) else drawn


class SeenVmaData(TypedDict):
    """A vma as a program can see it."""

    start: Natural
    end: Natural
    prot: str


class SeenLayoutData(TypedDict):
    """The result of a call, and the address space after it as a program can see it."""

    result: int | str
    vmas: list[SeenVmaData]


class ComparedStepData(TypedDict):
    """A call on the model and on the real kernel."""

    operation: str
    same: bool
    model: SeenLayoutData
    real: SeenLayoutData


class TraceData(TypedDict):
    """A trace on the model and on the real kernel; first_difference is the number of a step, from 1."""

    against: str
    kernel: str
    pages: Natural
    first_difference: Natural | None
    steps: list[ComparedStepData]


class ReplayData(TypedDict):
    """The answer of `vmacheck replay`."""

    schema: Literal[1]
    traces: list[TraceData]


def replay_data(model: str, kernel: str, batch: Sequence[Compared]) -> ReplayData:
    """The whole answer of `vmacheck replay` as JSON has it."""
    return {"schema": SCHEMA, "traces": [against_data(model, kernel, one) for one in batch]}


def against_data(model: str, kernel: str, compared: Compared) -> TraceData:
    """One compared trace as JSON has it."""
    return {
        "against": model,
        "kernel": name_of_kernel(kernel),
        "pages": compared.pages,
        "first_difference": compared.first,
        "steps": [
            {
                "operation": str(call),
                "same": compared.same(step, seen),
                "model": {"result": step.result, "vmas": seen_vmas(step.vmas)},
                "real": {"result": seen.shown, "vmas": seen_vmas(vmas_in(seen.cells))},
            }
            for call, step, seen in zip(compared.calls, compared.steps, compared.seen, strict=True)
        ],
    }


def seen_vmas(vmas: Iterable[Vma]) -> list[SeenVmaData]:
    """The visible part of vmas, as JSON has it."""
    return [{"start": vma.start, "end": vma.end, "prot": vma.prot} for vma in vmas]


def against_svg(model: str, kernel: str, compared: Compared) -> str:
    """Both kernels, drawn side by side."""
    title = "; ".join(map(str, compared.calls))
    real = [
        Step(call, seen.shown, vmas_in(seen.cells), ())
        for call, seen in zip(compared.calls, compared.seen, strict=True)
    ]
    columns = ((model, compared.steps), (name_of_kernel(kernel), real))
    return strips_svg(title, [Strip("", columns, compared.pages, compared.first)])


def batch_text(model: str, kernel: str, batch: Sequence[Compared]) -> list[str]:
    """The number of traces that agree, and the others, with the step where they part."""
    different = [one for one in batch if one.first is not None]
    lines = [f"{'; '.join(map(str, one.calls))}: step {one.first} differs" for one in different]
    same = len(batch) - len(different)
    return [*lines, f"{same:,} of {len(batch):,} traces are the same on {model} and on {name_of_kernel(kernel)}"]
