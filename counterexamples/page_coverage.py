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
    return [*lines, "</tbody></table></div></details>"]
