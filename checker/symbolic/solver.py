# SPDX-License-Identifier: GPL-2.0-only
"""Z3, for the formulas of values.py: can they be true together, with which numbers, and how small?"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

import z3

from vmacheck.checker.symbolic.values import Bits, Formula, Linear, Node, Terms, at_most, both

INFINITE = float("inf")
ROUNDS = 1000  # improvements of a bound at most: contradicting facts would improve it forever
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}


class _Z3:
    """The context that Z3's terms live in."""

    context: Any = z3.Context()


def start_afresh() -> None:
    """Forget all formulas and terms, so that the next question is answered as if it were the first."""
    Node.forget()
    for cached in (_integer, _mask, _term):
        cached.cache_clear()
    _Z3.context = z3.Context()


@lru_cache(maxsize=1 << 16)
def _integer(name: str) -> Any:
    return z3.Int(name, _Z3.context)


def _sum(terms: Any, constant: int) -> Any:
    parts = [_integer(name) if c == 1 else c * _integer(name) for name, c in terms]
    return z3.Sum(*parts, constant) if len(parts) > 1 else parts[0] + constant if constant else parts[0]


@lru_cache(maxsize=1 << 16)
def _mask(expression: Any) -> Any:
    kind = expression[0]
    if kind == "var":
        return z3.BitVec(expression[1], 64, _Z3.context) & expression[2]
    if kind == "const":
        return z3.BitVecVal(expression[1], 64, _Z3.context)
    if kind == "~":
        return ~_mask(expression[1])
    if kind == "?":
        return z3.If(_term(expression[1]), _mask(expression[2]), _mask(expression[3]))
    return OPERATORS[kind](_mask(expression[1]), _mask(expression[2]))


@lru_cache(maxsize=1 << 17)
def _term(formula: Formula) -> Any:
    """A formula as a Z3 term."""
    if isinstance(formula, bool):
        return z3.BoolVal(formula, _Z3.context)
    if formula.kind == "<=0":
        return _sum(formula.parts, formula.constant) <= 0
    if formula.kind == "==0":
        return _sum(formula.parts, formula.constant) == 0
    if formula.kind == "bits==0":
        return _mask(formula.parts) == 0
    parts = [_term(part) for part in formula.parts]
    if formula.kind == "not":
        return z3.Not(parts[0])
    # as z3.And and z3.Or do, which look at each part for long
    context = parts[0].ctx
    array = (z3.Ast * len(parts))(*(part.as_ast() for part in parts))
    make = z3.Z3_mk_and if formula.kind == "and" else z3.Z3_mk_or
    return z3.BoolRef(make(context.ref(), len(parts), array), context)


class Solver:
    """A stack of assumptions; `assumed` has them. `gave_up`: a question went unanswered within the time for it."""

    def __init__(self, milliseconds: int | None = None) -> None:
        self._solver = z3.Solver(ctx=_Z3.context)
        if milliseconds is not None:
            self._solver.set("timeout", milliseconds)
        self.gave_up = False
        self.checks = 0
        self.assumed: list[Formula] = []
        self._marks: list[int] = []

    def push(self) -> None:
        """Remember the assumptions as they are."""
        self._solver.push()
        self._marks.append(len(self.assumed))

    def pop(self) -> None:
        """Go back to the assumptions of the last push."""
        self._solver.pop()
        del self.assumed[self._marks.pop() :]

    def add(self, formula: Formula) -> None:
        """Assume one more formula."""
        if formula is not True:
            self._solver.add(_term(formula))
            self.assumed.append(formula)

    def possible(self, formula: Formula = True) -> bool:
        """Can the formula be true under the assumptions? An unanswered question counts as yes, and sets gave_up."""
        return self.find(formula) is not False

    def find(self, formula: Formula = True) -> "Model | bool":
        """Numbers under which the assumptions and the formula are true; False if there are none, True if unanswered."""
        if formula is False:
            return False
        self.checks += 1
        self._solver.push()
        if formula is not True:
            self._solver.add(_term(formula))
        answer = self._solver.check()
        found: Model | bool = False
        if answer == z3.sat:
            found = Model(self._solver.model())
        elif answer == z3.unknown:
            self.gave_up = found = True
        self._solver.pop()
        return found


class Facts:
    """Formulas that are known to be true, and what follows from them for the differences between two integers."""

    def __init__(self, formulas: Iterable[Formula]) -> None:
        known = both(formulas)
        parts = known.parts if isinstance(known, Node) and known.kind == "and" else [known]
        self._true = {part for part in parts if isinstance(part, Node)}
        self._above: dict[str, list[tuple[str, int]]] = {}  # to b: each a, k of which a - b <= k is known
        self._largest: dict[str, dict[str, int]] = {}
        for part in self._true:
            if part.kind in ("<=0", "==0"):
                self._learn(part.parts, -part.constant)
                if part.kind == "==0":
                    self._learn(tuple((name, -c) for name, c in part.parts), part.constant)

    def _learn(self, terms: Terms, largest: int) -> None:
        pair = _difference(terms)
        if pair is not None:
            self._above.setdefault(pair[1], []).append((pair[0], largest))

    def _most(self, a: str, b: str) -> float:
        """The largest value of a - b that the facts allow."""
        largest = self._largest.get(b)
        if largest is None:
            largest = self._largest[b] = {b: 0}
            waiting = [b]
            for name in islice(waiting, ROUNDS):
                for other, k in self._above.get(name, ()):
                    if largest[name] + k < largest.get(other, INFINITE):
                        largest[other] = largest[name] + k
                        waiting.append(other)
        return largest.get(a, INFINITE)

    def plain(self, formula: Formula) -> Formula:
        """True or False if the atom is known, else the atom."""
        if isinstance(formula, bool):
            return formula
        if formula in self._true:
            return True
        if formula.opposite in self._true:
            return False
        pair = _difference(formula.parts) if formula.kind in ("<=0", "==0") else None
        if pair is None:
            return formula
        high, low = self._most(*pair) + formula.constant, formula.constant - self._most(pair[1], pair[0])
        if low > 0 or (formula.kind == "==0" and high < 0):
            return False
        return True if high <= 0 and (formula.kind == "<=0" or low == 0) else formula


def _difference(terms: Terms) -> tuple[str, str] | None:
    """The terms as a - b. There, "" is 0."""
    if len(terms) == 1 and abs(terms[0][1]) == 1:
        return (terms[0][0], "") if terms[0][1] == 1 else ("", terms[0][0])
    if len(terms) == 2 and {terms[0][1], terms[1][1]} == {1, -1}:
        return (terms[0][0], terms[1][0]) if terms[0][1] == 1 else (terms[1][0], terms[0][0])
    return None


class Model:
    """Numbers for the unknowns; 0 where any will do."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def value(self, value: Any) -> int:
        """The value of a number, a mask or an int, as an int."""
        if isinstance(value, Linear):
            return value.constant + sum(c * self.integer(name) for name, c in value.terms)
        if isinstance(value, Bits):
            return int(self._model.eval(_mask(value.expression), model_completion=True).as_long())
        return int(value)

    def truth(self, formula: Formula) -> bool:
        """Is the formula true of these numbers?"""
        return bool(z3.is_true(self._model.eval(_term(formula), model_completion=True)))

    def integer(self, name: str) -> int:
        """The value of an unknown integer."""
        return int(self._model.eval(_integer(name), model_completion=True).as_long())


def least(solver: Solver, cost: Any, lowest: int = 0) -> int | None:
    """The least value of a linear cost under the solver's assumptions, which it is then held to. None: unanswered.

    By bisection below a possible value, so that the last question proves that nothing is less.
    """
    found = solver.find()
    if not isinstance(found, Model):
        return None
    high = found.value(cost)
    while lowest < high:
        middle = (lowest + high) // 2
        found = solver.find(at_most(cost, middle))
        if found is True:
            return None
        if isinstance(found, Model):
            high = found.value(cost)
        else:
            lowest = middle + 1
    solver.add(at_most(cost, high))
    return high
