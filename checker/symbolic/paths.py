# SPDX-License-Identifier: GPL-2.0-only
"""Every way through code that branches on unknown numbers, one path at a time.

The code is run again for each path, from its beginning; a path's decisions are the solver's assumptions. The same
decisions must lead the code to the same questions. Replay checks this.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from vmacheck.checker.symbolic.solver import Solver
from vmacheck.checker.symbolic.values import Forks, Formula, negation

Outcome = TypeVar("Outcome")


class Diverged(Exception):
    """Code asked another question when it was run again: it must depend on the answers only."""


class Decision(NamedTuple):
    """A question, its answer, and whether the opposite answer is still to be followed."""

    formula: Formula
    answer: bool
    open: bool
    forced: bool


class Paths:
    """The paths through one piece of code, depth first. The solver assumes the decisions of the current one."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self._trail: list[Decision] = []
        self._position = 0
        self._known: dict[Formula, bool] = {}

    def explore(self, code: Callable[[], Outcome]) -> Iterator[Outcome]:
        """Yield what the code returns on each possible path, while that path is current."""
        while True:
            self._position, self._known = 0, {}
            outer = Forks.decide, Forks.assume
            Forks.decide, Forks.assume = self._decide, self.assume
            try:
                outcome = code()
            finally:
                Forks.decide, Forks.assume = outer
            if self._position != len(self._trail):
                raise Diverged("a run ended before it came to where it had branched")
            yield outcome
            if not self._next():
                return

    @property
    def replaying(self) -> bool:
        """Is the code at a place where it was before? Then its path has decisions that were not asked for yet."""
        return self._position < len(self._trail)

    def assume(self, formula: Formula) -> None:
        """Go on with only the numbers for which the formula is true. At least one must exist."""
        if self._position == len(self._trail):
            self._assume(Decision(formula, True, False, False))
        self._expect(formula)

    def _expect(self, formula: Formula) -> bool:
        """The decision at this place, about the formula."""
        decision = self._trail[self._position]
        if decision.formula != formula:
            raise Diverged(f"{formula} was asked where {decision.formula} was asked before")
        self._position += 1
        return decision.answer

    def condition(self) -> list[Formula]:
        """The decisions of the current path where it had a choice."""
        return [d.formula if d.answer else negation(d.formula) for d in self._trail if not d.forced]

    def _next(self) -> bool:
        while self._trail:
            last = self._trail.pop()
            if not last.forced:
                self.solver.pop()
            if last.open:
                self._assume(Decision(last.formula, not last.answer, False, False))
                return True
        return False

    def _assume(self, decision: Decision) -> None:
        self._trail.append(decision)
        if not decision.forced:
            self.solver.push()
            self.solver.add(decision.formula if decision.answer else negation(decision.formula))

    def _decide(self, formula: Formula) -> bool:
        if isinstance(formula, bool):
            return formula
        if formula.kind == "not" or formula.opposite.serial < formula.serial:
            return not self._decide(formula.opposite)
        known = self._known.get(formula)
        if known is not None:
            return known
        if self._position == len(self._trail):
            self._ask(formula)
        self._known[formula] = self._expect(formula)
        return self._known[formula]

    def _ask(self, formula: Formula) -> None:
        if not self.solver.possible(formula):
            self._assume(Decision(formula, False, False, True))
        elif not self.solver.possible(negation(formula)):
            self._assume(Decision(formula, True, False, True))
        else:
            self._assume(Decision(formula, True, True, False))
