# SPDX-License-Identifier: GPL-2.0-only
"""The commands that ask real kernels: reproduce, replay, conform."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.kernels.names import is_modern, split_name
from vmacheck.checker.kernels.scope import (
    DEFAULT_OPERATIONS,
    DEFAULT_PROTECTIONS,
    MAX_PAGES,
    Scope,
    ScopeError,
    in_order,
)
from vmacheck.counterexamples.pictures.terminal import show
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.counterexamples.pictures.words import count as counted
from vmacheck.counterexamples.real_kernels.conform import conform, conform_data, conform_text
from vmacheck.counterexamples.real_kernels.live import KernelError
from vmacheck.counterexamples.real_kernels.nearest import AUTO, chosen_for, warning
from vmacheck.counterexamples.real_kernels.replay import (
    LIVE,
    against_data,
    against_svg,
    against_text,
    batch_text,
    compare_with_real,
    name_of_kernel,
    on_real,
)
from vmacheck.counterexamples.real_kernels.views import BPF, LAYOUT, SMAPS, VIEWS, View, best_view
from vmacheck.counterexamples.real_kernels.walks import conform_random, conform_states
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
from vmacheck.model.calls.interleaving import is_interleaving
from vmacheck.model.calls.operations import EVERY_OPERATION, PROTECTIONS, Call, TraceError
from vmacheck.model.calls.traces import parse_trace
from vmacheck.properties import PROPERTIES

LENGTH, LENGTH_OF_WALKS = 20, 40  # of random programs, if nothing else is said
EXPECTED = "linux-2.6.8"


def calls_of(text: str, forks: bool = False) -> list[Call]:
    """A trace that a program can carry out; forks: it may go on in a child. Raises TraceError."""
    if forks and "fork" in text:
        return parse_trace(text, processes=True)
    if is_interleaving(text, stacks=False):
        raise TraceError("a trace of threads or processes is not one that a program can be made to follow step by step")
    calls = parse_trace(text)
    if not calls:
        raise TraceError("the trace has no operations")
    return calls


def text_of(trace: str) -> str:
    """The trace; if it is -, what is on standard input."""
    return read("-") if trace == "-" else trace


def read(name: str) -> str:
    """What is in the file, or on standard input if it is called -. Raises KernelError."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise KernelError(f"{name}: {reason}") from None


def model_for(named: str | None, kernel: str, default: str | None = None, aloud: bool = True) -> str:
    """The model kernel to hold a real one against: the one that was named, or the default, or the one that it is.

    Says which was chosen and why, on standard error unless aloud; and there, if another was named than the real one is.
    Raises KernelError and UnknownName.
    """
    if (named or default) is None or named == AUTO:
        chosen = chosen_for(kernel)
        print("\n".join(chosen.lines()), file=sys.stdout if aloud else sys.stderr)
        return chosen.kernel
    if named is not None:
        split_name(named)
        if (said := warning(named, kernel)) is not None:
            print(f"vmacheck: warning: {said}", file=sys.stderr)
    return str(named or default)


# ---- reproduce -----------------------------------------------------------------------------------


class Found(NamedTuple):
    """A counterexample of a result: on which kernel, what it shows, in how many pages (None: as many as it needs)."""

    kernel: str
    shows: str
    pages: int | None
    operations: Sequence[str]


def counterexamples_in(data: Any, around: Found) -> Iterator[Found]:
    """Each counterexample of a result that was written as JSON. around: what is known where the data is."""
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
    """What an object of a result says of the counterexamples in it."""
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
    """The trace that the options name, carried out by the model. Raises KernelError and TraceError."""
    if (options.trace is None) == (options.source is None):
        raise KernelError("give a TRACE, or --from a result")
    if options.source is None:
        return program_of(options.expect or EXPECTED, calls_of(text_of(options.trace), True), pages=options.pages)
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
    return program_of(options.expect or one.kernel or EXPECTED, calls, one.shows, pages)


def reproduce_command(options: argparse.Namespace) -> int:
    """vmacheck reproduce: a C program, compiled and run before it is written."""
    if options.harness and options.kernel != LIVE:
        raise KernelError("--harness is for the running kernel")
    if options.harness and options.style != "kselftest":
        raise KernelError("--harness is for --style kselftest")
    if options.harness and not (options.harness / HARNESS.name).is_file():
        raise KernelError(f"there is no {options.harness / HARNESS.name}")
    if options.expect is not None:
        options.expect = model_for(options.expect, options.kernel, aloud=options.output is not None)
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
    print(outcome_text(options, status, said), file=sys.stderr if options.output is None else sys.stdout)
    return status


def outcome_text(options: argparse.Namespace, status: int, said: str) -> str:
    """What was said, and then in one line how it ended, on which kernel."""
    lines, last = said.splitlines(), OUTCOMES[status]
    if lines and options.style == "program" and status in (0, 1):
        last = lines.pop()  # which also says if there were differences
    return "\n".join([*lines, f"{last} on {name_of_kernel(options.kernel)}"])


# ---- replay --------------------------------------------------------------------------------------


def traces_in(name: str) -> Iterator[list[Call]]:
    """The traces of a file, a line each. Raises KernelError, and TraceError with the line."""
    for number, line in enumerate(read(name).splitlines(), 1):
        if line.split("#")[0].strip():
            try:
                yield calls_of(line)
            except TraceError as error:
                raise TraceError(f"{name}:{number}: {error}") from None


def replay_command(options: argparse.Namespace) -> int:
    """vmacheck replay: a trace, or a file of them, on a model kernel and on a real one."""
    if (options.trace is None) == (options.batch is None):
        raise KernelError("give a TRACE, or a --batch of them")
    if options.batch is not None and options.svg is not None:
        raise KernelError("--svg is for one TRACE")
    traces = list(traces_in(options.batch)) if options.batch is not None else [calls_of(text_of(options.trace))]
    sized = [(calls, options.pages or max(call.room for call in calls)) for calls in traces]
    options.against = model_for(options.against, options.kernel, EXPECTED, options.format == "text")
    batch = compare_with_real(options.against, options.kernel, sized)
    if options.format == "json":
        data = [against_data(options.against, options.kernel, one) for one in batch]
        print(json.dumps({"schema": SCHEMA, "traces": data}, indent=1))
    elif options.batch is not None:
        print("\n".join(batch_text(options.against, options.kernel, batch)))
    else:
        show(against_text(options.against, options.kernel, batch[0]))
    if options.svg is not None:
        write_at_once(Path(options.svg), against_svg(options.against, options.kernel, batch[0]))
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


def check_conform(options: argparse.Namespace) -> None:
    """Raise KernelError for options of which one would not count."""
    ways = [f"--{name}" for name in ("states", "walks", "random") if getattr(options, name) is not None]
    if len(ways) > 1:
        raise KernelError(f"{' and '.join(ways)} do not go together")
    if options.length is not None and ways not in (["--walks"], ["--random"]):
        raise KernelError("--length is for --walks and --random")
    if options.random is not None and (options.see is not None or (options.processes or 1) > 1):
        raise KernelError("--random compares layouts of one process: leave out --see and --processes")


def conform_command(options: argparse.Namespace) -> int:
    """vmacheck conform: every sequence of a scope on a model kernel and on a real one."""
    check_conform(options)
    scope = Scope(
        pages=options.pages,
        protections=in_order(options.prot.split(","), PROTECTIONS),
        operations=in_order(options.ops.split(","), EVERY_OPERATION),
        noreserve=options.noreserve,
        processes=options.processes or 1,
    )
    if "growsdown" in scope.operations and (moves := sorted({"move", "mremap", "dontunmap"} & set(scope.operations))):
        why = "where the space of a real program begins, offsets go on below it"
        raise ScopeError(f"--ops: growsdown goes without {moves[0]}: {why}")
    if options.random is not None and options.kernel_image != LIVE:
        raise KernelError("--random is for the running kernel: each sequence depends on what came of those before")
    if options.random is not None:
        check_hypothesis()
    options.kernel = model_for(options.kernel, options.kernel_image, aloud=options.format == "text")
    if options.random is not None:
        return conform_at_random(options, scope)
    real = name_of_kernel(options.kernel_image)
    view, unseen = view_of(options)
    runs = partial(on_real, options.kernel_image, view=view, processes=scope.processes)
    if options.walks is not None:
        length = options.length or LENGTH_OF_WALKS
        found = conform_random(options.kernel, scope, options.walks, length, options.seed, runs, view)
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


def check_hypothesis() -> None:
    """Raise KernelError if the extra that --random takes is not installed."""
    try:
        import vmacheck.counterexamples.real_kernels.random_sequences  # noqa: F401, PLC0415
    except ImportError:
        raise KernelError("--random needs the package hypothesis: install vmacheck[hypothesis]") from None


def conform_at_random(options: argparse.Namespace, scope: Scope) -> int:
    """vmacheck conform --random."""
    from vmacheck.counterexamples.real_kernels.random_sequences import conform_longer, longer_data, longer_text  # noqa: PLC0415  (an extra)

    real = name_of_kernel(LIVE)
    tried = conform_longer(options.kernel, scope, options.random, options.length or LENGTH, options.seed)
    if options.format == "json":
        print(json.dumps({"schema": SCHEMA, **longer_data(tried, real)}, indent=1))
    else:
        print("\n".join(longer_text(tried, real)))
    return int(bool(tried.ways))


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
    add(
        "--expect",
        metavar="KERNEL",
        help=f"the model; auto: the real kernel's (default: that of the result, or {EXPECTED})",
    )
    add("--kernel", default=LIVE, metavar="IMAGE", help="where to run it: live (default), or an image to boot in QEMU")
    add("-o", dest="output", metavar="FILE.c", help="where to write it (default: standard output)")
    add("--style", choices=STYLES, default="program", help="a program, or tests for the kernel's own harness")
    add("--harness", type=Path, metavar="DIR", help="with --style kselftest: try it out with the kernel's own, in DIR")
    add("--pages", type=_positive, metavar="N", help="default: those of the result, or as many as the trace names")
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
    add("--against", metavar="KERNEL", help=f"the model; auto: the real kernel's (default {EXPECTED})")
    add("--pages", type=_positive, metavar="N", help="default: as many as the trace names")
    add("--svg", metavar="FILE", help="also draw both, side by side")
    add("--format", choices=["text", "json"], default="text")
    two.set_defaults(command=replay_command)
    _add_conform(commands)


def _add_conform(commands: Any) -> None:
    one = commands.add_parser("conform", help="every sequence of a scope on a model kernel and on a real one")
    add = one.add_argument
    add("kernel", nargs="?", metavar="KERNEL", help="the model (default auto: the real kernel's, or the nearest)")
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
    add("--walks", type=_positive, metavar="N", help="instead of sequences: N random programs, seen after each call")
    add(
        "--random",
        type=_positive,
        metavar="N",
        help="instead of all sequences: N at random, shrunk; layouts only",
    )
    add("--length", type=_positive, metavar="L", help="of --walks and --random: of up to L calls (default 40, and 20)")
    add("--seed", type=_positive, default=1, metavar="S", help="of --walks and --random: which ones (default 1)")
    add("--see", choices=list(VIEWS), help="what to look at (default: layout; for today's kernels bpf, or else smaps)")
    add("--format", choices=["text", "json"], default="text")
    one.set_defaults(command=conform_command)
