# SPDX-License-Identifier: GPL-2.0-only
"""The place in the source that a counterexample comes from.

For a kernel with files of the user's: the function in them that, replaced by the kernel's own, makes the violation
disappear; if no single function does, the first of those that do together. If the kernel's own functions show the
violation too, and for kernels without files: the function by which the last call enters the kernel.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vmacheck.checker.jobs.run import Report
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.names import split_name
from vmacheck.checker.kernels.programs import program_of
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.layout import Broken
from vmacheck.checker.program.link import Function, LinkError, Program, read
from vmacheck.checker.program.system import OOPS, System
from vmacheck.checker.proofs.confirm import is_said
from vmacheck.counterexamples.job_reports.programs import Shown
from vmacheck.model.calls.operations import Call
from vmacheck.model.calls.traces import parse_trace
from vmacheck.model.common import unistd
from vmacheck.properties import PROPERTIES


@dataclass(frozen=True)
class Place:
    """A line of a file. function: the one that begins there, or None."""

    path: str
    line: int
    function: str | None = None


def of_job(report: Report) -> Place:
    """The place of the job in its file."""
    return Place(str(report.job.path), report.job.line)


def place_of(report: Report, name: str, shown: Sequence[Shown]) -> Place:
    """The place that is responsible for the result of a property; the job's own if unknown."""
    first = next(iter(shown), None)
    if first is None or first.is_threaded or report.job.kind not in ("kernel", "prove"):
        return of_job(report)
    found = responsible(first, name or report.job.values.get("prove", ""))
    return found or entry(first, -1) or of_job(report)


def responsible(shown: Shown, name: str) -> Place | None:
    """The function of the user's files that the violation hangs on, or the first of them if it takes several."""
    base, patches, paths = split_name(shown.kernel)
    if not paths or name not in PROPERTIES:
        return None
    calls = parse_trace(shown.trace)
    system = one_process.build(shown.kernel, Scope(pages=shown.pages), [name], calls=calls)
    under = program_of("+".join([base, *patches]), system.program.constants)
    replaced = []
    for path in paths:
        for function in read(path, path.read_text(encoding="utf-8"), {})[0].values():
            if function.name in under.functions:
                place = Place(str(path), function.node.lineno, function.name)
                replaced.append((place, under.functions[function.name]))
    guilty = [place for place, own in replaced if not _is_violated(_with(system, [own]), name, calls)]
    if len(guilty) == 1:
        return guilty[0]
    is_theirs = bool(replaced) and not _is_violated(_with(system, [own for _, own in replaced]), name, calls)
    return replaced[0][0] if is_theirs else None


def _with(system: System, own: Sequence[Function]) -> System:
    functions = {**system.program.functions, **{function.name: function for function in own}}
    return replace(system, program=Program(functions, system.program.constants))


def _is_violated(system: System, name: str, calls: Sequence[Call]) -> bool:
    """Does running the calls violate the property somewhere?"""
    try:
        machine = Machine(system)
        before, after = machine.new(), machine.new()
        for call in calls:
            result = machine.step(before, call, after)
            if not is_said(machine, name, before, call, result, after):
                return True
            if result == OOPS:
                return False
            machine.key(after)
            before, after = after, before
    except (Broken, LinkError):  # the kernel's own functions do not fit the rest of the file
        return True
    return False


def entry(shown: Shown, number: int) -> Place | None:
    """The function by which the number-th call of a program enters the kernel."""
    if shown.is_threaded:
        return None
    call = parse_trace(shown.trace)[number]
    names = {value: name for name, value in vars(unistd).items() if name.startswith("NR_")}
    program = program_of(shown.kernel, {})
    for node in program.functions["system_call"].node.body:
        if isinstance(node, ast.If) and any(names[call.nr] == getattr(part, "id", "") for part in ast.walk(node.test)):
            callee = next(part.func.id for part in ast.walk(node.body[0]) if isinstance(part, ast.Call))  # type: ignore[attr-defined]
            function = program.functions[callee]
            return Place(_shortest(function.file), function.node.lineno, callee)
    return None


def _shortest(path: str) -> str:
    """The path, relative to here if it is below."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
