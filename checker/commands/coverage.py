# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck coverage: the branches of a kernel's functions that no program of a scope reaches."""

import argparse
from typing import Any

from vmacheck.checker.commands.support.exits import HOLDS, INCOMPLETE
from vmacheck.checker.commands.support.options import (
    add_command,
    add_format,
    add_scope,
    add_threads,
    emit,
    kernel_named,
)
from vmacheck.checker.commands.support.progress import ProgressLine
from vmacheck.checker.kernels.coverage import branches_of
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.search.outcome import Limits
from vmacheck.counterexamples.reports.coverage import branches_data, branches_text


def coverage_command(options: argparse.Namespace) -> int:
    """Go through the scope, and list branches never taken. 3 if a bound cut it, since programs beyond may take them."""
    scope, limits = Scope.of(vars(options)), Limits(options.depth, options.max_states)
    with ProgressLine() as progress:
        branches = branches_of(options.kernel, scope, limits, progress.of(options.kernel))
    emit(options, lambda: branches_data(branches), lambda: branches_text(branches))
    return HOLDS if branches.walk.closed else INCOMPLETE


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "coverage",
        "the branches of a kernel that no program of a scope reaches",
        "Go through a scope, and list the branches of the kernel's functions that no program reaches.",
        "vmacheck coverage linux-6.18 --pages 2",
    )
    one.add_argument("kernel", type=kernel_named, metavar="KERNEL", help="BASE[+PATCH...]")
    add_scope(one)
    add_threads(one)
    add_format(one)
    one.set_defaults(command=coverage_command)
