# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck check: search kernels exhaustively and judge properties."""

import argparse
import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.exits import EXIT_CODES, HOLDS, VIOLATED, fail
from vmacheck.checker.commands.options import (
    add_processes,
    add_scope,
    add_threads,
    memory_of,
    number,
    workers_of,
)
from vmacheck.checker.commands.progress import ProgressLine
from vmacheck.checker.compiled.module import assembly_of
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.jobs.default import SEED_SCOPE, seed_kernels, unexpected
from vmacheck.checker.kernels import one_process, processes, programs, segments, threads, user_properties
from vmacheck.checker.kernels.scope import (
    Scope,
    ScopeError,
)
from vmacheck.checker.program.system import System
from vmacheck.checker.search.checkpoint import Job
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import Checked, check_all
from vmacheck.counterexamples.pictures.terminal import show
from vmacheck.counterexamples.reports.check import check_data, check_svg, check_text
from vmacheck.counterexamples.reports.itf import write_itf
from vmacheck.model.kernels import MODERN_KERNELS


def check_command(options: argparse.Namespace) -> int:
    """vmacheck check: search, report, and exit by the verdicts; of the default job, by whether they are as expected."""
    scope, limits = Scope.of(vars(options)), Limits(options.depth, options.max_states, options.memory)
    if options.svg is not None and (scope.threads or scope.processes > 1):
        fail("--svg: there are no pictures of threads, nor of two processes")
    known, kernels, build = what_to_check(scope)
    kernels = options.kernel or kernels
    words = list(dict.fromkeys(options.property)) or known
    names = [user_properties.split(word)[1] for word in words]
    if len(set(names)) < len(names):
        fail("two properties have the same name")
    if len(set(kernels)) < len(kernels):
        fail("a kernel is named twice")
    systems = [build(kernel, scope, words) for kernel in kernels]
    job = job_of(options, scope, systems, names)
    run, workers = connected(options.ray, options.workers) if options.ray else (options.run, options.workers)
    workers = workers or processors()
    with ProgressLine() as progress, contextlib.closing(job) if job else contextlib.nullcontext():
        checks = check_all(systems, names, limits, run, progress.of, workers, job)
    if scope.segments is not None:
        checks = [segments.in_pages(checked, scope) for checked in checks]
    if options.itf is not None:
        write_itf(Path(options.itf), [result for checked in checks for result in checked.results])
    is_seed_job = not options.kernel and scope == SEED_SCOPE and limits == Limits()
    is_seed_job = is_seed_job and set(names) <= set(programs.property_names())
    surprises = unexpected(checks) if is_seed_job else []
    if options.format == "json":
        print(json.dumps(check_data(checks, scope, limits), indent=1))
    else:
        show(check_text(checks, scope))
        if is_seed_job:
            print("\n".join(surprises or ["every verdict is as expected"]))
    if options.svg is not None:
        write_at_once(Path(options.svg), check_svg(checks))
    if is_seed_job:
        return VIOLATED if surprises else HOLDS
    return exit_code(checks)


def what_to_check(scope: Scope) -> tuple[list[str], list[str], Callable[[str, Scope, Sequence[str]], System]]:
    """The properties and kernels of a check that names none, and what makes a system of a kernel."""
    if scope.threads:
        return threads.property_names(scope), list(threads.KERNELS), threads.build
    if scope.processes > 1:
        return processes.property_names(), list(MODERN_KERNELS), processes.build
    if scope.segments is not None:
        return (
            programs.property_names(),
            [name for name in seed_kernels() if not segments.counts_pages(name)],
            segments.build,
        )
    return programs.property_names(), seed_kernels(), one_process.build


def job_of(options: argparse.Namespace, scope: Scope, systems: Sequence[System], names: Sequence[str]) -> Job | None:
    """The checkpoint that the options ask for. Raises CheckpointError, and ScopeError for what cannot be had."""
    if options.run != "compiled" and (options.memory or options.checkpoint or options.ray):
        raise ScopeError("--memory, --checkpoint and --ray are for the compiled run")
    if options.ray and options.memory:
        raise ScopeError("--memory is for the memory of one process, and --ray for many")
    if options.checkpoint is None:
        return None
    texts = [assembly_of(system) for system in systems]
    code = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    asked = {"kernels": [system.name for system in systems], "scope": scope.as_data(), "properties": list(names)}
    return Job(Path(options.checkpoint), {**asked, "code": code})


def connected(address: str, workers: int | None) -> tuple[str, int]:
    """Connect to a Ray cluster: the run, and the number of workers there. Raises ScopeError, and ClusterError."""
    try:
        from vmacheck.checker.search import cluster  # noqa: PLC0415  (an extra that need not be installed)
    except ImportError:
        raise ScopeError("--ray needs the package ray: install vmacheck[ray]") from None
    cluster.connect(address)
    return "ray", workers or cluster.processors()


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def exit_code(checks: Sequence[Checked]) -> int:
    """The worst verdict decides: violated, then incomplete, then vacuous."""
    verdicts = {result.verdict for checked in checks for result in checked.results}
    return next((code for verdict, code in EXIT_CODES.items() if verdict in verdicts), HOLDS)


def _add_means(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--run", choices=("compiled", "interpreted"), default="compiled", help="default compiled; both find the same")
    add("--workers", type=workers_of, metavar="N", help="threads (default: as many as there are processors)")
    add("--ray", metavar="ADDRESS", help="search on a Ray cluster: its address, auto, or local to start one here")
    add(
        "--memory",
        type=memory_of,
        metavar="SIZE",
        help="stop before the process takes more than this, as in 4G or 700M",
    )
    add("--checkpoint", metavar="DIR", help="write the search down there every few seconds, and go on from there")


def _add_check(commands: Any) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = commands.add_parser("check", help="search kernels exhaustively and judge properties")
    one.add_argument("kernel", nargs="*", metavar="KERNEL", help="BASE[+PATCH...] (default: every kernel of the seed)")
    one.add_argument(
        "-p", "--property", action="append", default=[], metavar="PROPERTY", help="or FILE.py:NAME (default: all)"
    )
    add_scope(one)
    add_processes(one)
    add_threads(one)
    one.add_argument("--segments", type=number, metavar="S", help="instead of --pages: any number, in S vmas and holes")
    _add_means(one)
    one.add_argument("--itf", metavar="DIR", help="also write counterexamples as .itf.json files")
    one.add_argument("--svg", metavar="FILE", help="also draw the counterexamples")
    one.set_defaults(command=check_command)
    return one
