# SPDX-License-Identifier: GPL-2.0-only
"""Job results as SARIF 2.1.0: one rule per property, one result per verdict, the trace as its code flow.

An unexpected result is an error or a warning. An expected violation is a note, and suppressed, with the reason that
the job file gives.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vmacheck.checker.jobs.run import AS_EXPECTED, BAD, Outcome, Report
from vmacheck.checker.kernels import user_properties
from vmacheck.counterexamples.job_reports.programs import Shown, films, shown
from vmacheck.counterexamples.job_reports.responsible import Place, entry, of_job, place_of
from vmacheck.counterexamples.job_reports.text import job_does
from vmacheck.properties import EVERY_PROPERTY

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"newly violated": "error", "changed": "error", "error": "error", AS_EXPECTED: "note"}  # else warning
WHOLE = "job"  # the rule for results without a property


def sarif_text(reports: Sequence[Report]) -> str:
    """The SARIF file."""
    results = [result for report in reports for result in _results(report)]
    names = sorted({str(result["ruleId"]) for result in results})
    for result in results:
        result["ruleIndex"] = names.index(result["ruleId"])
    claims = _claims(reports)
    driver = {
        "name": "vmacheck",
        "version": metadata.version("vmacheck"),
        "rules": [_rule(name, claims) for name in names],
    }
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _claims(reports: Sequence[Report]) -> dict[str, str]:
    """The claims of the properties, including those of users' files."""
    files = user_properties.paths_of(word for report in reports for word in report.job.values.get("properties", ()))
    found = dict(EVERY_PROPERTY)
    for path in files:
        found |= user_properties.own_properties(path)
    return {name: prop.claim for name, prop in found.items()}


def _rule(name: str, claims: Mapping[str, str]) -> dict[str, Any]:
    says = claims.get(name) or "A job gives the answer that its job file expects."
    return {"id": name, "name": name, "shortDescription": {"text": says}, "fullDescription": {"text": says}}


def _results(report: Report) -> list[dict[str, Any]]:
    job = report.job
    found = []
    for outcome in report.outcomes:
        if outcome.surprise != AS_EXPECTED or outcome.verdict in BAD:
            found.append(_result(report, outcome))
    for what, message in (("drifted", report.drift), ("error", report.error)):
        if message:
            place = {"locations": [_location(of_job(report))]}
            text = f"{job.name}: {what}: {message}"
            found.append({"ruleId": WHOLE, "level": LEVELS.get(what, "warning"), "message": {"text": text}, **place})
    return found


def _result(report: Report, outcome: Outcome) -> dict[str, Any]:
    programs = shown(report, outcome)
    is_property = report.job.kind in ("kernel", "prove")
    rule = (outcome.name or report.job.values.get("prove", WHOLE)) if is_property else WHOLE
    place = place_of(report, outcome.name, programs)
    what = outcome.name or job_does(report.job)
    text = f"{report.job.name}: {outcome.surprise}: {what} is {outcome.found}"
    if outcome.surprise != AS_EXPECTED:
        text += f", not {outcome.wanted}"
    if programs:
        text += "\n\n" + "\n".join(films(programs))
    result: dict[str, Any] = {
        "ruleId": rule,
        "level": LEVELS.get(outcome.surprise, "warning"),
        "message": {"text": text},
        "locations": [_location(place)],
        "partialFingerprints": {"verdict/v1": _fingerprint(report, outcome)},
    }
    if programs:
        result["codeFlows"] = [_flow(program) for program in programs]
    if outcome.surprise == AS_EXPECTED:
        reason = outcome.expected.reason or f"expected by {report.job.where}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return result


def _fingerprint(report: Report, outcome: Outcome) -> str:
    """A hash that stays the same for the same finding of the same job, whatever else changes."""
    return hashlib.sha256("\n".join([report.job.name, outcome.name, outcome.verdict]).encode()).hexdigest()[:32]


def _flow(program: Shown) -> dict[str, Any]:
    steps = []
    for number, line in enumerate(program.lines()):
        place = entry(program, number)
        location = {"message": {"text": line.strip()}, **(_location(place) if place else {})}
        steps.append({"location": location, "executionOrder": number + 1})
    return {"message": {"text": f"{program.trace} on {program.kernel}"}, "threadFlows": [{"locations": steps}]}


def _location(place: Place) -> dict[str, Any]:
    path = Path(place.path)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    physical = {"artifactLocation": {"uri": uri}, "region": {"startLine": place.line}}
    if place.function is None:
        return {"physicalLocation": physical}
    return {"physicalLocation": physical, "logicalLocations": [{"name": place.function, "kind": "function"}]}
