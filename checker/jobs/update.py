# SPDX-License-Identifier: GPL-2.0-only
"""Updates of expectations: outcomes are written into the job files, and everything else in them stays as it is."""

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import InlineTable, Table

from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.jobs.job_file import JobError, best, read_jobs
from vmacheck.checker.jobs.run import AS_EXPECTED, Outcome, Report

NOT_DECIDED = "incomplete"  # an open question is never expected
Found = tuple[Report, Sequence[Outcome | None]]  # the outcomes of a job to write
KINDS: tuple[Callable[[], Any], ...] = (tomlkit.table, tomlkit.inline_table)  # of a table that a job lacks so far


def update(reports: Sequence[Report]) -> tuple[list[str], list[str]]:
    """Write outcomes as expectations. Returns a line for each change, and for each thing left as it is.

    Open questions, and jobs without an answer, are left. Raises JobError, OSError.
    """
    written = {report.job.name: _written(report) for report in reports}
    changes: list[str] = []
    for path in dict.fromkeys(report.job.path for report in reports):
        mine = [report for report in reports if report.job.path == path and (written[report.job.name])]
        if mine:
            _check_unchanged(path, mine)
            text = path.read_bytes().decode()
            write_at_once(path, _rewritten(path, text, [(report, written[report.job.name]) for report in mine]))
            changes += [line for report in mine for line in _lines(report, written[report.job.name])]
    return changes, [line for report in reports for line in _left(report)]


def _written(report: Report) -> list[Outcome | None]:
    """The outcomes of a job to write, and None for its number of states, which counts if the job is decided."""
    found: list[Outcome | None] = [one for one in report.outcomes if one.surprise not in (AS_EXPECTED, NOT_DECIDED)]
    is_decided = all(one.surprise != NOT_DECIDED for one in report.outcomes)
    return [*found, *([None] if report.drift and is_decided else [])]


def _left(report: Report) -> list[str]:
    head = f"{report.job.where}: {report.job.name}:"
    if report.error:
        return [f"{head} left as it is: no answer: {report.error}"]
    open_ones = [one for one in report.outcomes if one.surprise == NOT_DECIDED]
    names = [f"{head}{one.name and f' {one.name}:'} left as it is: {one.verdict}" for one in open_ones]
    return [*names, *([f"{head} left as it is: {report.drift}"] if open_ones and report.drift else [])]


def _lines(report: Report, written: Sequence[Outcome | None]) -> list[str]:
    head = f"{report.job.where}: {report.job.name}:"
    return [
        f"{head} {report.drift}"
        if one is None
        else f"{head}{one.name and f' {one.name}:'} {one.found}, was {one.wanted}"
        for one in written
    ]


def _check_unchanged(path: Path, reports: Sequence[Report]) -> None:
    """Raise JobError if the jobs in the file changed: somebody may have edited it meanwhile."""
    now = {job.name: job for job in read_jobs(path)}
    for report in reports:
        job, name = report.job, report.job.name
        same = name in now and (now[name].values, now[name].expected) == (job.values, job.expected)
        if not same:
            raise JobError(f"{path}: job '{name}' is not what it was when it was carried out; nothing is written")


def _rewritten(path: Path, text: str, reports: Sequence[Found]) -> str:
    """The text with the outcomes written in. Raises JobError for a text whose form does not allow it."""
    wanted = tomllib.loads(text)
    _put_all(wanted, reports, dict)
    _drop_best(wanted, reports)
    for kind in KINDS:
        document: Any = tomlkit.parse(text)
        try:
            _put_all(document, reports, kind)
        except (ValueError, TypeError, KeyError):  # a table in an inline table, or in one spread over the file
            continue
        new = tomlkit.dumps(document)
        if "\r\n" in text:
            new = re.sub(r"(?<!\r)\n", "\r\n", new)
        if _means(new, reports) == wanted:
            return new
    raise JobError(f"{path}: it is written so that nothing can be put into it; write what is expected by hand")


def _means(text: str, reports: Sequence[Found]) -> Any:
    """The meaning of a text, without the expectations of these jobs that are the default."""
    try:
        data = tomllib.loads(text)
        _drop_best(data, reports)
    except (tomllib.TOMLDecodeError, KeyError, AttributeError):
        return None
    return data


def _drop_best(data: Any, reports: Sequence[Found]) -> None:
    for report, _ in reports:
        job = data["job"][report.job.name]
        for outcome in report.outcomes:
            table, key = (job.get("expect", {}), outcome.name) if outcome.name else (job, "expect")
            if table.get(key) == {"verdict": best(report.job, outcome.name)}:
                table.pop(key)
        if job.get("expect") == {}:
            job.pop("expect")


def _put_all(
    document: Any, reports: Sequence[tuple[Report, Sequence[Outcome | None]]], kind: Callable[[], Any]
) -> None:
    for report, written in reports:
        job = document["job"][report.job.name]
        for one in written:
            if one is None:
                _put(job, "states", report.states)
            else:
                _expect(job, report, one, kind)


def _expect(job: Any, report: Report, outcome: Outcome, kind: Callable[[], Any]) -> None:
    """Change the job's expectation of the outcome. A reason stays only with the verdict that it was given for."""
    is_best = outcome.verdict == best(report.job, outcome.name) and not outcome.lengths
    if outcome.name and "expect" not in job:
        if is_best:
            return
        _put(job, "expect", kind())
    table, key = (job["expect"], outcome.name) if outcome.name else (job, "expect")
    if is_best and not (key in table and _ends_in_comment(table[key])):
        table.pop(key, None)
        return
    if key not in table:
        _put(table, key, {} if kind is dict else tomlkit.inline_table())
    item = table[key]
    keeps_reason = outcome.verdict == outcome.expected.verdict
    for name in [name for name in item if name not in ("verdict", *outcome.lengths)]:
        if name != "reason" or not keeps_reason:
            item.pop(name)
    for name, value in {"verdict": outcome.verdict, **outcome.lengths}.items():
        _put(item, name, value)


def _put(table: Any, key: str, value: Any) -> None:
    """Set a key; a new one goes before the blank lines and comments at the end, which are about what follows."""
    body = table.value.body if isinstance(table, Table) and key not in table else []
    start = len(body)
    while start and body[start - 1][0] is None:
        start -= 1
    tail = body[start:]
    del body[start:]
    table[key] = value
    body.extend(tail)


def _ends_in_comment(item: Any) -> bool:
    """Would text written after the item become part of it?"""
    if not isinstance(item, Table) or isinstance(item, InlineTable):
        return False
    return any(key is None and part.as_string().strip() for key, part in item.value.body)
