# SPDX-License-Identifier: GPL-2.0-only
"""The command line."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from vmacheck.checker.commands.check import _add_check
from vmacheck.checker.commands.ci import add_ci
from vmacheck.checker.commands.claims import add_claims
from vmacheck.checker.commands.compare import compare_command, tradeoff_command
from vmacheck.checker.commands.coverage import add_coverage
from vmacheck.checker.commands.exits import EXIT_CODES, INPUT_ERRORS, Parser, fail
from vmacheck.checker.commands.graph import add_graph
from vmacheck.checker.commands.list import list_command
from vmacheck.checker.commands.options import (
    add_max_map_count,
    add_scope,
    number,
    outputs_of,
    positive,
)
from vmacheck.checker.commands.real import add_real
from vmacheck.checker.commands.run import run_command
from vmacheck.checker.commands.signals import ended_by, ends_in_order
from vmacheck.checker.files.written import check_outputs
from vmacheck.checker.kernels.compare import BY
from vmacheck.checker.kernels.scope import (
    DEFAULT_OPERATIONS,
    DEFAULT_PROTECTIONS,
    Scope,
    in_order,
    split_words,
)
from vmacheck.checker.program.layout import OutOfBounds
from vmacheck.model.calls.interleaving import ONLY_OF_THREADS
from vmacheck.model.calls.operations import EVERY_OPERATION, PROTECTIONS
from vmacheck.model.common.mm import MAX_MAP_COUNT

PROVE_PAGES = 4  # of the scope that stands for no size; nothing is limited to it


# ---- commands ------------------------------------------------------------------------------------


def prove_command(options: argparse.Namespace) -> int:
    """vmacheck prove: ask Z3."""
    from vmacheck.checker.commands.prove import prove_with_z3 as command  # noqa: PLC0415  (z3 is slow to import)

    protections = DEFAULT_PROTECTIONS if options.prot is None else in_order(split_words(options.prot), PROTECTIONS)
    operations = in_order(split_words(options.ops), [*EVERY_OPERATION, *ONLY_OF_THREADS])
    scope = Scope(
        pages=PROVE_PAGES,
        protections=protections,
        operations=operations,
        noreserve=options.noreserve,
        max_map_count=options.max_map_count,
    )
    return EXIT_CODES[command(options, scope)]


def minimise_command(options: argparse.Namespace) -> int:
    """vmacheck minimise: the least program that shows a violation."""
    from vmacheck.checker.commands.prove import minimise_with_z3 as command  # noqa: PLC0415

    return EXIT_CODES[command(options, Scope.of(vars(options)))]


# ---- options -------------------------------------------------------------------------------------


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
