# SPDX-License-Identifier: GPL-2.0-only
"""Job results for GitHub Actions: annotations on standard output, and a summary in Markdown."""

import hashlib
import re
from collections.abc import Sequence

from vmacheck.checker.jobs.run import AS_EXPECTED, Report
from vmacheck.counterexamples.job_reports.programs import films, shown
from vmacheck.counterexamples.job_reports.responsible import of_job, place_of
from vmacheck.counterexamples.job_reports.text import job_words, sum_text
from vmacheck.counterexamples.pictures.text import LEGEND


def annotations(reports: Sequence[Report]) -> list[str]:
    """One workflow command per unexpected result."""
    lines = []
    for report in reports:
        job = of_job(report)
        for outcome in report.outcomes:
            if outcome.surprise != AS_EXPECTED:
                programs = shown(report, outcome)
                place = place_of(report, outcome.name, programs)
                text = [f"{outcome.found}, not {outcome.wanted}", *films(programs)]
                title = f"{report.job.name}: {outcome.surprise}: {outcome.name or report.job.kind}"
                lines.append(_command("error", place.path, place.line, title, "\n".join(text)))
        for what, message in (("drifted", report.drift), ("no answer", report.error)):
            if message:
                lines.append(_command("error", job.path, job.line, f"{report.job.name}: {what}", message))
    return lines


def as_no_command(lines: Sequence[str]) -> list[str]:
    """Lines that the runner prints verbatim, whatever a job in them is called."""
    text = "\n".join(lines)
    if not re.search(r"^\s*::|##\[", text, re.MULTILINE):
        return [*lines]
    token = hashlib.sha256(text.encode()).hexdigest()
    return [f"::stop-commands::{token}", *lines, f"::{token}::"]


def _command(level: str, path: str, line: int, title: str, message: str) -> str:
    return f"::{level} file={_property(path)},line={line},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(reports: Sequence[Report]) -> str:
    """The summary of a workflow's step: one row per job, and each unexpected result with its counterexample."""
    rows = ["## vmacheck", "", sum_text(reports), ""]
    rows += ["| job | does | verdicts | |", "|---|---|---|---|"]
    for report in reports:
        surprises = ", ".join(sorted(set(report.surprises)))
        mark = f":x: {surprises}" if surprises else ":white_check_mark:"
        rows.append(f"| {_cell(report.job.name)} | {_cell(job_words(report.job))} | {len(report.outcomes)} | {mark} |")
    for report in reports:
        for outcome in report.outcomes:
            if outcome.surprise != AS_EXPECTED:
                head = f"{outcome.name or report.job.kind} is {outcome.found}, not {outcome.wanted}"
                rows += ["", f"### {_cell(report.job.name)}: {outcome.surprise}: {_cell(head)}"]
                drawn = films(shown(report, outcome))
                fence = "`" * (1 + max([2, *map(len, re.findall("`+", "\n".join(drawn)))]))
                rows += ["", fence, *drawn, fence, "", LEGEND] if drawn else []
        for message in filter(None, (report.drift, report.error)):
            rows += ["", f"### {_cell(report.job.name)}: {_cell(message)}"]
    return "\n".join([*rows, ""])


def _cell(text: str) -> str:
    """The text, escaped for Markdown and HTML."""
    return re.sub(r"[\\`*\[\]<>|~#&@!:]", lambda found: f"&#{ord(found[0])};", text)
