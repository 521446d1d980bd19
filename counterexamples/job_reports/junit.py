# SPDX-License-Identifier: GPL-2.0-only
"""Job results as JUnit XML: one suite per job, one case per verdict; an unexpected result is a failure."""

import os
import re
import time
from collections.abc import Sequence
from xml.etree import ElementTree

from vmacheck.checker.files.written import OutputError
from vmacheck.checker.jobs.run import AS_EXPECTED, Outcome, Report
from vmacheck.counterexamples.job_reports.programs import films, shown
from vmacheck.counterexamples.job_reports.text import job_words

Element = ElementTree.Element


def junit_text(reports: Sequence[Report]) -> str:
    """The XML, by the schema of Ant's JUnit reports. Its time is SOURCE_DATE_EPOCH, if that is set."""
    now = time_of_report()
    root = Element("testsuites")
    for number, report in enumerate(reports):
        root.append(_suite(number, report, time.strftime("%Y-%m-%dT%H:%M:%S", now)))
    for element in root.iter():
        element.text = _clean(element.text or "")
        element.attrib = {name: _clean(value) for name, value in element.attrib.items()}
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def time_of_report() -> time.struct_time:
    """The time of the report. Raises OutputError for an invalid SOURCE_DATE_EPOCH."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return time.gmtime()
    if not re.fullmatch(r"[0-9]{1,11}", given):
        raise OutputError(f"SOURCE_DATE_EPOCH is '{given}'; it has to be a number of seconds")
    return time.gmtime(int(given))


def _clean(text: str) -> str:
    """The text without the characters that XML forbids."""
    return re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


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
    """The duration of the search in seconds; of a stored answer, that of the search that found it."""
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
