# SPDX-License-Identifier: GPL-2.0-only
"""Proof by induction over calls: in any well-formed state of N vmas, however large, a call keeps a claim.

One question is about one kind of call and one number of vmas: on each path that the kernel's functions can take, can
the claims be true before and one of them false after?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmacheck.checker.kernels.programs import program_with_claims
from vmacheck.checker.proofs.any_state import (
    PAGE,
    SPARE_VMAS,
    TASK_SIZE,
    Numbers,
    Start,
    Within,
    fewest,
    is_any_state,
    machine_for,
    machine_with,
    numbers_of,
    said_of,
    smallest,
)
from vmacheck.checker.proofs.rows import borders_of
from vmacheck.checker.proofs.trees import kind_of
from vmacheck.checker.symbolic.paths import Paths
from vmacheck.checker.symbolic.solver import Solver, start_afresh
from vmacheck.checker.symbolic.terms import Context, Evaluator
from vmacheck.checker.symbolic.values import NOT_FOLLOWED, at_most, both, negation, why_not_followed
from vmacheck.model.calls.operations import Call
from vmacheck.properties import REFERENCE

# conditions of a well-formed state; any_state.py builds them in, so they must be proved along with every claim
STRUCTURE = (
    "vmas_are_sorted_and_disjoint",
    "faulted_vmas_are_on_their_list",
    "anon_vmas_are_freed_with_their_last_vma",
)
# and bounds of its fields, besides, which no property states
RANGES = "fields_are_in_range"


@dataclass(frozen=True)
class Question:
    """Can a call of this kind, from a state of `vmas` vmas with all of `assumed` true, break one of `goals`?"""

    kernel: str
    goals: tuple[str, ...]
    assumed: tuple[str, ...]
    operation: str
    vmas: int
    max_map_count: int
    milliseconds: int
    locked: bool = False  # may memory be locked, other than on fault?
    calls: tuple[str, ...] = ()  # vmas have the flags that these calls give; if empty, those of any call


@dataclass(frozen=True)
class Failure:
    """A state and a call after which a claim is false that was true before."""

    broken: tuple[str, ...]
    before: Numbers
    call: Call


@dataclass(frozen=True)
class Answer:
    """The outcome of a question. gave_up: why it is open, if it is; failure is None if no claim fails."""

    paths: int
    checks: int
    failure: Failure | None = None
    gave_up: str | None = None


class Induction:
    """One question, being answered."""

    def __init__(self, question: Question, within: Within = Within()) -> None:  # noqa: B008  (it is immutable)
        self.question = question
        program = program_with_claims(question.kernel)
        roots = ["begin", "step"]
        kind = kind_of(question.kernel)
        self.kind = kind.given_by(question.calls) if question.calls else kind
        if REFERENCE in question.goals:
            self.kind = self.kind._replace(accounts=kind.populates)
        self.machine = machine_for(program, self.kind, question.operation, question.vmas, roots, question.max_map_count)
        self.start = Start(self.machine, question.operation, question.vmas, question.locked)
        self.call = self.start.call
        self.solver = self.start.solver(question.milliseconds, within)

    def evaluator(self, pages: Sequence[Any], states: Sequence[Any]) -> Evaluator:
        """An evaluator of claims about these states, at these pages."""
        call = self.call
        breakpoints = [call.addr, call.addr + call.len]
        for one in states:
            breakpoints += [one.brk, *borders_of(one).values()]
        solver = self.solver
        context = Context(pages, breakpoints, lambda formula: not solver.possible(negation(formula)), solver.assumed)
        return Evaluator(self.machine.program.functions, self.machine.program.constants, context)

    def answer(self) -> Answer:
        """Follow every path, and ask about the claims at its end."""
        paths, count = Paths(self.solver), 0
        try:
            self._assume()
            for before, after, result in paths.explore(self._code):
                count += 1
                failure = self._judge(before, after, result)
                if failure is not None:
                    return Answer(count, self.solver.checks, failure)
                if self.solver.gave_up:
                    return Answer(count, self.solver.checks, gave_up="Z3 did not answer in time")
        except NOT_FOLLOWED as error:
            return Answer(count, self.solver.checks, gave_up=why_not_followed(error))
        return Answer(count, self.solver.checks)

    def _assume(self) -> None:
        for name in self.question.assumed:
            for before in self.start.befores:
                listed = [address for address, _ in before.page.entries]
                self.solver.add(self.evaluator(listed, [before]).formula(name, before))

    def _code(self) -> tuple[Any, Any, Any]:
        before = self.machine.copy(self.start.before())
        after, result = self.machine.step(before, self.call)
        return before, after, result

    def _judge(self, before: Any, after: Any, result: Any) -> Failure | None:
        """The failure with the smallest address space on this path. None if no claim fails, or the solver gives up."""
        evaluator = self.evaluator([PAGE], [before, after])
        said = {name: said_of(evaluator, name, before, self.call, result, after) for name in self.question.goals}
        said[RANGES] = is_any_state(after, self.kind)
        wrong = negation(both(said.values()))
        found = smallest(self.solver, before, self.call, wrong) if self.solver.possible(wrong) else None
        if found is None:
            return None
        broken = tuple(name for name, formula in said.items() if not found.truth(formula))
        call = Call(*(found.value(value) for value in self.call))
        return Failure(broken, numbers_of(before, found, self.kind), call)


def false_at_first(kernel: str, names: Sequence[str], milliseconds: int) -> list[str]:
    """The claims about states, of these, that are false of the empty address space of some size."""
    machine = machine_with(program_with_claims(kernel), kind_of(kernel), SPARE_VMAS, ["begin", "step"], 0)
    empty = machine.new()
    empty.page.add(PAGE)
    solver = Solver(milliseconds)
    solver.add(at_most(1, TASK_SIZE))
    context = Context([PAGE], [], lambda formula: not solver.possible(negation(formula)))
    evaluator = Evaluator(machine.program.functions, machine.program.constants, context)
    return [name for name in names if solver.possible(negation(evaluator.formula(name, empty)))]


def ask(question: Question) -> Answer:
    """Answer a question; of several failures, choose a plain one if possible, in few pages and by a short call."""
    start_afresh()
    answer = Induction(question).answer()
    if answer.failure is None:
        return answer
    plain = Induction(question, Within(plain=True)).answer()
    within = Within(plain=plain.failure is not None)
    return fewest(
        plain if within.plain else answer,
        lambda within: Induction(question, within).answer(),
        lambda answer: answer.failure,
        within,
    )
