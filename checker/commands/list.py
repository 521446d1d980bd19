# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck list: kernels, properties, operations, claims, or the functions of a kernel, a line each."""

import argparse
from typing import Any

from vmacheck.checker.commands.exits import HOLDS, fail
from vmacheck.checker.commands.options import add_command, add_format, emit, kernel_named
from vmacheck.checker.kernels.programs import program_of
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.model.calls.interleaving import ONLY_OF_THREADS
from vmacheck.model.calls.operations import EVERY_OPERATION
from vmacheck.model.kernels import TREES, every_kernel
from vmacheck.properties import EVERY_PROPERTY

Rows = list[tuple[str, str]]
LISTS = ("kernels", "properties", "operations", "claims", "functions")


def list_command(options: argparse.Namespace) -> int:
    """vmacheck list: a line each."""
    if (options.what == "functions") != (options.kernel is not None):
        fail("list functions takes a KERNEL" if options.kernel is None else f"list {options.what} takes no KERNEL")
    rows = functions_of(options.kernel) if options.kernel is not None else rows_of(options.what)
    width = max(len(name) for name, _ in rows)
    emit(
        options,
        lambda: {"schema": SCHEMA, options.what: [{"name": name, "what": what} for name, what in rows]},
        lambda: [f"{name:{width}}  {what}" for name, what in rows],
    )
    return HOLDS


def rows_of(what: str) -> Rows:
    """The names and a line on each."""
    if what == "kernels":
        patches = [(f"+{name}", patch.what) for tree in TREES for name, patch in tree.patches.items()]
        return [*((name, kernel.what) for name, kernel in every_kernel().items()), *patches]
    if what == "properties":
        return [(name, f"{prop.kind}: {prop.claim}") for name, prop in EVERY_PROPERTY.items()]
    if what == "operations":
        operations = [(f"{name}({op.form})", op.what) for name, op in EVERY_OPERATION.items()]
        return [*operations, *((f"{name}({form})", what) for name, (form, what) in ONLY_OF_THREADS.items())]
    from vmacheck.checker.claims.linux import CURRENT_CLAIMS
    from vmacheck.checker.claims.linux_2_6 import CLAIMS

    return [(claim.id, claim.quote) for claim in (*CLAIMS, *CURRENT_CLAIMS)]


def functions_of(kernel: str) -> Rows:
    """The functions of a kernel with their parameters, in the order of its files, and what each does."""
    rows = []
    for function in program_of(kernel, {}).functions.values():
        rows.append((f"{function.name}({', '.join(function.parameters)})", function.what))
    return rows


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "list",
        "kernels, properties, operations, claims, functions",
        "List the kernels and patches, the properties, the operations, the claims, or the functions of a kernel.",
        "vmacheck list functions linux-6.18",
    )
    one.add_argument("what", choices=LISTS)
    one.add_argument("kernel", nargs="?", type=kernel_named, metavar="KERNEL", help="of functions: whose")
    add_format(one)
    one.set_defaults(command=list_command)
