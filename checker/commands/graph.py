# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck graph: the states of a kernel in a scope and what every call does in each, for other tools to draw."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.options import add_max_map_count, add_scope, add_threads
from vmacheck.checker.commands.progress import ProgressLine
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.search.outcome import Limits
from vmacheck.counterexamples.graphs.drawing import graph_svg
from vmacheck.counterexamples.graphs.graph import MOST_STATES, StateGraph, dot_text, graph_data, graph_of, graphml_text

INCOMPLETE = 3
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
    return 0


def add_graph(commands: Any) -> None:
    """Add the command to the command line."""
    one = commands.add_parser("graph", help="the state graph of a kernel, for Graphviz and other tools")
    add = one.add_argument
    add("kernel", metavar="KERNEL", help="BASE[+PATCH...]")
    add("-p", "--property", action="append", default=[], metavar="PROPERTY", help="mark where it fails")
    add_scope(one, f"refuse graphs of more than N states (default {MOST_STATES:,})")
    add_threads(one)
    add_max_map_count(one)
    add("--format", choices=list(FORMATS), default="dot", help="default dot; svg is for small graphs")
    add("-o", "--output", metavar="FILE", help="where to write it (default: standard output)")
    one.set_defaults(command=graph_command)
