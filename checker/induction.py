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
from checker.anystate import PAGE, SPARE_VMAS, Any_, any_call, any_state, constants
from checker.layout import Layout
from checker.link import Program, linked_with
from checker.paths import Paths
from checker.solver import Model, Solver, least
from checker.symbolic import SymbolicMachine, record
from checker.system import OOPS
from checker.terms import Context, Evaluator
from checker.values import Formula, Unsupported, both, equal, negation, truth
from model import state
from model.operations import OPERATIONS, Call
from model.unistd import NR_read, NR_write
from properties import FILES, PROPERTIES

# what makes a state well formed; anystate.py builds it in, so it has to be proved along with every claim
STRUCTURE = (
    "vmas_are_sorted_and_disjoint",
    "faulted_vmas_are_on_their_list",
    "anon_vmas_are_freed_with_their_last_vma",
)


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
class Numbers:
    """A state in numbers: those of its vmas, of the pages that matter, and of the anon_vmas, by field."""

    pages: int
    brk: int
    vmas: tuple[dict[str, int], ...]
    mapped: dict[int, dict[str, int]]
    lives: tuple[int, ...]


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


def machine_for(program: Program, vmas: int, max_map_count: Any) -> SymbolicMachine:
    """A machine for states of up to so many vmas before a call."""
    layout = Layout.of(state.layout(state.bounds(vmas + SPARE_VMAS, list(OPERATIONS), 0, 0)))
    return SymbolicMachine(program, layout, ["begin", "step"], {**constants(vmas), "MAX_MAP_COUNT": max_map_count})


class Induction:
    """One question, being answered."""

    def __init__(self, question: Question) -> None:
        self.question = question
        program = program_with_claims(question.kernel)
        program = vm.without_kinds(program, "nr", vm.absent_numbers([any_call(question.operation).value]))
        self.machine = machine_for(program, question.vmas, question.max_map_count)
        self.solver = Solver(question.milliseconds)
        self.call = any_call(question.operation)
        self._start()

    def _start(self) -> None:
        """The state before the call, or two: the call is about the page that is looked at, or about another."""
        about_a_page = self.call.value.nr in (NR_read, NR_write)
        pages = [[PAGE], [PAGE, self.call.value.addr]] if about_a_page else [[PAGE]]
        self.same = equal(PAGE, self.call.value.addr) if about_a_page else True
        self.befores = [any_state(self.machine, self.question.vmas, listed) for listed in pages]
        for formula in self.call.known:
            self.solver.add(formula)
        for before in self.befores:
            for formula in before.known:
                self.solver.add(formula)
        for name in self.question.assumed:
            for before in self.befores:
                listed = [address for address, _ in before.value.page.entries]
                self.solver.add(self.evaluator(listed, [before.value]).formula(name, before.value))

    def evaluator(self, pages: Sequence[Any], states: Sequence[Any]) -> Evaluator:
        """What evaluates claims about these states, at these pages."""
        call = self.call.value
        breakpoints = [call.addr, call.addr + call.len]
        for one in states:
            breakpoints += [one.brk]
            for vma in range(1, one.map_count + 1):
                breakpoints += [one.vma[vma].vm_start, one.vma[vma].vm_end]
        context = Context(pages, breakpoints, lambda formula: not self.solver.possible(negation(formula)))
        return Evaluator(self.machine.program.functions, self.machine.program.constants, context)

    def answer(self) -> Answer:
        """Follow every path, and ask about the claims at its end."""
        paths, count = Paths(self.solver), 0
        try:
            for before, after, result in paths.explore(self._code):
                count += 1
                failure = self._judge(before, after, result)
                if failure is not None:
                    return Answer(count, self.solver.checks, failure)
                if self.solver.gave_up:
                    return Answer(count, self.solver.checks, gave_up="Z3 did not answer in time")
        except Unsupported as error:
            return Answer(count, self.solver.checks, gave_up=str(error))
        return Answer(count, self.solver.checks)

    def _code(self) -> tuple[Any, Any, Any]:
        before: Any_ = self.befores[0] if truth(self.same) else self.befores[-1]
        copy = self.machine.copy(before.value)
        after, result = self.machine.step(copy, self.call.value)
        return copy, after, result

    def _judge(self, before: Any, after: Any, result: Any) -> Failure | None:
        said = {}
        evaluator = self.evaluator([PAGE], [before, after])
        for name in self.question.goals:
            if not PROPERTIES[name].on_step:
                said[name] = evaluator.formula(name, after)
            elif result is not OOPS:
                said[name] = evaluator.formula(name, before, record(self.call.value, result), after)
        wrong = negation(both(said.values()))
        if self.solver.find(wrong) is False:
            return None
        return self._smallest(before, said, wrong)

    def _smallest(self, before: Any, said: dict[str, Formula], wrong: Formula) -> Failure | None:
        """The failure with the smallest address space on this path. None if the solver gives up."""
        solver = self.solver
        solver.push()
        solver.add(wrong)
        found: Model | bool = True
        costs = [constants(0)["TASK_SIZE"], *(before.vma[vma].vm_pgoff for vma in range(1, before.map_count + 1))]
        costs += [page.index for _, page in before.page.entries]
        costs += [before.vma[vma].vm_file for vma in range(1, before.map_count + 1)]
        costs += [before.vma[vma].vm_policy for vma in range(1, before.map_count + 1)]
        if all(least(solver, cost) is not None for cost in costs):
            found = solver.find()
        solver.pop()
        if not isinstance(found, Model):
            solver.gave_up = True
            return None
        model = found
        broken = tuple(name for name, formula in said.items() if not holds_in(model, formula))
        call = self.call.value
        return Failure(broken, numbers_of(before, model), Call(*(model.value(value) for value in call)))


def holds_in(model: Model, formula: Formula) -> bool:
    """Is the formula true of these numbers?"""
    return model.truth(formula)


def numbers_of(before: Any, model: Model) -> Numbers:
    """The state in the numbers of a model."""
    names = ("vm_start", "vm_end", "vm_flags", "vm_pgoff", "vm_file", "vm_policy", "anon_vma", "anon_vma_node")
    vmas = tuple(
        {name: model.value(getattr(before.vma[vma], name)) for name in names} for vma in range(1, before.map_count + 1)
    )
    mapped = {}
    for address, page in before.page.entries:
        fields = {name: model.value(getattr(page, name)) for name in ("mapcount", "mapping", "index")}
        if fields["mapcount"]:
            mapped[model.value(address)] = fields
    lives = tuple(model.value(before.anon_vma[number].life) for number in range(1, before.map_count + 2))
    return Numbers(model.value(constants(0)["TASK_SIZE"]), model.value(before.brk), vmas, mapped, lives)


def ask(question: Question) -> Answer:
    """Answer a question. Raises UnknownName and LinkError."""
    return Induction(question).answer()
