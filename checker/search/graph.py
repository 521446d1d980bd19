# SPDX-License-Identifier: GPL-2.0-only
"""A searched state space as a graph: the effect of every call in every state, and the measures of each state."""

from dataclasses import dataclass
from typing import Any

from vmacheck.checker.program.system import System
from vmacheck.checker.search.outcome import Search


@dataclass(frozen=True)
class Graph:
    """States are numbered as they were found, from 0; calls as in System.calls. Arrays are numpy's.

    to[state, call] is the state that follows, or one of record's negative numbers; returned and noted are the result
    and the event bits of the call there; measures has, for each of System.measures, an array of one number per state.
    keys has a row of 64-bit words per state, as flat.py packs it.
    """

    system: System
    search: Search
    to: Any
    returned: Any
    noted: Any
    measures: dict[str, Any]
    keys: Any
