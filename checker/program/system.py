# SPDX-License-Identifier: GPL-2.0-only
"""A system to check: a linked program with the shape of its states and its calls, and the claims about it.

A system's program has three functions: begin(state) sets the fields outside the key, before calls start from the state;
step(state, call) -> result changes the state in place; after canonicalise(state), two states are the same if their key
fields are. Nothing here knows what the states are about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import Program

# A call's result is -MAX_ERRNO..LARGEST_RESULT; any other stops the kernel, written OOPS.
MAX_ERRNO = 199
LARGEST_RESULT = 1 << 30
OOPS = -200
MAX_RESULTS = 256  # results counted apart: 0 for success, and each negative one
EVENT_BITS = 14


@dataclass(frozen=True)
class Claim:
    """A property as the search sees it.

    name is also that of its function in the program, which takes a state, or (before, call, after) if on_step. An
    "always" claim is hit when it is false, a "sometimes" claim when it is true. premise names the "sometimes" claim
    without which an "always" claim that holds says nothing.
    """

    name: str
    sometimes: bool = False
    on_step: bool = False
    premise: str | None = None


@dataclass(frozen=True)
class Goal:
    """An event, by its bit, that a search in this scope must see happen for its verdicts to mean anything."""

    name: str
    event: int


@dataclass(frozen=True, eq=False, kw_only=True)
class System:
    """A program to search, named for the report. Equal to itself only."""

    name: str
    program: Program
    layout: Layout
    calls: Sequence[Any]  # named tuples of ints, all with the same fields, the first of which is the kind
    kinds: Mapping[int, str]  # names of the kinds of call
    claims: tuple[Claim, ...] = ()
    goals: tuple[Goal, ...] = ()
    result_text: Callable[[Any, int], int | str] = field(default=lambda _call, result: result)
    measures: tuple[str, ...] = ()  # functions of the program that give a number to each state
    world: str = ""  # the kind of world of its states, for those who show them
    beyond: tuple[str, ...] = ()  # limits of the layout that bound the scope, so that a search closes within them

    @property
    def call_fields(self) -> tuple[str, ...]:
        """The names of a call's numbers."""
        return tuple(self.calls[0]._fields)

    def roots(self) -> list[str]:
        """The functions that a search calls."""
        return ["begin", "step", "canonicalise", *(claim.name for claim in self.claims), *self.measures]
