# SPDX-License-Identifier: GPL-2.0-only
"""Loops that end: `while` of a model's function gets a bound, so that a wrong patch is found out and does not hang."""

import ast
import copy

from checker.link import Function


class _Loops(ast.NodeTransformer):
    def __init__(self, state: str) -> None:
        self.state = state

    def visit_While(self, node: ast.While) -> ast.While:
        self.generic_visit(node)
        more = ast.Call(ast.Name("__more__", ast.Load()), [ast.Name(self.state, ast.Load())], [])
        test = ast.BoolOp(ast.And(), [node.test, more])
        return ast.copy_location(ast.While(test, node.body, node.orelse), node)


def bound_loops(function: Function) -> ast.FunctionDef:
    """The function with __more__(state) in the condition of each `while`: false after FUEL rounds."""
    node = copy.deepcopy(function.node)
    if function.parameters:
        node = _Loops(function.parameters[0]).visit(node)
    return ast.fix_missing_locations(node)
