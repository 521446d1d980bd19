# SPDX-License-Identifier: GPL-2.0-only
"""What a test says about a kernel: assert_holds and assert_violated, which fail with the counterexample drawn.

def test_sharing():
    assert_holds("rmap40+./mine.py", "first_write_takes_neighbours_anon_vma", pages=4)
"""

from collections.abc import Sequence

from checker import own, segments, threads, vm
from checker.check import Checked, Result, check
from checker.scope import (
    DEFAULT_OPERATIONS,
    DEFAULT_PAGES,
    DEFAULT_PROTECTIONS,
    Scope,
    ScopeError,
    in_order,
)
from checker.search import Limits
from counterexamples.report import check_text, count
from model.interleaving import ONLY_OF_THREADS
from model.mm import MAX_MAP_COUNT
from model.operations import OPERATIONS, PROTECTIONS

WORDS = {"incomplete": "incomplete, and so does not hold", "vacuous": "vacuous, and so does not hold"}


def assert_holds(
    kernel: str,
    property: str,  # noqa: A002  (what it is called on the command line)
    *,
    pages: int | None = None,
    prot: Sequence[str] = DEFAULT_PROTECTIONS,
    ops: Sequence[str] = DEFAULT_OPERATIONS,
    segments: int | None = None,
    threads: int | None = None,
    every_step: bool = False,
    noreserve: bool = False,
    max_map_count: int = MAX_MAP_COUNT,
    max_pgoff: int | None = None,
    depth: int | None = None,
    max_states: int | None = None,
    run: str = "compiled",
) -> None:
    """Fail unless the property holds, for programs of any length; an open or a vacuous verdict fails, too.

    The arguments are the options of vmacheck check: 4 pages, unless pages or segments say another size. property can be
    one of the user's own, as FILE.py:NAME; run is compiled, or interpreted, which needs no compilation.

    Raises AssertionError with the verdict and the counterexample, and ValueError or LinkError for what is no such name.
    """
    __tracebackhide__ = True
    scope = scope_of(pages, prot, ops, segments, threads, every_step, noreserve, max_map_count, max_pgoff)
    checked = checked_in(kernel, property, scope, Limits(depth, max_states), run)
    if checked.results[0].verdict != "holds":
        raise AssertionError(message(checked, scope))


def assert_violated(
    kernel: str,
    property: str,  # noqa: A002
    length: int | None = None,
    *,
    pages: int | None = None,
    prot: Sequence[str] = DEFAULT_PROTECTIONS,
    ops: Sequence[str] = DEFAULT_OPERATIONS,
    segments: int | None = None,
    threads: int | None = None,
    every_step: bool = False,
    noreserve: bool = False,
    max_map_count: int = MAX_MAP_COUNT,
    max_pgoff: int | None = None,
    depth: int | None = None,
    max_states: int | None = None,
    run: str = "compiled",
) -> None:
    """Fail unless the property is violated; if length is given, by a shortest program of so many calls.

    The rest is as for assert_holds.
    """
    __tracebackhide__ = True
    scope = scope_of(pages, prot, ops, segments, threads, every_step, noreserve, max_map_count, max_pgoff)
    checked = checked_in(kernel, property, scope, Limits(depth, max_states), run)
    result = checked.results[0]
    if result.verdict != "violated":
        raise AssertionError(message(checked, scope))
    if length is not None and len(result.calls or ()) != length:
        raise AssertionError(f"not by {count(length, 'call')}: {message(checked, scope)}")


def message(checked: Checked, scope: Scope) -> str:
    """The verdict, and all that vmacheck check says."""
    result = checked.results[0]
    verdict = WORDS.get(result.verdict, result.verdict)
    reason = f" ({result.reason})" if result.reason else f" by {_program(result)}" if result.calls else ""
    head = f"{result.claim.name} is {verdict}" if result.verdict != "holds" else f"{result.claim.name} holds"
    return "\n".join([f"{head} on {result.system.name}{reason}", "", *check_text([checked], scope)])


def _program(result: Result) -> str:
    return count(len(result.calls or ()), "call")


def scope_of(
    pages: int | None,
    prot: Sequence[str],
    ops: Sequence[str],
    in_segments: int | None,
    in_threads: int | None,
    every_step: bool,
    noreserve: bool,
    max_map_count: int,
    max_pgoff: int | None,
) -> Scope:
    """The scope of these options. prot and ops are words, or one text with commas. Raises ScopeError."""
    if in_segments is not None and pages is not None:
        raise ScopeError("segments is about any number of pages, and pages about one")
    return Scope(
        DEFAULT_PAGES if pages is None else pages,
        in_order(_words(prot), PROTECTIONS),
        in_order(_words(ops), [*OPERATIONS, *ONLY_OF_THREADS]),
        noreserve,
        max_map_count,
        max_pgoff,
        in_segments,
        in_threads or 0,
        every_step,
    )


def _words(words: Sequence[str]) -> list[str]:
    return [word.strip() for word in (words.split(",") if isinstance(words, str) else words)]


def checked_in(kernel: str, word: str, scope: Scope, limits: Limits, run: str) -> Checked:
    """A property of a kernel, checked; word may be FILE.py:NAME. Raises as vmacheck check does."""
    if run not in ("compiled", "interpreted"):
        raise ScopeError(f"run is '{run}'; it can be compiled or interpreted")
    build = threads.build if scope.threads else segments.build if scope.segments is not None else vm.build
    checked = check(build(kernel, scope, [word]), [own.split(word)[1]], limits, run)
    return checked if scope.segments is None else segments.in_pages(checked, scope)
