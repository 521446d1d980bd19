# SPDX-License-Identifier: GPL-2.0-only
"""The results of comparing two kernels, as text and as data: both drawn side by side."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from vmacheck.checker.files.json_types import Natural, Seconds
from vmacheck.checker.kernels.compare import BY, Compared
from vmacheck.checker.kernels.scope import Scope, SearchScopeData
from vmacheck.checker.program.system import OOPS
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.product import Divergence, Verdict
from vmacheck.counterexamples.pictures.films import film
from vmacheck.counterexamples.pictures.text import LEGEND
from vmacheck.counterexamples.pictures.words import SCHEMA, count
from vmacheck.counterexamples.replay.one_process import STOPPED, pages_of, replay
from vmacheck.counterexamples.reports.check_data import StepData, step_data
from vmacheck.model.calls.operations import result_text


def two_films(compared: Compared, calls: Sequence[Any]) -> list[str]:
    """The calls run on both kernels, one line per step."""
    return side_by_side(
        [(system.name, film(replay(system, calls), pages_of(system))) for system in (compared.a, compared.b)], calls
    )


def side_by_side(films: Sequence[tuple[str, Sequence[str]]], calls: Sequence[Any]) -> list[str]:
    """Titled films of the same calls, next to each other. One may end early."""
    texts = [str(call) for call in calls]
    start = 5 + max(map(len, texts), default=0) + 3
    rows = [[f"{number:3}  {text}".ljust(start)] for number, text in enumerate(texts, 1)]
    head = [" " * start]
    for name, lines in films:
        cells = [line[start:] for line in lines] + [""] * (len(calls) - len(lines))
        width = max(map(len, [name, *cells])) + 3
        head.append(name.ljust(width))
        for row, cell in zip(rows, cells, strict=True):
            row.append(cell.ljust(width))
    return ["".join(row).rstrip() for row in (head, *rows)]


def compare_text(compared: Compared, scope: Scope) -> list[str]:
    """The whole answer of `vmacheck compare`."""
    found, a, b = compared.found, compared.a.name, compared.b.name
    sides = [(a, b, found.a_worse, "a_worse"), (b, a, found.b_worse, "b_worse")]
    lines = [LEGEND, ""] if found.a_worse is not None or found.b_worse is not None or found.divergence else []
    for one, other, calls, side in sides:
        if calls is not None:
            what = BY[compared.by].what.format(other)
            lines += [f"{one} can {what}: after {count(len(calls), 'call')}", ""]
            lines += [*two_films(compared, calls), "", f"     {_ruled_out(found.pairs_before[side])}", ""]
    lines += _divergence_text(compared)
    for one, other, calls, _ in sides:
        lines.append(f"can {one} {BY[compared.by].what.format(other)}? {_verdict(calls, found.closed)}")
    end = "closed"
    if not found.closed:
        end = f"not closed: {'results differ' if found.divergences else 'a bound of the search was hit'}"
    lines += ["", f"scope: {scope}"]
    lines.append(
        f"{found.pairs:,} pairs of states, {found.transitions:,} transitions, depth {len(found.levels) - 1}, {end}"
    )
    return lines


def _ruled_out(pairs: int) -> str:
    return f"no shorter program does it ({count(pairs, 'pair')} of states before)"


def _verdict(calls: Sequence[Any] | None, closed: bool) -> str:
    if calls is not None:
        return f"yes, first after {count(len(calls), 'call')}"
    return "no, for programs of any length" if closed else "not found, and not decided"


def _divergence_text(compared: Compared) -> list[str]:
    """The shortest program with different results, if there is one."""
    divergence = compared.found.divergence
    if divergence is None:
        return []
    number = compared.found.divergences
    head = f"results differ after {count(len(divergence.calls), 'call')}"
    more = f"({count(number, 'pair')} of a state and a call where they do; what follows them is not compared)"
    return [f"{head} {more}", "", *two_films(compared, divergence.calls), ""]


# ---- data ----------------------------------------------------------------------------------------


class ProgramOnTwoData(TypedDict):
    """A program on two kernels: steps are those of a, steps_b those of b."""

    operations: list[str]
    length: Natural
    steps: list[StepData]
    steps_b: list[StepData]


class DivergenceData(ProgramOnTwoData):
    """A program whose last call has different results: that of a, and that of b."""

    results: list[int | str]


class CompareData(TypedDict):
    """The answer of `vmacheck compare`.

    a_worse is a shortest program after which a is worse, b_worse one after which b is. divergences is the number of
    pairs of a state and a call with different results, divergence a shortest program to one.
    """

    schema: Literal[1]
    a: str
    b: str
    by: str
    verdict: Verdict
    closed: bool
    scope: SearchScopeData
    pairs: Natural
    transitions: Natural
    depth: Natural
    seconds: Seconds
    a_worse: ProgramOnTwoData | None
    b_worse: ProgramOnTwoData | None
    divergences: Natural
    divergence: DivergenceData | None


def program_data(compared: Compared, calls: Sequence[Any] | None) -> ProgramOnTwoData | None:
    """A program on both kernels as JSON has it: steps are those of a, steps_b those of b."""
    if calls is None:
        return None
    return {
        "operations": [str(call) for call in calls],
        "length": len(calls),
        "steps": [step_data(step) for step in replay(compared.a, calls)],
        "steps_b": [step_data(step) for step in replay(compared.b, calls)],
    }


def _divergence_data(compared: Compared, divergence: Divergence | None) -> DivergenceData | None:
    data = program_data(compared, divergence.calls if divergence else None)
    if data is None or divergence is None:
        return None
    call = divergence.calls[-1]
    return {**data, "results": [STOPPED if r == OOPS else result_text(call, r) for r in divergence.results]}


def compare_data(compared: Compared, scope: Scope, limits: Limits, seconds: float) -> CompareData:
    """The whole answer of `vmacheck compare` as JSON has it."""
    found = compared.found
    return {
        "schema": SCHEMA,
        "a": compared.a.name,
        "b": compared.b.name,
        "by": compared.by,
        "verdict": found.verdict,
        "closed": found.closed,
        "scope": {**scope.as_data(), "depth": limits.depth, "max_states": limits.max_states},
        "pairs": found.pairs,
        "transitions": found.transitions,
        "depth": len(found.levels) - 1,
        "seconds": round(seconds, 3),
        "a_worse": program_data(compared, found.a_worse),
        "b_worse": program_data(compared, found.b_worse),
        "divergences": found.divergences,
        "divergence": _divergence_data(compared, found.divergence),
    }
