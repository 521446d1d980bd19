# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck check: search kernels exhaustively and judge properties."""

import argparse
import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.support.exits import EXIT_CODES, HOLDS, VIOLATED, fail
from vmacheck.checker.commands.support.options import (
    add_command,
    add_format,
    add_processes,
    add_scope,
    add_threads,
    emit,
    kernel_named,
    kernel_of,
    memory_of,
    number,
    workers_of,
)
from vmacheck.checker.commands.support.progress import ProgressLine
from vmacheck.checker.compiled.module import assembly_of
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.jobs.default import DEFAULT_SCOPE, kernels_2004, unexpected
from vmacheck.checker.kernels import programs, user_properties
from vmacheck.checker.kernels.auto import AUTO
from vmacheck.checker.kernels.scope import (
    PROCESSES,
    THREADS,
    Scope,
    ScopeError,
)
from vmacheck.checker.kernels.world import world_of
from vmacheck.checker.program.system import System
from vmacheck.checker.search.checkpoint import Job
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import Checked, check_all
from vmacheck.counterexamples.reports.check import check_svg, check_text
from vmacheck.counterexamples.reports.check_data import check_data
from vmacheck.counterexamples.reports.itf import write_itf


def check_command(options: argparse.Namespace) -> int:
    """vmacheck check: search, report, and exit by the verdicts; in the default job, by whether they are as expected."""
    scope, limits = Scope.of(vars(options)), Limits(options.depth, options.max_states, options.memory)
    if options.svg is not None and scope.world in (THREADS, PROCESSES):
        fail("--svg: there are no pictures of threads, nor of two processes")
    world, kernels = world_of(scope), kernels_of(options, scope)
    words = list(dict.fromkeys(options.property)) or world.property_names(scope)
    names = [user_properties.split(word)[1] for word in words]
    if (name := twice(names)) is not None:
        fail(f"two properties have the same name, {name}: {' and '.join(one for one in words if one.endswith(name))}")
    if (kernel := twice(kernels)) is not None:
        fail(f"{kernel} is named twice")
    systems = [world.build(kernel, scope, words) for kernel in kernels]
    job = job_of(options, scope, systems, names)
    run, workers = connected(options.ray, options.workers) if options.ray else (options.run, options.workers)
    workers = workers or processors()
    with ProgressLine() as progress, contextlib.closing(job) if job else contextlib.nullcontext():
        checks = check_all(systems, names, limits, run, progress.of, workers, job)
    checks = [world.judged(checked, scope) for checked in checks]
    if options.itf is not None:
        write_itf(Path(options.itf), [result for checked in checks for result in checked.results])
    is_known = options.kernels is not None and scope == DEFAULT_SCOPE and limits == Limits()
    surprises = unexpected(checks) if is_known and set(names) <= set(programs.property_names()) else None
    text = check_text(checks, scope, options.verbose)
    if surprises is not None:
        text += surprises or ["every verdict is as expected"]
    emit(options, lambda: check_data(checks, scope, limits), lambda: text)
    if options.svg is not None:
        write_at_once(Path(options.svg), check_svg(checks))
    if surprises is not None:
        return VIOLATED if surprises else HOLDS
    return exit_code(checks)


def twice(names: Sequence[str]) -> str | None:
    """The first name that is there twice."""
    return next((name for name in names if names.count(name) > 1), None)


def kernels_of(options: argparse.Namespace, scope: Scope) -> list[str]:
    """The named kernels; those of a group that the scope can be about; or the usual ones."""
    if options.kernel and options.kernels is not None:
        fail("--kernels goes without KERNEL")
    world = world_of(scope)
    if options.kernels is not None:
        kernels = [name for name in kernels_2004() if world.can_have(name)]
        return kernels or fail(f"--kernels {options.kernels}: this scope is about none of them")
    return options.kernel or list(world.kernels or [kernel_of(AUTO)])


def job_of(options: argparse.Namespace, scope: Scope, systems: Sequence[System], names: Sequence[str]) -> Job | None:
    """The checkpoint that the options ask for. Raises CheckpointError, and ScopeError if the options exclude one."""
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
        from vmacheck.checker.search import cluster
    except ImportError:
        raise ScopeError("--ray needs the package ray: install vmacheck[ray]") from None
    cluster.connect(address)
    return "ray", workers or cluster.processors()


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def exit_code(checks: Sequence[Checked]) -> int:
    """The exit code of the worst verdict: violated, then incomplete, then vacuous."""
    verdicts = {result.verdict for checked in checks for result in checked.results}
    return next((code for verdict, code in EXIT_CODES.items() if verdict in verdicts), HOLDS)


def _add_means(command: argparse.ArgumentParser) -> None:
    add = command.add_argument_group("how to search").add_argument
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


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "check",
        "search kernels exhaustively and judge properties",
        "Search every program of a scope on each kernel, to closure or to a limit, and give a verdict on each property:"
        " holds, violated (with a shortest counterexample, drawn), incomplete or vacuous.",
        "vmacheck check linux-6.18 -p adjacent_vmas_share_anon_vma --pages 3",
    )
    one.add_argument("kernel", nargs="*", type=kernel_named, metavar="KERNEL", help="BASE[+PATCH...] (default: auto)")
    one.add_argument("--kernels", choices=["2004"], help="instead of KERNEL: all those of the time of rmap 40")
    one.add_argument(
        "-p", "--property", action="append", default=[], metavar="PROPERTY", help="or FILE.py:NAME (default: all)"
    )
    add_scope(one)
    one.add_argument("--segments", type=number, metavar="S", help="instead of --pages: any number, in S vmas and holes")
    add_processes(one)
    add_threads(one)
    _add_means(one)
    add_format(one)
    output = one.add_argument_group("more output").add_argument
    output("-v", "--verbose", action="store_true", help="also say how often each call and each merge case happened")
    output("--itf", metavar="DIR", help="also write counterexamples as .itf.json files")
    output("--svg", metavar="FILE", help="also draw the counterexamples")
    one.set_defaults(command=check_command)
