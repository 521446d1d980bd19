# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts from a search: what was found, within which bounds, and whether it means anything."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

from vmacheck.checker.program.layout import OutOfBounds
from vmacheck.checker.program.system import Claim, System
from vmacheck.checker.program.wide import RANGE, Wide, is_watched, widened
from vmacheck.checker.search import explore, rounds
from vmacheck.checker.search.checkpoint import Job
from vmacheck.checker.search.crew import Means
from vmacheck.checker.search.outcome import Coverage, Limits, Progress, Report, Search
from vmacheck.checker.search.table import LARGEST_SEARCH

Verdict = Literal["holds", "violated", "incomplete", "vacuous"]
REASONS = {
    "depth": "more calls than --depth allows",
    "max-states": "more states than --max-states allows",
    "numbers": f"more states than {LARGEST_SEARCH:,}",
    "memory": "more states than fit into --memory",
    "max-pgoff": "offsets beyond --max-pgoff were not followed",
}
BEYOND = f"calls from states that are out of range were not followed: {RANGE}"


@dataclass(frozen=True)
class Result:
    """The verdict on one claim.

    holds: in every state, or at every call, that any program of the scope can reach (a "sometimes" claim: in one).
    violated: `calls` are a shortest program that shows it, the least in the order of the scope's calls.
    incomplete: not violated as far as a bound let the search go. vacuous: not violated, but never put to the test;
    `reason` says which bound, or what never happened.
    states, transitions, depth: of the search, up to the counterexample if any.
    any_size: the search was over address spaces of every size, not over the system's own states; no program of fewer
    calls than this hits the claim in any.
    """

    system: System
    claim: Claim
    verdict: Verdict
    closed: bool
    states: int
    transitions: int
    depth: int
    seconds: float
    calls: tuple[Any, ...] | None = None
    reason: str | None = None
    any_size: int | None = None

    @property
    def outcome(self) -> str:
        """The verdict, with the length of the counterexample if any."""
        return f"violated {len(self.calls or ())}" if self.verdict == "violated" else self.verdict

    @property
    def programs_ruled_out(self) -> int | None:
        """The number of programs shorter than the counterexample, which all keep the claim. None: infinitely many."""
        if self.any_size is not None:
            return None
        length = len(self.calls or ())
        return sum(int(len(self.system.calls) ** n) for n in range(1, length))


@dataclass(frozen=True)
class Checked:
    """The verdicts and figures of one search over one system."""

    system: System
    search: Search
    results: list[Result]


def check(
    system: System,
    names: Sequence[str],
    limits: Limits,
    run: str = "compiled",
    progress: Report | None = None,
    means: Means | None = None,
) -> Checked:
    """Search the system once, and judge the claims with these names; run is "compiled", "interpreted" or "ray".

    A system that is watched (program/wide.py) is searched again with room for a value that is out of range; the claim
    about that is judged, too, if it is violated.
    Raises OutOfBounds of a system that is not watched, and CheckpointError; if run is "ray", ClusterError.
    """
    wide: Wide = frozenset()
    while True:
        try:
            return _check(widened(system, wide) if wide else system, names, limits, run, progress, means)
        except OutOfBounds as error:
            if not is_watched(system):
                raise
            wide |= {(error.place.array, error.place.field.name)}
            means = Means(means.workers, means.hurry) if means else None  # a checkpoint is of the search without room


def _check(
    system: System, names: Sequence[str], limits: Limits, run: str, progress: Report | None, means: Means | None
) -> Checked:
    begin = time.perf_counter()
    if run == "ray":
        from vmacheck.checker.search import cluster  # noqa: PLC0415  (an extra that need not be installed)

        search = cluster.explore(system, names, limits, progress, means or Means())
    elif run == "compiled":
        search = rounds.explore(system, names, limits, progress, means)
    else:
        search = explore.explore(system, names, limits, progress)
    if search.stopped in system.beyond:
        # the scope ends at this limit, so what lies beyond is no part of it: all its states were reached, unless the
        # search ended early, with every claim hit
        search.closed, search.stopped = not set(names) <= set(search.hits), None
    seconds = time.perf_counter() - begin
    claims = {claim.name: claim for claim in system.claims}
    results = [judge(system, claims[name], search, seconds) for name in names]
    if RANGE in search.hits and RANGE not in names:
        results = [*map(_left_open, results), judge(system, claims[RANGE], search, seconds)]
    return Checked(system, search, results)


def _left_open(result: Result) -> Result:
    """The verdict of a search in which some states had no calls after them."""
    is_open = result.verdict in ("holds", "vacuous") and result.calls is None
    return replace(result, verdict="incomplete", closed=False, reason=BEYOND) if is_open else result


def check_all(
    systems: Sequence[System],
    names: Sequence[str],
    limits: Limits,
    run: str,
    progress: Callable[[str], Report],
    workers: int,
    job: Job | None = None,
) -> list[Checked]:
    """Check each system, several at a time, with `workers` workers in all; machine code runs outside Python's lock.

    Idle workers join the searches that are still running. With a limit on memory, and on a cluster, searches run one at
    a time. progress(name) gives the function that reports on a system. The first error, or an interrupt, ends them all.
    """
    ended, left = threading.Event(), set(range(len(systems)))
    at_once = workers if limits.memory is None and run != "ray" else 1

    def one(number: int) -> Checked:
        system = systems[number]
        report = progress(system.name)

        def report_unless_ended(now: Progress) -> None:
            if ended.is_set():
                raise KeyboardInterrupt
            report(now)

        means = Means(lambda: max(1, workers // min(at_once, len(left))), True, None if job is None else job.of(number))
        try:
            return check(system, names, limits, run, report_unless_ended, means)
        finally:
            left.remove(number)

    with ThreadPoolExecutor(at_once) as pool:
        try:
            return [future.result() for future in [pool.submit(one, number) for number in range(len(systems))]]
        finally:
            ended.set()


def judge(system: System, claim: Claim, search: Search, seconds: float) -> Result:
    """The verdict on a claim after a search."""
    hit = search.hits.get(claim.name)
    if hit is not None:
        verdict: Verdict = "holds" if claim.sometimes else "violated"
        return Result(
            system, claim, verdict, False, hit.states, hit.transitions, len(hit.calls), seconds, calls=hit.calls
        )
    whole = (search.closed, search.states, search.transitions, search.depth, seconds)
    if not search.closed:
        return Result(system, claim, "incomplete", *whole, reason=REASONS[search.stopped or ""])
    if claim.sometimes:
        return Result(system, claim, "vacuous", *whole, reason="it never happens")
    missing = never_happened(system, search.coverage)
    if claim.premise is not None and claim.premise not in search.hits:
        missing.insert(0, claim.premise)
    if missing:
        return Result(system, claim, "vacuous", *whole, reason=f"never happens: {', '.join(missing)}")
    return Result(system, claim, "holds", *whole)


def never_happened(system: System, coverage: Coverage) -> list[str]:
    """The kinds of call that never succeeded, and the goals that were never met."""
    kinds = dict.fromkeys(call[0] for call in system.calls)
    never = [f"a successful {system.kinds[kind]}" for kind in kinds if not coverage.results.get(kind, Counter())[0]]
    return never + [goal.name for goal in system.goals if not coverage.events[goal.event]]
