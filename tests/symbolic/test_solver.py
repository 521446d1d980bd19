# SPDX-License-Identifier: GPL-2.0-only
"""The solver and the paths: numbers exactly if there are some, the least, no answer, and each branch once."""

import itertools

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.symbolic.test_symbolic import COMPARISONS, MASKS, UNKNOWN, conditions, fixed, holds, judged, small, sums
from vmacheck.checker.proofs.induction import STRUCTURE, Induction, Question
from vmacheck.checker.symbolic import values
from vmacheck.checker.symbolic.paths import Diverged, Paths
from vmacheck.checker.symbolic.solver import Model, Solver, least
from vmacheck.checker.symbolic.values import at_most, both, equal, formula_of, less, negation, unknown

MILLISECONDS = 10_000


@settings(fixed, max_examples=60)
@given(st.lists(conditions, min_size=1, max_size=3))
def test_the_solver_finds_numbers_exactly_if_there_are_some(trees):
    solver = Solver()
    for name in "xyz":
        solver.add(both([at_most(-1, UNKNOWN[name]), at_most(UNKNOWN[name], 2)]))
    asked = both(formula_of(judged(tree, UNKNOWN)) for tree in trees)
    found = solver.find(asked)
    if isinstance(found, Model):
        numbers = {name: found.value(value) for name, value in UNKNOWN.items()}
        assert holds(asked, numbers)
        assert found.truth(asked)
        assert not found.truth(negation(asked))
    else:
        assert found is False
        masks_of = [[n for n in range(16) if n & ~mask == 0] for mask in MASKS.values()]
        for chosen in itertools.product(*[range(-1, 3)] * 3, *masks_of):
            assert not holds(asked, dict(zip(UNKNOWN, chosen, strict=True)))
    assert not solver.gave_up


@settings(fixed, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(COMPARISONS), sums, sums), max_size=3), st.tuples(small, small, small))
def test_least_is_the_least(trees, weights):
    solver = Solver()
    for name in "xyz":
        solver.add(both([at_most(0, UNKNOWN[name]), at_most(UNKNOWN[name], 4)]))
    asked = both(formula_of(judged(tree, UNKNOWN)) for tree in trees)
    solver.add(asked)
    costs = [
        sum(w * n for w, n in zip(weights, chosen, strict=True))
        for chosen in itertools.product(range(5), repeat=3)
        if holds(asked, dict(zip("xyz", chosen, strict=True)))
    ]
    cost = sum((w * UNKNOWN[name] for w, name in zip(weights, "xyz", strict=True)), 0)
    found = least(solver, cost, -100)
    assert found == min(costs, default=None)
    if found is not None:
        assert solver.possible(equal(cost, found))  # it is held to that from now on
        assert not solver.possible(negation(equal(cost, found)))


def pigeonhole(pigeons):
    """A problem too hard for a moment: `pigeons` pigeons in one hole less, no two together."""
    places = [unknown(f"pigeon{number}") for number in range(pigeons)]
    fit = [both([at_most(1, place), less(place, pigeons)]) for place in places]
    return both([*fit, *(negation(equal(a, b)) for a, b in itertools.combinations(places, 2))])


def test_a_question_without_an_answer_counts_as_possible():
    solver = Solver(1)
    assert solver.possible(pigeonhole(14))
    assert solver.gave_up
    assert least(Solver(), unknown("x"), 0) is not None


def test_no_verdict_where_the_solver_gives_up(monkeypatch):
    question = Question("rmap40", STRUCTURE, (), "munmap", 1, 65536, 1000)
    answer, check = Induction(question).answer(), z3.Solver.check
    assert (answer.failure, answer.gave_up) == (None, None)
    for stop in (3, answer.checks // 2, answer.checks):
        induction, asked = Induction(question), itertools.count(1)
        with monkeypatch.context() as patch:
            patch.setattr(z3.Solver, "check", lambda one, n=asked, s=stop: z3.unknown if next(n) == s else check(one))
            assert induction.answer().gave_up is not None, stop


# ---- paths -----------------------------------------------------------------------------------------------------------


def branchy(x, y):
    """Some branches, of which some depend on others."""
    taken = []
    for number in range(3):
        if x < number:
            taken.append("less")
            break
        taken.append("more")
    if x == y or y > 3:
        taken.append("same")
    elif x + 1 == y:
        taken.append("next" if y != 2 else "two")
    if not x:
        taken.append("zero")
    if x <= y and y <= x and x != y:
        taken.append("never")
    return tuple(taken)


def test_each_branch_that_is_possible_is_taken_once():
    x, y = unknown("x"), unknown("y")
    solver = Solver()
    for number in (x, y):
        solver.add(both([at_most(0, number), at_most(number, 5)]))
    paths = Paths(solver)
    found = [(outcome, both(paths.condition()), solver.find()) for outcome in paths.explore(lambda: branchy(x, y))]
    for numbers in ({"x": a, "y": b} for a in range(6) for b in range(6)):
        (outcome,) = (outcome for outcome, condition, _ in found if holds(condition, numbers))
        assert outcome == branchy(numbers["x"], numbers["y"])
    for outcome, condition, model in found:
        assert isinstance(model, Model)
        numbers = {"x": model.value(x), "y": model.value(y)}
        assert holds(condition, numbers)
        assert outcome == branchy(numbers["x"], numbers["y"])
    assert values.Forks.decide is None
    assert solver.find(less(x, 0)) is False
    assert isinstance(solver.find(equal(x, 5)), Model)  # nothing of the paths is left


def test_code_that_does_something_else_when_it_is_run_again_is_found_out():
    x, rounds = unknown("x"), itertools.count()

    def other_question():
        return bool(x < next(rounds))

    def fewer_questions():
        return bool(x < 1) and bool(x < 0) if next(rounds) == 0 else 0

    for code in (other_question, fewer_questions):
        rounds = itertools.count()
        with pytest.raises(Diverged):
            list(Paths(Solver()).explore(code))
        assert values.Forks.decide is None
