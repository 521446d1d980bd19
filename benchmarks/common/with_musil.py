# SPDX-License-Identifier: GPL-2.0-only
"""Explore PAGES pages with musil: python with_musil.py PAGES."""

import sys

from address_space import Counted, State, explore, inv
from musil import Action, Model, check


def search(empty: State, steps: Counted) -> tuple[bool, int]:
    """The verdict on INV, and the number of states."""

    def actions(state: State) -> list[Action[State]]:
        return [Action(name, lambda _: True, lambda _, after=after: after) for name, after in steps(state)]

    result = check(Model(init=[empty], actions_fn=actions, invariants={"inv": inv}), max_states=sys.maxsize)
    return result.ok, result.states_explored


explore(search, int(sys.argv[1]))
