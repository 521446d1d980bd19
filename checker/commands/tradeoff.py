# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck tradeoff: costs and savings of sharing."""

import argparse
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.support.exits import HOLDS, INCOMPLETE
from vmacheck.checker.commands.support.options import add_command, add_format, add_scope, emit, kernel_named
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.kernels.compare import Graphs
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.search.outcome import Limits
from vmacheck.counterexamples.reports.tradeoff import tradeoff_data, tradeoff_svg, tradeoff_text, worst_of

POLICIES = ("rmap39", "andrea-aa", "andrea", "andrea-rwx", "rmap40", "one-per-mm", "further-afield")
KERNELS = ("anonmm", *(f"{policy}+importer" for policy in POLICIES))


def tradeoff_command(options: argparse.Namespace) -> int:
    """vmacheck tradeoff: the worst case of each kernel. 3 if one is not closed."""
    scope, limits = Scope.of(vars(options)), Limits(options.depth, options.max_states)
    graphs = Graphs()
    worst = [worst_of(kernel, scope, limits, graphs) for kernel in options.kernel or KERNELS]
    if options.svg is not None:
        write_at_once(Path(options.svg), tradeoff_svg(worst, scope))
    emit(options, lambda: tradeoff_data(worst, scope), lambda: tradeoff_text(worst, scope))
    return HOLDS if all(one.closed for one in worst) else INCOMPLETE


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "tradeoff",
        "what sharing costs and saves: the worst case of each kernel",
        "Search a scope on each kernel, and give the most vmas above the least possible, and the"
        " most work of the rmap.",
        "vmacheck tradeoff rmap39+importer rmap40+importer --pages 3",
    )
    one.add_argument(
        "kernel",
        nargs="*",
        type=kernel_named,
        metavar="KERNEL",
        help="default: every policy of 2004, with the importer fix",
    )
    add_scope(one)
    add_format(one)
    one.add_argument_group("more output").add_argument("--svg", metavar="FILE", help="also plot it")
    one.set_defaults(command=tradeoff_command)
