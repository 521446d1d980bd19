# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck show: a function of a kernel, in the form in which a patch would replace it."""

import argparse
import ast
from pathlib import Path
from typing import Any, Literal, TypedDict

from vmacheck.checker.commands.support.exits import HOLDS
from vmacheck.checker.commands.support.options import add_command, add_format, emit, kernel_named
from vmacheck.checker.files.json_types import Positive
from vmacheck.checker.kernels.names import unknown
from vmacheck.checker.kernels.programs import program_of, shown_path
from vmacheck.checker.program.link import Function, Program
from vmacheck.counterexamples.pictures.words import SCHEMA


class ShowData(TypedDict):
    """The answer of `vmacheck show`: where a function is, its source, and the functions around it."""

    schema: Literal[1]
    kernel: str
    function: str
    parameters: list[str]
    what: str
    file: str
    line: Positive
    source: str
    calls: list[str]
    called_by: list[str]


def show_command(options: argparse.Namespace) -> int:
    """vmacheck show: where the function is, its source, what it calls, and what calls it."""
    program = program_of(options.kernel, {})
    if options.function not in program.functions:
        raise unknown("function", options.function, program.functions, f"vmacheck list functions {options.kernel}")
    data = show_data(options.kernel, program, program.functions[options.function])
    emit(options, lambda: data, lambda: function_lines(data))
    return HOLDS


def show_data(kernel: str, program: Program, function: Function) -> ShowData:
    """A function as JSON data."""
    text = Path(function.file).read_text(encoding="utf-8")
    return {
        "schema": SCHEMA,
        "kernel": kernel,
        "function": function.name,
        "parameters": list(function.parameters),
        "what": function.what,
        "file": shown_path(function.file),
        "line": function.line,
        "source": _source(text, function),
        "calls": sorted(function.calls() & set(program.functions)),
        "called_by": sorted(one.name for one in program.functions.values() if function.name in one.calls()),
    }


def _source(text: str, function: Function) -> str:
    (node,) = (
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and (node.name, node.lineno) == (function.name, function.line)
    )
    return "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])


def function_lines(data: ShowData) -> list[str]:
    """A function as text, from which a patch file can start."""
    lines = [f"# {data['file']}:{data['line']}"]
    for word, names in (("calls", data["calls"]), ("called by", data["called_by"])):
        if names:
            lines.append(f"# {word}: {', '.join(names)}")
    return [*lines, "", *data["source"].splitlines()]


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "show",
        "a function of a kernel: parameters, source, callers",
        "Print a function of a kernel: where it is, what it calls, what calls it, and its source with its docstring."
        " A patch is a file with functions of the same names, parameters, and kind of result.",
        "vmacheck show linux-6.18 can_vma_merge_left > mine.py",
    )
    one.add_argument("kernel", type=kernel_named, metavar="KERNEL")
    one.add_argument("function", metavar="FUNCTION")
    add_format(one)
    one.set_defaults(command=show_command)
