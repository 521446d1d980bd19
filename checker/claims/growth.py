# SPDX-License-Identifier: GPL-2.0-only
"""Loops that add a vma per round: cycles in the state graph, up to shifting everything by a page.

The graph has the states of a small window of pages. Besides the calls, an edge moves the window up by a page: the
lowest page falls out of it, and if a vma ends there, one vma is left behind. A cycle that leaves one behind is a
candidate: a few calls to repeat higher and higher up. Pages that fell out of the window still exist in the real address
space, so each candidate is run, round by round, in one that is large enough, on the kernel and on one to compare it
with.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import networkx as nx

from vmacheck.checker.claims.parts import BOUNDED, HOLDS, OPEN, REFUTED, Finding, Witness, vmas_after
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import Key, Machine
from vmacheck.checker.program.link import AST_LOCK
from vmacheck.checker.search.explore import Explorer
from vmacheck.checker.search.outcome import Limits, calls_to
from vmacheck.model.calls.operations import Call

ROUNDS = (3, 6, 9)  # rounds for which candidates are run
BOUNDED_BY = 3  # vmas at most, after any number of rounds, of a kernel that counts as not growing


@dataclass(frozen=True)
class Loop:
    """Calls to begin with, and calls to repeat, each with the pages moved by then; stride: pages per round."""

    first: tuple[Call, ...]
    body: tuple[tuple[int, Call], ...]
    stride: int

    def calls(self, rounds: int) -> tuple[Call, ...]:
        """The calls of this many rounds."""
        calls = list(self.first)
        for number in range(rounds):
            base = number * self.stride
            calls += [call._replace(addr=call.addr + base + moved) for moved, call in self.body]
        return tuple(calls)


class Window:
    """The states of a kernel in a few pages, as a graph with edges for calls and for moving up by a page."""

    def __init__(self, kernel: str, scope: Scope) -> None:
        with AST_LOCK:
            system = one_process.build(kernel, scope)
        self.calls = list(system.calls)
        explorer = Explorer(system, (), Limits())
        explorer.run()
        self.keys, self.index = explorer.keys, explorer.index
        self.parents, self.via = explorer.parents, explorer.via
        self.machine = Machine(system)
        self.pages, self.anon_vmas = scope.pages, system.program.constants["NR_ANON_VMAS"]
        self.graph: Any = nx.DiGraph()
        self.leaving: list[tuple[int, int]] = []  # moves that leave a vma behind
        for state, key in enumerate(self.keys):
            self._add_calls(state, key)
            self._add_move(state, key)

    def _add_calls(self, state: int, key: Key) -> None:
        before, after = self.machine.new(), self.machine.new()
        self.machine.load(before, key)
        for number, call in enumerate(self.calls):
            self.machine.step(before, call, after)
            follows = self.index[self.machine.key(after)]
            if follows != state and not self.graph.has_edge(state, follows):
                self.graph.add_edge(state, follows, calls=1, call=number)

    def _add_move(self, state: int, key: Key) -> None:
        mm = self.machine.new()
        self.machine.load(mm, key)
        if mm.map_count == 0 or mm.vma[1].vm_start != 0:
            return
        leaves_one = mm.vma[1].vm_end == 1
        _move_window(self.machine, mm, self.pages, self.anon_vmas)
        follows = self.index.get(self.machine.key(mm))
        if follows is None or follows == state:
            return
        if leaves_one:
            self.leaving.append((state, follows))
        if not self.graph.has_edge(state, follows):
            self.graph.add_edge(state, follows, calls=0, call=None)

    def candidates(self, most_calls: int) -> Iterator[Loop]:
        """Loops of up to `most_calls` calls per round, shorter ones first."""
        found: dict[Loop, int] = {}
        for leaves, arrives in self.leaving:
            lengths: Any
            lengths, paths = nx.single_source_dijkstra(self.graph, arrives, cutoff=most_calls, weight="calls")
            if leaves in paths:
                first = calls_to(self.parents, self.via, arrives, self.calls)
                found.setdefault(self._loop(first, paths[leaves]), int(lengths[leaves]))
        yield from sorted(found, key=found.__getitem__)

    def _loop(self, first: tuple[Call, ...], path: list[int]) -> Loop:
        """A path from after a move to before it, as a loop; that move ends each round."""
        body, moved = [], 0
        for state, follows in itertools.pairwise(path):
            call = self.graph.edges[state, follows]["call"]
            if call is None:
                moved += 1
            else:
                body.append((moved, self.calls[call]))
        return Loop(first, tuple(body), moved + 1)


def _move_window(machine: Machine, mm: Any, pages: int, anon_vmas: int) -> None:
    """Drop the lowest page, which is mapped, and shift everything else a page down."""
    if mm.vma[1].vm_end == 1:
        machine.evaluate("kmem_cache_free_vma", mm, 1)
        whole = range(1, mm.map_count + 1)
    else:
        mm.vma[1].vm_end -= 1
        whole = range(2, mm.map_count + 1)
    for vma in whole:
        mm.vma[vma].vm_start -= 1
        mm.vma[vma].vm_end -= 1
        mm.vma[vma].vm_pgoff -= 1
    for page in range(pages - 1):
        mm.page[page] = mm.page[page + 1]
        if mm.page[page].mapcount:
            mm.page[page].index -= 1
    machine.evaluate("page_remove_rmap", mm, pages - 1)
    listed = {mm.vma[vma].anon_vma_node for vma in range(1, mm.map_count + 1)}
    for anon_vma in range(1, anon_vmas + 1):
        if anon_vma not in listed:
            mm.anon_vma[anon_vma].life = 0


def grows(loop: Loop, kernel: str, against: str) -> bool:
    """Does the loop add at least a vma per round on the kernel, and stay within BOUNDED_BY vmas on the other?"""
    for rounds in ROUNDS:
        calls = loop.calls(rounds)
        pages = max(call.end for call in calls)
        if vmas_after(kernel, calls, pages) < rounds or vmas_after(against, calls, pages) > BOUNDED_BY:
            return False
    return True


def shortest_loop(kernel: str, against: str, scope: Scope, most_calls: int) -> tuple[Loop | None, int]:
    """The first loop, with the fewest calls per round, that grows on the kernel only; and the states of the window."""
    window = Window(kernel, scope)
    for loop in window.candidates(most_calls):
        if grows(loop, kernel, against):
            return loop, len(window.keys)
    return None, len(window.keys)


@dataclass(frozen=True)
class LoopGrows:
    """A loop adds a vma per round on a kernel, and not on another; or, if not wanted, no such loop is found.

    The loop is run for ROUNDS; endless growth is not proved.
    """

    kernel: str
    against: str
    scope: Scope
    most_calls: int = 3
    is_claim: bool = True
    wants: bool = True

    @property
    def says(self) -> str:
        what = f"adds a vma each time round on {self.kernel}, while {self.against} has at most {BOUNDED_BY}"
        if self.wants:
            return f"some loop of up to {self.most_calls} calls a round {what}"
        return f"a search for loops upwards, of up to {self.most_calls} calls a round, finds none that {what}"

    @property
    def where(self) -> str:
        return f"a window of {self.scope}"

    def decide(self) -> Finding:
        loop, states = shortest_loop(self.kernel, self.against, self.scope, self.most_calls)
        if loop is None:
            return Finding(OPEN if self.wants else HOLDS, states)
        calls = loop.calls(ROUNDS[0])
        witness = Witness((self.kernel, self.against), calls, max(call.end for call in calls))
        words = "; ".join(str(call._replace(addr=call.addr + moved)) for moved, call in loop.body)
        figures = f"each round, {loop.stride} page{'s' * (loop.stride > 1)} higher than the one before: {words}"
        return Finding(BOUNDED if self.wants else REFUTED, states, witness, figures)
