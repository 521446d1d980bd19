# SPDX-License-Identifier: GPL-2.0-only
"""Signatures of functions: which parameters are structs, found from their use and from what is passed for them."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from vmacheck.checker.compiled.flat import Flat
from vmacheck.checker.program.link import Function, LinkError
from vmacheck.checker.program.subset import body, gives_value

STRUCTS = ("state", "call")
ROOTS = {"begin": ("state",), "step": ("state", "call"), "canonicalise": ("state",)}


@dataclass
class Signature:
    """A function's parameters and result. arrays: for each parameter what it is an array of, "" for a number."""

    function: Function
    arrays: dict[str, str]

    @property
    def gives_value(self) -> bool:
        """Does it return a value?"""
        return gives_value(self.function.node)

    @property
    def result(self) -> str:
        """Its type in the assembly."""
        return "i64" if self.gives_value else "void"


def signatures(flat: Flat, functions: Sequence[Function]) -> dict[str, Signature]:
    """The signatures of functions that call each other: a parameter is a struct wherever anything says so.

    A state and a call are different structs ("state", "call"); LinkError where one is used as the other. The search
    loop's "i32" stands for either.
    """
    known = {}
    for function in functions:
        annotations = {argument.arg: argument.annotation for argument in function.node.args.args}
        arrays = {name: a.id if isinstance(a, ast.Name) else "" for name, a in annotations.items()}
        for name, kind in zip(arrays, ROOTS.get(function.name, ()), strict=False):
            arrays[name] = kind
        known[function.name] = Signature(function, arrays)
    uses = [use for function in functions for use in _uses(flat, function, known)]
    for kinds in (STRUCTS, (*STRUCTS, "i32", "i64", "u16")):
        changed = True
        while changed:
            changed = False
            for _, one, name, other, parameter in uses:
                for empty, hole, full, peg in ((one, name, other, parameter), (other, parameter, one, name)):
                    if not empty[hole] and full[peg] in kinds:
                        empty[hole] = full[peg]
                        changed = True
    for where, one, name, other, parameter in uses:
        if {one[name], other[parameter]} == set(STRUCTS):
            raise LinkError(f"{where}: {name} is used both as a state and as a call")
    return known


Use = tuple[str, dict[str, str], str, dict[str, str], str]


def _uses(flat: Flat, function: Function, known: Mapping[str, Signature]) -> Iterator[Use]:
    """The pairs of names that stand for the same: (where, names, name, names, name)."""
    own = known[function.name].arrays
    for node in _telling(function.node):
        where = f"{function.file}:{node.lineno}: {function.name}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in own:
            kind = "call" if node.attr in flat.call_fields else "state"
            yield where, own, node.value.id, {kind: kind}, kind
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            theirs = known[node.func.id].arrays
            for argument, parameter in zip(node.args, theirs, strict=True):
                if isinstance(argument, ast.Name) and argument.id in own:
                    yield where, own, argument.id, theirs, parameter
                if isinstance(argument, ast.Call) and isinstance(argument.func, ast.Name) and argument.func.id == "at":
                    yield where, theirs, parameter, {"array": "i32"}, "array"


@lru_cache(maxsize=1 << 14)
def _telling(function: ast.FunctionDef) -> tuple[ast.Attribute | ast.Call, ...]:
    """The nodes that say what a name stands for: a field of it, and a call that it may be handed to."""
    found = (node for node in ast.walk(function) if isinstance(node, ast.Attribute | ast.Call))
    return tuple(
        one for one in found if isinstance(one.value if isinstance(one, ast.Attribute) else one.func, ast.Name)
    )


def is_plain(node: ast.expr, known: Mapping[str, Signature]) -> bool:
    """Can the expression be evaluated where it need not be? Numbers at hand, and no shift by one of them."""
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        signature = known.get(node.func.id)
        result = body(signature.function.node)[0] if signature is not None else None
        inside = isinstance(result, ast.Return) and result.value is not None and is_plain(result.value, known)
        return inside and all(is_plain(argument, known) for argument in node.args)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift | ast.RShift):
        return isinstance(node.right, ast.Constant) and is_plain(node.left, known)
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        return False
    if not isinstance(node, ast.Name | ast.Constant | ast.BinOp | ast.UnaryOp | ast.BoolOp | ast.Compare):
        return False
    return all(is_plain(child, known) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
