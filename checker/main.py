# SPDX-License-Identifier: GPL-2.0-only
"""The command line."""

import argparse
import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from checker import own, processes, segments, threads, vm
from checker.check import Checked, check_all
from checker.checkpoint import CheckpointError, Job
from checker.ci_command import add_ci
from checker.claims_command import add_claims
from checker.compare import BY, Graphs, compare_kernels
from checker.compiled import assembly_of
from checker.coverage_command import add_coverage
from checker.crew import ClusterError
from checker.ending import ended_by, ends_in_order
from checker.expected import SEED_SCOPE, seed_kernels, unexpected
from checker.graph_command import add_graph
from checker.jobs import JobError
from checker.layout import Broken, OutOfBounds
from checker.link import LinkError
from checker.options import (
    add_max_map_count,
    add_processes,
    add_scope,
    add_threads,
    memory_of,
    number,
    outputs_of,
    positive,
    scope_of,
    split_words,
    workers_of,
)
from checker.outputs import OutputError, check_outputs, write_at_once
from checker.progress import ProgressLine
from checker.real import add_real
from checker.scope import DEFAULT_OPERATIONS, DEFAULT_PROTECTIONS, MAX_PAGES, Scope, ScopeError, in_order
from checker.search import Limits
from checker.system import System
from counterexamples.forked import process_film, replay_processes
from counterexamples.interleaving import replay_text, thread_film, thread_step_data
from counterexamples.itf import itf_text, write_itf
from counterexamples.live import KernelError
from counterexamples.partings import classes_data, classes_of, classes_text
from counterexamples.picture import LEGEND, film, pages_line
from counterexamples.replay import replay
from counterexamples.report import SCHEMA, check_data, check_svg, check_text, step_data
from counterexamples.side_by_side import compare_data, compare_text
from counterexamples.svg import film_svg
from counterexamples.terminal import show
from counterexamples.tradeoff import tradeoff_data, tradeoff_svg, tradeoff_text, worst_of
from model.interleaving import ONLY_OF_THREADS, is_interleaving, is_of_processes, parse_interleaving
from model.kernels import MODERN_KERNELS, MODERN_PATCHES, PATCHES, every_kernel
from model.mm import MAX_MAP_COUNT
from model.operations import EVERY_OPERATION, PROTECTIONS, Call, TraceError
from model.traces import parse_trace
from properties import EVERY_PROPERTY

HOLDS, VIOLATED, USAGE, INCOMPLETE, VACUOUS = range(5)
EXIT_CODES = {
    **dict.fromkeys(("violated", "refuted", "different"), VIOLATED),
    **dict.fromkeys(("incomplete", "unproved"), INCOMPLETE),
    "vacuous": VACUOUS,
    **dict.fromkeys(("holds", "proved", "equal"), HOLDS),
}
POLICIES = ("rmap39", "andrea-aa", "andrea", "andrea-rwx", "rmap40", "one-per-mm", "further-afield")
PROVE_PAGES = 4  # of the scope that stands for no size; nothing is limited to it
TRADEOFF_KERNELS = ("anonmm", *(f"{policy}+importer" for policy in POLICIES))
INPUT_ERRORS = (
    vm.UnknownName,
    LinkError,
    ScopeError,
    TraceError,
    Broken,
    CheckpointError,
    ClusterError,
    KernelError,
    JobError,
    OutputError,
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """End with the message on one line."""
        fail(message)


def fail(message: str) -> NoReturn:
    """End with one line on stderr and exit code 2."""
    print(f"vmacheck: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(USAGE)


# ---- commands ------------------------------------------------------------------------------------


def check_command(options: argparse.Namespace) -> int:
    """vmacheck check: search, report, and exit by the verdicts; of the default job, by whether they are as expected."""
    scope, limits = scope_of(options), Limits(options.depth, options.max_states, options.memory)
    if options.svg is not None and (scope.threads or scope.processes > 1):
        fail("--svg: there are no pictures of threads, nor of two processes")
    known, kernels, build = what_to_check(scope)
    kernels = options.kernel or kernels
    words = list(dict.fromkeys(options.property)) or known
    names = [own.split(word)[1] for word in words]
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
    is_seed_job = is_seed_job and set(names) <= set(vm.property_names())
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
        return vm.property_names(), [name for name in seed_kernels() if not segments.counts_pages(name)], segments.build
    return vm.property_names(), seed_kernels(), vm.build


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
        from checker import cluster  # noqa: PLC0415  (an extra that need not be installed)
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


def compare_command(options: argparse.Namespace) -> int:
    """vmacheck compare: two kernels in lockstep. 0 if neither can be worse, 1 if one can, 3 if that is open."""
    scope, limits = scope_of(options), Limits(options.depth, options.max_states)
    if options.classes and options.by is not None:
        fail("--classes and --by do not go together")
    if options.classes:
        found = classes_of(options.a, options.b, scope, limits, Graphs())
        is_json = options.format == "json"
        print(json.dumps(classes_data(found), indent=1) if is_json else "\n".join(classes_text(found)))
        return VIOLATED if found.found else HOLDS if found.closed else INCOMPLETE
    begin = time.perf_counter()
    with ProgressLine() as progress:
        compared = compare_kernels(options.a, options.b, options.by or "vmas", scope, limits, progress.of)
    if options.format == "json":
        print(json.dumps(compare_data(compared, scope, limits, time.perf_counter() - begin), indent=1))
    else:
        print("\n".join(compare_text(compared, scope)))
    return {"equal": HOLDS, "incomplete": INCOMPLETE}.get(compared.found.verdict, VIOLATED)


def tradeoff_command(options: argparse.Namespace) -> int:
    """vmacheck tradeoff: the worst case of each kernel. 3 if one is not closed."""
    scope, limits = scope_of(options), Limits(options.depth, options.max_states)
    graphs = Graphs()
    worst = [worst_of(kernel, scope, limits, graphs) for kernel in options.kernel or TRADEOFF_KERNELS]
    if options.svg is not None:
        write_at_once(Path(options.svg), tradeoff_svg(worst, scope))
    if options.format == "json":
        print(json.dumps(tradeoff_data(worst, scope), indent=1))
    else:
        print("\n".join(tradeoff_text(worst, scope)))
    return HOLDS if all(one.closed for one in worst) else INCOMPLETE


def prove_command(options: argparse.Namespace) -> int:
    """vmacheck prove: ask Z3."""
    from checker.proving import prove_command as command  # noqa: PLC0415  (z3 is slow to import)

    protections = DEFAULT_PROTECTIONS if options.prot is None else in_order(split_words(options.prot), PROTECTIONS)
    operations = in_order(split_words(options.ops), [*EVERY_OPERATION, *ONLY_OF_THREADS])
    scope = Scope(PROVE_PAGES, protections, operations, options.noreserve, options.max_map_count)
    return EXIT_CODES[command(options, scope)]


def minimise_command(options: argparse.Namespace) -> int:
    """vmacheck minimise: the least program that shows a violation."""
    from checker.proving import minimise_command as command  # noqa: PLC0415

    return EXIT_CODES[command(options, scope_of(options))]


def run_command(options: argparse.Namespace) -> int:
    """vmacheck run: carry out a trace and draw every step."""
    if options.trace == "-" and sys.stdin is None:
        fail("there is no standard input")
    text = sys.stdin.read() if options.trace == "-" else options.trace
    if vm.is_modern(options.kernel):
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
    scope = Scope(pages, max_map_count=options.max_map_count)
    steps = replay(vm.build(options.kernel, scope, calls=calls), calls)
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
    system = processes.build(options.kernel, Scope(pages, max_map_count=options.max_map_count), calls=calls)
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


def list_command(options: argparse.Namespace) -> int:
    """vmacheck list: what there is, a line each."""
    lists: dict[str, list[tuple[str, str]]] = {
        "kernels": [(name, kernel.what) for name, kernel in every_kernel().items()]
        + [(f"+{name}", patch.what) for name, patch in {**PATCHES, **MODERN_PATCHES}.items()],
        "properties": [(name, f"{prop.kind}: {prop.claim}") for name, prop in EVERY_PROPERTY.items()],
        "operations": [(f"{name}({op.form})", op.what) for name, op in EVERY_OPERATION.items()]
        + [(f"{name}({form})", what) for name, (form, what) in ONLY_OF_THREADS.items()],
    }
    if options.what == "claims":
        from checker.seed_claims import CLAIMS  # noqa: PLC0415
        from checker.today_claims import TODAY_CLAIMS  # noqa: PLC0415

        lists["claims"] = [(claim.id, claim.quote) for claim in (*CLAIMS, *TODAY_CLAIMS)]
    rows = lists[options.what]
    if options.format == "json":
        print(json.dumps({"schema": SCHEMA, options.what: [{"name": n, "what": what} for n, what in rows]}, indent=1))
        return HOLDS
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:{width}}  {what}" for name, what in rows))
    return HOLDS


# ---- options -------------------------------------------------------------------------------------


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


def _add_proving(commands: Any) -> None:
    seven = commands.add_parser("prove", help="Z3: a property, or that two functions are the same, for any size")
    add = seven.add_argument
    add("names", nargs="*", metavar="NAME", help="KERNEL PROPERTY, or KERNEL_A KERNEL_B FUNCTION")
    add("--equivalent", action="store_true", help="is FUNCTION the same in both kernels, wherever calls come to it?")
    add("--vmas", type=number, metavar="V", help="from any state of up to V vmas (default 3)")
    add("--depth", type=positive, metavar="D", help="instead: all programs of up to D calls")
    add("--ops", default=",".join(DEFAULT_OPERATIONS), metavar="CALL,...", help="default mmap,munmap,mprotect,write")
    add("--prot", metavar="P,...", help="with --depth: default R,RW (without, every protection is meant)")
    add("--noreserve", action="store_true", help="with --depth: also mmap with NORESERVE")
    seven.set_defaults(command=prove_command)

    eight = commands.add_parser("minimise", help="the least program that shows a violation, and a proof that it is")
    add = eight.add_argument
    add("kernel", metavar="KERNEL")
    add("against", metavar="PROPERTY", help="or, with --by, another kernel, than which the first is worse")
    add("trace", nargs="?", metavar="TRACE", help="a program that shows it; - reads standard input (default: search)")
    add("--by", choices=["vmas", "layout", "result"], help="what to compare two kernels by")
    add("--pages", type=number, default=4, metavar="N", help="pages of the search for shorter programs (default 4)")
    add("--prot", default=",".join(DEFAULT_PROTECTIONS), metavar="P,...", help="default R,RW, and those of TRACE")
    add("--ops", default=",".join(DEFAULT_OPERATIONS), metavar="CALL,...", help="default: four, and those of TRACE")
    add("--noreserve", action="store_true", help="also mmap with NORESERVE")
    eight.set_defaults(command=minimise_command, max_pgoff=None)
    for command in (seven, eight):
        add = command.add_argument
        add("--max-map-count", type=number, default=MAX_MAP_COUNT, metavar="N", help="limit on vmas")
        add("--timeout", type=positive, default=60, metavar="S", help="seconds for each question to Z3 (default 60)")
        add("--format", choices=["text", "json"], default="text")


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


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    main = Parser(prog="vmacheck", description="A model checker for vma merging and anon_vma sharing in Linux.")
    commands = main.add_subparsers(metavar="COMMAND", parser_class=Parser)

    one = _add_check(commands)
    four = commands.add_parser("compare", help="can one kernel be worse than another? both in lockstep")
    four.add_argument("a", metavar="KERNEL_A")
    four.add_argument("b", metavar="KERNEL_B")
    four.add_argument("--by", choices=list(BY), help="what to compare (default vmas)")
    four.add_argument("--classes", action="store_true", help="of today's kernels: where they merge differently")
    add_scope(four)
    four.set_defaults(command=compare_command)

    two = commands.add_parser("run", help="carry out a trace, every step drawn")
    two.add_argument("kernel", metavar="KERNEL")
    two.add_argument("trace", metavar="TRACE", help="calls separated by ';' or newlines; - reads standard input")
    two.add_argument("--pages", type=positive, metavar="N", help="default: as many as the trace names")
    two.add_argument(
        "--every-step", action="store_true", help="of a trace of threads: steps are the smallest there are"
    )
    two.add_argument("--svg", metavar="FILE", help="also draw it")
    two.set_defaults(command=run_command)

    add_claims(commands)
    six = commands.add_parser("tradeoff", help="what sharing costs and saves: the worst case of each kernel")
    six.add_argument("kernel", nargs="*", metavar="KERNEL", help="default: every policy, with the importer fix")
    six.add_argument("--svg", metavar="FILE", help="also plot it")
    add_scope(six)
    six.set_defaults(command=tradeoff_command)

    _add_proving(commands)
    add_real(commands)
    add_ci(commands)
    add_graph(commands)
    add_coverage(commands)

    three = commands.add_parser("list", help="what there is")
    three.add_argument("what", choices=["kernels", "properties", "operations", "claims"])
    three.set_defaults(command=list_command)

    for command in (one, two, four, six):
        add_max_map_count(command)
    two.add_argument("--format", choices=["text", "json", "itf"], default="text", help="itf: Informal Trace Format")
    for command in (one, three, four, six):
        command.add_argument("--format", choices=["text", "json"], default="text")
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(words or ["check"])
    if not hasattr(options, "command"):
        options = parser().parse_args(["check", *words])
    command: Callable[[Any], int] = options.command
    try:
        check_outputs(*outputs_of(options))
        with ends_in_order():
            code = command(options)
            sys.stdout.flush()
        return code
    except RecursionError:
        fail("a patch or a trace is nested too deeply")
    except INPUT_ERRORS as error:
        fail(str(error))
    except OutOfBounds as error:
        fail(f"the kernel's functions lead to a state that the scope has no room for: {error}")
    except KeyboardInterrupt as end:
        return ended_by(end)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (OSError, UnicodeError) as error:
        fail(str(error))


if __name__ == "__main__":
    raise SystemExit(main())
