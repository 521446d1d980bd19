# SPDX-License-Identifier: GPL-2.0-only
"""What a check went through, as HTML: calls, merge cases, branches that were not taken, the state graph."""

from html import escape

from checker.ci import Report


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
    return [*lines, "</tbody></table></div>", *_branches_html(report), "</details>"]


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
            place = f'<td class="mono">{escape(one["file"])}:{one["line"]}</td><td class="mono">{escape(one["function"])}</td>'
            lines.append(f'<tr>{place}<td>{escape(what)}</td><td class="mono">{escape(source)}</td></tr>')
        lines.append("</tbody></table></div>")
    return lines
