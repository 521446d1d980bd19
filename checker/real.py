# SPDX-License-Identifier: GPL-2.0-only
"""The commands that ask real kernels: reproduce, replay."""

import argparse
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from checker.scope import DEFAULT_OPERATIONS, DEFAULT_PROTECTIONS, Scope, in_order
from checker.vm import is_modern
from counterexamples.against import (
    LIVE,
    against_data,
    against_text,
    batch_text,
    compare_with_real,
    name_of_kernel,
    on_real,
)
from counterexamples.conform import conform, conform_data, conform_text
from counterexamples.live import KernelError
from counterexamples.report import SCHEMA
from counterexamples.reproduce import OUTCOMES, STYLES, c_text, program_of, try_out
from counterexamples.views import BPF, LAYOUT, SMAPS, VIEWS, View, best_view
from counterexamples.walks import conform_random, conform_states
from model.interleaving import is_interleaving
from model.operations import EVERY_OPERATION, PROTECTIONS, Call, TraceError
from model.traces import parse_trace
from properties import PROPERTIES

EXPECTED = "linux-2.6.8"


def calls_of(text: str) -> list[Call]:
    """A trace that a program can carry out. Raises TraceError."""
    if is_interleaving(text):
        raise TraceError("a trace of threads or processes is not one that a program can be made to follow step by step")
    calls = parse_trace(text)
    if not calls:
        raise TraceError("the trace has no operations")
    return calls


def read(name: str) -> str:
    """What is in the file, or on standard input if it is called -. Raises KernelError."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise KernelError(f"{name}: {reason}") from None


# ---- reproduce -----------------------------------------------------------------------------------


def counterexamples_in(data: Any, kernel: str = "", name: str = "") -> Iterator[tuple[str, str, list[str]]]:
    """Each counterexample of a result that was written as JSON: kernel, property and operations."""
    if isinstance(data, dict):
        kernel, name = str(data.get("kernel", data.get("a", kernel))), str(data.get("property", name))
        operations = data.get("operations")
        if isinstance(operations, list) and all(isinstance(word, str) for word in operations):
            yield kernel, name, operations
        else:
            for value in data.values():
                yield from counterexamples_in(value, kernel, name)
    elif isinstance(data, list):
        for value in data:
            yield from counterexamples_in(value, kernel, name)


def chosen(options: argparse.Namespace) -> tuple[str, str, list[Call]]:
    """The kernel, what the trace shows, and the trace that the options name. Raises KernelError and TraceError."""
    if (options.trace is None) == (options.source is None):
        raise KernelError("give a TRACE, or --from a result")
    if options.source is None:
        return options.expect or EXPECTED, "", calls_of(read("-") if options.trace == "-" else options.trace)
    try:
        found = list(counterexamples_in(json.loads(read(options.source))))
    except json.JSONDecodeError as error:
        raise KernelError(f"{options.source}:{error.lineno}: not JSON: {error.msg}") from None
    if not found:
        raise KernelError(f"{options.source} has no counterexample")
    if options.id > len(found):
        raise KernelError(f"--id is {options.id}; {options.source} has {len(found)} counterexamples")
    kernel, name, operations = found[options.id - 1]
    claim = PROPERTIES[name].claim if name in PROPERTIES else ""
    shows = f"{name} is violated on {kernel}: {claim}".removesuffix(".") if claim else ""
    return options.expect or kernel or EXPECTED, shows, calls_of("; ".join(operations))


def reproduce_command(options: argparse.Namespace) -> int:
    """vmacheck reproduce: a C program, compiled and run before it is written."""
    kernel, shows, calls = chosen(options)
    program = program_of(kernel, calls, shows)
    status, said = try_out(c_text(program), "program.c")
    text = c_text(program, options.style)
    if options.style == "kselftest" and options.harness:
        status, said = try_out(text, "test.c", options.harness)
    if options.output is None:
        print(text, end="")
    else:
        try:
            Path(options.output).write_text(text)
        except OSError as error:
            raise KernelError(f"{options.output}: {error.strerror}") from None
    said = "".join(f"{line}\n" for line in said.splitlines()[:-1]) if status in (0, 1) else said
    where = sys.stderr if options.output is None else sys.stdout
    print(f"{said}{OUTCOMES[status]} on {name_of_kernel(LIVE)}", file=where)
    return status if status in (0, 1) else 2


# ---- replay --------------------------------------------------------------------------------------


def replay_command(options: argparse.Namespace) -> int:
    """vmacheck replay: a trace, or a file of them, on a model kernel and on a real one."""
    if (options.trace is None) == (options.batch is None):
        raise KernelError("give a TRACE, or a --batch of them")
    if options.batch is not None:
        texts = [line for line in read(options.batch).splitlines() if line.split("#")[0].strip()]
        traces = [calls_of(text) for text in texts]
    else:
        traces = [calls_of(read("-") if options.trace == "-" else options.trace)]
    sized = [(calls, options.pages or max(call.room for call in calls)) for calls in traces]
    batch = compare_with_real(options.against, options.kernel, sized)
    if options.format == "json":
        data = [against_data(options.against, options.kernel, one) for one in batch]
        print(json.dumps({"schema": SCHEMA, "traces": data}, indent=1))
    elif options.batch is not None:
        print("\n".join(batch_text(options.against, options.kernel, batch)))
    else:
        print("\n".join(against_text(options.against, options.kernel, batch[0])))
    return int(any(one.first is not None for one in batch))


# ---- conform -------------------------------------------------------------------------------------


def view_of(options: argparse.Namespace) -> tuple[View, str]:
    """The view of the real kernel that the options choose, and what it does not see for want of BPF."""
    is_live = options.kernel_image == LIVE
    if options.see is not None:
        if options.see == BPF.name and not is_live:
            raise KernelError("--see bpf is for the running kernel; an image can be seen by smaps")
        return VIEWS[options.see], ""
    if not is_modern(options.kernel):
        return LAYOUT, ""
    return best_view() if is_live else (SMAPS, "")


def conform_command(options: argparse.Namespace) -> int:
    """vmacheck conform: every sequence of a scope on a model kernel and on a real one."""
    scope = Scope(
        options.pages,
        in_order(options.prot.split(","), PROTECTIONS),
        in_order(options.ops.split(","), EVERY_OPERATION),
        options.noreserve,
        processes=options.processes or 1,
    )
    real = name_of_kernel(options.kernel_image)
    view, unseen = view_of(options)
    runs = partial(on_real, options.kernel_image, view=view, processes=scope.processes)
    if options.random is not None:
        found = conform_random(options.kernel, scope, options.random, options.length, options.seed, runs, view)
    elif options.states is not None:
        found = conform_states(options.kernel, scope, options.states, runs, view)
    else:
        found = conform(options.kernel, scope, options.depth, runs, view)
    found.unseen = unseen
    if options.format == "json":
        print(json.dumps({"schema": SCHEMA, **conform_data(found, real)}, indent=1))
    else:
        print("\n".join(conform_text(found, real)))
    return int(bool(found.differences))


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1 << 31:
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return int(text)


def add_real(commands: Any) -> None:
    """Add the commands to the command line."""
    one = commands.add_parser("reproduce", help="a trace as a C program that shows it on a real kernel")
    add = one.add_argument
    add("trace", nargs="?", metavar="TRACE", help="calls separated by ';' or newlines; - reads standard input")
    add(
        "--from", dest="source", metavar="FILE", help="a counterexample of a result that was written with --format json"
    )
    add("--id", type=_positive, default=1, metavar="N", help="the N-th of them (default 1)")
    add("--expect", metavar="KERNEL", help=f"the model to compare with (default: that of the result, or {EXPECTED})")
    add("-o", dest="output", metavar="FILE.c", help="where to write it (default: standard output)")
    add("--style", choices=STYLES, default="program", help="a program, or tests for the kernel's own harness")
    add(
        "--harness", type=Path, metavar="DIR", help="with --style kselftest: try it out with the harness in this folder"
    )
    one.set_defaults(command=reproduce_command)

    two = commands.add_parser("replay", help="a trace on a model kernel and on a real one, side by side")
    add = two.add_argument
    add("trace", nargs="?", metavar="TRACE", help="calls separated by ';' or newlines; - reads standard input")
    add("--batch", metavar="FILE", help="instead: many traces, a line each; in one boot, if the kernel is an image")
    add(
        "--kernel",
        default=LIVE,
        metavar="IMAGE",
        help="live, the running kernel (default), or an image to boot in QEMU",
    )
    add("--against", default=EXPECTED, metavar="KERNEL", help=f"the model (default {EXPECTED})")
    add("--pages", type=_positive, metavar="N", help="default: as many as the trace names")
    add("--format", choices=["text", "json"], default="text")
    two.set_defaults(command=replay_command)

    three = commands.add_parser("conform", help="every sequence of a scope on a model kernel and on a real one")
    add = three.add_argument
    add("kernel", metavar="KERNEL")
    add(
        "--kernel",
        dest="kernel_image",
        default=LIVE,
        metavar="IMAGE",
        help="live (default), or an image to boot in QEMU",
    )
    add("--pages", type=_positive, default=3, metavar="N", help="pages in the address space (default 3)")
    add("--depth", type=_positive, default=4, metavar="D", help="sequences of up to D calls (default 4)")
    add("--prot", default=",".join(DEFAULT_PROTECTIONS), metavar="P,...", help="default R,RW")
    add("--ops", default=",".join(DEFAULT_OPERATIONS), metavar="CALL,...", help="default mmap,munmap,mprotect,write")
    add("--noreserve", action="store_true", help="also mmap with NORESERVE")
    add("--processes", type=_positive, metavar="P", help="2, each of which can fork and exit (default 1)")
    add("--states", type=_positive, metavar="N", help="instead of sequences: each call in each of up to N states, once")
    add("--random", type=_positive, metavar="N", help="instead of sequences: N random programs, seen after each call")
    add("--length", type=_positive, default=40, metavar="L", help="with --random: of L calls (default 40)")
    add("--seed", type=_positive, default=1, metavar="S", help="with --random: which ones (default 1)")
    add("--see", choices=list(VIEWS), help="what to look at (default: layout; for today's kernels bpf, or else smaps)")
    add("--format", choices=["text", "json"], default="text")
    three.set_defaults(command=conform_command)
