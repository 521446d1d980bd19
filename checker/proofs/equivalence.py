# SPDX-License-Identifier: GPL-2.0-only
"""Do two kernels' versions of one function do the same, wherever calls reach it?

Each path of one kernel's calls is followed, from any well-formed state of up to N vmas. Where it reaches the function,
both versions run on the same arguments and the same state, and their results and final states are compared. If they
agree, the paths go on as one.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.names import unknown
from vmacheck.checker.kernels.programs import program_of
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import NullSlot, Oops
from vmacheck.checker.proofs.any_state import (
    VMA_FIELDS,
    KernelMachine,
    Numbers,
    Start,
    Within,
    fewest,
    machine_for,
    numbers_of,
    smallest,
)
from vmacheck.checker.proofs.trees import kind_of
from vmacheck.checker.symbolic.machine import RAW, Left
from vmacheck.checker.symbolic.paths import Paths
from vmacheck.checker.symbolic.pool import in_order, workers
from vmacheck.checker.symbolic.solver import Model, start_afresh
from vmacheck.checker.symbolic.values import (
    NOT_FOLLOWED,
    Formula,
    Truth,
    Unsupported,
    both,
    equal,
    formula_of,
    negation,
    why_not_followed,
)
from vmacheck.model.calls.operations import Call


@dataclass(frozen=True)
class Question:
    """Do a's and b's versions of a function differ in a call of this kind, from a state of `vmas` vmas?"""

    a: str
    b: str
    function: str
    operation: str
    vmas: int
    max_map_count: int
    milliseconds: int
    locked: bool = False  # may memory be locked, other than on fault?


@dataclass(frozen=True)
class Difference:
    """A state and a call in which the function was called so that the two versions differ.

    arguments are by name; a and b: the value each returned (None: it stopped the kernel) and the state it left. If
    these are the same, left: the values left in a number that lives inside a call and is looked at later.
    """

    before: Numbers
    call: Call
    entry: Numbers | None
    arguments: dict[str, int]
    a: tuple[int | None, Numbers | None]
    b: tuple[int | None, Numbers | None]
    left: tuple[str, int, int] | None = None


@dataclass(frozen=True)
class Answer:
    """The outcome of a question: the number of paths and of comparisons, a difference, or why it is open."""

    paths: int
    compared: int
    checks: int
    difference: Difference | None = None
    gave_up: str | None = None


@dataclass(frozen=True)
class _Compared:
    """A comparison on a path: the states before the call and at the function, the arguments, the outcomes.

    formula: the condition for a difference; left: the number inside a call in which they differ, if in nothing else.
    """

    before: Any
    entry: Any
    arguments: dict[str, Any]
    a: tuple[Any, Any]
    b: tuple[Any, Any]
    formula: Formula
    left: tuple[str, Any, Any] | None = None


class _Differs(Exception):
    """The two versions differ on this path."""

    def __init__(self, compared: _Compared) -> None:
        super().__init__()
        self.compared = compared


class Equivalence:
    """One question, being answered."""

    def __init__(self, question: Question, within: Within = Within()) -> None:  # noqa: B008  (it is immutable)
        self.question, self.compared = question, 0
        self.a, self.b = (self._machine(kernel) for kernel in (question.a, question.b))
        self.b.mark = "_b"
        self.start = Start(self.a, question.operation, question.vmas, question.locked)
        self.solver = self.start.solver(question.milliseconds, within)
        self.paths = Paths(self.solver)
        self._parameters = self.a.program.functions[question.function].parameters
        self._originals = [machine.functions[question.function] for machine in (self.a, self.b)]
        self.a.functions[question.function] = self._both
        self._before: Any = None

    def _machine(self, kernel: str) -> KernelMachine:
        question, roots = self.question, ["begin", "step", self.question.function]
        program = program_of(kernel, {})
        kind = kind_of(kernel)
        return machine_for(program, kind, question.operation, question.vmas, roots, question.max_map_count)

    def answer(self) -> Answer:
        """Follow every path, and compare wherever it reaches the function."""
        count = 0
        try:
            for difference in self.paths.explore(self._code):
                count += 1
                if difference is not None:
                    return Answer(count, self.compared, self.solver.checks, self._smallest(difference))
                if self.solver.gave_up:
                    return Answer(count, self.compared, self.solver.checks, gave_up="Z3 did not answer in time")
        except NOT_FOLLOWED as error:
            return Answer(count, self.compared, self.solver.checks, gave_up=why_not_followed(error))
        return Answer(count, self.compared, self.solver.checks)

    def _code(self) -> _Compared | None:
        self._before, self.b.others = self.a.copy(self.start.before()), 0
        try:
            self.a.step(self._before, self.start.call)
        except _Differs as found:
            return found.compared
        return None

    def _both(self, *arguments: Any) -> Any:
        """Run both versions of the function on the same arguments; go on with the first if they agree."""
        mm = arguments[0] if hasattr(arguments[0], "page") else None
        entry, other = (self.a.copy(mm), self.a.copy(mm)) if mm is not None else (None, None)
        others = self.a.others, self.b.others
        mine = self._run(self._originals[0], mm, arguments)
        theirs = self._run(self._originals[1], other, (other, *arguments[1:]) if mm is not None else arguments)

        def differs(formula: Formula, after: Any, left: tuple[str, Any, Any] | None = None) -> Exception:
            if others != (self.a.others, self.b.others):
                return Unsupported("a loop over pages, in which two versions may differ")
            named = dict(zip(self._parameters, arguments, strict=True))
            named = {name: value for name, value in named.items() if value is not arguments[0] or mm is None}
            return _Differs(_Compared(self._before, entry, named, (mine, after), (theirs, other), formula, left))

        if not self.paths.replaying:
            self.compared += 1
            same = both([_same_result(mine, theirs), _same_state(mm, other, self.a.kind.page_fields)])
            if self.solver.find(negation(same)) is not False:
                raise differs(negation(same), self.a.copy(mm) if mm is not None else None)
        if mine is None:
            raise Oops("both stop the kernel")
        if mm is not None:
            self._hide(mm, other, differs)
        return mine

    def _hide(self, mm: Any, other: Any, differs: Callable[..., Exception]) -> None:
        """Hide differing numbers that live inside a call: they make a difference only if they are looked at."""
        after = None
        for raw in self.a.scratch:
            a, b, name = getattr(mm, raw), getattr(other, raw), raw.removeprefix(RAW)
            if a is b:
                continue
            if isinstance(a, Left) or isinstance(b, Left):
                setattr(mm, raw, Left(_raising(f"mm.{name} is looked at, which only one of the versions sets")))
            elif (same := formula_of(a == b)) is not True:
                after = self.a.copy(mm) if after is None else after
                setattr(mm, raw, Left(self._looking(negation(same), after, (name, a, b), differs)))

    def _looking(
        self, different: Formula, after: Any, left: tuple[str, Any, Any], differs: Callable[..., Exception]
    ) -> Callable[[], Any]:
        def look() -> Any:
            if self.solver.find(different) is not False:
                raise differs(different, after, left)
            return left[1]

        return look

    def _run(self, function: Callable[..., Any], mm: Any, arguments: Sequence[Any]) -> Any:
        """The function's value, 0 if it returns nothing; None if it stops the kernel."""
        try:
            result = function(*arguments)
        except (Oops, IndexError):
            return None
        return None if mm is not None and mm.oops else 0 if result is None else result

    def _smallest(self, found: _Compared) -> Difference | None:
        """The difference in the smallest address space on this path. None if the solver gives up."""
        model = smallest(self.solver, found.before, self.start.call, found.formula)
        if model is None:
            return None
        arguments = {name: _in_numbers(value, model) for name, value in found.arguments.items()}
        call = Call(*(model.value(value) for value in self.start.call))
        kind, states = self.a.kind, (found.entry, found.a[1], found.b[1])
        entry, a, b = (numbers_of(one, model, kind) if one is not None else None for one in states)
        results = [None if value is None else _in_numbers(value, model) for value in (found.a[0], found.b[0])]
        left = None
        if found.left is not None:
            left = (found.left[0], _in_numbers(found.left[1], model), _in_numbers(found.left[2], model))
        before = numbers_of(found.before, model, kind)
        return Difference(before, call, entry, arguments, (results[0], a), (results[1], b), left)


def _raising(why: str) -> Callable[[], Any]:
    def look() -> Any:
        raise Unsupported(why)

    return look


def _in_numbers(value: Any, model: Model) -> int:
    if isinstance(value, Truth):
        return int(model.truth(value.formula))
    return model.value(value)


def _same_result(a: Any, b: Any) -> Formula:
    if a is None or b is None:
        return a is b
    return formula_of(a == b)


def _same_state(a: Any, b: Any, page_fields: Sequence[str]) -> Formula:
    """Are two states the same, vma for vma, including the identity of structs, which `was` records?"""
    if a is None:
        return True
    if a.map_count != b.map_count:
        return False
    # unused slots are compared as well: later code may reach their content
    slots = [vma for vma in range(1, len(a.vma)) if _is_slot(a.vma[vma])]
    pairs: list[tuple[Any, Any, Sequence[str]]] = [(a.vma[vma], b.vma[vma], VMA_FIELDS) for vma in slots]
    pairs += [(page, b.page[address], page_fields) for address, page in a.page.entries]
    same = [formula_of(getattr(x, name) == getattr(y, name)) for x, y, names in pairs for name in names]
    lives = [
        equal(a.anon_vma[n].life, b.anon_vma[n].life) for n in range(1, len(a.anon_vma)) if _is_slot(a.anon_vma[n])
    ]
    return both([*same, *lives, equal(a.brk, b.brk), equal(a.oops, b.oops), equal(a.leaked, b.leaked)])


def _is_slot(slot: Any) -> bool:
    return not isinstance(slot, NullSlot)


def ask(question: Question) -> Answer:
    """Answer a question, with a difference in few pages and by a short call if there are several."""
    start_afresh()
    answer = Equivalence(question).answer()
    return fewest(
        answer, lambda within: Equivalence(question, within).answer(), lambda answer: answer.difference, Within()
    )


# ---- all questions about two kernels -------------------------------------------------------------


EquivalentVerdict = Literal["equal", "different", "vacuous", "incomplete"]


@dataclass
class Verdict:
    """equal: in every call of these kinds from any state of up to `vmas` vmas; different; vacuous: no call reaches the
    function; incomplete: `reason` says why. compared: the number of comparisons of the function."""

    a: str
    b: str
    function: str
    operations: tuple[str, ...]
    vmas: int
    verdict: EquivalentVerdict = "incomplete"
    reason: str | None = None
    paths: int = 0
    compared: int = 0
    checks: int = 0
    seconds: float = 0.0
    difference: Difference | None = None


def equivalent(
    a: str,
    b: str,
    function: str,
    operations: Sequence[str],
    vmas: int,
    max_map_count: int,
    milliseconds: int,
    report: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Is the function the same in both kernels? Raises UnknownName and LinkError."""
    begin = time.perf_counter()
    for kernel in (a, b):
        functions = program_of(kernel, {}).functions
        if function not in functions:
            raise unknown("function", function, functions, f"vmacheck list functions {kernel}")
        one_process.build(kernel, Scope(pages=3, operations=tuple(operations)))
    found = Verdict(a, b, function, tuple(operations), vmas)
    locked = not kind_of(a).leaves_out_locked(operations)
    questions = [
        Question(a, b, function, operation, count, max_map_count, milliseconds, locked)
        for count in range(vmas + 1)
        for operation in operations
    ]
    with workers() as pool:
        for question, answer in in_order(pool, ask, questions):
            found.paths += answer.paths
            found.compared += answer.compared
            found.checks += answer.checks
            report(f"{question.operation} with {question.vmas} vmas, {found.paths:,} paths")
            if answer.gave_up is not None:
                found.reason = f"{question.operation} with {question.vmas} vmas: {answer.gave_up}"
                break
            if answer.difference is not None:
                found.verdict, found.difference = "different", answer.difference
                break
        else:
            found.verdict = "equal" if found.compared else "vacuous"
            found.reason = None if found.compared else f"no call comes to {function}"
    found.seconds = time.perf_counter() - begin
    return found
