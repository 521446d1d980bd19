# SPDX-License-Identifier: GPL-2.0-only
"""Steps, states and the results of a check as data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict, cast

from vmacheck.checker.files.json_types import Natural, Seconds
from vmacheck.checker.kernels.scope import PAGES, PROCESSES, THREADS, Scope, SearchScopeData
from vmacheck.checker.program.system import OOPS, System
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import Checked, Result, Verdict, never_happened
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.counterexamples.replay.by_world import steps_of
from vmacheck.counterexamples.replay.one_process import STOPPED, Page, Step, Vma
from vmacheck.counterexamples.replay.threads import Process, ThreadStep
from vmacheck.model.calls.operations import Call, result_text
from vmacheck.model.kernels import EVENTS

# ---- types ---------------------------------------------------------------------------------------


class VmaData(TypedDict):
    """A vma: pages start to end - 1. anon_vma, file and policy are names; null is for a vma without."""

    start: Natural
    end: Natural
    prot: str
    flags: list[str]
    pgoff: int
    anon_vma: str | None
    file: str | None
    policy: str | None


class PageData(TypedDict):
    """A mapped anonymous page: the anon_vma that it refers to, if that was freed, and its index there."""

    page: Natural
    anon_vma: str | None
    freed: bool
    index: int


class StateData(TypedDict):
    """An address space."""

    vmas: list[VmaData]
    pages: list[PageData]


class StepData(StateData):
    """A call, its result, and the address space after it. The result is a number, or the name of an errno or "BUG"."""

    operation: str
    result: int | str


class _OfProcessData(TypedDict):
    process: Literal["p0", "p1"]


class ProcessVmaData(_OfProcessData, VmaData):
    """A vma of one of two processes."""


class ProcessPageData(_OfProcessData, PageData):
    """A page of one of two processes."""


Point = Literal[
    "anon_vma",
    "vm_start",
    "find_mergeable_anon_vma",
    "anon_vma_alloc",
    "page_table_lock",
    "anon_vma_lock",
    "recheck",
    "install",
    "head_next",
    "next_prev_new",
    "new_next",
    "new_prev",
    "head_next_new",
    "unlock",
    "anon_vma_free",
    "expand_stack",
    "grow_start",
    "grow_pgoff",
    "set_pte",
    "visit",
    None,
]


class ThreadStepData(TypedDict):
    """A call or a step of one, with the address spaces of the processes after it.

    threads: for each thread the step that it makes next, or null outside of calls.
    """

    operation: str
    result: int | str
    vmas: list[ProcessVmaData]
    pages: list[ProcessPageData]
    threads: list[Point]


class RunData(TypedDict):
    """The answer of `vmacheck run`."""

    schema: Literal[1]
    kernel: str
    steps: list[StepData | ThreadStepData]


class SearchedProgramData(TypedDict):
    """A shortest program with its steps; fewer steps than operations if one stops the kernel.

    shorter_programs_ruled_out is their number, null for programs of every size.
    """

    operations: list[str]
    length: Natural
    shorter_programs_ruled_out: Natural | None
    steps: list[StepData | ThreadStepData]


class PropertyResultData(TypedDict):
    """The verdict on a property of a kernel.

    closed: every reachable state was searched. states, transitions and depth are those of the search, up to the
    counterexample if there is one. A property that something happens sometimes has a witness.
    """

    kernel: str
    property: str
    verdict: Verdict
    reason: str | None
    scope: SearchScopeData
    closed: bool
    states: Natural
    transitions: Natural
    depth: Natural
    seconds: Seconds
    counterexample: SearchedProgramData | None
    witness: NotRequired[SearchedProgramData]


class SearchedData(TypedDict):
    """What happened in a search: by kind of call how often each result, how often each event, and what never did."""

    kernel: str
    closed: bool
    states: Natural
    transitions: Natural
    depth: Natural
    never: list[str]
    calls: dict[str, dict[str, Natural]]
    events: dict[str, Natural]


class CheckData(TypedDict):
    """The answer of `vmacheck check`."""

    schema: Literal[1]
    results: list[PropertyResultData]
    coverage: list[SearchedData]


# ---- steps ---------------------------------------------------------------------------------------


def step_data(step: Step) -> StepData:
    """A step as JSON has it."""
    return {"operation": str(step.call), "result": step.result, **state_data(step.vmas, step.pages)}


def thread_step_data(step: ThreadStep) -> ThreadStepData:
    """A step as JSON has it."""
    named = [(_process_data(process), process) for process in step.processes]
    return {
        "operation": str(step.call),
        "result": step.result,
        "vmas": [{**name, **_vma_data(vma)} for name, process in named for vma in process.vmas],
        "pages": [{**name, **_page_data(page)} for name, process in named for page in process.pages],
        "threads": cast("list[Point]", list(step.threads)),
    }


def _process_data(process: Process) -> _OfProcessData:
    return {"process": "p0" if process.name == "p0" else "p1"}


DATA: Mapping[str, Callable[[Any], StepData | ThreadStepData]] = {
    PAGES: step_data,
    THREADS: thread_step_data,
    PROCESSES: thread_step_data,
}  # by the kind of world of a step


def run_data(kernel: str, world: str, steps: Sequence[Any]) -> RunData:
    """The whole answer of `vmacheck run` as JSON has it."""
    return {"schema": SCHEMA, "kernel": kernel, "steps": [DATA[world](step) for step in steps]}


def steps_data(system: System, calls: Sequence[Any]) -> list[StepData | ThreadStepData]:
    """The calls, run, as JSON has them."""
    return [DATA[system.world](step) for step in steps_of(system, calls)]


def state_data(vmas: Sequence[Vma], pages: Sequence[Page]) -> StateData:
    """A state as JSON has it."""
    return {"vmas": [_vma_data(vma) for vma in vmas], "pages": [_page_data(page) for page in pages]}


def _vma_data(vma: Vma) -> VmaData:
    return {
        "start": vma.start,
        "end": vma.end,
        "prot": vma.prot,
        "flags": list(vma.flags),
        "pgoff": vma.pgoff,
        "anon_vma": vma.anon_vma,
        "file": vma.file,
        "policy": vma.policy,
    }


def _page_data(page: Page) -> PageData:
    return {"page": page.page, "anon_vma": page.anon_vma, "freed": page.freed, "index": page.index}


# ---- results -------------------------------------------------------------------------------------


def result_data(result: Result, scope: Scope, limits: Limits) -> PropertyResultData:
    """A result as JSON has it."""
    data: PropertyResultData = {
        "kernel": result.system.name,
        "property": result.claim.name,
        "verdict": result.verdict,
        "reason": result.reason,
        "scope": {**scope.as_data(), "depth": limits.depth, "max_states": limits.max_states},
        "closed": result.closed,
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "seconds": round(result.seconds, 3),
        "counterexample": None,
    }
    if result.calls is not None:
        witness: SearchedProgramData = {
            "operations": [str(call) for call in result.calls],
            "length": len(result.calls),
            "shorter_programs_ruled_out": result.programs_ruled_out,
            "steps": steps_data(result.system, result.calls),
        }
        data["witness" if result.claim.sometimes else "counterexample"] = witness
    return data


def coverage_data(checked: Checked) -> SearchedData:
    """The events of a search, and the results of each kind of call by name."""
    system, coverage = checked.system, checked.search.coverage
    calls = {
        system.kinds[kind]: {
            "ok" if result == 0 else _errno(system.calls[0], result): count for result, count in sorted(counts.items())
        }
        for kind, counts in sorted(coverage.results.items())
    }
    search = checked.search
    return {
        "kernel": system.name,
        "closed": search.closed,
        "states": search.states,
        "transitions": search.transitions,
        "depth": search.depth,
        "never": never_happened(system, coverage),
        "calls": calls,
        "events": {name: coverage.events[event] for name, event in EVENTS.items()},
    }


def _errno(call: Call, result: int) -> str:
    return STOPPED if result == OOPS else str(result_text(call, result))


def check_data(checks: Sequence[Checked], scope: Scope, limits: Limits) -> CheckData:
    """The whole answer of `vmacheck check` as JSON has it."""
    results = [result_data(result, scope, limits) for checked in checks for result in checked.results]
    return {"schema": SCHEMA, "results": results, "coverage": [coverage_data(checked) for checked in checks]}
