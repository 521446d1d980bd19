# SPDX-License-Identifier: GPL-2.0-only
"""The model's functions made ready for unknown numbers: loops over pages, and conditions that need not fork.

A condition of several parts is asked as one, where evaluating all its parts changes nothing.

A loop that does something to each page on its own, and looks at nothing else that it changes, does the same to a page
whatever the others are: it is enough to follow the pages that something will look at. The code shows which loops are
of that kind. A loop that carries only the state from round to round can be followed if it changes the rest of the
state once (machine.py). Other loops over unknown bounds are followed round by round.
"""

import ast
import copy
from collections.abc import Mapping
from functools import lru_cache
from types import CodeType

from vmacheck.checker.program import subset
from vmacheck.checker.program.guards import with_wraps
from vmacheck.checker.program.link import Function

_NO_ARGUMENTS = ast.arguments([], [], None, [], [], None, [])
PAGES = "page"  # the array of a state that addresses are indices of


def compiled_for_unknowns(function: Function, functions: Mapping[str, Function]) -> CodeType:
    """The function as code, with calls in place of what Python cannot do to an unknown number.

    __pages__(state, first, end), __each__ of the same and __range__ for range; __all__(lambda: a, lambda: b), __any__,
    __not__ for and, or, not; __merged__(f, ...) for a function that changes nothing and returns masks.
    """
    loops = [node for node in ast.walk(function.node) if isinstance(node, ast.For)]
    own = frozenset(
        loop.lineno for loop in loops if is_per_page(loop, functions) and not _is_used_after(loop, function.node)
    )
    each = frozenset(loop.lineno for loop in loops if carries_nothing(loop, function.node)) - own
    called = subset.calls(function.node)
    harmless = frozenset(name for name in called if changes_nothing(name, functions))
    return _code(function, own, each, harmless, frozenset(name for name in harmless if _says_masks(functions[name])))


def changes_nothing(name: str, functions: Mapping[str, Function]) -> bool:
    """Does the function, with all that it calls, leave the state as it is?"""
    node = functions[name].node
    stores = (part for part in ast.walk(node) if isinstance(part, ast.Attribute | ast.Subscript))
    if any(isinstance(part.ctx, ast.Store) for part in stores):
        return False
    return all(changes_nothing(callee, functions) for callee in subset.calls(node))


def _says_masks(function: Function) -> bool:
    """Are there several ways through it, and does at least one of them return the value of a bit operation?"""
    nodes = list(ast.walk(function.node))
    returned = [node.value for node in nodes if isinstance(node, ast.Return)]
    return any(isinstance(node, ast.If | ast.IfExp) for node in nodes) and any(
        isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr | ast.BitAnd) for value in returned
    )


@lru_cache(maxsize=4096)
def _code(
    function: Function, own: frozenset[int], each: frozenset[int], harmless: frozenset[str], masks: frozenset[str]
) -> CodeType:
    state = function.parameters[0] if function.parameters else ""
    iterators = {**dict.fromkeys(own, "__pages__"), **dict.fromkeys(each, "__each__")}
    node = _Prepared(state, iterators, harmless | {"__wrap__"}, masks).visit(copy.deepcopy(with_wraps(function)))
    return compile(ast.fix_missing_locations(ast.Module([node], [])), function.file, "exec")


class _Prepared(ast.NodeTransformer):
    def __init__(
        self, state: str, iterators: Mapping[int, str], harmless: frozenset[str], masks: frozenset[str]
    ) -> None:
        self.state, self.iterators, self.harmless, self.masks = state, iterators, harmless, masks

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self.masks:
            return ast.copy_location(ast.Call(ast.Name("__merged__", ast.Load()), [node.func, *node.args], []), node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        calls = [part for value in node.values[1:] for part in ast.walk(value) if isinstance(part, ast.Call)]
        self.generic_visit(node)
        if not all(isinstance(call.func, ast.Name) and call.func.id in self.harmless for call in calls):
            return node
        name = "__all__" if isinstance(node.op, ast.And) else "__any__"
        parts: list[ast.expr] = [ast.Lambda(_NO_ARGUMENTS, value) for value in node.values]
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), parts, []), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not):
            return node
        return ast.copy_location(ast.Call(ast.Name("__not__", ast.Load()), [node.operand], []), node)

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        assert isinstance(node.iter, ast.Call)
        name, arguments = "__range__", node.iter.args
        if node.lineno in self.iterators:
            name, arguments = self.iterators[node.lineno], [ast.Name(self.state, ast.Load()), *arguments]
        node.iter = ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, []), node.iter)
        return node


def is_per_page(loop: ast.For, functions: Mapping[str, Function]) -> bool:
    """Does each round change its own page only, if it is there, and look at nothing else that the loop changes?"""
    assert isinstance(loop.target, ast.Name)
    page = loop.target.id
    if len(_range_of(loop)) != 2 or not all(_leaves_empty(node, page) for node in loop.body):
        return False
    return all(_is_own(node, page, functions) for node in loop.body)


def carries_nothing(loop: ast.For, function: ast.FunctionDef) -> bool:
    """Is every variable of the loop set again in each round, and used nowhere else? The loop needs two bounds."""
    inside = set(ast.walk(loop))
    names = {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    used = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node not in inside]
    if len(_range_of(loop)) != 2 or names & {node.id for node in used} or names & {a.arg for a in function.args.args}:
        return False
    assert isinstance(loop.target, ast.Name)
    known = {loop.target.id}
    for statement in loop.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            own = {node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)}
            if own & names - known:
                return False
            known.add(statement.targets[0].id)
        elif names & {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - known:
            return False
    return not any(isinstance(node, ast.For | ast.While) for statement in loop.body for node in ast.walk(statement))


def _leaves_empty(statement: ast.stmt, page: str) -> bool:
    """Does it leave an all-zero page alone?"""
    return _is_for_mapped(statement, page) or _is_zeroed(statement, page)


def _is_zeroed(statement: ast.stmt, page: str) -> bool:
    """Is it `state.page[page].FIELD = 0`?"""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Attribute):
        return False
    value = statement.value
    return _is_page(statement.targets[0].value, page) and isinstance(value, ast.Constant) and value.value == 0


def _is_for_mapped(statement: ast.stmt, page: str) -> bool:
    """Does it do something only `if state.page[page].mapcount != 0`?"""
    if not isinstance(statement, ast.If) or statement.orelse or not isinstance(statement.test, ast.Compare):
        return False
    test, zero = statement.test, statement.test.comparators[0]
    return (
        isinstance(test.left, ast.Attribute)
        and test.left.attr == "mapcount"
        and _is_page(test.left.value, page)
        and isinstance(test.ops[0], ast.NotEq)
        and len(test.ops) == 1
        and isinstance(zero, ast.Constant)
        and zero.value == 0
    )


def _is_used_after(loop: ast.For, function: ast.FunctionDef) -> bool:
    """Is the loop's variable used anywhere else in the function?"""
    assert isinstance(loop.target, ast.Name)
    inside = set(ast.walk(loop))
    return any(
        isinstance(node, ast.Name) and node.id == loop.target.id and node not in inside for node in ast.walk(function)
    )


def _range_of(loop: ast.For) -> list[ast.expr]:
    return loop.iter.args if isinstance(loop.iter, ast.Call) else []


def _is_own(statement: ast.stmt, page: str, functions: Mapping[str, Function], depth: int = 8) -> bool:
    """Does the statement change nothing but fields of state.page[page], and look at no other page?"""
    for node in ast.walk(statement):
        if isinstance(node, ast.Return | ast.Break | ast.While | ast.For):
            return False
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            return False
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            if not (isinstance(node, ast.Attribute) and _is_page(node.value, page)):
                return False
        if isinstance(node, ast.Subscript) and _array(node) == PAGES and not _is_page(node, page):
            return False
        if isinstance(node, ast.Call) and not _calls_own(node, page, functions, depth):
            return False
    return True


def _array(node: ast.Subscript) -> str:
    return node.value.attr if isinstance(node.value, ast.Attribute) else ""


def _is_page(node: ast.expr, page: str) -> bool:
    return (
        isinstance(node, ast.Subscript)
        and _array(node) == PAGES
        and isinstance(node.slice, ast.Name)
        and node.slice.id == page
    )


def _calls_own(call: ast.Call, page: str, functions: Mapping[str, Function], depth: int) -> bool:
    assert isinstance(call.func, ast.Name)
    if call.func.id.startswith("__") or depth == 0:
        return call.func.id in ("__more__", "__field__")
    callee = functions[call.func.id]
    passed = [
        name
        for name, argument in zip(callee.parameters, call.args, strict=True)
        if isinstance(argument, ast.Name) and argument.id == page
    ]
    return len(passed) == 1 and all(_is_own(node, passed[0], functions, depth - 1) for node in callee.node.body)
