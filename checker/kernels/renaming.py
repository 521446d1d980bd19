# SPDX-License-Identifier: GPL-2.0-only
"""May anon_vmas be renamed? Only if no rule can tell one name from another, but for asking whether they are the same.

States that differ in the names of anon_vmas, of objects or of list nodes are one state to every search (canonicalise).
So the functions that a user brings, with all that they call, are looked through: a value that can be a name may be
compared with another by == and !=, kept in a field for names, passed on, and used as the index of what it names. An
order, a calculation, another index, or a number that becomes a name is refused.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from vmacheck.checker.program.link import Function, LinkError, Program

ANON_VMA, OBJECT, NODE = "anon_vma", "object", "list node"
# fields that hold names, by array; "" is the state itself
FIELDS = {
    **{("vma", name): ANON_VMA for name in ("anon_vma", "anon_vma_node", *(f"link_{i}" for i in range(1, 9)))},
    **{("page", "mapping"): ANON_VMA, ("task", "anon_vma"): ANON_VMA, ("anon_vma", "parent"): ANON_VMA},
    **{("", "vmg_anon_vma"): ANON_VMA, ("vma", "vm_file"): OBJECT, ("", "vmg_file"): OBJECT, ("", "file"): OBJECT},
    **{("vma", "link"): NODE, ("task", "node"): NODE, ("node", "next"): NODE, ("node", "prev"): NODE},
    **{("anon_vma", "first"): NODE, ("anon_vma", "last"): NODE},
}
INDEXED = {"anon_vma": ANON_VMA, "node": NODE}  # arrays with a slot for each name
LAST = {"NR_ANON_VMAS": ANON_VMA, "NR_NODES": NODE}  # the names are 1 to these
NEW = {"anon_vma_alloc": ANON_VMA}  # functions of the model that make a name
KNOWN_FILES = "NR_NAMED_FILES"  # files up to this one keep their names, and those of objects are greater

REASON = "searches rename anon_vmas, objects and list nodes, and a name says only which are the same"
Kinds = frozenset[str]
NONE: Kinds = frozenset()


def check_names_are_only_compared(program: Program, files: Iterable[str]) -> None:
    """Raise LinkError for the first place where a function of these files, or what it calls, looks at a name so that
    renaming could change what it does."""
    own = set(files)
    roots = [name for name, function in program.functions.items() if function.file in own]
    if not roots:
        return
    models = {name: function for name, function in program.functions.items() if function.file not in own}
    found, alone = _Names(program), _Names(Program(models, program.constants))
    reached = program.reachable(roots)
    for function in sorted(reached, key=lambda function: (function.file not in own, function.name)):
        # the model's own functions know what they do with names; new are names that come in where numbers did
        known = set(alone.faults(function)) if function.file not in own else set()
        for line, why in found.faults(function):
            if (line, why) not in known:
                raise LinkError(f"{function.file}:{line}: {function.name} {why}; {REASON}")


@dataclass
class _Names:
    """What each parameter and each result can be the name of, by a fixed point over all functions."""

    program: Program
    variables: dict[tuple[str, str], Kinds] = field(default_factory=dict)
    results: dict[str, Kinds] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.results = {name: frozenset({kind}) for name, kind in NEW.items()}
        while self._round():
            pass

    def _round(self) -> bool:
        before = (dict(self.variables), dict(self.results))
        for function in self.program.functions.values():
            _Body(self, function).follow()
        return before != (self.variables, self.results)

    def faults(self, function: Function) -> list[tuple[int, str]]:
        """The lines of a function at which a name is looked at otherwise, and how."""
        body = _Body(self, function)
        body.follow()
        return body.faults


class _Body:
    """One function: what its expressions can be names of, and where that goes wrong."""

    def __init__(self, names: _Names, function: Function) -> None:
        self.names, self.function = names, function
        self.faults: list[tuple[int, str]] = []

    def follow(self) -> None:
        """Learn what its variables, its result and the parameters of what it calls can be, and collect the faults."""
        for statement in self.function.node.body:
            self._statement(statement)

    # ---- statements ------------------------------------------------------------------------------

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            self._assign(node.targets[0], self._kinds(node.value), node.value)
        elif isinstance(node, ast.AugAssign):
            if kinds := self._kinds(node.target) | self._kinds(node.value):
                self._fault(node, "calculates with the name of", kinds)
        elif isinstance(node, ast.Return):
            if node.value is not None:
                self._learn_result(self._kinds(node.value))
        elif isinstance(node, ast.For):
            self._for(node)
        elif isinstance(node, ast.If | ast.While):
            self._kinds(node.test)
            for part in (*node.body, *node.orelse):
                self._statement(part)
        elif isinstance(node, ast.Expr):
            self._kinds(node.value)

    def _for(self, node: ast.For) -> None:
        assert isinstance(node.iter, ast.Call)
        assert isinstance(node.target, ast.Name)
        for bound in node.iter.args:
            if kinds := self._kinds(bound):
                self._fault(node, "counts with the name of", kinds)
        ends = {part.id for part in ast.walk(node.iter) if isinstance(part, ast.Name)}
        kinds = frozenset(LAST[name] for name in ends & set(LAST))
        if kinds:
            self._learn(node.target.id, kinds)
        for part in node.body:
            self._statement(part)
        if kinds and self._picks_one(node):
            self._fault(node, "takes the first in the order of the names of", kinds)

    def _picks_one(self, loop: ast.For) -> bool:
        """Does the loop over all names choose one of them, and so the one with the least name?"""
        for node in (node for statement in loop.body for node in ast.walk(statement)):
            if isinstance(node, ast.Break):
                return True
            if isinstance(node, ast.Return) and node.value is not None and self._kinds(node.value):
                return True
            if isinstance(node, ast.Assign) and self._kinds(node.value):
                return True
        return False

    def _assign(self, target: ast.expr, kinds: Kinds, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._learn(target.id, kinds)
            return
        if isinstance(target, ast.Subscript):  # a whole slot
            self._kinds(target)
            return
        wanted = self._field(target)
        self._kinds(target)
        if wanted is None and kinds:
            self._fault(target, "puts into a field for numbers the name of", kinds)
        if wanted is not None and not kinds and not self._is_known(value, wanted):
            self._fault(target, "puts a number where there is the name of", frozenset({wanted}))

    # ---- expressions -----------------------------------------------------------------------------

    def _kinds(self, node: ast.expr) -> Kinds:
        """What the expression can be the name of."""
        if isinstance(node, ast.Name):
            return self.names.variables.get((self.function.name, node.id), NONE)
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Subscript):
                self._index(node.value)
            name = self._field(node)
            return NONE if name is None else frozenset({name})
        if isinstance(node, ast.Subscript):
            self._index(node)
            return NONE
        if isinstance(node, ast.IfExp):
            self._kinds(node.test)
            return self._kinds(node.body) | self._kinds(node.orelse)
        if isinstance(node, ast.BoolOp):
            return frozenset().union(*map(self._kinds, node.values))
        if isinstance(node, ast.Compare):
            self._compare(node)
            return NONE
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.BinOp):
            if kinds := self._kinds(node.left) | self._kinds(node.right):
                self._fault(node, "calculates with the name of", kinds)
        elif isinstance(node, ast.UnaryOp):
            kinds = self._kinds(node.operand)
            if kinds and not isinstance(node.op, ast.Not):
                self._fault(node, "calculates with the name of", kinds)
        return NONE

    def _compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
            kinds = self._kinds(left), self._kinds(right)
            if not any(kinds):
                continue
            both = kinds[0] | kinds[1]
            if not all(kinds) and any(self._is_known(side) for side in (left, right)):
                continue  # NULL comes before every name
            if not isinstance(operator, ast.Eq | ast.NotEq):
                if not (OBJECT in both and any(_is_constant(side, KNOWN_FILES) for side in (left, right))):
                    self._fault(node, "compares by order the names of", both)
            elif not all(kinds):
                other = right if kinds[0] else left
                if not self._is_known(other, *both):
                    self._fault(node, "compares with a number the name of", both)

    def _call(self, node: ast.Call) -> Kinds:
        assert isinstance(node.func, ast.Name)
        given = [self._kinds(argument) for argument in node.args]
        callee = self.names.program.functions.get(node.func.id)
        if callee is None:
            return NONE
        for parameter, kinds in zip(callee.parameters, given, strict=False):
            if kinds:
                key = (callee.name, parameter)
                self.names.variables[key] = self.names.variables.get(key, NONE) | kinds
        return self.names.results.get(callee.name, NONE)

    def _index(self, node: ast.Subscript) -> None:
        kinds = self._kinds(node.slice)
        array = node.value.attr if isinstance(node.value, ast.Attribute) else ""
        wanted = INDEXED.get(array)
        if wanted is None and kinds:
            self._fault(node, f"uses as an index of {array} the name of", kinds)
        if wanted is not None and not kinds:
            self._fault(node, "uses a number as the name of", frozenset({wanted}))

    # ---- what is known ---------------------------------------------------------------------------

    def _field(self, node: ast.expr) -> str | None:
        """What the field has names of."""
        if not isinstance(node, ast.Attribute):
            return None
        inner = node.value
        array = inner.value.attr if isinstance(inner, ast.Subscript) and isinstance(inner.value, ast.Attribute) else ""
        return FIELDS.get((array, node.attr))

    def _is_known(self, node: ast.expr, *kinds: str) -> bool:
        """Is it NULL, or a name that is never changed?"""
        if isinstance(node, ast.IfExp):
            return self._is_known(node.body, *kinds) and self._is_known(node.orelse, *kinds)
        value: object = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.Name) and (self.function.name, node.id) not in self.names.variables:
            value = self.names.program.constants.get(node.id)
        known = self.names.program.constants.get(KNOWN_FILES, 0) if kinds == (OBJECT,) else 0
        return isinstance(value, int) and 0 <= value <= known

    def _learn(self, name: str, kinds: Kinds) -> None:
        if kinds:
            key = (self.function.name, name)
            self.names.variables[key] = self.names.variables.get(key, NONE) | kinds

    def _learn_result(self, kinds: Kinds) -> None:
        name = self.function.name
        self.names.results[name] = self.names.results.get(name, NONE) | kinds

    def _fault(self, node: ast.AST, why: str, kinds: Kinds) -> None:
        what = " or ".join(f"an {kind}" if kind[0] in "ao" else f"a {kind}" for kind in sorted(kinds))
        self.faults.append((getattr(node, "lineno", 0), f"{why} {what}"))


def _is_constant(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
