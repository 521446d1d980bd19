# SPDX-License-Identifier: GPL-2.0-only
"""Values that depend on unknowns, each with the guard under which it is the value."""

from collections.abc import Iterable
from typing import Any

from vmacheck.checker.symbolic.values import (
    Bits,
    Formula,
    Linear,
    Put,
    Truth,
    both,
    either,
    formula_of,
    negation,
    truth,
)

Guard = frozenset[Formula]
ALWAYS: Guard = frozenset()


class Cases:
    """A value that depends: (guard, value) pairs, of whose guards one is true."""

    __slots__ = ("cases",)

    def __init__(self, cases: list[tuple[Guard, Any]]) -> None:
        self.cases = cases


def guarded(guard: Guard, formula: Formula) -> Guard | None:
    """guard and formula; None if that is plainly impossible."""
    if isinstance(formula, bool):
        return guard if formula else None
    return joined(guard, frozenset(_parts(formula)))


def joined(first: Guard, second: Guard) -> Guard | None:
    """Both guards; None if that is plainly impossible."""
    if not first or not second:
        return first or second
    for part in second:
        if part.opposite in first:
            return None
    return first | second


def key_of(value: Any) -> Any:
    """A key to compare values by; of a struct, its identity."""
    if isinstance(value, Linear):
        return ("linear", value.terms, value.constant)
    if isinstance(value, Bits):
        return ("bits", value.expression)
    if isinstance(value, Truth):
        return ("truth", value.formula)
    if isinstance(value, Cases):
        return ("cases", *((guard, key_of(part)) for guard, part in value.cases))
    if isinstance(value, int):
        return (type(value), value)
    return ("struct", id(value))


def value_of(cases: Iterable[tuple[Guard, Any]]) -> Any:
    """One value for the cases: a Truth if they are truth values, and equal ones put together."""
    cases = list(cases)
    if cases and all(isinstance(value, bool | Truth) for _, value in cases):
        if all(value is True for _, value in cases) or all(value is False for _, value in cases):
            return cases[0][1]
        return truth(either(both([*guard, formula_of(value)]) for guard, value in cases))
    groups: dict[Any, list[tuple[Guard, Any]]] = {}
    for guard, value in cases:
        for inner, part in cases_of(value):
            here = joined(guard, inner)
            if here is not None:
                groups.setdefault(key_of(part), []).append((here, part))
    if len(groups) == 1:
        return next(iter(groups.values()))[0][1]
    ways = [(either_guard([guard for guard, _ in group]), group[0][1]) for group in groups.values()]
    return Cases([(guard, value) for guard, value in ways if guard is not None])


def either_guard(guards: list[Guard]) -> Guard | None:
    """One of the guards; None if that is plainly impossible."""
    if len(guards) == 1:
        return guards[0]
    common = frozenset.intersection(*guards)
    rest = either(both(sorted(guard - common, key=lambda part: part.serial)) for guard in guards)
    return guarded(common, rest)


def cases_of(value: Any) -> list[tuple[Guard, Any]]:
    """A value as cases."""
    if isinstance(value, Cases):
        return value.cases
    if isinstance(value, Truth):
        return [(frozenset(_parts(value.formula)), True), (frozenset(_parts(negation(value.formula))), False)]
    return [(ALWAYS, value)]


def _parts(formula: Formula) -> tuple[Formula, ...]:
    parts: tuple[Formula, ...] = formula.parts if formula.kind == "and" else (formula,)
    return parts


def under(guard: Guard, value: Any) -> Any:
    """The value, restricted to where the guard is true."""
    if not guard or not isinstance(value, Cases):
        return value
    cases = [(inner - guard, part) for inner, part in value.cases if joined(guard, inner) is not None]
    return cases[0][1] if len(cases) == 1 else Cases(cases)


def with_put(put: Put, value: Any) -> Any:
    """A value, with the number put."""
    if isinstance(value, Cases):
        ways = ((guarded(ALWAYS, both(map(put.formula, guard))), part) for guard, part in value.cases)
        cases = [(guard, with_put(put, part)) for guard, part in ways if guard is not None]
        return cases[0][1] if len(cases) == 1 else Cases(cases)
    return truth(put.formula(value.formula)) if isinstance(value, Truth) else put.number(value)


def formula_from(value: Any) -> Formula:
    """The formula that a value is true."""
    if isinstance(value, Cases):
        return either(both([*guard, formula_of(part)]) for guard, part in value.cases)
    return formula_of(value)
