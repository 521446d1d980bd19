# SPDX-License-Identifier: GPL-2.0-only
"""What a check went through, as HTML: calls, merge cases, branches that were not taken, the state graph."""

import re
from dataclasses import replace
from html import escape

from vmacheck.checker.jobs.run import Report
from vmacheck.checker.kernels.scope import ScopeError
from vmacheck.counterexamples.graphs.drawing import graph_svg
from vmacheck.counterexamples.graphs.graph import graph_of

MOST_PAGES = 2  # of a state graph that is drawn


def coverage_html(report: Report) -> list[str]:
    """The part of the page about the coverage of a job; nothing for jobs that are no checks."""
    if report.job.kind != "kernel" or not report.answer:
        return []
    coverage = report.answer["coverage"][0]
    lines = ["<details><summary>Coverage: what the search went through</summary>"]
    if coverage["never"]:
        lines.append(f"<p><b>never happened: {escape(', '.join(coverage['never']))}</b></p>")
    lines.append('<div class="scroll"><table><thead><tr><th>call</th><th>results</th></tr></thead><tbody>')
    for name, results in coverage["calls"].items():
        cells = ", ".join(f"{number:,} {result}" for result, number in results.items())
        lines.append(f'<tr><td class="mono">{escape(name)}</td><td class="wide">{escape(cells)}</td></tr>')
    lines.append("</tbody></table></div>")
    lines.append('<div class="scroll"><table><thead><tr><th>event</th><th>times</th></tr></thead><tbody>')
    for name, number in coverage["events"].items():
        times = f"{number:,}" if number else '<span class="v open">never</span>'
        lines.append(f"<tr><td>{escape(name)}</td><td>{times}</td></tr>")
    return [*lines, "</tbody></table></div>", *_branches_html(report), "</details>", *_graph_html(report)]


def _graph_html(report: Report) -> list[str]:
    """The state graph of the job's kernel in as many pages as there is room to draw it for; nothing if that is none."""
    job = report.job
    if not job.world.has_graph:
        return []
    for pages in range(min(job.scope().pages, MOST_PAGES), 0, -1):
        try:
            graph = graph_of(job.kernels[0], replace(job.scope(), pages=pages, highest_pgoff=None))
            drawing = graph_svg(graph, f"graph-{job_id(report)}")
        except ScopeError:
            continue
        summary = f"State graph in {pages} page{'s' * (pages > 1)}: {len(graph.nodes)} states"
        return [f'<details><summary>{summary}</summary><div class="graph">{drawing}</div></details>']
    return []


def job_id(report: Report) -> str:
    """The name of the job's place in the page, which no other job has."""
    return f"job.{as_id(report.job.name)}"


def as_id(name: str) -> str:
    """A name of letters, digits and .-_ only, which no other name is made into."""
    return re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):x}_" if found[0] != "_" else "__", name)


def _branches_html(report: Report) -> list[str]:
    """The branches that no program of a few pages takes."""
    found = report.branches
    if found is None:
        return []
    arms, functions = found["arms"], found["functions"]
    pages = found["scope"]["pages"]
    lines = [
        f"<p>Of the model's {arms['total']:,} branches {arms['reached']:,} are taken by programs of {pages} pages,"
    ]
    lines[-1] += f" of its {functions['total']} functions {functions['reached']} are called."
    lines[-1] += "</p>" if found["closed"] else f" That is incomplete: {escape(found['reason'])}.</p>"
    rows = [(one, "never called", f"{one['arms']} branches") for one in found["never_called"]]
    rows += [(one, one["what"], one["source"]) for one in found["unreached"]]
    if rows:
        lines.append('<div class="scroll"><table><thead><tr><th>where</th><th>function</th><th>what</th><th></th></tr>')
        lines.append("</thead><tbody>")
        for one, what, source in rows:
            place = f'<tr><td class="mono">{escape(one["file"])}:{one["line"]}</td>'
            lines.append(f'{place}<td class="mono">{escape(one["function"])}</td><td>{escape(what)}</td>')
            lines.append(f'<td class="mono">{escape(source)}</td></tr>')
        lines.append("</tbody></table></div>")
    return lines
