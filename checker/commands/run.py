# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck run: carry out a trace, every step drawn."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.exits import HOLDS, fail
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.kernels import one_process, processes
from vmacheck.checker.kernels.names import is_modern
from vmacheck.checker.kernels.scope import (
    MAX_PAGES,
    Scope,
)
from vmacheck.counterexamples.pictures.film import film_svg
from vmacheck.counterexamples.pictures.films import film, pages_line, process_film, thread_film
from vmacheck.counterexamples.pictures.terminal import show
from vmacheck.counterexamples.pictures.text import LEGEND
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.counterexamples.replay.one_process import replay
from vmacheck.counterexamples.replay.threads import replay_text
from vmacheck.counterexamples.replay.two_processes import replay_processes
from vmacheck.counterexamples.reports.check import step_data, thread_step_data
from vmacheck.counterexamples.reports.itf import itf_text
from vmacheck.model.calls.interleaving import is_interleaving, is_of_processes, parse_interleaving
from vmacheck.model.calls.operations import Call
from vmacheck.model.calls.traces import parse_trace


def run_command(options: argparse.Namespace) -> int:
    """vmacheck run: carry out a trace and draw every step."""
    if options.trace == "-" and sys.stdin is None:
        fail("there is no standard input")
    text = sys.stdin.read() if options.trace == "-" else options.trace
    if is_modern(options.kernel):
        if is_of_processes(text):
            return run_processes(options, parse_trace(text, processes=True))
    elif is_interleaving(text):
        return run_interleaving(options, parse_interleaving(text))
    if options.every_step:
        fail("--every-step is for traces of threads")
    calls = parse_trace(text) or fail("the trace has no operations")
    needed = max(call.room for call in calls)
    pages = options.pages or needed
    if needed > MAX_PAGES:
        fail(f"the trace needs {needed} pages; there can be {MAX_PAGES}")
    scope = Scope(pages=pages, max_map_count=options.max_map_count)
    steps = replay(one_process.build(options.kernel, scope, calls=calls), calls)
    if options.format == "itf":
        print(itf_text(options.kernel, None, steps), end="")
        return HOLDS
    if options.svg is not None:
        title = f"{'; '.join(map(str, calls))} on {options.kernel}"
        write_at_once(Path(options.svg), film_svg(title, steps, pages))
    if options.format == "json":
        data = {"schema": SCHEMA, "kernel": options.kernel, "steps": [step_data(step) for step in steps]}
        print(json.dumps(data, indent=1))
        return HOLDS
    show([*film(steps, pages), "", f"     {pages_line(steps[-1])}", "", LEGEND])
    return HOLDS


def run_processes(options: argparse.Namespace, calls: Sequence[Call]) -> int:
    """vmacheck run, of two processes of today's kernels."""
    if options.svg is not None or options.every_step:
        fail("--svg and --every-step: of two processes there are no pictures, and no steps")
    pages = options.pages or max(call.room for call in calls)
    system = processes.build(options.kernel, Scope(pages=pages, max_map_count=options.max_map_count), calls=calls)
    steps = replay_processes(system, calls)
    if options.format == "itf":
        print(itf_text(options.kernel, None, steps), end="")
        return HOLDS
    if options.format == "json":
        data = {"schema": SCHEMA, "kernel": options.kernel, "steps": [thread_step_data(step) for step in steps]}
        print(json.dumps(data, indent=1))
        return HOLDS
    print("\n".join([*process_film(steps, pages), "", LEGEND]))
    return HOLDS


def run_interleaving(options: argparse.Namespace, calls: Sequence[Any]) -> int:
    """vmacheck run, of threads and processes."""
    if options.svg is not None:
        fail("--svg: there are no pictures of threads")
    pages = options.pages or max(1, *(call.end for call in calls))
    if pages > MAX_PAGES:
        fail(f"the trace needs {pages} pages; there can be {MAX_PAGES}")
    steps = replay_text(options.kernel, pages, calls, options.max_map_count, options.every_step)
    if options.format == "itf":
        print(itf_text(options.kernel, None, steps), end="")
        return HOLDS
    if options.format == "json":
        data = {"schema": SCHEMA, "kernel": options.kernel, "steps": [thread_step_data(step) for step in steps]}
        print(json.dumps(data, indent=1))
        return HOLDS
    show([*thread_film(steps, pages), "", LEGEND])
    return HOLDS
