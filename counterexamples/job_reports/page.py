# SPDX-License-Identifier: GPL-2.0-only
"""Job results as one self-contained page of HTML: verdicts, counterexamples, coverage, state graphs.

page.html is the template; the functions here give the values that it shows.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vmacheck.checker.jobs.run import AS_EXPECTED, BAD, GOOD, Outcome, Report
from vmacheck.checker.kernels.scope import ScopeError
from vmacheck.counterexamples.graphs.drawing import graph_svg
from vmacheck.counterexamples.graphs.graph import graph_of
from vmacheck.counterexamples.job_reports.programs import Shown, shown
from vmacheck.counterexamples.job_reports.text import alike, job_words, sum_text
from vmacheck.counterexamples.pictures.film import film_svg
from vmacheck.counterexamples.pictures.text import LEGEND
from vmacheck.counterexamples.pictures.words import count

HERE = Path(__file__).parent
MOST_PAGES = 2  # of a state graph that is drawn


def page_html(reports: Sequence[Report]) -> str:
    """The page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  (slow to import)

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["thousands"] = "{:,}".format
    groups = [group for group in alike(reports) if len(group) > 1]
    in_tables = {report.job.name for group in groups for report in group}
    return environment.get_template("page.html").render(
        sum=sum_text(reports),
        tiles=_tiles(reports),
        tables=[_table(group) for group in groups],
        rest=[_row(report) for report in reports if report.job.name not in in_tables],
        jobs=[_job(report) for report in reports],
        legend=LEGEND,
    )


def _tiles(reports: Sequence[Report]) -> list[tuple[int, str]]:
    surprises = [word for report in reports for word in report.surprises]
    return [
        (len(reports), "jobs"),
        (sum(len(report.outcomes) for report in reports), "verdicts"),
        (sum(report.states or 0 for report in reports), "states searched"),
        (len(surprises), "not as expected"),
        *((number, word) for word, number in sorted(Counter(surprises).items())),
    ]


def job_id(report: Report) -> str:
    """The anchor of the job in the page, unique to it."""
    return f"job.{as_id(report.job.name)}"


def as_id(name: str) -> str:
    """The name as letters, digits and .-_ only, distinct from the result for any other name."""
    return re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):x}_" if found[0] != "_" else "__", name)


def anchor(report: Report, outcome: Outcome) -> str:
    """The anchor of an outcome's programs in the page."""
    return f"{job_id(report)}/{outcome.name or report.job.kind}"


# ---- verdicts ------------------------------------------------------------------------------------


def _verdict(report: Report, outcome: Outcome) -> dict[str, Any]:
    colour = "violated" if outcome.verdict in BAD else "holds" if outcome.verdict in GOOD else "open"
    if report.job.kind == "claims" and outcome.verdict == "refuted" and outcome.surprise == AS_EXPECTED:
        colour = "open"
    return {
        "colour": colour,
        "is_surprise": outcome.surprise != AS_EXPECTED,
        "found": outcome.found,
        "reason": outcome.reason,
        "link": anchor(report, outcome) if outcome.programs else None,
    }


def _table(group: Sequence[Report]) -> dict[str, Any]:
    """Properties by jobs, for jobs that differ only in their kernel."""
    rows = [
        {"name": outcome.name, "verdicts": [_verdict(report, report.outcomes[number]) for report in group]}
        for number, outcome in enumerate(group[0].outcomes)
    ]
    jobs = [{"id": job_id(report), "name": report.job.name, "states": report.states} for report in group]
    return {"scope": str(group[0].job.scope()), "jobs": jobs, "rows": rows}


def _row(report: Report) -> dict[str, Any]:
    """All verdicts of one job."""
    return {
        "id": job_id(report),
        "words": job_words(report.job),
        "verdicts": [_verdict(report, outcome) for outcome in report.outcomes],
        "error": report.error,
    }


# ---- jobs ----------------------------------------------------------------------------------------


def _job(report: Report) -> dict[str, Any]:
    job = report.job
    is_check = job.kind == "kernel" and bool(report.answer)
    return {
        "id": job_id(report),
        "name": job.name,
        "surprises": sorted(set(report.surprises)),
        "cached": report.cached,
        "what": job.what,
        "counted": count(report.states, "state") if report.states else None,
        "where": job.where,
        "command": " ".join(_quoted(word) for word in ["vmacheck", *job.command()]),
        "messages": [message for message in (report.drift, report.error) if message],
        "groups": [_group(report, group) for group in _same_programs(report)],
        "coverage": report.answer["coverage"][0] if is_check else None,
        "branches": report.branches,
        "graph": _graph(report) if is_check else None,
    }


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./-]+", word) else "'" + word.replace("'", "'\"'\"'") + "'"


def _same_programs(report: Report) -> list[list[Outcome]]:
    """Outcomes with programs, grouped if they are as (un)expected and shown by the same programs."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in report.outcomes:
        if outcome.programs:
            groups.setdefault(f"{outcome.surprise} {outcome.programs}", []).append(outcome)
    return sorted(groups.values(), key=lambda group: group[0].surprise == AS_EXPECTED)


def _group(report: Report, group: Sequence[Outcome]) -> dict[str, Any]:
    """Outcomes that are shown by the same programs, with these."""
    first = group[0]
    name = anchor(report, first)
    return {
        "verdict": _verdict(report, first),
        "titles": ", ".join(outcome.name or report.job.kind for outcome in group),
        "is_surprise": first.surprise != AS_EXPECTED,
        "surprise": first.surprise,
        "wanted": first.wanted,
        "anchors": [anchor(report, outcome) for outcome in group],
        "because": first.expected.reason,
        "theorem": first.reason if report.job.kind == "claims" else None,
        "programs": [_program(program, f"{name}-{number}") for number, program in enumerate(shown(report, first))],
    }


def _program(program: Shown, name: str) -> dict[str, Any]:
    """A program, drawn, with its trace and in C. name: begins the names of what its drawing refers to."""
    drawing = None
    if not program.is_threaded:
        drawing = film_svg(program.shows, program.steps, program.pages)
        drawing = re.sub(r'(url\(#|id=")h(?=\d)', lambda found: f"{found[1]}{name}-h", drawing)
    return {
        "shows": program.shows,
        "drawing": drawing,
        "film": "\n".join(program.film()) if program.is_threaded else None,
        "trace": program.trace,
        "c_program": program.c_program(),
    }


def _graph(report: Report) -> dict[str, str] | None:
    """The state graph of the job's kernel, in as many pages as can be drawn; None if even the least cannot."""
    job = report.job
    if not job.world.has_graph:
        return None
    for pages in range(min(job.scope().pages, MOST_PAGES), 0, -1):
        try:
            graph = graph_of(job.kernels[0], replace(job.scope(), pages=pages, highest_pgoff=None))
            drawing = graph_svg(graph, f"graph-{job_id(report)}")
        except ScopeError:
            continue
        summary = f"State graph in {pages} page{'s' * (pages > 1)}: {len(graph.nodes)} states"
        return {"summary": summary, "drawing": drawing}
    return None
