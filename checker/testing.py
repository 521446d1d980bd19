# SPDX-License-Identifier: GPL-2.0-only
"""Assertions about a kernel for tests: assert_holds and assert_violated, which fail with the counterexample drawn.

def test_sharing():
    assert_holds("rmap40+./mine.py", "first_write_takes_neighbours_anon_vma", pages=4)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from vmacheck.checker.files.errors import InputError
from vmacheck.checker.kernels import user_properties
from vmacheck.checker.kernels.auto import resolved
from vmacheck.checker.kernels.scope import DEFAULT_OPERATIONS, DEFAULT_PROTECTIONS, Scope, ScopeError
from vmacheck.checker.kernels.world import world_of
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import Checked, Result, check
from vmacheck.counterexamples.pictures.words import count
from vmacheck.counterexamples.reports.check import check_text
from vmacheck.model.common.mm import MAX_MAP_COUNT

RUNS = ("compiled", "interpreted")


class Options(TypedDict, total=False):
    """The options of vmacheck check. prot and ops are words, or a text with commas.

    With neither pages nor segments: 4 pages. run is compiled, or interpreted, which needs no compilation.
    """

    pages: int | None
    prot: Sequence[str]
    ops: Sequence[str]
    noreserve: bool
    segments: int | None
    processes: int | None
    threads: int | None
    every_step: bool
    max_map_count: int
    max_pgoff: int | None
    depth: int | None
    max_states: int | None
    run: str


UNLESS_GIVEN: Options = {
    "pages": None,
    "prot": DEFAULT_PROTECTIONS,
    "ops": DEFAULT_OPERATIONS,
    "noreserve": False,
    "segments": None,
    "processes": None,
    "threads": None,
    "every_step": False,
    "max_map_count": MAX_MAP_COUNT,
    "max_pgoff": None,
    "depth": None,
    "max_states": None,
    "run": "compiled",
}


def assert_holds(kernel: str, property: str, **scope: Unpack[Options]) -> None:  # noqa: A002  (as everywhere)
    """Fail unless the property holds for programs of any length; an open or vacuous verdict fails, too.

    property can be one of the user's own, as FILE.py:NAME. Raises AssertionError with the verdict and the
    counterexample; and ScopeError, UnknownName or LinkError for input that cannot be checked.
    """
    __tracebackhide__ = True
    found = _found(kernel, property, scope)
    if found.result.verdict != "holds":
        raise AssertionError(found.text)


def assert_violated(
    kernel: str,
    property: str,  # noqa: A002
    length: int | None = None,
    **scope: Unpack[Options],
) -> None:
    """Fail unless the property is violated; with length, by a shortest program of `length` calls.

    Raises as assert_holds does.
    """
    __tracebackhide__ = True
    found = _found(kernel, property, scope)
    if found.result.verdict != "violated":
        raise AssertionError(found.text)
    if length is not None and len(found.result.calls or ()) != length:
        raise AssertionError(f"not by {count(length, 'call')}: {found.text}")


@dataclass(frozen=True)
class Found:
    """A check of one property, and its scope."""

    checked: Checked
    scope: Scope

    @property
    def result(self) -> Result:
        """The verdict."""
        return self.checked.results[0]

    @property
    def text(self) -> str:
        """The verdict in a line, and below it the report of vmacheck check."""
        result = self.result
        said = {"holds": "holds", "violated": "is violated"}.get(
            result.verdict, f"is {result.verdict}, and so does not hold"
        )
        reason = f" ({result.reason})" if result.reason else ""
        if result.verdict == "violated":
            reason = f" by {count(len(result.calls or ()), 'call')}"
        head = f"{result.claim.name} {said} on {result.system.name}{reason}"
        return "\n".join([head, "", *check_text([self.checked], self.scope)])


def _found(kernel: str, word: str, given: Mapping[str, Any]) -> Found:
    """The check. Errors of input are raised from here, wherever they were found: a test then shows its own call."""
    __tracebackhide__ = True
    for name in given:
        if name not in UNLESS_GIVEN:
            raise TypeError(f"there is no option {name}; there are {', '.join(UNLESS_GIVEN)}")
    try:
        return found_in(kernel, word, {**UNLESS_GIVEN, **given})
    except InputError as error:
        raise error.with_traceback(None) from None


def found_in(kernel: str, word: str, given: Mapping[str, Any]) -> Found:
    """A property of a kernel, checked with all the options. Raises as vmacheck check does."""
    scope, run = Scope.of(given), given["run"]
    if run not in RUNS:
        raise ScopeError(f"run is '{run}'; it can be {' or '.join(RUNS)}")
    world = world_of(scope)
    limits = Limits(given["depth"], given["max_states"])
    checked = check(world.build(resolved(kernel), scope, [word]), [user_properties.split(word)[1]], limits, run)
    return Found(world.judged(checked, scope), scope)
