# SPDX-License-Identifier: GPL-2.0-only
"""The results of a check, as text and as pictures. check_data.py has them as data."""

from collections.abc import Iterator, Sequence
from typing import Any

from vmacheck.checker.kernels.scope import PAGES, Scope
from vmacheck.checker.program.system import System
from vmacheck.checker.search.outcome import Search
from vmacheck.checker.search.verdict import Checked, Result, never_happened
from vmacheck.counterexamples.pictures.film import Strip, strips_svg
from vmacheck.counterexamples.pictures.films import FILMS, pages_line
from vmacheck.counterexamples.pictures.text import LEGEND
from vmacheck.counterexamples.pictures.words import count, listing
from vmacheck.counterexamples.replay.by_world import steps_of
from vmacheck.counterexamples.replay.one_process import pages_of, replay
from vmacheck.counterexamples.reports.check_data import coverage_data
from vmacheck.model.calls.operations import TraceError

CASE = "vma_merge case "
MARKS = {"holds": "holds", "violated": "VIOLATED", "incomplete": "incomplete", "vacuous": "vacuous"}


def check_svg(checks: Sequence[Checked]) -> str:
    """Every counterexample and witness, drawn. Raises TraceError without any, or for one of threads."""
    found: dict[str, Strip] = {}
    for result in (result for checked in checks for result in checked.results if result.calls):
        if result.system.world != PAGES:
            raise TraceError("--svg: there are no pictures of threads, nor of two processes")
        title = f"{result.claim.name} {'happens' if result.claim.sometimes else 'is violated'} on {result.system.name}"
        steps = replay(result.system, result.calls or ())
        found[title] = Strip(title, (("", steps),), pages_of(result.system))
    if not found:
        raise TraceError("--svg: there is no counterexample to draw")
    return strips_svg("; ".join(found), list(found.values()))


# ---- text ----------------------------------------------------------------------------------------


def check_text(checks: Sequence[Checked], scope: Scope, in_full: bool = False) -> list[str]:
    """The answer of `vmacheck check`: counterexamples drawn, then verdicts, then how far the search went.

    in_full: also the counts of each result of each call, and of each merge case.
    """
    results = [result for checked in checks for result in checked.results if result.calls is not None]
    lines = [LEGEND, ""] if results else []
    for film_lines, group in _same_film(results):
        lines += [*counterexample_text(film_lines, group), ""]
    if len(checks) > 1:
        lines += [*table_text(checks), *_reasons(checks)]
        often = [f"{one.system.name}: {line}" for one in checks for line in coverage_text(one)] if in_full else []
        return [*lines, "", f"scope: {scope}", *_searches(checks), *often, *_never(checks)]
    lines += [verdict_text(result) for result in checks[0].results]
    often = coverage_text(checks[0]) if in_full else []
    return [*lines, "", f"scope: {scope}", *_searches(checks), *often, *_never(checks)]


def _same_film(results: Sequence[Result]) -> Iterator[tuple[tuple[str, ...], list[Result]]]:
    """The results grouped by the film of their counterexamples, with that film; violations apart from witnesses."""
    drawn: dict[tuple[str, tuple[Any, ...]], tuple[str, ...]] = {}
    groups: dict[tuple[bool, tuple[str, ...]], list[Result]] = {}
    for result in results:
        assert result.calls is not None
        program = (result.system.name, result.calls)
        if program not in drawn:
            drawn[program] = _drawn(result.system, result.calls)
        groups.setdefault((result.claim.sometimes, drawn[program]), []).append(result)
    yield from ((lines, group) for (_, lines), group in groups.items())


def _drawn(system: System, calls: tuple[Any, ...]) -> tuple[str, ...]:
    steps = steps_of(system, calls)
    lines = FILMS[system.world](steps, pages_of(system))
    if system.world != PAGES:
        return (*lines, "", f"     {'; '.join(map(str, calls))}")
    return (*lines, "", f"     {pages_line(steps[-1])}") if steps else tuple(lines)


def counterexample_text(film_lines: Sequence[str], results: Sequence[Result]) -> list[str]:
    """A counterexample to one claim or several, on one kernel or several: drawn, and what was ruled out before it."""
    first = results[0]
    names = list(dict.fromkeys(result.claim.name for result in results))
    kernels = list(dict.fromkeys(result.system.name for result in results))
    verb = "happens" if first.claim.sometimes else "is violated" if len(names) == 1 else "are violated"
    head = f"{listing(names)} {verb} on {listing(kernels)} after {count(len(first.calls or ()), 'call')}"
    return [head, "", *film_lines, f"     {ruled_out(results)}"]


def ruled_out(results: Sequence[Result]) -> str:
    """The part of the search before the counterexample that the results share."""
    programs, length = results[0].programs_ruled_out, len(results[0].calls or ())
    states = ", ".join(dict.fromkeys(f"{result.states:,}" for result in results))
    if programs is None:
        least = results[0].any_size or 0
        shorter = "no shorter program" if least == length else f"no program of fewer than {count(least, 'call')}"
        return f"{shorter} does it, however many pages there are (states: {states})"
    if not programs:
        return "no program is shorter"
    return f"none of the {programs:,} programs of up to {count(length - 1, 'call')} does it (states: {states})"


def verdict_text(result: Result) -> str:
    """One line: the claim, the verdict, and its scope."""
    head = f"{result.claim.name}: {MARKS[result.verdict]}"
    if result.verdict == "violated":
        return f"{head} by {count(len(result.calls or ()), 'call')}"
    if result.verdict == "holds" and result.claim.sometimes:
        return f"{head}, first after {count(len(result.calls or ()), 'call')}"
    if result.verdict == "holds":
        return f"{head} for programs of any length"
    return f"{head} ({result.reason})"


def table_text(checks: Sequence[Checked]) -> list[str]:
    """Claims by kernels: the verdict, with the length of the shortest counterexample."""
    rows = [["", *(checked.system.name for checked in checks)]]
    for number, result in enumerate(checks[0].results):
        rows.append([result.claim.name, *(checked.results[number].outcome for checked in checks)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _reasons(checks: Sequence[Checked]) -> list[str]:
    """The reasons for vacuous or incomplete verdicts, each with its claims."""
    claims: dict[tuple[str, str, str], list[str]] = {}
    for checked in checks:
        for result in checked.results:
            if result.reason is not None:
                key = (result.system.name, result.verdict, result.reason)
                claims.setdefault(key, []).append(result.claim.name)
    texts = [
        f"{verdict} on {kernel}: {listing(names)} ({reason})" for (kernel, verdict, reason), names in claims.items()
    ]
    return ["", *texts] if texts else []


def _never(checks: Sequence[Checked]) -> list[str]:
    """Events that the scope allows and the searches never saw."""
    lines = []
    for checked in checks:
        missing = never_happened(checked.system, checked.search.coverage)
        if missing:
            lines.append(f"never happened on {checked.system.name}: {', '.join(missing)}")
    return lines


def _searches(checks: Sequence[Checked]) -> list[str]:
    """The extent of each search."""
    width = max(len(checked.system.name) for checked in checks)
    lines = []
    for checked in checks:
        search = checked.search
        lines.append(
            f"{checked.system.name:{width}}  {search.states:,} states, {search.transitions:,} transitions,"
            f" depth {search.depth}, {_end(search)}"
        )
    return lines


def _end(search: Search) -> str:
    if search.closed:
        return "closed"
    return f"cut by --{search.stopped}" if search.stopped else "ended when all was decided"


def coverage_text(checked: Checked) -> list[str]:
    """The count of each event."""
    data = coverage_data(checked)
    calls = [f"{name} {_counts(results)}" for name, results in data["calls"].items()]
    cases = [f"{name.removeprefix(CASE)}: {n:,}" for name, n in data["events"].items() if name.startswith(CASE)]
    others = {name: n for name, n in data["events"].items() if not name.startswith(CASE)}
    return [f"calls: {'; '.join(calls)}", f"vma_merge cases: {', '.join(cases)}", f"also: {_counts(others)}"]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in counts.items())
