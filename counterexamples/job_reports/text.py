# SPDX-License-Identifier: GPL-2.0-only
"""Job results, as text and as data."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from vmacheck.checker.files.json_types import Natural
from vmacheck.checker.jobs.job_file import Job
from vmacheck.checker.jobs.run import AS_EXPECTED, Outcome, Report, Surprise, in_words
from vmacheck.counterexamples.job_reports.programs import films, shown
from vmacheck.counterexamples.pictures.text import LEGEND
from vmacheck.counterexamples.pictures.words import SCHEMA, count, listing

if TYPE_CHECKING:
    from vmacheck.counterexamples.reports.check_data import CheckData
    from vmacheck.counterexamples.reports.claims import ClaimsData
    from vmacheck.counterexamples.reports.compare import CompareData
    from vmacheck.counterexamples.reports.prove_data import ProveData, ProveDepthData, ProveEquivalentData

MARK = "!"  # behind an unexpected verdict


def ci_text(reports: Sequence[Report]) -> list[str]:
    """Verdicts, as a table for checks alike but for the kernel; unexpected results, drawn; and the totals."""
    tables = [group for group in alike(reports) if len(group) > 1]
    lines = [line for group in tables for line in (*_table(group), "")]
    in_tables = {report.job.name for group in tables for report in group}
    lines += [f"{job_words(report.job)}: {_whole(report)}" for report in reports if report.job.name not in in_tables]
    lines += [""] if lines[-1] else []
    details = [line for report in reports for line in surprises_text(report)]
    if details:
        lines += [LEGEND, "", *details]
    kept = sum(report.cached for report in reports)
    kept_text = [f"answered from the cache: {kept} of {len(reports)} (--no-cache to force)"] if kept else []
    return [*lines, sum_text(reports), *kept_text]


def alike(reports: Sequence[Report]) -> list[list[Report]]:
    """Checks, grouped if they differ only in their kernel."""
    groups: dict[tuple[str, ...], list[Report]] = {}
    for report in reports:
        if report.job.kind == "kernel" and not report.error:
            groups.setdefault((*report.job.command()[2:], *(one.name for one in report.outcomes)), []).append(report)
    return list(groups.values())


def _table(group: Sequence[Report]) -> list[str]:
    rows = [["", *(report.job.name for report in group)]]
    for number, outcome in enumerate(group[0].outcomes):
        rows.append([outcome.name, *(_cell(report.outcomes[number]) for report in group)])
    states = [f"{report.states or 0:,}{MARK if report.drift else ''}" for report in group]
    rows.append(["states", *states])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [f"scope: {group[0].job.scope()}", *lines]


def _cell(outcome: Outcome) -> str:
    return outcome.found + ("" if outcome.surprise == AS_EXPECTED else f" {MARK}")


def job_words(job: Job) -> str:
    """The job in a few words: its name, and what it does."""
    return f"{job.name} ({job_does(job)})"


def job_does(job: Job) -> str:
    """A description of the job in a few words."""
    return {
        "kernel": lambda: f"check {job.values['kernel']}",
        "compare": lambda: f"compare {' '.join(job.kernels)}",
        "claims": lambda: " ".join(job.command()),
        "prove": lambda: f"prove {job.values['kernel']} {job.values['prove']}",
        "equivalent": lambda: f"prove --equivalent {' '.join(job.values['equivalent'])}",
    }[job.kind]()


def _whole(report: Report) -> str:
    if report.error:
        return "no answer"
    verdicts = Counter(outcome.found if len(report.outcomes) == 1 else outcome.verdict for outcome in report.outcomes)
    found = ", ".join(verdict if len(report.outcomes) == 1 else f"{n} {verdict}" for verdict, n in verdicts.items())
    return found + (f" {MARK}" if report.surprises else "")


def surprises_text(report: Report) -> list[str]:
    """The unexpected results of a job, with programs that show them."""
    job, lines = report.job, []
    if report.error:
        return [f"{job.name}: no answer: {report.error}", ""]
    for outcome in report.outcomes:
        if outcome.surprise == AS_EXPECTED:
            continue
        head = (
            f"{job.name}: {outcome.surprise}: {outcome.name or job_words(job)} is {outcome.found}, not {outcome.wanted}"
        )
        lines += [head, *_asides(outcome), ""]
        drawn = films(shown(report, outcome))
        lines += [*drawn, ""] if drawn else []
    if report.drift:
        lines += [f"{job.name}: drifted: {report.drift}", ""]
    return lines


def _asides(outcome: Outcome) -> list[str]:
    lines = []
    if outcome.verdict in ("incomplete", "vacuous", "unproved") and outcome.reason:
        lines.append(f"     {outcome.reason}")
    if outcome.expected.reason:
        lines.append(f"     it was expected because: {outcome.expected.reason}")
    if outcome.surprise == "newly fixed":
        lines.append("     if that is meant, vmacheck ci --update writes it down")
    return lines


def sum_text(reports: Sequence[Report]) -> str:
    """The numbers of jobs, of verdicts, and of unexpected results of each kind."""
    verdicts = sum(len(report.outcomes) for report in reports)
    surprises = Counter(word for report in reports for word in report.surprises)
    what = listing([f"{number} {word}" for word, number in sorted(surprises.items())]) or "every verdict is as expected"
    return f"{count(len(reports), 'job')}, {count(verdicts, 'verdict')}: {what}"


# ---- data ----------------------------------------------------------------------------------------


class ExpectedData(TypedDict):
    """A verdict that is expected, with lengths of counterexamples that are, and the reason that the job file gives."""

    verdict: str
    lengths: dict[str, Natural]
    reason: str | None


class OutcomeData(TypedDict):
    """The verdict on a property or a claim, or on the whole job (name is null), next to the expected one."""

    name: str | None
    outcome: Surprise
    verdict: str
    lengths: dict[str, Natural]
    expected: ExpectedData
    in_words: str
    reason: str | None


class JobData(TypedDict):
    """A job of a job file, with the answer of the command that it stands for.

    file and line: where the job is. cached: the answer is that of an earlier run with the same inputs. drift: how the
    number of states differs from the pinned one. error: why the answer is null.
    """

    name: str
    what: str | None
    command: list[str]
    file: str
    line: Natural
    as_expected: bool
    cached: bool
    error: str | None
    states: Natural | None
    drift: str | None
    outcomes: list[OutcomeData]
    answer: "CheckData | CompareData | ClaimsData | ProveData | ProveDepthData | ProveEquivalentData | None"


class CiData(TypedDict):
    """The answer of `vmacheck ci --json`."""

    schema: Literal[1]
    jobs: list[JobData]


def ci_data(reports: Sequence[Report]) -> CiData:
    """The whole answer as JSON has it."""
    return {"schema": SCHEMA, "jobs": [job_data(report) for report in reports]}


def job_data(report: Report) -> JobData:
    """A job as JSON has it: expected and actual verdicts, and the answer of the command that it stands for."""
    job = report.job
    return {
        "name": job.name,
        "what": job.what,
        "command": ["vmacheck", *job.command()],
        "file": str(job.path),
        "line": job.line,
        "as_expected": not report.surprises,
        "cached": report.cached,
        "error": report.error,
        "states": report.states,
        "drift": report.drift,
        "outcomes": [_outcome_data(outcome) for outcome in report.outcomes],
        "answer": cast("CheckData", dict(report.answer)) if report.answer else None,  # or another of the answers
    }


def _outcome_data(outcome: Outcome) -> OutcomeData:
    expected = outcome.expected
    return {
        "name": outcome.name or None,
        "outcome": outcome.surprise,
        "verdict": outcome.verdict,
        "lengths": dict(outcome.lengths),
        "expected": {"verdict": expected.verdict, "lengths": dict(expected.lengths), "reason": expected.reason},
        "in_words": in_words(outcome.verdict, outcome.lengths),
        "reason": outcome.reason,
    }
