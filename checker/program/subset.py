# SPDX-License-Identifier: GPL-2.0-only
"""The Python that models, properties and patches are written in, and the check that they keep to it.

It means the same to the interpreter, to the compiler and to a symbolic run, and reads like the C: functions of numbers
and structs; if, while, for over range; assignments to locals and to fields; integer arithmetic, bit operations and
comparisons; calls to other such functions.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

STATEMENTS = (
    ast.Return,
    ast.If,
    ast.While,
    ast.For,
    ast.Assign,
    ast.AugAssign,
    ast.Expr,
    ast.Pass,
    ast.Break,
    ast.Continue,
)
EXPRESSIONS = (
    ast.Name,
    ast.Constant,
    ast.Attribute,
    ast.Subscript,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.Call,
    ast.IfExp,
)
OPERATORS = (
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.BitAnd,
    ast.BitOr,
    ast.BitXor,
    ast.LShift,
    ast.RShift,
    ast.USub,
    ast.UAdd,
    ast.Invert,
    ast.Not,
    ast.And,
    ast.Or,
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
)
WORDS = {
    ast.List: "lists",
    ast.ListComp: "lists",
    ast.Dict: "dictionaries",
    ast.Set: "sets",
    ast.Tuple: "tuples",
    ast.JoinedStr: "strings",
    ast.Lambda: "lambdas",
    ast.FunctionDef: "functions inside functions",
    ast.ClassDef: "classes",
    ast.Import: "imports inside functions",
    ast.ImportFrom: "imports inside functions",
    ast.Try: "exceptions",
    ast.Raise: "exceptions",
    ast.With: "with statements",
    ast.Global: "global variables",
    ast.Nonlocal: "global variables",
    ast.NamedExpr: "assignments inside expressions",
    ast.Div: "division",
    ast.FloorDiv: "division",
    ast.Mod: "division",
    ast.Pow: "powers",
    ast.Is: "'is' (compare with ==)",
    ast.IsNot: "'is not' (compare with !=)",
    ast.In: "'in'",
    ast.NotIn: "'not in'",
    ast.Assert: "assertions (call BUG)",
    ast.Delete: "deletions",
}

LARGEST = (1 << 31) - 1  # literal; calculations have 64 bits, fields have 32
Fault = tuple[int, str]
Known = Mapping[str, ast.FunctionDef | None]


def faults(function: ast.FunctionDef, known: Known) -> list[Fault]:
    """The places where function leaves the subset: (line, reason) each, in order of lines.

    known maps the global names that may be used to their functions, or to None for a constant.
    """
    return list(_faults(function, _Known((name, known[name]) for name in _names(function) if name in known)))


class _Known(dict[str, ast.FunctionDef | None]):
    """Global names with what makes a difference to who uses them: two are equal if that is the same."""

    def __init__(self, entries: Iterable[tuple[str, ast.FunctionDef | None]]) -> None:
        super().__init__(entries)
        self._key = frozenset(
            (name, None if node is None else (len(node.args.args), gives_value(node))) for name, node in self.items()
        )

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and self._key == other._key


@lru_cache(maxsize=1 << 14)
def _names(function: ast.FunctionDef) -> frozenset[str]:
    """Every name in the function: what it calls and uses, and its own."""
    nodes = ast.walk(function)
    return frozenset(
        node.id if isinstance(node, ast.Name) else node.arg for node in nodes if isinstance(node, ast.Name | ast.arg)
    )


@lru_cache(maxsize=1 << 14)
def _faults(function: ast.FunctionDef, known: _Known) -> tuple[Fault, ...]:
    found = [*_parameters(function), *_returns(function), *_unassigned(function)]
    local = {argument.arg for argument in function.args.args}
    local |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for name in sorted(local & {*known, "range"}):
        found.append((function.lineno, f"'{name}' is a global name and cannot be a local one"))
    values = _value_calls(function)
    found += _functions_as_values(function, local, known)
    for statement in body(function):
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and node in values and isinstance(node.func, ast.Name):
                callee = known.get(node.func.id)
                if callee is not None and not gives_value(callee):
                    found.append((node.lineno, f"{node.func.id} returns nothing"))
            if not isinstance(node, ast.operator | ast.unaryop | ast.boolop | ast.cmpop):
                found.extend((getattr(node, "lineno", function.lineno), why) for why in _node(node, local, known))
    return tuple(sorted(set(found)))


def body(function: ast.FunctionDef) -> list[ast.stmt]:
    """The statements without the docstring."""
    first = function.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return function.body[1:] if is_text and isinstance(first.value.value, str) else function.body  # type: ignore[attr-defined]


def _functions_as_values(function: ast.FunctionDef, local: set[str], known: Known) -> Iterator[Fault]:
    """Functions that are named but not called, range outside of a loop, and loops where no state can bound them."""
    nodes = list(ast.walk(function))
    called = {node.func for node in nodes if isinstance(node, ast.Call)}
    loops = {node.iter for node in nodes if isinstance(node, ast.For)}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in called:
            if node.id not in local and (node.id == "range" or known.get(node.id) is not None):
                yield node.lineno, f"{node.id} is a function, and is not called here"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "range" and node not in loops:
            yield node.lineno, "range is for loops"
    if not function.args.args and any(isinstance(node, ast.For | ast.While) for node in nodes):
        yield function.lineno, "the first parameter of a function with a loop has to be the state"


def _value_calls(function: ast.FunctionDef) -> set[ast.Call]:
    """The calls whose value is used."""
    nodes = list(ast.walk(function))
    alone = {node.value for node in nodes if isinstance(node, ast.Expr)}
    return {node for node in nodes if isinstance(node, ast.Call)} - alone


def _parameters(function: ast.FunctionDef) -> Iterator[Fault]:
    arguments = function.args
    names = [function.name, *(argument.arg for argument in arguments.args)]
    for name in names:
        if not name.isascii():
            yield function.lineno, f"'{name}' is not in plain letters"
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults or arguments.posonlyargs:
        yield function.lineno, "only plain parameters are allowed"


def _returns(function: ast.FunctionDef) -> Iterator[Fault]:
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    if not gives_value(function):
        return
    for node in returns:
        if node.value is None:
            yield node.lineno, "returns nothing here and a value elsewhere"
    if not _always_returns(function.body):
        yield function.lineno, "returns a value on some paths and nothing on others"


@lru_cache(maxsize=1 << 14)
def gives_value(function: ast.FunctionDef) -> bool:
    """Does the function return a value?"""
    return any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function))


def _always_returns(statements: list[ast.stmt]) -> bool:
    last = statements[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and _always_returns(last.body) and _always_returns(last.orelse)
    return isinstance(last, ast.Return)


def _node(node: ast.AST, local: set[str], known: Known) -> Iterator[str]:
    """The faults of this node alone."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, int) and node.value > LARGEST:
            yield f"{node.value} is larger than {LARGEST}"
        elif not isinstance(node.value, int):
            kind = "None (use NULL)" if node.value is None else "floats" if isinstance(node.value, float) else "strings"
            yield f"not allowed: {kind}"
    elif isinstance(node, ast.Call):
        yield from _call(node, known)
    elif isinstance(node, ast.Name):
        if not node.id.isascii():
            yield f"'{node.id}' is not in plain letters"
        if node.id.startswith("__") and node.id not in known:
            yield f"names that start with two underscores are not a model's: '{node.id}'"
        if isinstance(node.ctx, ast.Load) and node.id not in local and node.id not in known and node.id != "range":
            yield f"unknown name '{node.id}'"
    elif isinstance(node, ast.For):
        over_range = isinstance(node.iter, ast.Call) and isinstance(node.iter.func, ast.Name)
        if not (over_range and node.iter.func.id == "range" and isinstance(node.target, ast.Name)) or node.orelse:  # type: ignore[attr-defined]
            yield "only 'for name in range(...)' is allowed"
    elif isinstance(node, ast.While) and node.orelse:
        yield "'else' of a loop is not allowed"
    elif isinstance(node, ast.Expr):
        if not isinstance(node.value, ast.Call):
            yield "an expression that does nothing"
    elif isinstance(node, ast.Assign):
        if len(node.targets) != 1:
            yield "only one target can be assigned to"
    elif isinstance(node, ast.Subscript):
        if not isinstance(node.value, ast.Attribute) or isinstance(node.slice, ast.Slice | ast.Tuple):
            yield "only the arrays of a state can be indexed, one slot at a time"
    elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp):
        yield from _outside(OPERATORS, node.op)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift | ast.RShift):
            if not (isinstance(node.right, ast.Constant) and node.right.value in range(32)):
                yield "shifts are by a constant of 0 to 31"
    elif isinstance(node, ast.AugAssign):
        if any(isinstance(part, ast.Call) for part in ast.walk(node.target)):
            yield "a call in the target of an augmented assignment"
    elif isinstance(node, ast.Compare):
        for operator in node.ops:
            yield from _outside(OPERATORS, operator)
    else:
        yield from _outside(
            STATEMENTS + EXPRESSIONS + OPERATORS + (ast.expr_context, ast.arguments, ast.arg, ast.alias), node
        )


def _outside(allowed: tuple[type[ast.AST], ...], node: ast.AST) -> Iterator[str]:
    if not isinstance(node, allowed):
        yield f"not allowed: {WORDS.get(type(node), type(node).__name__)}"


def _call(node: ast.Call, known: Known) -> Iterator[str]:
    if not isinstance(node.func, ast.Name):
        yield "only functions of the model can be called"
        return
    name = node.func.id
    if name == "range":
        step = node.args[2] if len(node.args) == 3 else ast.Constant(1)
        if not 1 <= len(node.args) <= 3 or node.keywords or ast.unparse(step) not in ("1", "-1"):
            yield "range takes one or two numbers, or three, of which the last is 1 or -1"
        return
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        yield f"{name} is called with more than plain arguments"
    elif name in known and known[name] is None:
        yield f"{name} is a constant and cannot be called"
    elif (callee := known.get(name)) is not None and len(callee.args.args) != len(node.args):
        yield f"{name} takes {len(callee.args.args)} arguments, not {len(node.args)}"


def _unassigned(function: ast.FunctionDef) -> Iterator[Fault]:
    """Uses of a local name that may not have a value yet."""
    local = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    parameters = {argument.arg for argument in function.args.args}
    found: list[Fault] = []
    _assigned_after(body(function), frozenset(parameters), local, found)
    yield from found


def _assigned_after(
    statements: list[ast.stmt], assigned: frozenset[str], local: set[str], found: list[Fault]
) -> frozenset[str]:
    """The names that have a value after the statements; a block that is left for good assigns everything."""
    everything = assigned | local

    def uses(node: ast.AST | None) -> None:
        for part in ast.walk(node) if node is not None else ():
            if isinstance(part, ast.Name) and part.id in local - assigned and isinstance(part.ctx, ast.Load):
                found.append((part.lineno, f"'{part.id}' may have no value here"))

    for statement in statements:
        if isinstance(statement, ast.If):
            uses(statement.test)
            then = _assigned_after(statement.body, assigned, local, found)
            assigned = then & _assigned_after(statement.orelse, assigned, local, found)
        elif isinstance(statement, ast.While):
            uses(statement.test)
            _assigned_after(statement.body, assigned, local, found)
        elif isinstance(statement, ast.For):
            uses(statement.iter)
            inside = {statement.target.id} if isinstance(statement.target, ast.Name) else set()
            _assigned_after(statement.body, assigned | inside, local, found)
        else:
            uses(statement)
            if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
                uses(ast.copy_location(ast.Name(statement.target.id, ast.Load()), statement))
            if isinstance(statement, ast.Return | ast.Break | ast.Continue):
                return everything
            assigned |= {part.id for part in ast.walk(statement) if isinstance(part, ast.Name)} & local
    return assigned


@lru_cache(maxsize=1 << 14)
def calls(function: ast.FunctionDef) -> frozenset[str]:
    """The names of the functions that function calls."""
    nodes = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    return frozenset(node.func.id for node in nodes if isinstance(node.func, ast.Name)) - {"range"}


@lru_cache(maxsize=1 << 14)
def first_change(function: ast.FunctionDef) -> int | None:
    """The line of the first assignment to a field or a slot, or None."""
    nodes = (node for node in ast.walk(function) if isinstance(node, ast.Attribute | ast.Subscript))
    return next((node.lineno for node in nodes if isinstance(node.ctx, ast.Store)), None)
