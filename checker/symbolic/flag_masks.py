# SPDX-License-Identifier: GPL-2.0-only
"""Functions that change nothing and return a mask of flags: one mask for all ways through, instead of a fork."""

from collections.abc import Callable
from typing import Any

from vmacheck.checker.program.interpreted import Oops
from vmacheck.checker.symbolic.values import Bits, Forks, Formula, Unsupported, both, chosen, negation

MOST_WAYS = 16


class _Ways:
    """The ways through a function, one after the other, possible or not."""

    def __init__(self) -> None:
        self.decided: list[tuple[Formula, bool]] = []
        self._position = 0

    def begin(self) -> None:
        """Begin at the start of the function."""
        self._position = 0

    def decide(self, formula: Formula) -> bool:
        """The answer on this way."""
        if isinstance(formula, bool):
            return formula
        for known, answer in self.decided[: self._position]:
            if known is formula or known is formula.opposite:
                return answer == (known is formula)
        if self._position == len(self.decided):
            self.decided.append((formula, True))
        self._position += 1
        return self.decided[self._position - 1][1]

    def following(self) -> bool:
        """Go on to the next way. Returns whether there was another."""
        while self.decided and not self.decided[-1][1]:
            self.decided.pop()
        if self.decided:
            self.decided[-1] = (self.decided[-1][0], False)
        return bool(self.decided)

    def condition(self) -> Formula:
        """The condition under which this way is taken."""
        return both(formula if answer else negation(formula) for formula, answer in self.decided)


def merged(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's value as one mask. If it is no mask, or has too many ways, it is followed way by way."""
    outer, found = (Forks.decide, Forks.assume), _found(function, arguments)
    Forks.decide, Forks.assume = outer
    if not all(isinstance(value, Bits) or (type(value) is int and value >= 0) for _, value in found):
        found = []
    if not found or not any(isinstance(value, Bits) for _, value in found):
        return function(*arguments)
    result = found[-1][1]
    for condition, value in reversed(found[:-1]):
        result = chosen(condition, value, result)
    return result


def _found(function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[tuple[Formula, Any]]:
    """The function's value on each way; empty, if not all of them can be followed so."""
    if Forks.decide is None:
        return []
    ways, found = _Ways(), list[tuple[Formula, Any]]()
    Forks.decide, Forks.assume = ways.decide, None
    while len(found) < MOST_WAYS:
        ways.begin()
        try:
            value = function(*arguments)
        except (Oops, IndexError, TypeError, Unsupported):
            return []
        found.append((ways.condition(), value))
        if not ways.following():
            return found
    return []
