# SPDX-License-Identifier: GPL-2.0-only
"""Jobs run, each in a process of its own, and their answers compared with what is expected."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from vmacheck.checker.jobs.answers import branches_digest, digest, keep_answer, kept_answer
from vmacheck.checker.jobs.job_file import Expectation, Job, JobError, best, memory_of, names_of
from vmacheck.checker.program.link import AST_LOCK, LinkError

Surprise = Literal["as expected", "newly violated", "newly fixed", "incomplete", "vacuous", "drifted", "changed"]
AS_EXPECTED: Final = "as expected"
BAD = ("violated", "refuted", "different", "a_worse", "b_worse", "incomparable")
GOOD = ("holds", "proved", "equal", "holds within bound")
NOT_DECIDED: dict[str, Surprise] = {
    "incomplete": "incomplete",
    "unproved": "incomplete",
    "open": "incomplete",
    "vacuous": "vacuous",
}
USUAL_MEMORY = 1 << 30  # bytes assumed for a job without a limit, in deciding how many run at once
USAGE = 2
GRACE = 3.0  # seconds that a process has to end when it is asked to
FEW_PAGES, FEW_PAGES_IN_THREADS = 3, 2  # in which branches are looked for, within a number of states
FEW_STATES = 3000


@dataclass(frozen=True)
class Outcome:
    """The verdict on one property or claim, or on the whole job, compared with the expected one.

    programs: counterexamples or witnesses as JSON data, by what they show, such as "length" or "a_worse".
    """

    name: str
    verdict: str
    expected: Expectation
    surprise: Surprise
    lengths: Mapping[str, int]
    programs: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    @property
    def found(self) -> str:
        """The verdict with its pinned figures, in words."""
        return in_words(self.verdict, self.lengths)

    @property
    def wanted(self) -> str:
        """The expected verdict, in words."""
        return in_words(self.expected.verdict, self.expected.lengths)


@dataclass(frozen=True)
class Report:
    """The outcome of a job. error: why it has no answer. cached: stored by a run with the same inputs.

    branches: the answer of `vmacheck coverage` about the job's kernel, if it was asked.
    """

    job: Job
    answer: Mapping[str, Any]
    outcomes: Sequence[Outcome]
    drift: str | None = None
    cached: bool = False
    error: str | None = None
    branches: Mapping[str, Any] | None = None

    @property
    def surprises(self) -> list[str]:
        """Outcomes that are not as expected, a word each."""
        found = [outcome.surprise for outcome in self.outcomes if outcome.surprise != AS_EXPECTED]
        return [*found, *(["drifted"] if self.drift else []), *(["error"] if self.error else [])]

    @property
    def states(self) -> int | None:
        """The number of states that the search found, or of pairs of states."""
        return states_in(self.job, self.answer)


def in_words(verdict: str, lengths: Mapping[str, int]) -> str:
    """A verdict with the lengths of its counterexamples."""
    return " ".join([verdict, *(str(length) for length in lengths.values())])


# ---- contents of answers -------------------------------------------------------------------------


def states_in(job: Job, answer: Mapping[str, Any]) -> int | None:
    """The number of states that an answer is about, if it says so."""
    if job.kind == "kernel" and answer:
        return int(answer["coverage"][0]["states"])
    return int(answer["pairs"]) if "pairs" in answer else None


def _found(job: Job, answer: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any], str | None]]:
    """By name: the verdict, the programs, and the reason given."""
    if job.kind == "kernel":
        return {
            one["property"]: (
                one["verdict"],
                _programs(length=one.get("witness") or one["counterexample"]),
                one["reason"],
            )
            for one in answer["results"]
        }
    if job.kind == "claims":
        return {
            one["id"]: (one["verdict"], _programs(length=deciding(one)), one["theorem"]) for one in answer["claims"]
        }
    if job.kind == "compare":
        return {"": (answer["verdict"], _programs(a_worse=answer["a_worse"], b_worse=answer["b_worse"]), None)}
    return {"": (answer["verdict"], _programs(length=answer.get("counterexample")), answer["reason"])}


def _programs(**programs: Any) -> dict[str, Any]:
    return {name: program for name, program in programs.items() if program is not None}


def deciding(claim: Mapping[str, Any]) -> Any:
    """The witness that decides a claim, of those in its parts; None if none does."""
    parts = [one for one in claim["parts"] if one["is_claim"] and one["verdict"] == claim["verdict"] and one["witness"]]
    return min((one["witness"] for one in parts), key=lambda witness: int(witness["length"]), default=None)


def surprise_of(verdict: str, lengths: Mapping[str, int], expected: Expectation) -> Surprise:
    """A word that compares a verdict with the expected one."""
    if verdict == expected.verdict:
        same = all(lengths.get(side) == length for side, length in expected.lengths.items())
        return AS_EXPECTED if same else "drifted"
    if verdict in NOT_DECIDED:
        return NOT_DECIDED[verdict]
    if verdict in BAD:
        return "changed" if expected.verdict in BAD else "newly violated"
    return "newly fixed" if expected.verdict not in GOOD else "changed"


def judged(job: Job, answer: Mapping[str, Any], cached: bool) -> Report:
    """The report on an answer, compared with what is expected."""
    outcomes, found = [], _found(job, answer)
    for name in names_of(job):
        verdict, programs, reason = found[name]
        lengths = {side: int(program["length"]) for side, program in programs.items()}
        expected = job.expected.get(name, Expectation(best(job, name)))
        surprise = surprise_of(verdict, lengths, expected)
        outcomes.append(Outcome(name, verdict, expected, surprise, lengths, programs, reason))
    states, pinned = states_in(job, answer), job.values.get("states")
    drift = f"{states:,} states, not {pinned:,}" if pinned is not None and states != pinned else None
    return Report(job, answer, outcomes, drift, cached)


# ---- running jobs --------------------------------------------------------------------------------


class Budget:
    """Memory that running jobs share: a job waits until there is enough of it, or nothing else runs."""

    def __init__(self, free: int) -> None:
        self.free, self.running = free, 0
        self.changed = threading.Condition()

    def take(self, needed: int) -> None:
        """Wait for `needed` bytes, and take them."""
        with self.changed:
            self.changed.wait_for(lambda: needed <= self.free or not self.running)
            self.free, self.running = self.free - needed, self.running + 1

    def give_back(self, needed: int) -> None:
        """Give back `needed` bytes."""
        with self.changed:
            self.free, self.running = self.free + needed, self.running - 1
            self.changed.notify_all()


def available_memory() -> int:
    """Memory available to processes now, in bytes."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return USUAL_MEMORY


class Runner:
    """A runner of jobs, as many at a time as processors and memory allow, that stores their answers.

    branches: also ask which branches of a checked kernel are never taken, in an address space of a few pages.
    """

    def __init__(self, processors: int, use_cache: bool, say: Callable[[str], None], branches: bool = False) -> None:
        self.processors, self.use_cache, self.say, self.branches = processors, use_cache, say, branches
        self.budget = Budget(available_memory())
        self.children: set[subprocess.Popen[str]] = set()
        self.ended, self.lock = False, threading.Lock()

    def run(self, jobs: Sequence[Job]) -> list[Report]:
        """The reports, in the order of the jobs. Raises JobError for a job that cannot be run."""
        keys = [digest(job) for job in jobs]
        missing = sum(self._kept(key) is None for key in keys)
        at_once = max(1, min(self.processors, missing))
        workers = max(1, self.processors // at_once)
        with ThreadPoolExecutor(self.processors) as pool:
            try:
                futures = [pool.submit(self._one, job, key, workers) for job, key in zip(jobs, keys, strict=True)]
                return [future.result() for future in futures]
            finally:
                self._end()

    def _end(self) -> None:
        """Start nothing more, and end each running job's process, with those that it has started."""
        with self.lock:
            self.ended, children = True, list(self.children)
        deadline = time.monotonic() + GRACE
        for child in children:
            _send(child, signal.SIGTERM)
        while any(child.poll() is None for child in children) and time.monotonic() < deadline:
            time.sleep(0.02)
        for child in children:
            _send(child, signal.SIGKILL)

    def _kept(self, key: str) -> dict[str, Any] | None:
        return kept_answer(key) if self.use_cache else None

    def _one(self, job: Job, key: str, workers: int) -> Report:
        needed = memory_of(job.values["memory"]) if "memory" in job.values else USUAL_MEMORY
        words = [*job.command(), *(["--workers", str(workers)] if job.kind == "kernel" else [])]
        answer, cached = self._answer(job, words, key, needed, lambda: digest(job))
        if isinstance(answer, str):
            return Report(job, {}, (), error=answer)
        report = judged(job, answer, cached)
        more = coverage_command(job) if self.branches else None
        if more is None:
            return report
        with AST_LOCK:
            more_key = branches_digest(job, key, more)
        again = lambda: branches_digest(job, digest(job), more)  # noqa: E731
        branches, _ = self._answer(job, more, more_key, USUAL_MEMORY, again)
        return report if isinstance(branches, str) else replace(report, branches=branches)

    def _answer(
        self, job: Job, words: Sequence[str], key: str, needed: int, again: Callable[[], str]
    ) -> tuple[dict[str, Any] | str, bool]:
        """The answer of a command as JSON data, or the reason for having none; and whether it was stored before.

        again: recomputes the key. The answer is stored only if the inputs did not change while the job ran.
        """
        kept = self._kept(key)
        if kept is not None:
            return kept, True
        self.budget.take(needed)
        try:
            self.say(f"{job.name} ...")
            answer = self._carried_out(job, words)
        finally:
            self.budget.give_back(needed)
        if not isinstance(answer, str) and is_final(job, answer):
            with contextlib.suppress(JobError, OSError, UnicodeError, LinkError), AST_LOCK:
                if again() == key:
                    keep_answer(key, answer)
        return answer, False

    def _carried_out(self, job: Job, words: Sequence[str]) -> dict[str, Any] | str:
        """Run a command in its own process: its answer, or the reason for none. Raises JobError for bad input."""
        command = [sys.executable, "-P", "-m", "vmacheck", *words, "--format", "json"]
        with self.lock:
            if self.ended:
                return "it was not carried out"
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self.children.add(child)
        out, err = child.communicate()
        with self.lock:
            self.children.discard(child)
        if child.returncode == USAGE:
            raise JobError(f"{job.where}: job '{job.name}': {err.strip().removeprefix('vmacheck: ')}")
        try:
            answer: dict[str, Any] = json.loads(out)
        except json.JSONDecodeError:
            how = f"was ended by signal {-child.returncode}" if child.returncode < 0 else f"exited {child.returncode}"
            last = err.strip().splitlines()[-1:] or [""]
            return f"its process {how}{': ' if last[0] else ''}{last[0]}"
        return answer


def _send(child: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to a process and those that it has started, unless all are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def is_final(job: Job, answer: Mapping[str, Any]) -> bool:
    """Would the same inputs give it again? A question that Z3 had too little time for may be decided next time."""
    return job.kind not in ("prove", "equivalent") or answer["verdict"] != "incomplete"


def coverage_command(job: Job) -> list[str] | None:
    """The command that lists the branches of the job's kernel that are never taken; None if it cannot be asked."""
    if job.kind != "kernel" or not job.world.has_coverage:
        return None
    few = FEW_PAGES_IN_THREADS if job.values.get("threads") else FEW_PAGES
    pages = min(few, job.values.get("pages", few))
    kept = ("prot", "ops", "noreserve", "max_map_count", "max_pgoff", "depth", "max_states", "threads", "every_step")
    values = {key: value for key, value in job.values.items() if key in kept}
    values["max_states"] = min(FEW_STATES, values.get("max_states", FEW_STATES))
    smaller = replace(job, values={"kernel": job.values["kernel"], "pages": pages, **values})
    return ["coverage", *smaller.command()[1:]]
