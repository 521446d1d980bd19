# SPDX-License-Identifier: GPL-2.0-only
"""Functions that change nothing, evaluated to one value for all paths: properties as formulas.

A path of the kernel's code is followed with its structure known. A property is asked of the state at its end all at
once: values that depend on unknowns become Cases, each with its guard.

A loop over pages has no known bounds. It may only look for the first page with which its body returns. Whether a page
lies in a mapping changes at the ends of mappings only; so the loop is evaluated at one unknown page, for which these
breakpoints are put. The body's comparisons show that no page between them can be the first, or else the solver is
asked. A claim's own loop over all pages returns False at a wrong page; its pages are those that the caller names: any
page, to prove that no page is wrong.
"""

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count, product
from typing import Any

from vmacheck.checker.program.interpreted import NullSlot, Oops
from vmacheck.checker.program.link import Function
from vmacheck.checker.symbolic.cases import (
    ALWAYS,
    Cases,
    Guard,
    cases_of,
    either_guard,
    formula_from,
    guarded,
    joined,
    key_of,
    under,
    value_of,
    with_put,
)
from vmacheck.checker.symbolic.solver import Facts
from vmacheck.checker.symbolic.values import (
    Formula,
    Linear,
    Put,
    Truth,
    Unsupported,
    both,
    changes,
    either,
    equal,
    formula_of,
    negation,
    replaced,
    truth,
    unknown,
)

Round = tuple[
    Formula, list[tuple[Formula, Any]]
]  # of a loop: whether it returns, and the returns, each with its condition

BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
    ast.BitXor: lambda a, b: a ^ b,
    ast.Mult: lambda a, b: a * b,
    ast.LShift: lambda a, b: a << b,
    ast.RShift: lambda a, b: a >> b,
}
COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}
UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: lambda a: -a, ast.Invert: lambda a: ~a, ast.UAdd: lambda a: a}


@dataclass
class Context:
    """The places at which loops over pages are evaluated.

    pages: those for a claim's own loop over all pages. breakpoints: addresses at which a page's mapping can change.
    proves(formula): is it known on this path to be true whatever the unknowns are? facts: formulas known to be true on
    it.
    """

    pages: Sequence[Any]
    breakpoints: Sequence[Any]
    proves: Callable[[Formula], bool]
    facts: Iterable[Formula] = ()


@dataclass
class _Run:
    """A function being evaluated: its returns so far."""

    name: str
    top: bool
    returns: list[tuple[Guard, Any]] = field(default_factory=list)


class Evaluator:
    """An evaluator of a program's functions, none of which may change a state."""

    def __init__(self, functions: Mapping[str, Function], constants: Mapping[str, Any], context: Context) -> None:
        self.functions, self.constants, self.context = functions, constants, context
        self._facts = Facts(context.facts)
        self._fresh = count()
        self._undefined: list[Guard] = []
        self._said: dict[Any, tuple[Any, list[Guard]] | None] = {}

    def formula(self, name: str, *arguments: Any) -> Formula:
        """The formula that the claim with this name can be asked of the arguments, and is true of them."""
        self._undefined, self._said = [], {}
        said = formula_from(self._run(name, list(arguments), ALWAYS, top=True))
        return both([said, *(negation(both(guard)) for guard in self._undefined)])

    def _call(self, name: str, arguments: list[Any], guard: Guard) -> Any:
        """The value of a function of the arguments.

        It is evaluated once for all guards; only if that cannot be followed, under the guard.
        """
        key = (name, *(key_of(argument) for argument in arguments))
        if key not in self._said:
            outer, self._undefined = self._undefined, []
            try:
                self._said[key] = (self._run(name, arguments, ALWAYS), self._undefined)
            except Unsupported:
                self._said[key] = None
            finally:
                self._undefined = outer
        said = self._said[key]
        if said is None:
            return self._run(name, arguments, guard)
        value, undefined = said
        self._undefined += [joined for joined in (joined(guard, one) for one in undefined) if joined is not None]
        return under(guard, value)

    def _run(self, name: str, arguments: list[Any], guard: Guard, top: bool = False) -> Any:
        function = self.functions[name]
        run = _Run(name, top)
        variables = dict(zip(function.parameters, arguments, strict=True))
        live = self._block(function.node.body, variables, guard, run)
        if live is not None and not run.returns:
            return 0
        if live is not None:
            raise Unsupported(f"{function}: {name} can end without a value")
        return value_of((returned - guard, value) for returned, value in run.returns)

    # ---- statements: each takes the variables, changes them, and returns the guard of what follows, None for never

    def _block(self, body: Sequence[ast.stmt], variables: dict[str, Any], guard: Guard, run: _Run) -> Guard | None:
        live: Guard | None = guard
        for statement in body:
            if live is None:
                return None
            live = self._statement(statement, variables, live, run)
        return live

    def _statement(self, node: ast.stmt, variables: dict[str, Any], guard: Guard, run: _Run) -> Guard | None:
        if isinstance(node, ast.Return):
            run.returns.append((guard, self._returned(node.value, variables, guard, run)))
            return None
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            variables[node.targets[0].id] = self._value(node.value, variables, guard)
            return guard
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
            variables[node.target.id] = self._value(value, variables, guard)
            return guard
        if isinstance(node, ast.If):
            return self._if(node, variables, guard, run)
        if isinstance(node, ast.For):
            return self._for(node, variables, guard, run)
        if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            return guard
        raise Unsupported(f"{run.name}, line {node.lineno}: {type(node).__name__} in a property")

    def _returned(self, node: ast.expr | None, variables: dict[str, Any], guard: Guard, run: _Run) -> Any:
        """The value returned. A claim that only returns another function's value is that function."""
        if run.top and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            arguments = [self._value(argument, variables, guard) for argument in node.args]
            return self._run(node.func.id, arguments, guard, top=True)
        return self._value(node, variables, guard) if node is not None else 0

    def _if(self, node: ast.If, variables: dict[str, Any], guard: Guard, run: _Run) -> Guard | None:
        test = formula_from(self._value(node.test, variables, guard))
        yes, no = guarded(guard, test), guarded(guard, negation(test))
        if no is None or test is True:
            return self._block(node.body, variables, guard, run)
        if yes is None:
            return self._block(node.orelse, variables, guard, run)
        left, right = dict(variables), dict(variables)
        live_left = self._block(node.body, left, yes, run)
        live_right = self._block(node.orelse, right, no, run)
        variables.clear()
        if live_left is None or live_right is None:
            variables.update(right if live_left is None else left)
            return live_right if live_left is None else live_left
        for name in [*left, *(name for name in right if name not in left)]:
            if name in left and name in right and left[name] is right[name]:
                variables[name] = left[name]
            else:
                ways = [(g - guard, way[name]) for g, way in ((yes, left), (no, right)) if name in way]
                variables[name] = value_of(ways)
        if live_left == yes and live_right == no:
            return guard
        return either_guard([live_left, live_right])

    def _for(self, node: ast.For, variables: dict[str, Any], guard: Guard, run: _Run) -> Guard | None:
        assert isinstance(node.iter, ast.Call)
        assert isinstance(node.target, ast.Name)
        bounds = [self._value(argument, variables, guard) for argument in node.iter.args]
        if all(isinstance(bound, int) for bound in bounds):
            live: Guard | None = guard
            for value in range(*bounds):
                if live is None:
                    return None
                variables[node.target.id] = value
                live = self._block(node.body, variables, live, run)
            return live
        if len(bounds) > 2:
            raise Unsupported(f"{run.name}, line {node.lineno}: a loop over pages with a step")
        first, end = bounds if len(bounds) == 2 else (0, bounds[0])
        return self._pages(node, first, end, variables, guard, run)

    # ---- loops over pages ------------------------------------------------------------------------

    def _pages(
        self, node: ast.For, first: Any, end: Any, variables: dict[str, Any], guard: Guard, run: _Run
    ) -> Guard | None:
        assert isinstance(node.target, ast.Name)
        target = node.target.id
        if _stored(node) & set(variables) - {target}:
            raise Unsupported(f"{run.name}, line {node.lineno}: a loop over pages that adds something up")

        def at(page: Any) -> Round:
            bounds = [self._compared(ast.LtE, guard, first, page), self._compared(ast.Lt, guard, page, end)]
            inside = guarded(guard, both(bounds))
            if inside is None:
                return False, []
            inner = _Run(run.name, False)
            live = self._block(node.body, {**variables, target: page}, inside, inner)
            ends = True if live is None else negation(both(live - inside))
            returns = [(both(returned - guard), value) for returned, value in inner.returns]
            return both([*(inside - guard), ends]), returns

        if run.top and first == 0 and _returns_only_false(node):
            found = either(at(page)[0] for page in self.context.pages)
            run.returns += [(g, False) for g in [guarded(guard, found)] if g is not None]
            return guarded(guard, negation(found))
        return self._first_page(node, [first, *self.context.breakpoints], at, guard, run)

    def _first_page(
        self, node: ast.For, places: Sequence[Any], at: Callable[[Any], Round], guard: Guard, run: _Run
    ) -> Guard | None:
        """Evaluate the body at one unknown page, for which the breakpoints are then put."""
        pages = {key_of(part): part for place in places for _, part in cases_of(place)}
        name = f"page#{next(self._fresh)}"
        ends_there, returns = at(unknown(name))
        self._check_breakpoints(f"{run.name}, line {node.lineno}", name, ends_there, pages, guard)
        puts = [(page, Put(name, page, self._facts.plain)) for page in pages.values()]
        ends = [(page, put, put.formula(ends_there)) for page, put in puts]
        ends = [one for one in ends if one[2] is not False]
        ways: dict[Any, list[tuple[Formula, Any]]] = {}
        for page, put, ends_here in ends:
            earlier = [
                both([formula, self._compared(ast.Lt, ALWAYS, other, page)])
                for other, _, formula in ends
                if other is not page
            ]
            is_first = both([ends_here, *map(negation, earlier)])
            for formula, value in returns if is_first is not False else ():
                there = with_put(put, value)
                ways.setdefault(key_of(there), []).append((both([put.formula(formula), is_first]), there))
        for group in ways.values():
            reached = guarded(guard, either(formula for formula, _ in group))
            if reached is not None:
                run.returns.append((reached, group[0][1]))
        return guarded(guard, negation(either(formula for _, _, formula in ends)))

    def _check_breakpoints(self, where: str, name: str, ends: Formula, pages: Mapping[Any, Any], guard: Guard) -> None:
        """Raise Unsupported unless the first page with which the body returns has to be one of these."""
        places = changes(ends, name)
        if places is not None and all(key_of(place) in pages for place in places):
            return
        page = unknown(name)
        before = replaced(ends, name, page - 1)
        elsewhere = [formula_of(page != other) for other in pages.values()]
        if not self.context.proves(negation(both([*guard, ends, negation(before), *elsewhere]))):
            raise Unsupported(f"{where}: a loop over pages that looks at more than where mappings end")

    # ---- expressions -----------------------------------------------------------------------------

    def _value(self, node: ast.expr, variables: dict[str, Any], guard: Guard) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return variables[node.id] if node.id in variables else self.constants[node.id]
        if isinstance(node, ast.Attribute):
            return self._field(node, variables, guard)
        if isinstance(node, ast.Call):
            assert isinstance(node.func, ast.Name)
            arguments = [self._value(argument, variables, guard) for argument in node.args]
            return self._call(node.func.id, arguments, guard)
        if isinstance(node, ast.BoolOp):
            return self._bool(node, variables, guard)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return truth(negation(formula_from(self._value(node.operand, variables, guard))))
        if isinstance(node, ast.UnaryOp):
            return self._lift(UNARY[type(node.op)], guard, self._value(node.operand, variables, guard))
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, variables, guard), self._value(node.right, variables, guard)
            return self._lift(BINARY[type(node.op)], guard, left, right)
        if isinstance(node, ast.Compare):
            return self._compare(node, variables, guard)
        if isinstance(node, ast.IfExp):
            return self._if_expression(node, variables, guard)
        raise Unsupported(f"line {node.lineno}: {type(node).__name__} in a property")

    def _bool(self, node: ast.BoolOp, variables: dict[str, Any], guard: Guard) -> Any:
        """and, or: an operand is only evaluated where the ones before it leave the answer open."""
        is_and = isinstance(node.op, ast.And)
        formulas: list[Formula] = []
        here: Guard | None = guard
        for operand in node.values:
            assert here is not None
            value = self._value(operand, variables, here)
            if not isinstance(value, bool | Truth):
                raise Unsupported(f"line {node.lineno}: 'and' or 'or' of numbers in a property")
            formula = formula_from(value)
            formulas.append(formula)
            here = guarded(here, formula if is_and else negation(formula))
            if here is None:
                break
        return truth(both(formulas) if is_and else either(formulas))

    def _compare(self, node: ast.Compare, variables: dict[str, Any], guard: Guard) -> Any:
        left = self._value(node.left, variables, guard)
        formulas = []
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            right = self._value(right_node, variables, guard)
            formulas.append(self._compared(type(operator), guard, left, right))
            left = right
        return truth(both(formulas))

    def _compared(self, operator: type, guard: Guard, left: Any, right: Any) -> Formula:
        """A comparison; known, if it follows from the facts."""
        compare, plain = COMPARE[operator], self._facts.plain
        return formula_from(self._lift(lambda a, b: truth(plain(formula_of(compare(a, b)))), guard, left, right))

    def _if_expression(self, node: ast.IfExp, variables: dict[str, Any], guard: Guard) -> Any:
        test = formula_from(self._value(node.test, variables, guard))
        ways = []
        for formula, part in ((test, node.body), (negation(test), node.orelse)):
            here = guarded(guard, formula)
            if here is not None:
                ways.append((here - guard, self._value(part, variables, here)))
        return value_of(ways)

    def _field(self, node: ast.Attribute, variables: dict[str, Any], guard: Guard) -> Any:
        if not isinstance(node.value, ast.Subscript):
            assert isinstance(node.value, ast.Name)
            return getattr(variables[node.value.id], node.attr)
        array_node = node.value.value
        assert isinstance(array_node, ast.Attribute)
        assert isinstance(array_node.value, ast.Name)
        array = getattr(variables[array_node.value.id], array_node.attr)
        index = self._value(node.value.slice, variables, guard)
        if hasattr(array, "cases"):  # pages
            return self._lift(lambda page: value_of(array.cases(page, node.attr)), guard, index)
        if isinstance(index, Linear):
            index = Cases([(frozenset([equal(index, i)]), i) for i in range(_length(array))])
            self._undefined.append(guard.union(negation(next(iter(known))) for known, _ in index.cases))
        return self._lift(lambda i: getattr(array[i], node.attr), guard, index)

    def _lift(self, function: Callable[..., Any], guard: Guard, *values: Any) -> Any:
        """Apply the function to values that may be Cases, and note where it is undefined."""
        if not any(isinstance(value, Cases) for value in values):
            try:
                return function(*values)
            except (Oops, IndexError):
                self._undefined.append(guard)
                return Cases([])
        found: list[tuple[Guard, Any]] = []
        for ways in product(*(cases_of(value) if isinstance(value, Cases) else [(ALWAYS, value)] for value in values)):
            way_in: Guard | None = ALWAYS
            for way, _ in ways:
                way_in = joined(way_in, way) if way_in is not None else None
            if way_in is None or joined(guard, way_in) is None:
                continue
            try:
                found.append((way_in, function(*(value for _, value in ways))))
            except (Oops, IndexError):
                self._undefined.append(guard | way_in)
        return value_of(found) if found else Cases([])


@lru_cache(maxsize=256)
def _stored(node: ast.For) -> frozenset[str]:
    """The names that are assigned to in a loop."""
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _length(array: Any) -> int:
    """The number of slots of an array, counting slot 0, which may be NULL's."""
    return next(i for i in range(1, len(array)) if isinstance(array[i], NullSlot))


def _returns_only_false(node: ast.For) -> bool:
    returns = [part for part in ast.walk(node) if isinstance(part, ast.Return)]
    return all(isinstance(part.value, ast.Constant) and part.value.value is False for part in returns)
