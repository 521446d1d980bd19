# SPDX-License-Identifier: GPL-2.0-only
"""The branches that no program of a scope reaches, as text and as data."""

from typing import Literal, TypedDict

from vmacheck.checker.files.json_types import Natural
from vmacheck.checker.kernels.coverage import Arm, Branches
from vmacheck.checker.kernels.scope import SearchScopeData
from vmacheck.checker.search.verdict import REASONS
from vmacheck.counterexamples.pictures.words import SCHEMA, count


class ReachedData(TypedDict):
    """How many there are, and how many of them were reached."""

    total: Natural
    reached: Natural


class _PlaceData(TypedDict):
    file: str
    line: Natural
    function: str


class NeverCalledData(_PlaceData):
    """A function that no program calls, with the number of its branches."""

    arms: Natural


class UnreachedData(_PlaceData):
    """A branch that no program takes, with the number of branches inside of it."""

    what: str
    source: str
    inside: Natural


class CoverageData(TypedDict):
    """The answer of `vmacheck coverage`. closed: every program of the scope was looked at; if not, reason says why."""

    schema: Literal[1]
    kernel: str
    scope: SearchScopeData
    closed: bool
    reason: str | None
    states: Natural
    transitions: Natural
    depth: Natural
    functions: ReachedData
    arms: ReachedData
    never_called: list[NeverCalledData]
    unreached: list[UnreachedData]


def reason_of(branches: Branches) -> str | None:
    """The reason that some programs were skipped, if any were."""
    return None if branches.walk.closed else REASONS[branches.walk.stopped or ""]


def branches_data(branches: Branches) -> CoverageData:
    """The coverage as JSON has it."""
    walk, limits = branches.walk, branches.limits
    functions, inner, unreached = branches.functions, branches.inner, branches.unreached()
    return {
        "schema": SCHEMA,
        "kernel": branches.kernel,
        "scope": {**branches.scope.as_data(), "depth": limits.depth, "max_states": limits.max_states},
        "closed": walk.closed,
        "reason": reason_of(branches),
        "states": walk.states,
        "transitions": walk.transitions,
        "depth": walk.depth,
        "functions": {"total": len(functions), "reached": _reached(functions)},
        "arms": {"total": len(inner), "reached": _reached(inner)},
        "never_called": [{**_where(arm), "arms": inside} for arm, inside in unreached if arm.inside is None],
        "unreached": [
            {**_where(arm), "what": arm.what, "source": arm.source, "inside": inside}
            for arm, inside in unreached
            if arm.inside is not None
        ],
    }


def _where(arm: Arm) -> _PlaceData:
    return {"file": arm.file, "line": arm.line, "function": arm.function}


def _reached(arms: tuple[Arm, ...]) -> int:
    return sum(arm.times > 0 for arm in arms)


def branches_text(branches: Branches) -> list[str]:
    """The unreached branches, one line each, and totals."""
    walk, functions, inner = branches.walk, branches.functions, branches.inner
    unreached = branches.unreached()
    never_called = [(arm, inside) for arm, inside in unreached if arm.inside is None]
    rest = [(arm, inside) for arm, inside in unreached if arm.inside is not None]
    lines = []
    if never_called:
        lines += ["functions never called:", *(_function_text(arm, inside) for arm, inside in never_called), ""]
    if rest:
        lines += ["branches never reached:", *(_arm_text(arm, inside) for arm, inside in rest), ""]
    called, reached = len(inner) - sum(inside for _, inside in never_called), _reached(inner)
    went = f"{count(walk.states, 'state')}, {count(walk.transitions, 'transition')}, depth {walk.depth}"
    lines += [
        f"scope: {branches.scope}",
        f"{branches.kernel}: {went}, {'closed' if walk.closed else 'incomplete'}",
        f"functions: {_reached(functions)} of {len(functions)} called",
        f"branches: {reached} of {len(inner)} reached, {reached} of {called} in functions that are called",
    ]
    if not walk.closed:
        lines.append(f"incomplete ({reason_of(branches)}): other programs may reach more")
    return lines


def _function_text(arm: Arm, inside: int) -> str:
    return f"  {arm.file}:{arm.line}: {arm.function} ({_branches(inside)})"


def _arm_text(arm: Arm, inside: int) -> str:
    more = f" (and {_branches(inside)} inside)" if inside else ""
    return f"  {arm.file}:{arm.line}: {arm.function}: {arm.what}{more}: {arm.source}"


def _branches(number: int) -> str:
    return f"{number} branch{'' if number == 1 else 'es'}"
