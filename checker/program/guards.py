# SPDX-License-Identifier: GPL-2.0-only
"""Guards put into functions, so that a wrong patch is found out: loops end, and numbers fit into their fields.

And wraps, so that every run calculates with 64 bits as machine code does.
"""

import ast
import copy
from functools import lru_cache

from vmacheck.checker.program.link import Function


class _Guards(ast.NodeTransformer):
    def __init__(self, state: str, trusted: bool) -> None:
        self.state, self.trusted = state, trusted

    def _more(self) -> ast.Call:
        return ast.Call(ast.Name("__more__", ast.Load()), [ast.Name(self.state, ast.Load())], [])

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        if not self.trusted:
            guard = ast.If(ast.UnaryOp(ast.Not(), self._more()), [ast.Break()], [])
            node.body.insert(0, ast.copy_location(guard, node))
        return node

    def visit_While(self, node: ast.While) -> ast.While:
        self.generic_visit(node)
        node.test = ast.copy_location(ast.BoolOp(ast.And(), [node.test, self._more()]), node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        target = node.targets[0]
        if not self.trusted and isinstance(target, ast.Attribute):
            node.value = ast.copy_location(_checked(target, node.value), node)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        if self.trusted or not isinstance(node.target, ast.Attribute):
            return node
        current = copy.deepcopy(node.target)
        current.ctx = ast.Load()
        value = _checked(node.target, ast.BinOp(current, node.op, node.value))
        return ast.copy_location(ast.Assign([node.target], value), node)


def _checked(target: ast.Attribute, value: ast.expr) -> ast.expr:
    """__field__(state, value), with the state that target is a field of."""
    root: ast.expr = target
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    assert isinstance(root, ast.Name)
    return ast.Call(ast.Name("__field__", ast.Load()), [ast.Name(root.id, ast.Load()), value], [])


class _Wraps(ast.NodeTransformer):
    def _wrapped(self, node: ast.expr) -> ast.expr:
        return ast.copy_location(ast.Call(ast.Name("__wrap__", ast.Load()), [node], []), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return self._wrapped(node) if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.LShift) else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        is_number = isinstance(node.operand, ast.Constant)
        return self._wrapped(node) if isinstance(node.op, ast.USub) and not is_number else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        self.generic_visit(node)
        current = copy.deepcopy(node.target)
        current.ctx = ast.Load()
        value = self.visit_BinOp(ast.copy_location(ast.BinOp(current, node.op, node.value), node))
        return ast.copy_location(ast.Assign([node.target], value), node)


def wrapped(value: int) -> int:
    """The number that 64 bits hold of a value, as machine code has it."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


@lru_cache(maxsize=4096)
def with_wraps(function: Function) -> ast.FunctionDef:
    """The function with its guards, and in a patch with __wrap__ around what may pass 64 bits.

    The built-in functions are called with numbers of at most 32 bits, and so pass 64 only where a patch does.
    """
    node = with_guards(function)
    return node if function.trusted else ast.fix_missing_locations(_Wraps().visit(copy.deepcopy(node)))


@lru_cache(maxsize=4096)
def with_guards(function: Function) -> ast.FunctionDef:
    """The function with its guards.

    __more__(state), false after FUEL rounds, is in each `while`; in a patch, in each `for` as well, and what is
    assigned to a field goes through __field__(state, value), which stops the kernel if the value has more than 32 bits.
    """
    node = copy.deepcopy(function.node)
    if function.parameters:
        node = _Guards(function.parameters[0], function.trusted).visit(node)
    return ast.fix_missing_locations(node)
