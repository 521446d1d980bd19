# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck list: kernels, properties, operations, claims, or the functions of a kernel, one line each."""

import argparse
from typing import Any, Literal, TypedDict

from vmacheck.checker.commands.support.exits import HOLDS, fail
from vmacheck.checker.commands.support.options import add_command, add_format, emit, kernel_named
from vmacheck.checker.kernels.programs import program_of
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.model.calls.interleaving import ONLY_OF_THREADS
from vmacheck.model.calls.operations import EVERY_OPERATION
from vmacheck.model.kernels import TREES, every_kernel
from vmacheck.properties import EVERY_PROPERTY

Rows = list[tuple[str, str]]
LISTS = ("kernels", "properties", "operations", "claims", "functions")


class NamedData(TypedDict):
    """Something by its name, in words."""

    name: str
    what: str


class ListKernelsData(TypedDict):
    """The answer of `vmacheck list kernels`: kernels, and patches by their names with a +."""

    schema: Literal[1]
    kernels: list[NamedData]


class ListPropertiesData(TypedDict):
    """The answer of `vmacheck list properties`."""

    schema: Literal[1]
    properties: list[NamedData]


class ListOperationsData(TypedDict):
    """The answer of `vmacheck list operations`."""

    schema: Literal[1]
    operations: list[NamedData]


class ListClaimsData(TypedDict):
    """The answer of `vmacheck list claims`."""

    schema: Literal[1]
    claims: list[NamedData]


class ListFunctionsData(TypedDict):
    """The answer of `vmacheck list functions KERNEL`; names have parameters."""

    schema: Literal[1]
    functions: list[NamedData]


ListData = ListKernelsData | ListPropertiesData | ListOperationsData | ListClaimsData | ListFunctionsData


def list_command(options: argparse.Namespace) -> int:
    """vmacheck list: one line each."""
    if (options.what == "functions") != (options.kernel is not None):
        fail("list functions takes a KERNEL" if options.kernel is None else f"list {options.what} takes no KERNEL")
    rows = functions_of(options.kernel) if options.kernel is not None else rows_of(options.what)
    width = max(len(name) for name, _ in rows)
    emit(
        options,
        lambda: list_data(options.what, rows),
        lambda: [f"{name:{width}}  {what}" for name, what in rows],
    )
    return HOLDS


def list_data(what: str, rows: Rows) -> ListData:
    """The answer as JSON data."""
    named: list[NamedData] = [{"name": name, "what": words} for name, words in rows]
    if what == "kernels":
        return {"schema": SCHEMA, "kernels": named}
    if what == "properties":
        return {"schema": SCHEMA, "properties": named}
    if what == "operations":
        return {"schema": SCHEMA, "operations": named}
    if what == "claims":
        return {"schema": SCHEMA, "claims": named}
    return {"schema": SCHEMA, "functions": named}


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
    """The functions of a kernel with their parameters, in the order of its files, and a sentence on each."""
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
