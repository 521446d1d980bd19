# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck compare: two kernels in lockstep."""

import argparse
import time
from typing import Any

from vmacheck.checker.commands.support.exits import HOLDS, INCOMPLETE, VIOLATED, fail
from vmacheck.checker.commands.support.options import add_command, add_format, add_scope, emit, kernel_named
from vmacheck.checker.commands.support.progress import ProgressLine
from vmacheck.checker.kernels.auto import AUTO
from vmacheck.checker.kernels.compare import BY, Graphs, compare_kernels
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.search.outcome import Limits
from vmacheck.counterexamples.reports.classes import classes_data, classes_of, classes_text
from vmacheck.counterexamples.reports.compare import compare_data, compare_text


def compare_command(options: argparse.Namespace) -> int:
    """vmacheck compare: two kernels in lockstep. 0 if neither can be worse, 1 if one can, 3 if open."""
    scope, limits = Scope.of(vars(options)), Limits(options.depth, options.max_states)
    if options.classes and options.by is not None:
        fail("--classes and --by do not go together")
    if options.classes:
        found = classes_of(options.a, options.b, scope, limits, Graphs())
        emit(options, lambda: classes_data(found), lambda: classes_text(found))
        return VIOLATED if found.found else HOLDS if found.closed else INCOMPLETE
    begin = time.perf_counter()
    with ProgressLine() as progress:
        compared = compare_kernels(options.a, options.b, options.by or "vmas", scope, limits, progress.of)
    seconds = time.perf_counter() - begin
    emit(options, lambda: compare_data(compared, scope, limits, seconds), lambda: compare_text(compared, scope))
    return {"equal": HOLDS, "incomplete": INCOMPLETE}.get(compared.found.verdict, VIOLATED)


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "compare",
        "can one kernel be worse than another? both in lockstep",
        "Carry out every program of a scope on two kernels in lockstep, and show the shortest after which one is worse"
        " than the other, in each direction.",
        "vmacheck compare linux-6.12 linux-6.18 --by vmas --pages 3",
    )
    one.add_argument("a", nargs="?", default=AUTO, type=kernel_named, metavar="KERNEL_A", help="default: auto")
    one.add_argument("b", type=kernel_named, metavar="KERNEL_B")
    one.add_argument("--by", choices=list(BY), help="what to compare (default vmas)")
    one.add_argument("--classes", action="store_true", help="of current kernels: where they merge differently")
    add_scope(one)
    add_format(one)
    one.set_defaults(command=compare_command)
