# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck compare and vmacheck tradeoff: kernels side by side."""

import argparse
import json
import time
from pathlib import Path

from vmacheck.checker.commands.exits import HOLDS, INCOMPLETE, VIOLATED, fail
from vmacheck.checker.commands.progress import ProgressLine
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.kernels.compare import Graphs, compare_kernels
from vmacheck.checker.kernels.scope import (
    Scope,
)
from vmacheck.checker.search.outcome import Limits
from vmacheck.counterexamples.reports.classes import classes_data, classes_of, classes_text
from vmacheck.counterexamples.reports.compare import compare_data, compare_text
from vmacheck.counterexamples.reports.tradeoff import tradeoff_data, tradeoff_svg, tradeoff_text, worst_of

POLICIES = ("rmap39", "andrea-aa", "andrea", "andrea-rwx", "rmap40", "one-per-mm", "further-afield")
TRADEOFF_KERNELS = ("anonmm", *(f"{policy}+importer" for policy in POLICIES))


def compare_command(options: argparse.Namespace) -> int:
    """vmacheck compare: two kernels in lockstep. 0 if neither can be worse, 1 if one can, 3 if that is open."""
    scope, limits = Scope.of(vars(options)), Limits(options.depth, options.max_states)
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
    scope, limits = Scope.of(vars(options)), Limits(options.depth, options.max_states)
    graphs = Graphs()
    worst = [worst_of(kernel, scope, limits, graphs) for kernel in options.kernel or TRADEOFF_KERNELS]
    if options.svg is not None:
        write_at_once(Path(options.svg), tradeoff_svg(worst, scope))
    if options.format == "json":
        print(json.dumps(tradeoff_data(worst, scope), indent=1))
    else:
        print("\n".join(tradeoff_text(worst, scope)))
    return HOLDS if all(one.closed for one in worst) else INCOMPLETE
