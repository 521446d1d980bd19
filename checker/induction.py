# SPDX-License-Identifier: GPL-2.0-only
"""Proof by induction over calls: in any well-formed state of so many vmas, however large, a call keeps a claim.

One question is about one kind of call and one number of vmas: on each path that the kernel's functions can take, can
the claims be true before and one of them false after?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from checker import vm
from checker.anystate import (
    PAGE,
    TASK_SIZE,
    Numbers,
    Start,
    Within,
    any_call,
    is_any_state,
    machine_for,
    numbers_of,
    plainest,
)
from checker.link import Program, linked_with
from checker.paths import Paths
from checker.prune import without_kinds
from checker.solver import Model, Solver, least, start_afresh
from checker.symbolic import record
from checker.system import OOPS
from checker.terms import Context, Evaluator
from checker.values import Formula, Unsupported, at_most, both, negation
from model.operations import Call
from properties import FILES, PROPERTIES

# what makes a state well formed; anystate.py builds it in, so it has to be proved along with every claim
STRUCTURE = (
    "vmas_are_sorted_and_disjoint",
    "faulted_vmas_are_on_their_list",
    "anon_vmas_are_freed_with_their_last_vma",
)
# and what its fields can be, beside; no property says that
RANGES = "fields_are_in_range"


@dataclass(frozen=True)
class Question:
    """Can a call of this kind, from a state of so many vmas of which all of `assumed` is true, break one of `goals`?"""

    kernel: str
    goals: tuple[str, ...]
    assumed: tuple[str, ...]
    operation: str
    vmas: int
    max_map_count: int
    milliseconds: int


@dataclass(frozen=True)
class Failure:
    """A state and a call after which a claim is false that was true before."""

    broken: tuple[str, ...]
    before: Numbers
    call: Call


@dataclass(frozen=True)
class Answer:
    """What came of a question. gave_up says why it is open, if it is; failure is None if there is none."""

    paths: int
    checks: int
    failure: Failure | None = None
    gave_up: str | None = None


@lru_cache(maxsize=8)
def program_with_claims(kernel: str) -> Program:
    """A kernel and the properties, linked; the bounds do not matter."""
    program = linked_with(vm.program_of(kernel, {}), FILES)
    program.check()
    return program


class Induction:
    """One question, being answered."""

    def __init__(self, question: Question, within: Within = Within()) -> None:  # noqa: B008  (it is immutable)
        self.question = question
        program = program_with_claims(question.kernel)
        program = without_kinds(program, "nr", vm.absent_numbers([any_call(question.operation)[0]]))
        self.machine = machine_for(program, question.vmas, question.max_map_count, ["begin", "step"])
        self.solver = Solver(question.milliseconds)
        self.start = Start(self.machine, question.operation, question.vmas)
        self.call = self.start.call
        for formula in self.start.known:
            self.solver.add(formula)
        for formula in within.formulas(self.start):
            self.solver.add(formula)

    def evaluator(self, pages: Sequence[Any], states: Sequence[Any]) -> Evaluator:
        """What evaluates claims about these states, at these pages."""
        call = self.call
        breakpoints = [call.addr, call.addr + call.len]
        for one in states:
            breakpoints += [one.brk]
            for vma in range(1, one.map_count + 1):
                breakpoints += [one.vma[vma].vm_start, one.vma[vma].vm_end]
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
        except Unsupported as error:
            return Answer(count, self.solver.checks, gave_up=str(error))
        except TypeError as error:  # an operator that unknown numbers do not have
            return Answer(count, self.solver.checks, gave_up=f"what the code computes is not followed: {error}")
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
        said = {}
        evaluator = self.evaluator([PAGE], [before, after])
        for name in self.question.goals:
            if not PROPERTIES[name].on_step:
                said[name] = evaluator.formula(name, after)
            elif result is not OOPS:
                said[name] = evaluator.formula(name, before, record(self.call, result), after)
        said[RANGES] = is_any_state(after)
        wrong = negation(both(said.values()))
        if self.solver.find(wrong) is False:
            return None
        return self._smallest(before, said, wrong)

    def _smallest(self, before: Any, said: dict[str, Formula], wrong: Formula) -> Failure | None:
        """The failure with the smallest address space on this path. None if the solver gives up."""
        solver = self.solver
        solver.push()
        solver.add(wrong)
        size = least(solver, TASK_SIZE, 1)
        found = plainest(solver, before, self.call)
        solver.pop()
        if size is None or not isinstance(found, Model):
            solver.gave_up = True
            return None
        broken = tuple(name for name, formula in said.items() if not found.truth(formula))
        call = Call(*(found.value(value) for value in self.call))
        return Failure(broken, numbers_of(before, found), call)


def false_at_first(kernel: str, names: Sequence[str], milliseconds: int) -> list[str]:
    """Those of the claims about states that are not true of the empty address space, of any size."""
    machine = machine_for(program_with_claims(kernel), 0, 0, ["begin", "step"])
    empty = machine.new()
    empty.page.add(PAGE)
    solver = Solver(milliseconds)
    solver.add(at_most(1, TASK_SIZE))
    context = Context([PAGE], [], lambda formula: not solver.possible(negation(formula)))
    evaluator = Evaluator(machine.program.functions, machine.program.constants, context)
    return [name for name in names if solver.possible(negation(evaluator.formula(name, empty)))]


def ask(question: Question) -> Answer:
    """Answer a question; of the failures, with a plain one, if there is one, in few pages and by a short call."""
    start_afresh()
    answer = Induction(question).answer()
    if answer.failure is None:
        return answer
    plain = Induction(question, Within(plain=True)).answer()
    within = Within(plain=plain.failure is not None)
    answer = plain if within.plain else answer
    while answer.failure is not None and answer.failure.before.pages > 1:
        smaller = Induction(question, within._replace(pages=answer.failure.before.pages - 1)).answer()
        if smaller.failure is None:
            break
        answer = smaller
    assert answer.failure is not None
    within = within._replace(pages=answer.failure.before.pages)
    while answer.failure is not None and answer.failure.call.len > 1:
        shorter = Induction(question, within._replace(length=answer.failure.call.len - 1)).answer()
        if shorter.failure is None:
            break
        answer = shorter
    return answer
