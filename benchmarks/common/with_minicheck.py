# SPDX-License-Identifier: GPL-2.0-only
"""Explore PAGES pages with minicheck: python with_minicheck.py PAGES."""

import sys

from address_space import Counted, State, explore, inv
from minicheck import Protocol, check_safety


def check(empty: State, steps: Counted) -> tuple[bool, int]:
    """The verdict on INV, and the number of states."""
    model = Protocol(
        name="address space",
        candidate=True,
        fields=tuple(f"page{page}" for page in range(len(empty))),
        initial=empty,
        transitions=steps,
        invariants={"inv": lambda pages: inv(tuple(pages.values()))},
    )
    result = check_safety(model, max_states=sys.maxsize)
    return result["properties"]["inv"]["holds"] is True, result["reachable_states"]


explore(check, int(sys.argv[1]))
