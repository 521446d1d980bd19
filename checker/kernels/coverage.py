# SPDX-License-Identifier: GPL-2.0-only
"""Branches of a kernel's functions that the programs of a scope take, counted by counters in the functions.

Each arm is counted: each side of an if, even without a written else, and of a conditional expression; the body of a
loop; each operand of `and` and `or` that can decide the whole.
"""

import ast
import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType
from typing import Any

from vmacheck.checker.kernels import threads
from vmacheck.checker.kernels.names import split_name
from vmacheck.checker.kernels.programs import program_of, shown_path
from vmacheck.checker.kernels.scope import Scope, ScopeError
from vmacheck.checker.kernels.world import world_of
from vmacheck.checker.program.guards import with_guards
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.link import Function, Program, read
from vmacheck.checker.program.system import System
from vmacheck.checker.search.outcome import Limits, Report
from vmacheck.checker.search.walk import Walk, walk

NEVER = {
    "enter": "never called",
    "true": "never true",
    "false": "never false",
    "loop": "loop never entered",
    "yes": "never the first value",
    "no": "never the second value",
}


@dataclass(frozen=True)
class Arm:
    """A way through part of a function, and how often it was taken; of kind enter, the call of the function itself.

    what: words for what is never done if times is 0. inside: the number of the arm that leads here, or None for kind
    enter.
    """

    file: str
    line: int
    function: str
    kind: str
    what: str
    source: str
    inside: int | None
    times: int = 0


@dataclass(frozen=True)
class Branches:
    """Every arm of every function of a kernel, and the walk that counted them."""

    kernel: str
    scope: Scope
    limits: Limits
    walk: Walk
    arms: tuple[Arm, ...]

    @property
    def functions(self) -> tuple[Arm, ...]:
        """The arms that are calls of functions."""
        return tuple(arm for arm in self.arms if arm.inside is None)

    @property
    def inner(self) -> tuple[Arm, ...]:
        """The others."""
        return tuple(arm for arm in self.arms if arm.inside is not None)

    def unreached(self) -> list[tuple[Arm, int]]:
        """The outermost arms that were never reached, and how many more are inside each."""
        within: dict[int, int] = {}
        for number, arm in enumerate(self.arms):
            outermost, parent = number, arm.inside
            while parent is not None:
                outermost, parent = (parent if not self.arms[parent].times else outermost), self.arms[parent].inside
            if not arm.times:
                within[outermost] = within.get(outermost, -1) + 1
        return [(self.arms[number], inside) for number, inside in within.items()]


def branches_of(kernel: str, scope: Scope, limits: Limits | None = None, report: Report | None = None) -> Branches:
    """Go through every state of the scope, and count. Raises as one_process.build does, and OutOfBounds."""
    system = unpruned(kernel, scope)
    counter = Counter(system.program.reachable(system.roots()))
    machine = Machine(system, counter.code)
    machine.functions.update(counter.functions())
    found = walk(system, limits, report, machine=machine)
    arms = [replace(arm, times=times) for arm, times in zip(counter.arms, counter.times, strict=True)]
    return Branches(kernel, scope, limits or Limits(), found, tuple(arms))


def unpruned(kernel: str, scope: Scope) -> System:
    """The kernel as a system, including the functions and branches that a search leaves out."""
    if scope.segments is not None:
        raise ScopeError("coverage is about pages; give --pages")
    system = world_of(scope).build(kernel, scope)
    constants = dict(system.program.constants)
    for path in split_name(kernel)[2]:
        for name in read(path, path.read_text(encoding="utf-8"), constants)[1]:
            constants.pop(name, None)  # a patch's own, which linking defines again
    whole = program_of(kernel, constants, under=threads.MODEL if scope.threads else ())
    program = Program({**system.program.functions, **whole.functions}, system.program.constants)
    return replace(system, program=program)


class Counter:
    """The arms of functions, and how often each was reached."""

    def __init__(self, functions: Sequence[Function]) -> None:
        self.arms: list[Arm] = []
        self.nodes: dict[str, ast.FunctionDef] = {}
        for function in sorted(functions, key=lambda one: (shown_path(one.file), one.node.lineno)):
            self.nodes[function.name] = _Counted(function, self.arms).function()
        self.times = [0] * len(self.arms)

    def code(self, function: Function) -> CodeType:
        """The function, with counters, as code."""
        node = with_guards(replace(function, node=self.nodes[function.name]))
        return compile(ast.Module([node], []), function.file, "exec")

    def functions(self) -> dict[str, Any]:
        """The functions that the counters call."""
        times = self.times

        def reach(arm: int, value: Any = None) -> Any:
            times[arm] += 1
            return value

        def if_true(arm: int, value: Any) -> Any:
            if value:
                times[arm] += 1
            return value

        def if_false(arm: int, value: Any) -> Any:
            if not value:
                times[arm] += 1
            return value

        return {"__reach__": reach, "__if_true__": if_true, "__if_false__": if_false}


class _Counted(ast.NodeTransformer):
    """A transformer that puts counters into a function."""

    def __init__(self, function: Function, arms: list[Arm]) -> None:
        self.of, self.arms = function, arms
        self.lines = Path(function.file).read_text(encoding="utf-8").splitlines()
        self.inside: int | None = None

    def function(self) -> ast.FunctionDef:
        """The function with counters."""
        node = copy.deepcopy(self.of.node)
        node.body = self._block(node.body, self._arm(node, "enter"))
        return ast.fix_missing_locations(node)

    def _arm(self, node: ast.stmt | ast.expr, kind: str, what: str = "", inside: int | None = None) -> int:
        source = self.lines[node.lineno - 1].strip() if node.lineno <= len(self.lines) else ""
        where = (shown_path(self.of.file), node.lineno, self.of.name)
        self.arms.append(Arm(*where, kind, what or NEVER[kind], source, self.inside if inside is None else inside))
        return len(self.arms) - 1

    def _block(self, body: list[ast.stmt], arm: int) -> list[ast.stmt]:
        """The statements that an arm leads to. Those after an if that leaves the block are inside its else."""
        before, self.inside = self.inside, arm
        counter = ast.Expr(_call("__reach__", arm))
        counted: list[ast.stmt] = [ast.copy_location(counter, body[0] if body else self.of.node)]
        for statement in body:
            yes, no = len(self.arms), len(self.arms) + 1  # of an if; they are the first that it adds
            counted.append(self.visit(statement))
            if isinstance(statement, ast.If):
                if _leaves(statement.body):
                    self.inside = no
                elif _leaves(statement.orelse):
                    self.inside = yes
        self.inside = before
        return counted

    def visit_If(self, node: ast.If) -> ast.If:
        """Both sides."""
        yes, no = self._arm(node, "true"), self._arm(node, "false")
        node.test = self._condition(node.test, yes, no)
        node.body, node.orelse = self._block(node.body, yes), self._block(node.orelse, no)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        """The body."""
        arm = self._arm(node, "loop")
        node.iter = self.visit(node.iter)
        node.body = self._block(node.body, arm)
        return node

    def visit_While(self, node: ast.While) -> ast.While:
        """The body."""
        arm = self._arm(node, "loop")
        node.test = self._condition(node.test, arm, None)
        node.body = self._block(node.body, arm)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.IfExp:
        """Both values."""
        yes, no = self._arm(node.body, "yes"), self._arm(node.orelse, "no")
        node.test = self._condition(node.test, yes, no)
        before = self.inside
        for name, arm in (("body", yes), ("orelse", no)):
            self.inside = arm
            setattr(node, name, _call("__reach__", arm, self.visit(getattr(node, name))))
        self.inside = before
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """The operands, where the whole is a value."""
        return self._condition(node, None, None, is_test=False)

    def _condition(self, node: ast.expr, yes: int | None, no: int | None, is_test: bool = True) -> ast.expr:
        """The operands that decide. yes, no: the arms that the condition leads to, if it is true and if it is not.

        In a test, "no operand decides" is one of those arms.
        """
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            node.operand = self._condition(node.operand, no, yes, is_test)
            return node
        if not isinstance(node, ast.BoolOp):
            counted: ast.expr = self.visit(node)
            return counted
        is_and = isinstance(node.op, ast.And)
        decides, rest = ("__if_false__", "__if_true__") if is_and else ("__if_true__", "__if_false__")
        word = "false" if is_and else "true"
        values: list[ast.expr] = []
        for number, value in enumerate(node.values, 1):
            what = f"operand {number} of {len(node.values)} never {word}"
            arm = self._arm(value, "operand", what, no if is_and else yes)
            inner = (None, arm) if is_and else (arm, None)
            values.append(_call(decides, arm, self._condition(value, *inner)))
        whole = ast.copy_location(ast.BoolOp(node.op, values), node)
        if is_test:
            return whole
        arm = self._arm(node, "operand", f"never {'true' if is_and else 'false'} as a whole")
        return _call(rest, arm, whole)


def _call(name: str, arm: int, value: ast.expr | None = None) -> ast.Call:
    call = ast.Call(ast.Name(name, ast.Load()), [ast.Constant(arm), *([value] if value is not None else [])], [])
    return ast.copy_location(call, value) if value is not None else call


def _leaves(body: Sequence[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Return | ast.Break | ast.Continue)
