# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck reproduce: a trace as a C program that shows it on a real kernel."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vmacheck.checker.commands.support.options import ABOVE, add_command, positive
from vmacheck.checker.commands.support.real import calls_of, model_for, read, text_of
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.kernels.auto import AUTO, resolved
from vmacheck.checker.kernels.btf import KernelError
from vmacheck.checker.kernels.scope import (
    MAX_PAGES,
)
from vmacheck.counterexamples.pictures.words import count as counted
from vmacheck.counterexamples.real_kernels.replay import (
    LIVE,
    name_of_kernel,
)
from vmacheck.counterexamples.reproducer.write import (
    HARNESS,
    OUTCOMES,
    STYLES,
    Program,
    c_text,
    program_of,
    try_out,
    try_out_booted,
)
from vmacheck.properties import PROPERTIES

SEEN = ", as far as a program sees: the calls' results and the layout, not the anon_vmas"


class Found(NamedTuple):
    """A counterexample in a result: its kernel, what it shows, and its pages (None: as many as it needs)."""

    kernel: str
    shows: str
    pages: int | None
    operations: Sequence[str]


def counterexamples_in(data: Any, around: Found) -> Iterator[Found]:
    """Each counterexample of a result in JSON. around: what the objects around the data say."""
    if isinstance(data, list):
        for value in data:
            yield from counterexamples_in(value, around)
    if not isinstance(data, dict):
        return
    around = _known_at(data, around)
    operations = data.get("operations")
    if isinstance(operations, list) and all(isinstance(word, str) for word in operations):
        yield around._replace(operations=operations)
        return
    for key, value in data.items():
        one, other = data.get("a"), data.get("b")
        if key in ("a_worse", "b_worse"):
            worse, better = (one, other) if key == "a_worse" else (other, one)
            shows = f"{worse} is worse than {better}, by {data.get('by')}"
            yield from counterexamples_in(value, around._replace(kernel=str(worse), shows=shows))
        else:
            yield from counterexamples_in(value, around)


def _known_at(data: Mapping[str, Any], around: Found) -> Found:
    """The kernel, property and pages that a JSON object gives for the counterexamples inside it."""
    kernel, name, scope, kernels = (data.get(word) for word in ("kernel", "property", "scope", "kernels"))
    if isinstance(kernels, list) and kernels:
        kernel = kernels[0]
    pages = data.get("pages", scope.get("pages") if isinstance(scope, dict) else None)
    shows = str(data.get("says", around.shows))
    if isinstance(name, str) and name in PROPERTIES:
        verb = "happens" if data.get("witness") else "is violated"
        shows = f"{name} {verb} on {kernel}: {PROPERTIES[name].claim.removesuffix('.')}"
    is_known = isinstance(pages, int) and not isinstance(pages, bool) and 0 < pages <= MAX_PAGES
    return Found(str(kernel or around.kernel), shows, pages if is_known else around.pages, ())


def chosen(options: argparse.Namespace) -> Program:
    """The trace that the options name, run by the model. Raises KernelError and TraceError."""
    if (options.trace is None) == (options.source is None):
        raise KernelError("give a TRACE, or --from a result")
    if options.source is None:
        return program_of(options.expect, calls_of(text_of(options.trace), True), pages=options.pages)
    try:
        found = list(counterexamples_in(json.loads(read(options.source)), Found("", "", None, ())))
    except json.JSONDecodeError as error:
        raise KernelError(f"{options.source}:{error.lineno}: not JSON: {error.msg}") from None
    if not found:
        raise KernelError(f"{options.source} has no counterexample")
    if options.id > len(found):
        raise KernelError(f"--id is {options.id}; {options.source} has {counted(len(found), 'counterexample')}")
    one = found[options.id - 1]
    calls = calls_of("; ".join(one.operations), True)
    pages = options.pages or (one.pages if max(call.end for call in calls) <= (one.pages or 0) else None)
    return program_of(options.expect or one.kernel or resolved(AUTO), calls, one.shows, pages)


def reproduce_command(options: argparse.Namespace) -> int:
    """vmacheck reproduce: a C program, compiled and run before it is written."""
    if options.harness and options.kernel != LIVE:
        raise KernelError("--harness is for the running kernel")
    if options.harness and options.style != "kselftest":
        raise KernelError("--harness is for --style kselftest")
    if options.harness and not (options.harness / HARNESS.name).is_file():
        raise KernelError(f"there is no {options.harness / HARNESS.name}")
    if options.expect is not None or options.source is None:
        options.expect = model_for(options.expect, options.kernel)
    program = chosen(options)
    text = c_text(program, options.style)
    if options.kernel == LIVE:
        status, said = try_out(text, "program.c", options.harness)
    else:
        status, said = try_out_booted(Path(options.kernel), {"program": text})["program"], ""
        if status not in OUTCOMES:
            raise KernelError(f"the program ended with {status}")
    if options.output is None:
        print(text, end="")
    else:
        try:
            write_at_once(Path(options.output), text)
        except OSError as error:
            raise KernelError(f"{options.output}: {error.strerror}") from None
    lines = [*ABOVE, outcome_text(options, status, said)]
    print("\n".join(lines), file=sys.stderr if options.output is None else sys.stdout)
    return status


def outcome_text(options: argparse.Namespace, status: int, said: str) -> str:
    """The program's output, and then one line: how it ended, on which kernel."""
    lines, last = said.splitlines(), OUTCOMES[status]
    if lines and options.style == "program" and status in (0, 1):
        last = lines.pop()  # which also says if there were differences
    return "\n".join([*lines, f"{last} on {name_of_kernel(options.kernel)}{SEEN if status == 0 else ''}"])


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "reproduce",
        "a trace as a C program that shows it on a real kernel",
        "Write a trace, or a counterexample of a result, as a C program that carries it out and says if the real kernel"
        " does as the model; compile it and run it, here or on an image in QEMU.",
        "vmacheck check linux-6.18 --format json > r.json; vmacheck reproduce --from r.json -o r.c",
    )
    add = one.add_argument
    add("trace", nargs="?", metavar="TRACE", help="calls separated by ';' or newlines; - reads standard input")
    add(
        "--from", dest="source", metavar="FILE", help="a counterexample of a result that was written with --format json"
    )
    add("--id", type=positive, default=1, metavar="N", help="the N-th of them (default 1)")
    add("--pages", type=positive, metavar="N", help="default: those of the result, or as many as the trace names")
    add = one.add_argument_group("kernels").add_argument
    add("--expect", metavar="KERNEL", help="the model; auto: the real kernel's (default: that of the result, or auto)")
    add("--kernel", default=LIVE, metavar="IMAGE", help="where to run it: live (default), or an image to boot in QEMU")
    add = one.add_argument_group("output").add_argument
    add("-o", dest="output", metavar="FILE.c", help="where to write it (default: standard output)")
    add("--style", choices=STYLES, default="program", help="a program, or tests for the kernel's own harness")
    add("--harness", type=Path, metavar="DIR", help="with --style kselftest: try it out with the kernel's own, in DIR")
    one.set_defaults(command=reproduce_command)
