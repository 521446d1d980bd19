# SPDX-License-Identifier: GPL-2.0-only
"""Is a property true of every reachable state, whatever the size of the address space?

Proved by induction over calls: it is true of the empty address space, and no call breaks it in a state of up to N vmas.
If that fails in an unreachable state, another property that rules the state out is proved along with it, as a lemma.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Literal

from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.names import tree_of
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.layout import Broken, OutOfBounds
from vmacheck.checker.proofs.any_size import Violation
from vmacheck.checker.proofs.confirm import Reached, Tried, reach, try_out
from vmacheck.checker.proofs.induction import STRUCTURE, Failure, Question, ask, false_at_first
from vmacheck.checker.proofs.oracle import Oracle
from vmacheck.checker.proofs.trees import kind_of
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import Result, check
from vmacheck.checker.symbolic.pool import in_order, workers
from vmacheck.model.calls.operations import Call
from vmacheck.properties import PROPERTIES

PAGES_SEARCHED = 3  # properties that hold there are tried as lemmas
Report = Callable[[str], None]


ProofVerdict = Literal["proved", "refuted", "unproved", "incomplete", "vacuous"]


@dataclass
class Proof:
    """The outcome of an attempt to prove a property.

    proved; vacuous: proved, but never put to the test;
    refuted: `program` leads from the empty address space to a state, or ends with a call, of which it is false;
    unproved: `failure` is a state from which a call breaks it (or a lemma), but is not known to be reachable;
    incomplete: `reason` says what kept it from being decided.
    """

    kernel: str
    property: str
    operations: tuple[str, ...]
    vmas: int
    verdict: ProofVerdict = "incomplete"
    reason: str | None = None
    lemmas: tuple[str, ...] = ()
    paths: int = 0
    checks: int = 0
    seconds: float = 0.0
    failure: Failure | None = None
    tried: Tried | None = None
    reached: Reached | None = None
    program: tuple[Call, ...] | None = None


def prove(
    kernel: str,
    name: str,
    operations: Sequence[str],
    vmas: int,
    max_map_count: int,
    milliseconds: int,
    report: Report = lambda _: None,
) -> Proof:
    """Prove the property, or give the reason why not. Raises UnknownName, LinkError and ScopeError."""
    begin = time.perf_counter()
    one_process.build(kernel, Scope(pages=PAGES_SEARCHED, operations=tuple(operations)), [name])
    proof = Proof(kernel, name, tuple(operations), vmas)
    with workers() as pool:
        _decide(proof, max_map_count, milliseconds, pool, report)
    proof.seconds = time.perf_counter() - begin
    return proof


def _decide(proof: Proof, max_map_count: int, milliseconds: int, pool: ProcessPoolExecutor, report: Report) -> None:
    known: list[str] | None = None
    while True:
        failure = _failure(proof, max_map_count, milliseconds, pool, report)
        if failure is None:
            states = [name for name in _goals(proof) if not PROPERTIES[name].on_step]
            wrong = false_at_first(proof.kernel, states, milliseconds) if proof.reason is None else []
            if wrong:
                proof.reason = f"{wrong[0]} is not true of the empty address space"
            elif proof.reason is None:
                _cross_check(proof, max_map_count)
            return
        tried = try_out(proof.kernel, failure.before, failure.call, max_map_count, _all_states(failure))
        if any(not tried.said_before[lemma] for lemma in _assumed(proof)) or all(
            tried.said_after.get(claim) for claim in failure.broken
        ):
            proof.reason = "Z3's numbers do not show it when they are run"
            return
        known = _candidates(proof, max_map_count) if known is None else known
        excluding = [lemma for lemma in known if lemma not in _assumed(proof) and not tried.said_before[lemma]]
        if not excluding:
            _settle(proof, failure, tried, max_map_count)
            return
        proof.lemmas = (*proof.lemmas, excluding[0])


def _all_states(failure: Failure) -> list[str]:
    always = [name for name, prop in PROPERTIES.items() if prop.kind == "always"]
    return [*always, *(name for name in failure.broken if name in PROPERTIES and name not in always)]


def _assumed(proof: Proof) -> tuple[str, ...]:
    own = (proof.property,) if PROPERTIES[proof.property].kind == "always" else ()
    return tuple(name for name in (*own, *proof.lemmas) if name not in STRUCTURE)


def _goals(proof: Proof) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*STRUCTURE, *proof.lemmas, proof.property)))


def _failure(
    proof: Proof, max_map_count: int, milliseconds: int, pool: ProcessPoolExecutor, report: Report
) -> Failure | None:
    """The first failure, by number of vmas and then kind of call. None: no failure, or open as proof.reason says."""
    goals = _goals(proof)
    proof.reason, proof.paths, proof.checks = None, 0, 0
    locked = not kind_of(proof.kernel).leaves_out_locked(proof.operations)
    questions = [
        Question(
            proof.kernel,
            goals,
            _assumed(proof),
            operation,
            vmas,
            max_map_count,
            milliseconds,
            locked,
            proof.operations,
        )
        for vmas in range(proof.vmas + 1)
        for operation in proof.operations
    ]
    for question, answer in in_order(pool, ask, questions):
        proof.paths += answer.paths
        proof.checks += answer.checks
        report(f"{question.operation} with {question.vmas} vmas, {proof.paths:,} paths")
        if answer.failure is not None:
            proof.reason = None
            return answer.failure
        if answer.gave_up is not None and proof.reason is None:  # another call may still show that it is false
            proof.reason = f"{question.operation} with {question.vmas} vmas: {answer.gave_up}"
    return None


def _candidates(proof: Proof, max_map_count: int) -> list[str]:
    """The properties of states that hold in a small address space."""
    always = [name for name, prop in PROPERTIES.items() if prop.kind == "always"]
    scope = _small_scope(proof, max_map_count)
    try:
        checked = check(one_process.build(proof.kernel, scope, always), always, Limits())
    except (OutOfBounds, Broken):
        return []  # the kernel reaches values out of bounds
    return [result.claim.name for result in checked.results if result.verdict in ("holds", "vacuous")]


def _cross_check(proof: Proof, max_map_count: int) -> None:
    """Turn a vacuous proof into that verdict. A search of a small scope has to agree with a proof."""
    result = _small_check(proof, max_map_count)
    proof.verdict = "proved"
    if result.verdict == "vacuous":
        proof.verdict, proof.reason = "vacuous", f"with {PAGES_SEARCHED} pages: {result.reason}"
    elif result.verdict == "violated" and proof.vmas < PAGES_SEARCHED:
        proof.verdict, proof.program = "refuted", result.calls
        proof.reason = f"no call breaks it from a state of up to {proof.vmas} vmas, but one does from a larger one"
    elif result.verdict == "violated":
        proof.verdict, proof.program = "incomplete", result.calls
        proof.reason = "Z3 finds no way to break it, but a search does: one of them is wrong"


def _small_scope(proof: Proof, max_map_count: int) -> Scope:
    """The scope in which a search is to agree with a proof, with NORESERVE where that is a flag of a vma."""
    noreserve = tree_of(proof.kernel).waives_accounts and "mmap" in proof.operations
    return Scope(pages=PAGES_SEARCHED, operations=proof.operations, noreserve=noreserve, max_map_count=max_map_count)


def _small_check(proof: Proof, max_map_count: int) -> Result:
    scope = _small_scope(proof, max_map_count)
    result, *_ = check(one_process.build(proof.kernel, scope, [proof.property]), [proof.property], Limits()).results
    return result


def _settle(proof: Proof, failure: Failure, tried: Tried, max_map_count: int) -> None:
    """Nothing rules the failing state out: is it reachable, or another state where the property is false?"""
    proof.failure, proof.tried = failure, tried
    proof.reached = reach(proof.kernel, failure.before, proof.operations, max_map_count)
    proof.verdict = "unproved"
    if proof.reached.calls is not None and proof.property in failure.broken:
        program = (*proof.reached.calls, failure.call)
        violation = Violation((proof.kernel,), proof.property, max_map_count=max_map_count)
        first = Oracle(violation, failure.before.pages).first_at(program)
        if first is not None:
            proof.verdict, proof.program = "refuted", program[:first]
            return
    result = _small_check(proof, max_map_count)
    if result.verdict == "violated":
        proof.verdict, proof.program = "refuted", result.calls
