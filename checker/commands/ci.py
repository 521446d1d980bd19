# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck ci: the jobs of a file, compared with what is expected."""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.support.options import add_command, outputs_of
from vmacheck.checker.commands.support.progress import ProgressLine
from vmacheck.checker.files.written import check_outputs, write_at_once
from vmacheck.checker.jobs.job_file import DEFAULT_FILE, Job, JobError, read_jobs
from vmacheck.checker.jobs.run import Report, Runner
from vmacheck.checker.jobs.update import update
from vmacheck.checker.kernels.names import unknown
from vmacheck.counterexamples.job_reports.github import annotations, as_no_command, summary
from vmacheck.counterexamples.job_reports.junit import junit_text, time_of_report
from vmacheck.counterexamples.job_reports.page import page_html
from vmacheck.counterexamples.job_reports.programs import counterexamples
from vmacheck.counterexamples.job_reports.sarif import sarif_text
from vmacheck.counterexamples.job_reports.text import ci_data, ci_text
from vmacheck.counterexamples.reports.itf import write_traces

ALL_AS_EXPECTED, SURPRISE, INCOMPLETE, VACUOUS = 0, 1, 3, 4


def ci_command(options: argparse.Namespace) -> int:
    """vmacheck ci: 0 if everything is as expected; else 1, or 3 or 4 if the only surprise is an open verdict."""
    files, folders = outputs_of(options)
    if options.file == DEFAULT_FILE and not Path(DEFAULT_FILE).exists():
        raise JobError(f"there is no {DEFAULT_FILE} here; vmacheck init writes one, and vmacheck ci FILE reads another")
    if options.update and (files or folders or options.github):
        given = [*files, *folders, *(["--github"] if options.github else [])]
        raise JobError(f"--update writes the job file, and no reports: leave out {' and '.join(given)}")
    everything = read_jobs(Path(options.file))
    jobs = chosen(everything, options.job)
    check_outputs(files, folders, dict.fromkeys(path for job in everything for path in job.files()))
    steps_summary = summary_file() if options.github else None
    if options.junit is not None:
        time_of_report()
    with ProgressLine() as progress:
        processors = len(os.sched_getaffinity(0))
        runner = Runner(processors, not options.no_cache, progress.say, options.html is not None)
        reports = runner.run(jobs)
    if options.update:
        changes, left = update(reports)
        print("\n".join([*changes, *left] or ["every expectation is met: nothing to update"]))
        return exit_code([report for report in reports if report.error]) or (INCOMPLETE if left else ALL_AS_EXPECTED)
    text = ci_text(reports)
    try:
        for option, write in WRITERS.items():
            path = getattr(options, option)
            if path is not None:
                write_at_once(Path(path), write(reports))
        if options.itf is not None:
            write_traces(Path(options.itf), counterexamples(reports))
        if steps_summary is not None:
            with steps_summary.open("a", encoding="utf-8") as file:
                file.write(summary(reports))
    finally:
        print("\n".join(as_no_command(text) if options.github else text))
    if options.github:
        print("\n".join(annotations(reports)), end="\n" * any(report.surprises for report in reports))
    return exit_code(reports)


def summary_file() -> Path | None:
    """The file of the step's summary in GitHub Actions; None outside of it. Raises OutputError."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return None
    check_outputs({"GITHUB_STEP_SUMMARY": name}, {})
    return Path(name)


def chosen(jobs: Sequence[Job], names: Sequence[str]) -> list[Job]:
    """The jobs with these names, or all. Raises UnknownName."""
    known = [job.name for job in jobs]
    for name in names:
        if name not in known:
            raise unknown("job", name, known)
    return [job for job in jobs if not names or job.name in names]


def exit_code(reports: Sequence[Report]) -> int:
    """The exit code for surprises: 3 if a verdict is incomplete instead, 4 if it is vacuous; 1 for any other."""
    words = {word for report in reports for word in report.surprises}
    if words - {"incomplete", "vacuous"}:
        return SURPRISE
    return INCOMPLETE if "incomplete" in words else VACUOUS if words else ALL_AS_EXPECTED


def _json(reports: Sequence[Report]) -> str:
    return json.dumps(ci_data(reports), indent=1) + "\n"


WRITERS: dict[str, Callable[[Sequence[Report]], str]] = {
    "json": _json,
    "junit": junit_text,
    "sarif": sarif_text,
    "html": page_html,
}


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "ci",
        "the jobs of vmacheck.toml, held against what is expected of them",
        "Carry out the jobs of a file, and say of each verdict whether it is the one that is expected.",
        "vmacheck ci --junit vmacheck.xml --html vmacheck.html",
    )
    add = one.add_argument
    add("file", nargs="?", default=DEFAULT_FILE, metavar="FILE", help=f"the job file (default {DEFAULT_FILE})")
    add("--job", action="append", default=[], metavar="NAME", help="only this job (may be repeated)")
    add("--update", action="store_true", help="write what was found into the job file, as what is expected")
    add("--no-cache", action="store_true", help="carry out jobs whose inputs did not change, too")
    add = one.add_argument_group("reports").add_argument
    add("--json", metavar="FILE", help="also write everything as JSON")
    add("--junit", metavar="FILE", help="also write the verdicts as JUnit XML")
    add("--sarif", metavar="FILE", help="also write what is violated as SARIF, with the traces")
    add("--html", metavar="FILE", help="also write a page with everything: verdicts, pictures, programs, coverage")
    add("--itf", metavar="DIR", help="also write every counterexample there in the Informal Trace Format")
    add("--github", action="store_true", help="also print annotations for GitHub Actions, and write the step's summary")
    one.set_defaults(command=ci_command)
