# SPDX-License-Identifier: GPL-2.0-only
"""Proofs, refutations and differences as data, as prove.py has them as text."""

from collections.abc import Sequence
from typing import Literal, TypedDict

from vmacheck.checker.files.json_types import Natural, Seconds
from vmacheck.checker.kernels.scope import Scope, ScopeData
from vmacheck.checker.proofs.any_state import Numbers
from vmacheck.checker.proofs.bounded import Found
from vmacheck.checker.proofs.equivalence import EquivalentVerdict
from vmacheck.checker.proofs.equivalence import Verdict as Equivalent
from vmacheck.checker.proofs.induction import RANGES, STRUCTURE
from vmacheck.checker.proofs.prove import Proof, ProofVerdict
from vmacheck.counterexamples.minimal.minimise import Minimised
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.counterexamples.replay.one_process import Page, Vma, pages_in, vmas_of
from vmacheck.counterexamples.reports.check_data import StateData, StepData, state_data, step_data
from vmacheck.counterexamples.reports.prove import DepthVerdict, depth_verdict, shown, steps_of
from vmacheck.model.calls.operations import Call, result_text


class ProgramData(TypedDict):
    """A program with its steps; fewer steps than operations if one stops the kernel."""

    operations: list[str]
    length: Natural
    steps: list[StepData]


class SizedStateData(StateData):
    """A state in an address space of so many pages."""

    pages_in_all: Natural


def _state_data(vmas: Sequence[Vma], pages: Sequence[Page], size: int) -> SizedStateData:
    return {"pages_in_all": size, **state_data(vmas, pages)}


# ---- prove ---------------------------------------------------------------------------------------


class FailureData(TypedDict):
    """A state, and a call in it that breaks properties. reachable: does a program lead there? null: unknown."""

    broken: list[str]
    before: SizedStateData
    operation: str
    result: int | str
    after: SizedStateData
    reachable: bool | None


class ProveData(TypedDict):
    """The answer of `vmacheck prove KERNEL PROPERTY`, over any state of up to so many vmas.

    lemmas are proved together with the property. failure is a state from which a call breaks one of them.
    """

    schema: Literal[1]
    kernel: str
    property: str
    verdict: ProofVerdict
    reason: str | None
    vmas: Natural
    ops: list[str]
    max_map_count: Natural
    lemmas: list[str]
    paths: Natural
    questions: Natural
    seconds: Seconds
    failure: FailureData | None
    counterexample: ProgramData | None


def proof_data(proof: Proof, max_map_count: int) -> ProveData:
    """The answer of `vmacheck prove KERNEL PROPERTY` as JSON has it."""
    return {
        "schema": SCHEMA,
        "kernel": proof.kernel,
        "property": proof.property,
        "verdict": proof.verdict,
        "reason": proof.reason,
        "vmas": proof.vmas,
        "ops": list(proof.operations),
        "max_map_count": max_map_count,
        "lemmas": [*(name for name in (*STRUCTURE, *proof.lemmas) if name != proof.property), RANGES],
        "paths": proof.paths,
        "questions": proof.checks,
        "seconds": round(proof.seconds, 3),
        "failure": _failure_data(proof),
        "counterexample": _program_data(proof.kernel, proof.program, max_map_count)
        if proof.program is not None
        else None,
    }


def _failure_data(proof: Proof) -> FailureData | None:
    failure, tried, reached = proof.failure, proof.tried, proof.reached
    if failure is None or tried is None or reached is None:
        return None
    size = failure.before.pages
    reachable = True if reached.calls is not None else False if reached.closed else None
    return {
        "broken": list(failure.broken),
        "before": _state_data(vmas_of(tried.before), pages_in(tried.before, size), size),
        "operation": str(failure.call),
        "result": result_text(failure.call, tried.result),
        "after": _state_data(vmas_of(tried.after), pages_in(tried.after, size), size),
        "reachable": reachable,
    }


def _program_data(kernel: str, calls: Sequence[Call], max_map_count: int) -> ProgramData:
    steps = [step_data(step) for step in steps_of(kernel, calls, max_map_count)]
    return {"operations": [str(call) for call in calls], "length": len(calls), "steps": steps}


# ---- prove --depth -------------------------------------------------------------------------------


class ProveDepthData(TypedDict):
    """The answer of `vmacheck prove KERNEL PROPERTY --depth D`, for programs of up to D calls and of any size.

    rows: for each number of calls, how many rows of cells it takes that many to reach.
    """

    schema: Literal[1]
    kernel: str
    property: str
    verdict: DepthVerdict
    depth: Natural
    scope: ScopeData
    reason: str | None
    rows: list[Natural]
    transitions: Natural
    seconds: Seconds
    counterexample: ProgramData | None


def depth_data(kernel: str, name: str, scope: Scope, depth: int, found: Found, seconds: float) -> ProveDepthData:
    """The answer of `vmacheck prove KERNEL PROPERTY --depth D` as JSON has it."""
    bounds = scope.as_data()
    del bounds["pages"], bounds["max_pgoff"]
    return {
        "schema": SCHEMA,
        "kernel": kernel,
        "property": name,
        "verdict": depth_verdict(found),
        "depth": depth,
        "scope": bounds,
        "reason": found.open,
        "rows": found.levels,
        "transitions": found.transitions,
        "seconds": round(seconds, 3),
        "counterexample": _program_data(kernel, found.program, scope.max_map_count)
        if found.program is not None
        else None,
    }


# ---- prove --equivalent --------------------------------------------------------------------------


class LeftData(TypedDict):
    """A field that lives inside a call and is looked at later, as the function of each kernel leaves it."""

    field: str
    a: int
    b: int


class DoesData(TypedDict):
    """The result of the function and the state that it leaves; null if the kernel stops."""

    result: int | None
    state: SizedStateData | None


class DifferenceOfFunctionsData(TypedDict):
    """A state and a call that calls the function with these arguments, and what each kernel's does."""

    before: SizedStateData
    operation: str
    arguments: dict[str, int]
    left: LeftData | None
    a_does: DoesData
    b_does: DoesData


class ProveEquivalentData(TypedDict):
    """The answer of `vmacheck prove --equivalent KERNEL_A KERNEL_B FUNCTION`."""

    schema: Literal[1]
    a: str
    b: str
    function: str
    verdict: EquivalentVerdict
    reason: str | None
    vmas: Natural
    ops: list[str]
    paths: Natural
    comparisons: Natural
    questions: Natural
    seconds: Seconds
    difference: DifferenceOfFunctionsData | None


def equivalent_data(found: Equivalent) -> ProveEquivalentData:
    """The answer of `vmacheck prove --equivalent A B FUNCTION` as JSON has it."""
    return {
        "schema": SCHEMA,
        "a": found.a,
        "b": found.b,
        "function": found.function,
        "verdict": found.verdict,
        "reason": found.reason,
        "vmas": found.vmas,
        "ops": list(found.operations),
        "paths": found.paths,
        "comparisons": found.compared,
        "questions": found.checks,
        "seconds": round(found.seconds, 3),
        "difference": _difference_data(found),
    }


def _difference_data(found: Equivalent) -> DifferenceOfFunctionsData | None:
    one = found.difference
    if one is None:
        return None
    size = one.before.pages
    return {
        "before": _state_data(*shown(found.a, one.before), size),
        "operation": str(one.call),
        "arguments": one.arguments,
        "left": None if one.left is None else {"field": one.left[0], "a": one.left[1], "b": one.left[2]},
        "a_does": _does_data(found.a, *one.a, size),
        "b_does": _does_data(found.b, *one.b, size),
    }


def _does_data(kernel: str, result: int | None, numbers: Numbers | None, size: int) -> DoesData:
    return {"result": result, "state": None if numbers is None else _state_data(*shown(kernel, numbers), size)}


# ---- minimise ------------------------------------------------------------------------------------


class GeneralData(TypedDict):
    """The program with names for its numbers, and the condition on these under which it does the same."""

    condition: str
    operations: list[str]


class MinimiseData(TypedDict):
    """The answer of `vmacheck minimise`: the least program that violates a property, or is worse by a measure.

    given and shrunk are lengths; they are null if the program was searched for. shorter and least say in words why no
    program is shorter, and why none of this length is less. total_length is that of all ranges together, in pages.
    """

    schema: Literal[1]
    kernels: list[str]
    property: str | None
    by: str | None
    verdict: Literal["proved", "incomplete"]
    given: Natural | None
    shrunk: Natural | None
    pages: Natural
    total_length: Natural
    shorter: list[str]
    least: list[str]
    general: GeneralData | None
    scope: ScopeData
    seconds: Seconds
    counterexample: ProgramData


def minimised_data(found: Minimised, seconds: float) -> MinimiseData:
    """The answer of `vmacheck minimise` as JSON has it."""
    violation, cost = found.violation, found.cost
    kernel, general = violation.kernels[0], found.general
    bounds = found.scope.as_data()
    del bounds["max_pgoff"]
    return {
        "schema": SCHEMA,
        "kernels": list(violation.kernels),
        "property": violation.property or None,
        "by": violation.worse or None,
        "verdict": "proved" if found.complete else "incomplete",
        "given": found.given,
        "shrunk": found.shrunk,
        "pages": cost.pages,
        "total_length": cost.length,
        "shorter": found.shorter,
        "least": found.least,
        "general": None if general is None else {"condition": general.condition, "operations": list(general.calls)},
        "scope": bounds,
        "seconds": round(seconds, 3),
        "counterexample": _program_data(kernel, found.calls, violation.max_map_count),
    }
