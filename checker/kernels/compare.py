# SPDX-License-Identifier: GPL-2.0-only
"""Comparison of kernels: the criteria, and the graphs of the kernels in a scope."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Any

from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.scope import Scope, ScopeError
from vmacheck.checker.program.link import AST_LOCK
from vmacheck.checker.program.system import System
from vmacheck.checker.search.graph import Graph
from vmacheck.checker.search.outcome import Limits, Report
from vmacheck.checker.search.product import Comparison, Measure, compare
from vmacheck.checker.search.rounds import explore_graph
from vmacheck.model.common.mm import FIND_VMA_PREV

LARGEST_BITMAP = 62  # pages whose boundaries fit into one number


def _more(a: Any, b: Any) -> Any:
    return a > b


def _not_within(a: Any, b: Any) -> Any:
    return a & ~b != 0


def _calls_find_vma_prev(graph: Graph, states: Any, _tried: Any) -> Any:
    return graph.noted[states] & FIND_VMA_PREV


@dataclass(frozen=True)
class Criterion:
    """A criterion to compare kernels by: the measure, and what the worse one does, with {} for the other."""

    measure: Measure
    what: str


BY = {
    "vmas": Criterion(Measure("vmas", _more, "number_of_vmas"), "have more vmas than {}"),
    "layout": Criterion(
        Measure("layout", _not_within, "boundaries_of_vmas"), "have a boundary between vmas that {} has not"
    ),
    "result": Criterion(Measure("result", _more), "fail where {} succeeds"),
    "walk": Criterion(Measure("walk", _more, "visits_of_walks"), "visit more vmas in the walks from all pages than {}"),
    "lookups": Criterion(
        Measure("lookups", _more, "lookups_of_walks"), "look into more page tables in the walks from all pages than {}"
    ),
    "find_vma_prev": Criterion(
        Measure("find_vma_prev", _more, transition=_calls_find_vma_prev),
        "call find_vma_prev in a fault where {} does not",
    ),
}
MEASURES = (*(by.measure.state for by in BY.values() if by.measure.state is not None), "longest_list")


@dataclass(frozen=True)
class Compared:
    """Two kernels and the outcome of their comparison."""

    a: System
    b: System
    by: str
    found: Comparison


def graph_of(kernel: str, scope: Scope, limits: Limits, progress: Callable[[str], Report] | None = None) -> Graph:
    """Every state of the kernel in the scope, every transition and all measures. Raises as compare_kernels does."""
    with AST_LOCK:
        system = one_process.build(kernel, scope, measures=MEASURES)
    return explore_graph(system, limits, None if progress is None else progress(kernel))


class Graphs:
    """Graphs by kernel, scope and limits, made once each; only the most recently used are kept."""

    KEPT = 10

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: dict[tuple[str, Scope, Limits], Future[Graph]] = {}

    def of(self, kernel: str, scope: Scope, limits: Limits, _progress: object = None) -> Graph:
        """The graph of a kernel in a scope; waits for another thread that is making it."""
        with self._lock:
            known = self._found.pop((kernel, scope, limits), None)
            future = known or Future()
            self._found[kernel, scope, limits] = future
            for old in list(self._found)[: -self.KEPT]:
                del self._found[old]
        if known is None:
            try:
                future.set_result(graph_of(kernel, scope, limits))
            except BaseException as error:
                future.set_exception(error)
        return future.result()


def compare_kernels(
    a: str,
    b: str,
    by: str,
    scope: Scope,
    limits: Limits,
    progress: Callable[[str], Report] | None = None,
    last_only: tuple[int, ...] = (),
    graphs: Callable[..., Graph] = graph_of,
    can_a_be_worse: bool = False,
) -> Compared:
    """Walk both kernels in lockstep; calls with the numbers in last_only end a program.

    graphs gives the graph of a kernel, as graph_of does; can_a_be_worse: ask only that. Raises UnknownName, LinkError,
    ScopeError and OutOfBounds.
    """
    if by == "layout" and scope.pages > LARGEST_BITMAP:
        raise ScopeError(f"--by layout goes up to {LARGEST_BITMAP} pages, and --pages is {scope.pages}")
    one, two = (graphs(kernel, scope, limits, progress) for kernel in (a, b))
    return Compared(
        one.system, two.system, by, compare(one, two, BY[by].measure, last_only, can_a_be_worse, limits.depth)
    )
