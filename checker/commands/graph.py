# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck graph: the states of a kernel in a scope, and the effect of every call in each, for other tools to draw."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.support.exits import HOLDS, INCOMPLETE
from vmacheck.checker.commands.support.options import add_command, add_format, add_scope, add_threads, kernel_named
from vmacheck.checker.commands.support.progress import ProgressLine
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.search.outcome import Limits
from vmacheck.counterexamples.graphs.drawing import graph_svg
from vmacheck.counterexamples.graphs.graph import MOST_STATES, StateGraph, dot_text, graph_data, graph_of, graphml_text

FORMATS: dict[str, Callable[[StateGraph], str]] = {
    "dot": dot_text,
    "graphml": graphml_text,
    "json": lambda graph: json.dumps(graph_data(graph), indent=1) + "\n",
    "svg": graph_svg,
}


def graph_command(options: argparse.Namespace) -> int:
    """Write the graph. 3, and the reason on stderr, if an option left a part of it out."""
    scope, limits = Scope.of(vars(options)), Limits(options.depth, options.max_states)
    properties = list(dict.fromkeys(options.property))
    with ProgressLine() as progress:
        graph = graph_of(options.kernel, scope, properties, limits, progress.of(options.kernel))
    text = FORMATS[options.format](graph)
    if options.output is None:
        sys.stdout.write(text)
    else:
        write_at_once(Path(options.output), text)
    if graph.reason is not None:
        print(f"vmacheck: this is a part of the graph ({graph.reason})", file=sys.stderr)
        return INCOMPLETE
    return HOLDS


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "graph",
        "the state graph of a kernel, for Graphviz and other tools",
        "Write the states of a kernel in a scope, and what every call does in each, for other tools to draw.",
        "vmacheck graph linux-6.18 --pages 2 --ops mmap,write --format svg -o graph.svg",
    )
    add = one.add_argument
    add("kernel", type=kernel_named, metavar="KERNEL", help="BASE[+PATCH...]")
    add("-p", "--property", action="append", default=[], metavar="PROPERTY", help="mark where it fails")
    add_scope(one, f"refuse graphs of more than N states (default {MOST_STATES:,})")
    add_threads(one)
    add_format(one, list(FORMATS), help="default dot; svg is for small graphs")
    one.add_argument_group("more output").add_argument(
        "-o", "--output", metavar="FILE", help="where to write it (default: standard output)"
    )
    one.set_defaults(command=graph_command)
