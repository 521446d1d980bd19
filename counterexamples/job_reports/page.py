# SPDX-License-Identifier: GPL-2.0-only
"""What jobs came to as one page of HTML that needs nothing else: verdicts, counterexamples, coverage, state graphs."""

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from vmacheck.checker.jobs.run import AS_EXPECTED, BAD, GOOD, Outcome, Report
from vmacheck.counterexamples.job_reports.page_coverage import coverage_html, job_id
from vmacheck.counterexamples.job_reports.programs import Shown, shown
from vmacheck.counterexamples.job_reports.text import alike, job_words, sum_text
from vmacheck.counterexamples.pictures.film import film_svg
from vmacheck.counterexamples.pictures.text import LEGEND
from vmacheck.counterexamples.pictures.words import count

HERE = Path(__file__).parent


def page_html(reports: Sequence[Report]) -> str:
    """The page."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>vmacheck: {escape(sum_text(reports))}</title>",
        f"<style>{(HERE / 'page.css').read_text(encoding='utf-8')}</style>",
        f"<script>{(HERE / 'page.js').read_text(encoding='utf-8')}</script>",
        "</head><body><main>",
        f'<h1>vmacheck</h1><p class="lead">{escape(sum_text(reports))}</p>',
        *_tiles(reports),
        "<h2>Verdicts</h2>",
        *_tables(reports),
        "<h2>Jobs</h2>",
        *(line for report in reports for line in _job(report)),
        f'<p class="soft">In pictures of text: {escape(LEGEND)}.</p>',
        "</main></body></html>",
    ]
    return "\n".join([*parts, ""])


def _tiles(reports: Sequence[Report]) -> list[str]:
    surprises = [word for report in reports for word in report.surprises]
    tiles = [
        (len(reports), "jobs"),
        (sum(len(report.outcomes) for report in reports), "verdicts"),
        (sum(report.states or 0 for report in reports), "states searched"),
        (len(surprises), "not as expected"),
        *((number, word) for word, number in sorted(Counter(surprises).items())),
    ]
    cells = "".join(f'<div class="tile"><b>{number:,}</b><span>{escape(word)}</span></div>' for number, word in tiles)
    return [f'<div class="tiles">{cells}</div>']


# ---- verdicts ------------------------------------------------------------------------------------


def anchor(report: Report, outcome: Outcome) -> str:
    """The name of the place in the page where an outcome's programs are."""
    return f"{job_id(report)}/{outcome.name or report.job.kind}"


def _verdict(report: Report, outcome: Outcome) -> str:
    colour = "violated" if outcome.verdict in BAD else "holds" if outcome.verdict in GOOD else "open"
    if report.job.kind == "claims" and outcome.verdict == "refuted" and outcome.surprise == AS_EXPECTED:
        colour = "open"
    surprise = "" if outcome.surprise == AS_EXPECTED else " surprise"
    words = escape(outcome.found)
    title = f' title="{escape(outcome.reason)}"' if outcome.reason else ""
    if outcome.programs:
        return f'<a class="v {colour}{surprise}" href="#{anchor(report, outcome)}"{title}>{words}</a>'
    return f'<span class="v {colour}{surprise}"{title}>{words}</span>'


def _tables(reports: Sequence[Report]) -> list[str]:
    lines, groups = [], alike(reports)
    for group in (group for group in groups if len(group) > 1):
        lines.append(
            f'<p class="soft">{escape(str(group[0].job.scope()))}</p><div class="scroll"><table><thead><tr><th>'
        )
        lines += [f'</th><th><a href="#{job_id(report)}">{escape(report.job.name)}</a>' for report in group]
        lines.append("</th></tr></thead><tbody>")
        for number, outcome in enumerate(group[0].outcomes):
            cells = "".join(f"<td>{_verdict(report, report.outcomes[number])}</td>" for report in group)
            lines.append(f'<tr><td class="mono">{escape(outcome.name)}</td>{cells}</tr>')
        cells = "".join(f"<td>{report.states:,}</td>" for report in group)
        lines.append(f'<tr><td class="soft">states</td>{cells}</tr></tbody></table></div>')
    in_tables = {report.job.name for group in groups if len(group) > 1 for report in group}
    rest = [report for report in reports if report.job.name not in in_tables]
    if rest:
        lines.append('<div class="scroll"><table><thead><tr><th>job</th><th>verdicts</th></tr></thead><tbody>')
        for report in rest:
            cells = " ".join(_verdict(report, outcome) for outcome in report.outcomes)
            cells += f'<span class="v violated surprise">{escape(report.error)}</span>' if report.error else ""
            name = f'<a href="#{job_id(report)}">{escape(job_words(report.job))}</a>'
            lines.append(f'<tr><td>{name}</td><td class="wide">{cells}</td></tr>')
        lines.append("</tbody></table></div>")
    return lines


# ---- jobs ----------------------------------------------------------------------------------------


def _job(report: Report) -> list[str]:
    job = report.job
    mark = '<span class="v holds">as expected</span>'
    if report.surprises:
        words = ", ".join(sorted(set(report.surprises)))
        mark = f'<span class="v violated surprise">{escape(words)}</span>'
    lines = [f'<section class="job" id="{job_id(report)}"><header><h3>{escape(job.name)}</h3>{mark}']
    lines.append('<span class="soft">answered from the cache</span></header>' if report.cached else "</header>")
    if job.what:
        lines.append(f"<p>{escape(job.what)}</p>")
    if report.states:
        lines.append(f'<p class="soft">{count(report.states, "state")}</p>')
    command = " ".join(_quoted(word) for word in ["vmacheck", *job.command()])
    lines += [f'<p class="soft">{escape(job.where)}</p>', f"<pre data-copy>{escape(command)}</pre>"]
    lines += [f"<p><b>{escape(message)}</b></p>" for message in (report.drift, report.error) if message]
    for group in _same_programs(report):
        lines += _programs(report, group)
    return [*lines, *coverage_html(report), "</section>"]


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w@%+=:,./-]+", word) else "'" + word.replace("'", "'\"'\"'") + "'"


def _same_programs(report: Report) -> list[list[Outcome]]:
    """Outcomes with programs, together if they are as (un)expected and shown by the same programs."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in report.outcomes:
        if outcome.programs:
            groups.setdefault(f"{outcome.surprise} {outcome.programs}", []).append(outcome)
    return sorted(groups.values(), key=lambda group: group[0].surprise == AS_EXPECTED)


def _programs(report: Report, group: Sequence[Outcome]) -> list[str]:
    first = group[0]
    names = "".join(f'<span id="{anchor(report, outcome)}"></span>' for outcome in group)
    titles = ", ".join(outcome.name or report.job.kind for outcome in group)
    is_surprise = first.surprise != AS_EXPECTED
    head = f"{_verdict(report, first)} <b>{escape(titles)}</b>"
    if is_surprise:
        head += f" {escape(first.surprise)}: not {escape(first.wanted)}"
    lines = [f"<details{' open' if is_surprise else ''}><summary>{head}</summary>{names}"]
    if first.expected.reason:
        lines.append(f'<p class="soft">expected because: {escape(first.expected.reason)}</p>')
    if report.job.kind == "claims" and first.reason:
        lines.append(f"<p>{escape(first.reason)}</p>")
    for number, program in enumerate(shown(report, first)):
        lines += _program(program, f"{anchor(report, first)}-{number}")
    return [*lines, "</details>"]


def _program(program: Shown, name: str) -> list[str]:
    lines = [f"<p>{escape(program.shows)}</p>"]
    if program.is_threaded:
        lines.append(f"<pre>{escape(chr(10).join(program.film()))}</pre>")
    else:
        drawing = film_svg(program.shows, program.steps, program.pages)
        lines.append(re.sub(r'(url\(#|id=")h(?=\d)', lambda found: f"{found[1]}{name}-h", drawing))
    lines += ["<p class=soft>trace, for vmacheck run and vmacheck replay</p>"]
    lines.append(f"<pre data-copy>{escape(program.trace)}</pre>")
    c_program = program.c_program()
    if c_program is not None:
        lines.append(f"<details><summary>C program</summary><p></p><pre data-copy>{escape(c_program)}</pre></details>")
    return lines
