# SPDX-License-Identifier: GPL-2.0-only
"""A trace in the Informal Trace Format (.itf.json) that Apalache and Quint write, and that viewers and tools read.

The variables are: operation and result (a number) of the step that leads to the state, error (an errno name, BUG, or
empty); vmas and pages, as lists of records; and, in traces of threads, where each thread is. An empty string stands
for null. The first state is that before any call.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.search.verdict import Result
from vmacheck.counterexamples.replay.by_world import steps_of
from vmacheck.counterexamples.replay.one_process import Step
from vmacheck.counterexamples.replay.threads import Process, ThreadStep

FORMAT = "https://apalache-mc.org/docs/adr/015adr-trace.html"
LARGEST = 2**53 - 1  # that JSON numbers hold in every reader
SUFFIX = ".itf.json"
LONGEST = 200  # of a file's name, before the suffix


def itf_data(kernel: str, name: str | None, steps: Sequence[Step] | Sequence[ThreadStep]) -> dict[str, Any]:
    """The steps as a trace. name: the property that they violate, if any."""
    first = {"operation": "", "result": 0, "error": "", "vmas": [], "pages": []}
    threads = [len(step.threads) for step in steps if isinstance(step, ThreadStep)]
    if any(threads):
        first["threads"] = _threads([None] * threads[0])
    states = [first, *(_state(step) for step in steps)]
    what = f"{kernel}, carried out by vmacheck" if name is None else f"{name} is violated on {kernel}"
    meta = {"format": "ITF", "format-description": FORMAT, "description": what, "source": kernel, "kernel": kernel}
    if name is not None:
        meta |= {"property": name, "status": "violation"}
    return {
        "#meta": meta,
        "params": [],
        "vars": list(first),
        "states": [{"#meta": {"index": index}, **state} for index, state in enumerate(states)],
    }


def _state(step: Step | ThreadStep) -> dict[str, Any]:
    failed = isinstance(step.result, str)
    state: dict[str, Any] = {
        "operation": str(step.call),
        "result": 0 if failed else _number(int(step.result)),
        "error": step.result if failed else "",
    }
    if isinstance(step, ThreadStep):
        state |= _processes(step.processes)
        return {**state, "threads": _threads(step.threads)} if step.threads else state
    state["vmas"] = [_record(vma) for vma in step.vmas]
    state["pages"] = [_record(page) for page in step.pages]
    return state


def _processes(processes: Sequence[Process]) -> dict[str, Any]:
    return {
        "vmas": [{"process": process.name, **_record(vma)} for process in processes for vma in process.vmas],
        "pages": [{"process": process.name, **_record(page)} for process in processes for page in process.pages],
    }


def _threads(at: Sequence[str | None]) -> dict[str, Any]:
    return {"#map": [[f"t{number}", point or ""] for number, point in enumerate(at, 1)]}


def _record(one: Any) -> dict[str, Any]:
    return {name: _value(value) for name, value in asdict(one).items()}


def _value(value: Any) -> Any:
    """A value as an expression of the format."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return {"#set": list(value)}
    return value if isinstance(value, str | bool) else _number(value)


def _number(value: int) -> Any:
    return value if abs(value) <= LARGEST else {"#bigint": str(value)}


# ---- files ---------------------------------------------------------------------------------------


def itf_text(kernel: str, name: str | None, steps: Sequence[Step] | Sequence[ThreadStep]) -> str:
    """The steps as the text of a file."""
    return json.dumps(itf_data(kernel, name, steps), indent=1) + "\n"


Trace = tuple[str, str, Sequence[Any]]  # a kernel, the property that is violated, and the steps


def write_itf(folder: Path, results: Iterable[Result]) -> list[Path]:
    """Write one file per counterexample among the results, creating the folder if missing. Raises OSError."""
    return write_traces(folder, filter(None, map(_trace_of, results)))


def _trace_of(result: Result) -> Trace | None:
    if result.calls is None or result.claim.sometimes:
        return None
    return result.system.name, result.claim.name, steps_of(result.system, result.calls)


def write_traces(folder: Path, traces: Iterable[Trace]) -> list[Path]:
    """Write one file per trace, creating the folder if missing. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for kernel, name, steps in traces:
        path = _unused(folder, f"{kernel}.{name}", paths)
        write_at_once(path, itf_text(kernel, name, steps))
        paths.append(path)
    return paths


def _unused(folder: Path, name: str, used: Sequence[Path]) -> Path:
    """A name that file systems allow and no other counterexample has."""
    safe = re.sub(r"[^A-Za-z0-9_.+-]+", "-", name.replace("+./", "+")).lstrip(".-")[-LONGEST:]
    numbers = [safe, *(f"{safe}-{number}" for number in range(2, len(used) + 2))]
    return next(path for path in (folder / f"{one}{SUFFIX}" for one in numbers) if path not in used)
