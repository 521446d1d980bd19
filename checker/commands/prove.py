# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck prove and vmacheck minimise, the questions to Z3; with_z3.py asks them, and is imported only then."""

import argparse
from typing import Any

from vmacheck.checker.commands.support.exits import EXIT_CODES
from vmacheck.checker.commands.support.options import (
    add_calls,
    add_command,
    add_format,
    add_max_map_count,
    kernel_named,
    kernel_of,
    number,
    positive,
)
from vmacheck.checker.kernels.scope import DEFAULT_OPERATIONS, DEFAULT_PAGES, Scope

PROVE_PAGES = 4  # of the scope, where any size is meant: a placeholder, not a bound


def prove_command(options: argparse.Namespace) -> int:
    """vmacheck prove: ask Z3."""
    from vmacheck.checker.commands.support.with_z3 import prove_with_z3

    kernels = 2 if options.equivalent else 1
    options.names[:kernels] = map(kernel_of, options.names[:kernels])
    return EXIT_CODES[prove_with_z3(options, Scope.of({**vars(options), "pages": PROVE_PAGES}))]


def minimise_command(options: argparse.Namespace) -> int:
    """vmacheck minimise: the least program that shows a violation."""
    from vmacheck.checker.commands.support.with_z3 import minimise_with_z3

    if options.by is not None:
        options.against = kernel_of(options.against)
    return EXIT_CODES[minimise_with_z3(options, Scope.of(vars(options)))]


def add(commands: Any) -> None:
    """Add the commands to the command line."""
    _add_prove(commands)
    _add_minimise(commands)


def _add_prove(commands: Any) -> None:
    one = add_command(
        commands,
        "prove",
        "Z3: a property, or that two functions are the same, for any size",
        "Ask Z3 if a call can break a property from any state of up to V vmas in an address space of any size, or if a"
        " function is the same in two kernels.",
        "vmacheck prove linux-6.18 vmas_are_sorted_and_disjoint --vmas 2",
    )
    add = one.add_argument
    add("names", nargs="*", metavar="NAME", help="KERNEL PROPERTY, or KERNEL_A KERNEL_B FUNCTION")
    add("--equivalent", action="store_true", help="is FUNCTION the same in both kernels, wherever calls come to it?")
    group = one.add_argument_group("scope")
    add = group.add_argument
    add("--vmas", type=number, metavar="V", help="from any state of up to V vmas (default 3)")
    add("--depth", type=positive, metavar="D", help="instead: all programs of up to D calls")
    add("--ops", default=",".join(DEFAULT_OPERATIONS), metavar="CALL,...", help="default mmap,munmap,mprotect,write")
    add("--prot", metavar="P,...", help="with --depth: default R,RW (without, every protection is meant)")
    add("--noreserve", action="store_true", help="with --depth: also mmap with NORESERVE")
    add_max_map_count(group)
    _add_timeout(one)
    one.set_defaults(command=prove_command)


def _add_minimise(commands: Any) -> None:
    one = add_command(
        commands,
        "minimise",
        "the least program that shows a violation, and a proof that it is",
        "Shrink a program that violates a property, search for a shorter one, and ask Z3 for a proof that there is none"
        " in an address space of any size.",
        "vmacheck minimise rmap40 adjacent_vmas_share_anon_vma",
    )
    add = one.add_argument
    add("kernel", type=kernel_named, metavar="KERNEL")
    add("against", metavar="PROPERTY", help="or, with --by, another kernel, than which the first is worse")
    add("trace", nargs="?", metavar="TRACE", help="a program that shows it; - reads standard input (default: search)")
    add("--by", choices=["vmas", "layout", "result"], help="what to compare two kernels by")
    add_max_map_count(add_calls(one, DEFAULT_PAGES))
    _add_timeout(one)
    one.set_defaults(command=minimise_command, max_pgoff=None)


def _add_timeout(command: argparse.ArgumentParser) -> None:
    add = command.add_argument_group("limits").add_argument
    add("--timeout", type=positive, default=60, metavar="S", help="seconds for each question to Z3 (default 60)")
    add_format(command)
