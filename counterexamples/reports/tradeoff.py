# SPDX-License-Identifier: GPL-2.0-only
"""The costs and savings of sharing: the worst case of each kernel over all reachable states, as table and SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, TypedDict

from vmacheck.checker.files.json_types import Natural
from vmacheck.checker.kernels.compare import Graphs
from vmacheck.checker.kernels.scope import Scope, ScopeData
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.product import most_above
from vmacheck.counterexamples.pictures.words import SCHEMA

OPTIMUM = "anonmm"  # has the fewest vmas
FRUGAL = "rmap39+importer"  # shares only what it has to


@dataclass(frozen=True)
class Worst:
    """The worst of a kernel.

    Vmas above the optimum; vmas on one list; vmas that the walks from all pages visit; and the excess of these over
    the frugal kernel's, after the same program.
    """

    kernel: str
    extra_vmas: int
    longest_list: int
    visits: int
    extra_visits: int
    states: int
    closed: bool


def worst_of(kernel: str, scope: Scope, limits: Limits, graphs: Graphs) -> Worst:
    """The worst case of a kernel in a scope. Raises as compare_kernels does."""
    graph, optimum, frugal = (graphs.of(name, scope, limits) for name in (kernel, OPTIMUM, FRUGAL))
    extra, closed = most_above(graph, optimum, "number_of_vmas", limits.depth)
    extra_visits, closed_too = most_above(graph, frugal, "visits_of_walks", limits.depth)
    longest, visits = (int(graph.measures[name].max()) for name in ("longest_list", "visits_of_walks"))
    return Worst(kernel, extra, longest, visits, extra_visits, graph.search.states, closed and closed_too)


def tradeoff_text(worst: Sequence[Worst], scope: Scope) -> list[str]:
    """The table."""
    rows = [["", "vmas above the optimum", "vmas on one list", "visited in walks", f"above {FRUGAL}'s", "states"]]
    for one in worst:
        numbers = [one.extra_vmas, one.longest_list, one.visits, one.extra_visits]
        mark = "" if one.closed else " (not closed)"
        rows.append([one.kernel, *map(str, numbers), f"{one.states:,}{mark}"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    note = f"the most of each after any program; the optimum is {OPTIMUM}"
    if not all(one.closed for one in worst):
        note += "; not closed: a bound was hit, or results differ and what follows is not compared"
    return [*lines, "", note, f"scope: {scope}"]


class WorstData(TypedDict):
    """The worst of a kernel after any program: vmas above the optimum, vmas on one list, vmas that walks visit.

    extra_visits are those above the frugal kernel's.
    """

    kernel: str
    extra_vmas: Natural
    longest_list: Natural
    visits: Natural
    extra_visits: int
    states: Natural
    closed: bool


class TradeoffData(TypedDict):
    """The answer of `vmacheck tradeoff`."""

    schema: Literal[1]
    scope: ScopeData
    kernels: list[WorstData]


def tradeoff_data(worst: Sequence[Worst], scope: Scope) -> TradeoffData:
    """The table as JSON has it."""
    return {"schema": SCHEMA, "scope": scope.as_data(), "kernels": [_worst_data(one) for one in worst]}


def _worst_data(one: Worst) -> WorstData:
    return {
        "kernel": one.kernel,
        "extra_vmas": one.extra_vmas,
        "longest_list": one.longest_list,
        "visits": one.visits,
        "extra_visits": one.extra_visits,
        "states": one.states,
        "closed": one.closed,
    }


# ---- the plot ------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 400, 70, 60, 40, 190


def tradeoff_svg(worst: Sequence[Worst], scope: Scope) -> str:
    """Each kernel as a point: vmas above the optimum to the right, vmas visited above the frugal kernel's upwards.

    Towards the corner is better.
    """
    most_right = max(1, *(one.extra_vmas for one in worst))
    most_up = max(1, *(one.extra_visits for one in worst))

    def x(right: float) -> int:
        return round(LEFT + 20 + right / most_right * (WIDTH - LEFT - RIGHT - 20))

    def y(up: float) -> int:
        return round(HEIGHT - BOTTOM - 20 - up / most_up * (HEIGHT - TOP - BOTTOM - 40))

    floor, middle = HEIGHT - BOTTOM, HEIGHT // 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f"<title>What sharing costs and what it saves: {escape(str(scope))}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{LEFT} {TOP} V{floor} H{WIDTH - RIGHT + 20}" fill="none" stroke="black"/>',
        _text((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 18, f"vmas above {OPTIMUM}'s, at most", "middle"),
        f'<g transform="rotate(-90 20 {middle})">',
        _text(20, middle, f"vmas visited in walks above {FRUGAL}'s, at most", "middle"),
        "</g>",
        _text(LEFT, 20, str(scope)),
    ]
    for n in range(most_right + 1):
        lines += [f'<path d="M{x(n)} {floor} v5" stroke="black"/>', _text(x(n), floor + 18, str(n), "middle")]
    for n in range(most_up + 1):
        lines += [f'<path d="M{LEFT} {y(n)} h-5" stroke="black"/>', _text(LEFT - 10, y(n) + 4, str(n), "end")]
    for (right, up), names in _places(worst).items():
        lines.append(f'<circle cx="{x(right)}" cy="{y(up)}" r="5" fill="black"/>')
        lines += [_text(x(right) + 10, y(up) + 4 + 14 * row, name) for row, name in enumerate(names)]
    return "\n".join([*lines, "</svg>", ""])


def _places(worst: Sequence[Worst]) -> dict[tuple[int, int], list[str]]:
    """The kernels at each point."""
    places: dict[tuple[int, int], list[str]] = {}
    for one in worst:
        places.setdefault((one.extra_vmas, one.extra_visits), []).append(one.kernel)
    return places


def _text(x: int, y: int, words: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
