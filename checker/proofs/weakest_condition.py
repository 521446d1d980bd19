# SPDX-License-Identifier: GPL-2.0-only
"""The weakest condition found, as inequalities, on addresses for which a program still shows its violation.

Each end of each range is an unknown. At first they have the very order of the program; then each part of the order is
weakened as long as the violation is there for all numbers that it allows, on every path.
"""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from vmacheck.checker.kernels.programs import program_with_claims
from vmacheck.checker.program.system import OOPS
from vmacheck.checker.proofs.any_size import Violation, is_about_a_page
from vmacheck.checker.proofs.any_state import PAGE, SPARE_VMAS, TASK_SIZE, machine_with, said_of
from vmacheck.checker.proofs.rows import borders_of
from vmacheck.checker.proofs.trees import kind_of
from vmacheck.checker.symbolic.paths import Paths
from vmacheck.checker.symbolic.pool import in_order
from vmacheck.checker.symbolic.solver import Model, Solver, start_afresh
from vmacheck.checker.symbolic.terms import Context, Evaluator
from vmacheck.checker.symbolic.values import (
    NOT_FOLLOWED,
    Formula,
    all_replaced,
    at_most,
    equal,
    formula_of,
    less,
    negation,
    unknown,
)
from vmacheck.model.calls.operations import FIXED, Call
from vmacheck.properties import PROPERTIES

Part = tuple[tuple[Any, Any], Formula]  # two ends, and how they compare
LARGEST = 1 << 32
ATTEMPTS = 12  # orders in which to weaken; of the resulting conditions, the one that leaves most open is taken
LETTERS = "abcdefghijklmnopqrsuvw"


@dataclass(frozen=True)
class General:
    """The condition, as in "a < b <= c", and the program with letters for numbers."""

    condition: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class _End:
    """One unknown, with its number in the program."""

    name: str
    value: int

    @property
    def term(self) -> Any:
        return unknown(self.name)


class Generaliser:
    """A program with unknowns for its addresses."""

    def __init__(self, violation: Violation, calls: Sequence[Call], milliseconds: int, fixed: bool = False) -> None:
        self.violation, self.milliseconds, self.fixed = violation, milliseconds, fixed
        self.ends: list[_End] = []
        self.terms: list[tuple[Any, int]] = [(0, 0)]
        self.calls = [self._unknown_call(number, call) for number, call in enumerate(calls)]
        program, roots = program_with_claims(violation.kernels[0]), ["begin", "step", violation.property]
        slots = 2 * len(calls) + SPARE_VMAS
        kind = kind_of(violation.kernels[0])
        self.machine = machine_with(program, kind, slots, roots, violation.max_map_count, empty=True)

    def _unknown_call(self, number: int, call: Call) -> Call:
        def end(kind: str, value: int) -> Any:
            self.ends.append(_End(f"{kind}{number}", value))
            self.terms.append((self.ends[-1].term, value))
            return self.ends[-1].term

        first = end("first", call.addr)
        if is_about_a_page(call):
            return call._replace(addr=first)
        if self.fixed:
            after = first + call.len
            self.terms.append((after, call.addr + call.len))
        else:
            after = end("end", call.addr + call.len)
        one = call._replace(addr=first, len=after - first)
        if call.flags == FIXED:
            to = end("to", call.new_addr)
            self.terms.append((to + (after - first), call.new_addr + call.new_len))
            one = one._replace(new_addr=to, new_len=after - first)
        return one

    def _solver(self) -> Solver:
        solver = Solver(self.milliseconds)
        for call in self.calls:
            last = call.addr + 1 if is_about_a_page(call) else call.addr + call.len
            solver.add(at_most(0, call.addr))
            solver.add(less(call.addr, last))
            solver.add(at_most(last, TASK_SIZE))
            if call.flags == FIXED:
                solver.add(at_most(0, call.new_addr))
                solver.add(at_most(call.new_addr + call.new_len, TASK_SIZE))
        return solver

    def always_shows(self, condition: Sequence[Formula]) -> bool:
        """Is the violation there after the last call, for all numbers that meet the condition?"""
        solver = self._solver()
        for formula in condition:
            solver.add(formula)
        if not isinstance(solver.find(), Model):
            return False
        try:
            for outcome in Paths(solver).explore(self._code):
                if outcome is None or solver.find(self._said(solver, *outcome)) is not False:
                    return False
        except NOT_FOLLOWED:
            return False
        return not solver.gave_up

    def _code(self) -> tuple[Any, Call, Any, Any] | None:
        """The last call, with the state before it, its result and the state after; None if the kernel stops earlier."""
        after = self.machine.new()
        for call in self.calls:
            before = after
            after, result = self.machine.step(before, call)
            if result is OOPS and call is not self.calls[-1]:
                return None
        return before, call, result, after

    def _said(self, solver: Solver, before: Any, call: Call, result: Any, after: Any) -> Formula:
        """The formula that the claim is true; for a claim about states, at the mapped pages, or else at any page."""
        name = self.violation.property
        borders = [border for one in (before, after) for border in borders_of(one).values()]
        there = [address for address, page in after.page.entries if page.mapcount]
        pages = there if there and not PROPERTIES[name].on_step else [PAGE]
        context = Context(pages, borders, lambda formula: solver.find(negation(formula)) is False)
        evaluator = Evaluator(self.machine.program.functions, self.machine.program.constants, context)
        return said_of(evaluator, name, before, call, result, after)

    # ---- weakening -------------------------------------------------------------------------------

    def general(self, attempt: int) -> tuple[int, General] | None:
        """A condition that cannot be weakened, and how much it leaves open; each attempt weakens in another order.

        None if even the program's own order is not enough, or cannot be followed.
        """
        parts = list(self._order())
        if not self.always_shows([formula for _, formula in parts]):
            return None
        if attempt > 0:
            parts = random.Random(attempt).sample(parts, len(parts))
        while (weaker := self._weakened(parts)) is not None:
            parts = weaker
        return self._freedom(parts), self._in_words([formula for _, formula in parts])

    def _freedom(self, parts: Sequence[Part]) -> int:
        """The number of ways in which two ends can still compare, summed over all pairs."""
        solver = self._solver()
        for _, formula in parts:
            solver.add(formula)
        pairs = [(x, y) for i, (x, _) in enumerate(self.terms) for y, _ in self.terms[i + 1 :]]
        return sum(solver.possible(way) for x, y in pairs for way in (less(x, y), equal(x, y), less(y, x)))

    def _weakened(self, order: Sequence[Part]) -> list[Part] | None:
        """The condition with each part weakened in turn, where possible. None: no part can be weakened.

        An order that follows from the other parts is left alone: without it the condition would be no weaker, but the
        others would then be needed.
        """
        parts, changed = list(order), False
        for part in order:
            place = next(i for i, other in enumerate(parts) if other is part)
            rest = parts[:place] + parts[place + 1 :]
            if part[1].kind == "<=0" and self._follows(part[1], rest):
                continue
            for weaker in self._weaker(*part):
                trial = rest if weaker is True else [*parts[:place], (part[0], weaker), *parts[place + 1 :]]
                if self.always_shows([formula for _, formula in trial]):
                    parts, changed = trial, True
                    break
        return parts if changed else None

    def _follows(self, formula: Formula, others: Sequence[Part]) -> bool:
        solver = self._solver()
        for _, other in others:
            solver.add(other)
        return solver.find(negation(formula)) is False

    def _order(self) -> Iterator[Part]:
        """The comparisons of the ends, two by two, in the order to give them up: equalities first, then far ends."""
        pairs = [(x, y) for i, x in enumerate(self.terms) for y in self.terms[i + 1 :]]
        for (x, value), (y, other) in sorted(pairs, key=lambda pair: -(abs(pair[0][1] - pair[1][1]) or LARGEST)):
            low, high = (x, y) if value <= other else (y, x)
            formula = equal(low, high) if value == other else less(low, high)
            if formula is not True and self._solver().find(negation(formula)) is not False:
                yield (low, high), formula

    def _weaker(self, ends: tuple[Any, Any], formula: Formula) -> Iterator[Formula]:
        a, b = ends
        yield True
        for one in (at_most(a, b), at_most(b, a)) if formula.kind == "==0" else (at_most(a, b),):
            if one is not formula:
                yield one

    def _in_words(self, condition: Sequence[Formula]) -> General:
        names = self._letters(condition)
        known = [less(call.addr, call.addr + call.len) for call in self.calls if not is_about_a_page(call)]
        letters = {name: unknown(letter) for name, letter in names.items()}
        needed = self._without_implied([all_replaced(formula, letters) for formula in (*known, *condition)])
        parts = [_comparison(formula) for formula in needed]
        calls = tuple(self._call_in_letters(call, names) for call in self.calls)
        free = sorted(set(names.values()) - {letter for part in parts for letter in " ".join(part)})
        return General(" and ".join([_chained(parts), *(f"any {letter}" for letter in free)]), calls)

    def _without_implied(self, formulas: Sequence[Formula]) -> list[Formula]:
        """The formulas without those that follow from the others."""
        left = [formula for formula in dict.fromkeys(formulas) if formula is not True]
        for formula in list(left):
            solver = Solver(self.milliseconds)
            for letter in {name for one in left for name, _ in one.parts}:
                solver.add(at_most(0, unknown(letter)))
            for other in left:
                if other is not formula:
                    solver.add(other)
            if solver.find(negation(formula)) is False:
                left.remove(formula)
        return left

    def _letters(self, condition: Sequence[Formula]) -> dict[str, str]:
        """A letter for each unknown, the same for those that must be equal, in the order that they must have."""
        groups = {end.name: {end.name} for end in self.ends}
        solver = self._solver()
        for formula in condition:
            solver.add(formula)
        for i, one in enumerate(self.ends):
            for other in self.ends[i + 1 :]:
                if solver.find(formula_of(one.term != other.term)) is False:
                    joined = groups[one.name] | groups[other.name]
                    groups |= dict.fromkeys(joined, joined)
        below = {
            end.name: sum(solver.find(less(end.term, other.term)) is False for other in self.ends) for end in self.ends
        }
        letters: dict[str, str] = {}
        for end in sorted(self.ends, key=lambda one: (below[one.name], one.value)):
            if end.name not in letters:
                letter = _letter(len(set(letters.values())))
                letters |= dict.fromkeys(groups[end.name], letter)
        return letters

    def _call_in_letters(self, call: Call, names: dict[str, str]) -> str:
        first, to = names[_first(call)], cast(Any, call.new_addr)
        if is_about_a_page(call):
            return str(call._replace(addr=0)).replace("(0", f"({first}")
        number = _first(call).removeprefix("first")
        size = str(call.len) if self.fixed else f"{names[f'end{number}']}-{first}"
        if call.flags == FIXED:
            return f"mremap({first},{size}->{names[to.terms[0][0]]})"
        return str(call._replace(addr=0, len=0)).replace("(0,0", f"({first},{size}", 1)


class Attempt(NamedTuple):
    """A violation and a program to generalise, and the number of the order to weaken in."""

    violation: Violation
    calls: tuple[Call, ...]
    milliseconds: int
    number: int


def attempt(one: Attempt) -> tuple[int, General] | None:
    """The program for as many addresses and lengths as possible; for its own lengths, if others cannot be followed."""
    start_afresh()
    for fixed in (False, True):
        found = Generaliser(one.violation, one.calls, one.milliseconds, fixed).general(one.number)
        if found is not None:
            return found
    return None


def general(
    pool: ProcessPoolExecutor, violation: Violation, calls: Sequence[Call], milliseconds: int
) -> General | None:
    """The condition that leaves the most open, of several attempts."""
    attempts = [Attempt(violation, tuple(calls), milliseconds, number) for number in range(ATTEMPTS)]
    best: tuple[int, General] | None = None
    for _, found in in_order(pool, attempt, attempts):
        if found is None:
            return None
        if best is None or found[0] > best[0]:
            best = found
    return best[1] if best is not None else None


def _letter(number: int) -> str:
    return LETTERS[number] if number < len(LETTERS) else f"x{number}"


def _first(call: Call) -> str:
    """The name of the unknown for a call's address."""
    address: Any = call.addr
    return str(address.terms[0][0])


def _side(terms: Sequence[tuple[str, int]], constant: int) -> str:
    words = [name if c == 1 else f"{c}{name}" for name, c in terms] + ([str(constant)] if constant else [])
    return " + ".join(words) or "0"


def _comparison(formula: Formula) -> tuple[str, str, str]:
    """left, operator, right: a comparison of sums, with positive numbers only."""
    left = [(name, c) for name, c in formula.parts if c > 0]
    right = [(name, -c) for name, c in formula.parts if c < 0]
    constant = formula.constant
    if formula.kind == "==0":
        return _side(left, max(constant, 0)), "=", _side(right, max(-constant, 0))
    if constant > 0:
        return _side(left, constant - 1), "<", _side(right, 0)
    return _side(left, 0), "<=", _side(right, -constant)


def _chained(parts: Sequence[tuple[str, str, str]]) -> str:
    """a < b, b <= c as a < b <= c."""
    left, chains = list(dict.fromkeys(parts)), []
    while left:
        heads = [part for part in left if part[0] not in {other[2] for other in left}] or left
        chain = heads[0]
        left.remove(chain)
        text, last = " ".join(chain), chain[2]
        while following := [part for part in left if part[0] == last]:
            left.remove(following[0])
            text, last = f"{text} {following[0][1]} {following[0][2]}", following[0][2]
        chains.append(text)
    return " and ".join(chains)
