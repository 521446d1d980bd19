# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck run: run a trace, every step drawn."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.support.exits import HOLDS, fail
from vmacheck.checker.commands.support.options import (
    add_command,
    add_format,
    add_max_map_count,
    emit,
    kernel_named,
    positive,
)
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.kernels.auto import AUTO
from vmacheck.checker.kernels.names import tree_of
from vmacheck.checker.kernels.scope import MAX_PAGES, PAGES, PROCESSES, THREADS, Scope
from vmacheck.checker.kernels.world import WORLDS
from vmacheck.counterexamples.pictures.film import film_svg
from vmacheck.counterexamples.pictures.films import FILMS, pages_line
from vmacheck.counterexamples.pictures.text import LEGEND
from vmacheck.counterexamples.replay.by_world import steps_of
from vmacheck.counterexamples.replay.threads import replay_text
from vmacheck.counterexamples.reports.check_data import run_data
from vmacheck.counterexamples.reports.itf import itf_text
from vmacheck.model.calls.interleaving import is_interleaving, is_of_processes, parse_interleaving
from vmacheck.model.calls.traces import parse_trace
from vmacheck.model.kernels import every_kernel


def run_command(options: argparse.Namespace) -> int:
    """vmacheck run: run a trace and draw every step."""
    if options.trace == "-" and sys.stdin is None:
        fail("there is no standard input")
    if options.trace.partition("+")[0] in (AUTO, *every_kernel()):
        fail("run takes a TRACE behind the KERNEL")
    world, calls = calls_of(options.kernel, sys.stdin.read() if options.trace == "-" else options.trace)
    if world != PAGES and options.svg is not None:
        fail("--svg: there are no pictures of threads, nor of two processes")
    if world != THREADS and options.every_step:
        fail("--every-step is for traces of threads")
    if not calls:
        fail("the trace has no operations")
    needed = max(1, *(call.room for call in calls))
    if needed > MAX_PAGES:
        fail(f"the trace needs {needed} pages; there can be {MAX_PAGES}")
    pages = options.pages or needed
    if world == THREADS:
        steps: list[Any] = replay_text(options.kernel, pages, calls, options.max_map_count, options.every_step)
    else:
        scope = Scope(pages=pages, max_map_count=options.max_map_count)
        steps = steps_of(WORLDS[world].build(options.kernel, scope, calls=calls), calls)
    if options.svg is not None:
        title = f"{'; '.join(map(str, calls))} on {options.kernel}"
        write_at_once(Path(options.svg), film_svg(title, steps, pages))
    if options.format == "itf":
        print(itf_text(options.kernel, None, steps), end="")
    else:
        emit(
            options,
            lambda: run_data(options.kernel, world, steps),
            lambda: [*FILMS[world](steps, pages), *_pages_lines(world, steps), "", LEGEND],
        )
    return HOLDS


def calls_of(kernel: str, text: str) -> tuple[str, Sequence[Any]]:
    """The kind of world of a trace on a kernel, and its calls. Raises TraceError, and UnknownName."""
    worlds = tree_of(kernel).worlds
    if PROCESSES in worlds and is_of_processes(text):
        return PROCESSES, parse_trace(text, processes=True)
    if THREADS in worlds and is_interleaving(text):
        return THREADS, parse_interleaving(text)
    return PAGES, parse_trace(text)


def _pages_lines(world: str, steps: Sequence[Any]) -> list[str]:
    return ["", f"     {pages_line(steps[-1])}"] if world == PAGES else []


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "run",
        "carry out a trace, every step drawn",
        "Carry out the calls of a trace on a model kernel, and draw the address space after each.",
        "vmacheck run linux-6.18 'mmap(0,2,RW); write(1); mprotect(0,1,R)'",
    )
    add = one.add_argument
    add("kernel", nargs="?", default=AUTO, type=kernel_named, metavar="KERNEL", help="default: auto")
    add("trace", metavar="TRACE", help="calls separated by ';' or newlines; - reads standard input")
    group = one.add_argument_group("scope")
    group.add_argument("--pages", type=positive, metavar="N", help="default: as many as the trace names")
    add_max_map_count(group)
    group.add_argument("--every-step", action="store_true", help="of a trace of threads: the smallest steps")
    add_format(one, ("text", "json", "itf"), help="itf: Informal Trace Format")
    one.add_argument_group("more output").add_argument("--svg", metavar="FILE", help="also draw it")
    one.set_defaults(command=run_command)
