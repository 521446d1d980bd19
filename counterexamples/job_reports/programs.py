# SPDX-License-Identifier: GPL-2.0-only
"""Counterexamples and witnesses in JSON, turned into steps that can be drawn."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vmacheck.checker.jobs.run import BAD, Outcome, Report
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.names import tree_of
from vmacheck.checker.kernels.scope import PAGES, PROCESSES, THREADS, Scope
from vmacheck.counterexamples.pictures.films import FILMS
from vmacheck.counterexamples.replay.one_process import Page, Step, Vma, replay
from vmacheck.counterexamples.replay.threads import Process, ThreadStep, replay_text
from vmacheck.counterexamples.reports.compare import side_by_side
from vmacheck.counterexamples.reproducer.write import c_text, program_of
from vmacheck.model.calls.interleaving import is_interleaving, parse_interleaving
from vmacheck.model.calls.operations import TraceError
from vmacheck.model.calls.traces import parse_trace


@dataclass(frozen=True)
class Shown:
    """A program on one kernel: what it shows, its text, and its steps, of one process or of threads."""

    shows: str
    kernel: str
    trace: str
    pages: int
    steps: tuple[Any, ...]
    world: str

    @property
    def is_threaded(self) -> bool:
        """Is it a program of threads or processes?"""
        return self.world != PAGES

    def film(self) -> list[str]:
        """One line per step."""
        return FILMS[self.world](self.steps, self.pages)

    def lines(self) -> list[str]:
        """The lines of the film that show a step, without a heading."""
        return self.film()[-len(self.steps) :] if self.steps else []

    def c_program(self) -> str | None:
        """The program in C, or None if C cannot follow it."""
        try:
            return c_text(program_of(self.kernel, parse_trace(self.trace), self.shows))
        except TraceError:
            return None


def shown(report: Report, outcome: Outcome) -> list[Shown]:
    """The programs of an outcome, each on its kernel or kernels."""
    found = []
    for side, program in outcome.programs.items():
        if report.job.kind == "claims":
            found += [
                _replayed(what_it_shows(report, outcome, side), kernel, program) for kernel in program["kernels"][:2]
            ]
            continue
        for kernel, steps in _sides(report, program):
            found.append(_from_data(what_it_shows(report, outcome, side), kernel, program["operations"], steps))
    return found


def counterexamples(reports: Sequence[Report]) -> Iterator[tuple[str, str, Sequence[Any]]]:
    """Every counterexample to a property: the kernel, the property, and the steps."""
    for report in reports:
        for outcome in report.outcomes:
            if report.job.kind in ("kernel", "prove") and outcome.verdict in BAD:
                for one in shown(report, outcome):
                    yield one.kernel, outcome.name or report.job.values["prove"], one.steps


def what_it_shows(report: Report, outcome: Outcome, side: str) -> str:
    """The meaning of a program of an outcome, in words."""
    job = report.job
    if job.kind == "claims":
        return f"{outcome.name}: {outcome.reason}"
    if job.kind == "compare":
        a, b = job.kernels if side == "a_worse" else job.kernels[::-1]
        return f"{a} is worse than {b}, by {job.values.get('by', 'vmas')}"
    happens = "happens" if outcome.verdict == "holds" else "is violated"
    return f"{outcome.name or job.values.get('prove', '')} {happens} on {job.kernels[0]}"


def films(programs: Sequence[Shown]) -> list[str]:
    """The programs drawn: one on two kernels side by side, others one below the other."""
    lines: list[str] = []
    rest = list(programs)
    while rest:
        first = rest.pop(0)
        lines += [*([""] if lines else []), f"     {first.shows}"]
        if rest and (rest[0].shows, rest[0].trace) == (first.shows, first.trace) and not first.is_threaded:
            second = rest.pop(0)
            calls = first.trace.split("; ")
            lines += side_by_side([(one.kernel, one.film()) for one in (first, second)], calls)
        else:
            lines += first.film()
    return lines


def _sides(report: Report, program: Mapping[str, Any]) -> list[tuple[str, Any]]:
    kernels = report.job.kernels
    if report.job.kind == "compare":
        return [(kernels[0], program["steps"]), (kernels[1], program["steps_b"])]
    return [(kernels[0], program["steps"])]


def _replayed(shows: str, kernel: str, witness: Mapping[str, Any]) -> Shown:
    trace, pages = "; ".join(witness["operations"]), witness["pages"]
    if is_interleaving(trace, stacks=THREADS in tree_of(kernel).worlds):
        return Shown(shows, kernel, trace, pages, tuple(replay_text(kernel, pages, parse_interleaving(trace))), THREADS)
    calls = parse_trace(trace)
    steps = replay(one_process.build(kernel, Scope(pages=pages), calls=calls), calls)
    return Shown(shows, kernel, trace, pages, tuple(steps), PAGES)


def _from_data(shows: str, kernel: str, operations: Sequence[str], data: Sequence[Mapping[str, Any]]) -> Shown:
    trace = "; ".join(operations)
    other = next(world for world in (THREADS, PROCESSES) if world in tree_of(kernel).worlds)
    calls: Sequence[Any] = parsed(trace) if other == THREADS else parse_trace(trace, processes=True)
    world = other if data and "threads" in data[0] else PAGES
    make = _step if world == PAGES else _thread_step
    steps = tuple(make(call, step) for call, step in zip(calls, data, strict=False))  # one may stop the kernel
    return Shown(shows, kernel, trace, max((call.end for call in calls), default=1), steps, world)


def parsed(trace: str) -> Sequence[Any]:
    """The calls of a trace of a 2.6 kernel, with or without threads."""
    return parse_interleaving(trace) if is_interleaving(trace) else parse_trace(trace)


def _step(call: Any, data: Mapping[str, Any]) -> Step:
    return Step(call, data["result"], _vmas(data["vmas"]), _pages(data["pages"]))


def _thread_step(call: Any, data: Mapping[str, Any]) -> ThreadStep:
    names = sorted({"p0", *(vma["process"] for vma in data["vmas"])})
    processes = tuple(
        Process(name, _vmas(data["vmas"], process=name), _pages(data["pages"], process=name)) for name in names
    )
    return ThreadStep(call, data["result"], processes, tuple(data["threads"]))


def _own(data: Sequence[Mapping[str, Any]], process: str | None) -> list[dict[str, Any]]:
    mine = [one for one in data if process is None or one["process"] == process]
    return [{key: value for key, value in one.items() if key != "process"} for one in mine]


def _vmas(data: Sequence[Mapping[str, Any]], process: str | None = None) -> tuple[Vma, ...]:
    return tuple(Vma(**{**one, "flags": tuple(one["flags"])}) for one in _own(data, process))


def _pages(data: Sequence[Mapping[str, Any]], process: str | None = None) -> tuple[Page, ...]:
    return tuple(Page(**one) for one in _own(data, process))
