# SPDX-License-Identifier: GPL-2.0-only
"""Strategies for hypothesis: the operations of a scope, traces of them, and the states that a kernel can reach.

@given(reachable_states("rmap40", pages=3))
def test_something(state):
    assert len(state.vmas) <= 3, state
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

try:
    from hypothesis import strategies as st
    from hypothesis.errors import InvalidArgument
except ImportError:
    raise ImportError(
        "vmacheck.checker.strategies needs the package hypothesis: install vmacheck[hypothesis]"
    ) from None

from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.scope import DEFAULT_OPERATIONS, DEFAULT_PAGES, DEFAULT_PROTECTIONS, Scope, ScopeError
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.system import System
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.walk import Walk, walk
from vmacheck.counterexamples.pictures.text import picture
from vmacheck.counterexamples.replay.one_process import Page, Vma, pages_in, pages_of, vmas_of
from vmacheck.model.calls.operations import Call
from vmacheck.model.common.mm import MAX_MAP_COUNT

MOST_CALLS = 20
MOST_STATES = 100_000


@dataclass(frozen=True, repr=False)
class ReachableState:
    """A state of an address space, and a shortest trace that leads there. stopped: that trace stops the kernel.

    Its anon_vmas are named in the order in which they appear in the state, not in that of the trace.
    """

    kernel: str
    calls: tuple[Call, ...]
    picture: str
    vmas: tuple[Vma, ...]
    pages: tuple[Page, ...]
    stopped: bool

    @property
    def trace(self) -> str:
        """The calls as the text that vmacheck run takes; empty for the first state."""
        return "; ".join(map(str, self.calls))

    def __repr__(self) -> str:
        return f"<{self.picture!r} of {self.kernel} after {self.trace or 'no call'}>"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Show the state briefly in hypothesis, too, which would write out every field."""
        printer.text(repr(self))


def operations(
    *,
    pages: int = DEFAULT_PAGES,
    prot: Sequence[str] = DEFAULT_PROTECTIONS,
    ops: Sequence[str] = DEFAULT_OPERATIONS,
    noreserve: bool = False,
) -> st.SearchStrategy[Call]:
    """A call of the scope, a model.calls.operations.Call; str() gives its text. The scope's first is the simplest.

    Raises ScopeError.
    """
    return st.sampled_from(_scope(pages, prot, ops, noreserve).calls())


def traces(
    *,
    pages: int = DEFAULT_PAGES,
    prot: Sequence[str] = DEFAULT_PROTECTIONS,
    ops: Sequence[str] = DEFAULT_OPERATIONS,
    noreserve: bool = False,
    min_size: int = 1,
    max_size: int = MOST_CALLS,
) -> st.SearchStrategy[str]:
    """The text of a trace of min_size to max_size calls, as vmacheck run takes it. Fewer calls are simpler.

    Raises ScopeError.
    """
    if not 1 <= min_size <= max_size:
        raise InvalidArgument(f"a trace of {min_size} to {max_size} calls cannot be; it has at least one")
    calls = operations(pages=pages, prot=prot, ops=ops, noreserve=noreserve)
    return st.lists(calls, min_size=min_size, max_size=max_size).map(lambda calls: "; ".join(map(str, calls)))


def reachable_states(
    kernel: str,
    *,
    pages: int = DEFAULT_PAGES,
    prot: Sequence[str] = DEFAULT_PROTECTIONS,
    ops: Sequence[str] = DEFAULT_OPERATIONS,
    noreserve: bool = False,
    max_map_count: int = MAX_MAP_COUNT,
    depth: int | None = None,
    max_states: int = MOST_STATES,
) -> st.SearchStrategy[ReachableState]:
    """A reachable state of the kernel; drawing the first one finds them all.

    A state reached by fewer calls is simpler. With depth, only those reached by up to `depth` calls.
    Raises as kernels.one_process.build does; drawing raises ScopeError for more than max_states states.
    """
    states = _States(
        one_process.build(kernel, _scope(pages, prot, ops, noreserve, max_map_count)), Limits(depth, max_states)
    )
    return _drawn(states)


@st.composite
def _drawn(draw: st.DrawFn, states: "_States") -> ReachableState:
    return states.state(draw(st.sampled_from(range(states.walk.states))))


class _States:
    """The states of a system, in the order in which a search finds them."""

    def __init__(self, system: System, limits: Limits) -> None:
        self.system, self.limits = system, limits
        self.machine = Machine(system)

    @cached_property
    def walk(self) -> Walk:
        """All states. Raises ScopeError."""
        found = walk(self.system, self.limits, machine=self.machine)
        if found.stopped == "max-states":
            most = f"{self.limits.max_states:,} states"
            raise ScopeError(f"{self.system.name} has more than {most} in this scope: give fewer pages, or max_states")
        return found

    def state(self, number: int) -> ReachableState:
        """A state by its number."""
        mm, pages = self.machine.new(), pages_of(self.system)
        self.machine.load(mm, self.walk.keys[number])
        vmas, calls = vmas_of(mm), self.walk.calls_to(number)
        return ReachableState(self.system.name, calls, picture(vmas, pages), vmas, pages_in(mm, pages), bool(mm.bug))


def _scope(
    pages: int, prot: Sequence[str], ops: Sequence[str], noreserve: bool, max_map_count: int = MAX_MAP_COUNT
) -> Scope:
    return Scope.of({"pages": pages, "prot": prot, "ops": ops, "noreserve": noreserve, "max_map_count": max_map_count})
