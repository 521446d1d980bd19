# SPDX-License-Identifier: GPL-2.0-only
"""Expectations written anew: what was found goes into the job files, and everything else in them stays as it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomlkit

from checker.ci import AS_EXPECTED, Outcome, Report
from checker.jobs import best


def update(reports: Sequence[Report]) -> list[str]:
    """Write what was found as what is expected; a line for each change. Jobs without an answer are left as they are."""
    changes = []
    for path in dict.fromkeys(report.job.path for report in reports):
        mine = [report for report in reports if report.job.path == path and report.surprises and not report.error]
        if mine:
            changes += _rewritten(path, mine)
    return changes


def _rewritten(path: Path, reports: Sequence[Report]) -> list[str]:
    text = path.read_text(encoding="utf-8")
    document: Any = tomlkit.parse(text)
    changes = []
    for report in reports:
        job = document["job"][report.job.name]
        for outcome in report.outcomes:
            if outcome.surprise != AS_EXPECTED:
                _write(job, report, outcome)
                name = outcome.name and f" {outcome.name}:"
                changes.append(f"{report.job.where}: {report.job.name}:{name} {outcome.found}, was {outcome.wanted}")
        if report.drift:
            job["states"] = report.states
            changes.append(f"{report.job.where}: {report.job.name}: {report.drift}")
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(tomlkit.dumps(document), encoding="utf-8")
    temporary.replace(path)
    return changes


def _write(job: Any, report: Report, outcome: Outcome) -> None:
    """Change what the job expects of the outcome. A reason stays only with the verdict that it was given for."""
    item: Any = tomlkit.inline_table()
    item["verdict"] = outcome.verdict
    item.update(outcome.lengths)
    if outcome.expected.reason and outcome.verdict == outcome.expected.verdict:
        item["reason"] = outcome.expected.reason
    is_best = outcome.verdict == best(report.job, outcome.name) and not outcome.lengths
    if not outcome.name:
        if is_best:
            job.pop("expect", None)
        else:
            job["expect"] = item
        return
    if "expect" not in job:
        job["expect"] = tomlkit.table()
    expect = job["expect"]
    if is_best:
        expect.pop(outcome.name, None)
    else:
        expect[outcome.name] = item
