# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck coverage: the branches of a kernel's functions that no program of a scope reaches."""

import argparse
import json
from typing import Any

from vmacheck.checker.commands.options import add_max_map_count, add_scope, add_threads
from vmacheck.checker.commands.progress import ProgressLine
from vmacheck.checker.kernels.coverage import branches_of
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.search.outcome import Limits
from vmacheck.counterexamples.reports.coverage import branches_data, branches_text

INCOMPLETE = 3


def coverage_command(options: argparse.Namespace) -> int:
    """Go through the scope, and list what it left out. 3 if a bound cut it, for then there may be programs beyond."""
    scope, limits = Scope.of(vars(options)), Limits(options.depth, options.max_states)
    with ProgressLine() as progress:
        branches = branches_of(options.kernel, scope, limits, progress.of(options.kernel))
    if options.format == "json":
        print(json.dumps(branches_data(branches), indent=1))
    else:
        print("\n".join(branches_text(branches)))
    return 0 if branches.walk.closed else INCOMPLETE


def add_coverage(commands: Any) -> None:
    """Add the command to the command line."""
    one = commands.add_parser("coverage", help="the branches of a kernel that no program of a scope reaches")
    one.add_argument("kernel", metavar="KERNEL", help="BASE[+PATCH...]")
    add_scope(one)
    add_threads(one)
    add_max_map_count(one)
    one.add_argument("--format", choices=["text", "json"], default="text")
    one.set_defaults(command=coverage_command)
