# SPDX-License-Identifier: GPL-2.0-only
"""Removal of what a scope does not call for from a program, before it is compiled."""

import ast
import copy
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache

from vmacheck.checker.program.link import Program


def without_kinds(program: Program, kind: str, absent: Collection[str]) -> Program:
    """The program for calls whose `kind` field is never one of the constants that `absent` names.

    Comparisons of the field with them are decided, and branches that cannot be taken are left out.
    """
    names = frozenset(absent)
    functions = {
        name: replace(function, node=_without(function.node, kind, names))
        for name, function in program.functions.items()
    }
    return Program(functions, program.constants)


@lru_cache(maxsize=4096)
def _without(function: ast.FunctionDef, kind: str, absent: frozenset[str]) -> ast.FunctionDef:
    if any(isinstance(node, ast.Name) and node.id in absent for node in ast.walk(function)):
        pruned: ast.FunctionDef = _Pruned(kind, absent).visit(copy.deepcopy(function))
        return pruned
    return function


class _Pruned(ast.NodeTransformer):
    def __init__(self, kind: str, absent: frozenset[str]) -> None:
        self.kind, self.absent = kind, absent

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        left, right, how = node.left, node.comparators[0], node.ops[0]
        if (
            len(node.ops) == 1
            and isinstance(how, ast.Eq | ast.NotEq)
            and isinstance(left, ast.Attribute)
            and left.attr == self.kind
            and isinstance(right, ast.Name)
            and right.id in self.absent
        ):
            return ast.copy_location(ast.Constant(isinstance(how, ast.NotEq)), node)
        self.generic_visit(node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        decides = isinstance(node.op, ast.Or)
        values = []
        for value in node.values:
            truth = _truth(value)
            if truth is None or truth == decides or value is node.values[-1]:
                values.append(value)
            if truth == decides:
                break
        if not values:
            return ast.copy_location(ast.Constant(not decides), node)
        if len(values) == 1:
            return values[0]
        node.values = values
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        truth = _truth(node.operand)
        if isinstance(node.op, ast.Not) and truth is not None:
            return ast.copy_location(ast.Constant(not truth), node)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        truth = _truth(node.test)
        if truth is None:
            return node
        return node.body if truth else node.orelse

    def visit_If(self, node: ast.If) -> ast.If | list[ast.stmt]:
        self.generic_visit(node)
        truth = _truth(node.test)
        if truth is not None:
            return (node.body if truth else node.orelse) or [ast.copy_location(ast.Pass(), node)]
        return node


def _truth(node: ast.expr) -> bool | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, bool) else None
