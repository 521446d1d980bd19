# SPDX-License-Identifier: GPL-2.0-only
"""Z3, for formulas as checker/values.py has them: can they be true together, with which numbers, and how small?"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import z3

from checker.values import Bits, Formula, Linear, at_most

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}


@lru_cache(maxsize=1 << 16)
def _integer(name: str) -> Any:
    return z3.Int(name)


def _sum(terms: Any, constant: int) -> Any:
    parts = [_integer(name) if c == 1 else c * _integer(name) for name, c in terms]
    return z3.Sum(*parts, constant) if len(parts) > 1 else parts[0] + constant if constant else parts[0]


@lru_cache(maxsize=1 << 16)
def _mask(expression: Any) -> Any:
    kind = expression[0]
    if kind == "var":
        return z3.BitVec(expression[1], 32) & expression[2]
    if kind == "const":
        return z3.BitVecVal(expression[1], 32)
    if kind == "~":
        return ~_mask(expression[1])
    return OPERATORS[kind](_mask(expression[1]), _mask(expression[2]))


@lru_cache(maxsize=1 << 17)
def _term(formula: Formula) -> Any:
    """A formula as Z3 has it."""
    if isinstance(formula, bool):
        return z3.BoolVal(formula)
    if formula.kind == "<=0":
        return _sum(formula.parts, formula.constant) <= 0
    if formula.kind == "==0":
        return _sum(formula.parts, formula.constant) == 0
    if formula.kind == "bits==0":
        return _mask(formula.parts) == 0
    parts = [_term(part) for part in formula.parts]
    return z3.Not(parts[0]) if formula.kind == "not" else z3.And(*parts) if formula.kind == "and" else z3.Or(*parts)


class Solver:
    """A stack of assumptions. `gave_up` is set when a question went unanswered within the time that it was given."""

    def __init__(self, milliseconds: int | None = None) -> None:
        self._solver = z3.Solver()
        if milliseconds is not None:
            self._solver.set("timeout", milliseconds)
        self.gave_up = False
        self.checks = 0

    def push(self) -> None:
        """Remember the assumptions as they are."""
        self._solver.push()

    def pop(self) -> None:
        """Go back to the assumptions of the last push."""
        self._solver.pop()

    def add(self, formula: Formula) -> None:
        """Assume one more formula."""
        if formula is not True:
            self._solver.add(_term(formula))

    def possible(self, formula: Formula = True) -> bool:
        """Can the formula be true under the assumptions? An unanswered question counts as yes, and sets gave_up."""
        return self.find(formula) is not False

    def find(self, formula: Formula = True) -> "Model | bool":
        """Numbers under which the assumptions and the formula are true; False if there are none, True if unanswered."""
        if formula is False:
            return False
        self.checks += 1
        self._solver.push()
        self.add(formula)
        answer = self._solver.check()
        found: Model | bool = False
        if answer == z3.sat:
            found = Model(self._solver.model())
        elif answer == z3.unknown:
            self.gave_up = found = True
        self._solver.pop()
        return found


class Model:
    """Numbers for the unknowns; those that do not matter are 0."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def value(self, value: Any) -> int:
        """What a number, a mask or an int comes to."""
        if isinstance(value, Linear):
            return value.constant + sum(c * self.integer(name) for name, c in value.terms)
        if isinstance(value, Bits):
            return int(self._model.eval(_mask(value.expression), model_completion=True).as_long())
        return int(value)

    def truth(self, formula: Formula) -> bool:
        """Is the formula true of these numbers?"""
        return z3.is_true(self._model.eval(_term(formula), model_completion=True))

    def integer(self, name: str) -> int:
        """The value of an unknown integer."""
        return int(self._model.eval(_integer(name), model_completion=True).as_long())


def least(solver: Solver, cost: Any, lowest: int = 0) -> int | None:
    """The least value of a linear cost under the solver's assumptions, which it is then held to. None: unanswered.

    By bisection below a value that is possible, so that the last question proves that nothing is less.
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


def values_in(model: Model, unknowns: Mapping[str, Any]) -> dict[str, int]:
    """What each of the named values comes to."""
    return {name: model.value(value) for name, value in unknowns.items()}
