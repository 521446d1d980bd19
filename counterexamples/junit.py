# SPDX-License-Identifier: GPL-2.0-only
"""What jobs came to as JUnit XML: a suite a job, a case a verdict; what is not as expected is a failure."""

import os
import time
from collections.abc import Sequence
from xml.etree import ElementTree

from checker.ci import AS_EXPECTED, Outcome, Report
from counterexamples.ci_report import job_words
from counterexamples.programs import films, shown

Element = ElementTree.Element


def junit_text(reports: Sequence[Report]) -> str:
    """The XML, as the schema of Ant's JUnit reports has it. The report is of SOURCE_DATE_EPOCH, if that is set."""
    now = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH") or time.time()))
    root = Element("testsuites")
    for number, report in enumerate(reports):
        root.append(_suite(number, report, time.strftime("%Y-%m-%dT%H:%M:%S", now)))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(number: int, report: Report, now: str) -> Element:
    job = report.job
    cases = [_case(report, outcome) for outcome in report.outcomes]
    if report.drift:
        cases.append(_wrong(_named(job.name, "states"), "failure", "drifted", report.drift, ""))
    if report.error:
        cases.append(_wrong(_named(job.name, "answer"), "error", "no answer", report.error, ""))
    failures = sum(case.find("failure") is not None for case in cases)
    seconds = _seconds(report)
    suite = Element(
        "testsuite",
        id=str(number),
        package="vmacheck",
        name=job.name,
        timestamp=now,
        hostname="localhost",
        tests=str(len(cases)),
        failures=str(failures),
        errors=str(int(report.error is not None)),
        time=f"{seconds:.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("job", job_words(job)),
        ("file", job.where),
        ("command", f"vmacheck {' '.join(job.command())}"),
        ("cached", str(report.cached).lower()),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    suite.extend(cases)
    ElementTree.SubElement(suite, "system-out").text = ""
    ElementTree.SubElement(suite, "system-err").text = ""
    return suite


def _seconds(report: Report) -> float:
    """How long the search took; of a kept answer, when it was found."""
    if report.job.kind == "kernel":
        return max((float(one["seconds"]) for one in report.answer.get("results", ())), default=0.0)
    return float(report.answer.get("seconds", 0.0))


def _named(job: str, name: str) -> Element:
    return Element("testcase", name=name, classname=f"vmacheck.{job}", time="0.000")


def _case(report: Report, outcome: Outcome) -> Element:
    case = _named(report.job.name, outcome.name or report.job.kind)
    if outcome.surprise == AS_EXPECTED:
        return case
    message = f"{outcome.surprise}: {outcome.found}, not {outcome.wanted}"
    drawn = "\n".join(films(shown(report, outcome)))
    return _wrong(case, "failure", outcome.surprise, message, drawn)


def _wrong(case: Element, tag: str, what: str, message: str, text: str) -> Element:
    ElementTree.SubElement(case, tag, type=what, message=message).text = f"\n{text}\n" if text else message
    return case
