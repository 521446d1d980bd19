# SPDX-License-Identifier: GPL-2.0-only
"""The table that finds a state by its key: slots with the numbers of states, at places that their keys hash to."""

from collections.abc import Callable
from typing import Any

import numpy as np

from vmacheck.checker.compiled import loops
from vmacheck.checker.search.memory import Grown

FIRST_TABLE = 1 << 13
LARGEST_SEARCH = 1 << 30  # states
REGION = 1 << 10  # slots that a region of the table has at least
REGIONS = 64


class Table:
    """Slots for the states of a search, made from their keys; `call` calls one of the loops.

    most: the largest number of slots allowed.
    """

    def __init__(self, keys: Grown, progress: Any, call: Callable[..., int]) -> None:
        self.slots, self.most = Grown(np.int32), 2 * LARGEST_SEARCH
        self._keys, self._progress, self._call = keys, progress, call

    @property
    def rows(self) -> int:
        """The number of slots."""
        return self.slots.rows

    def limited(self, room: int, row: int) -> int:
        """The most states of `row` bytes that fit into `room` bytes with their slots; the table keeps to it."""
        sizes = [1 << bits for bits in range(FIRST_TABLE.bit_length() - 1, 31)]
        states, self.most = max((min(size * 4 // 5, (room - 4 * size) // row), size) for size in sizes)
        return states

    def make_for(self, states: int) -> None:
        """Make the table large enough for `states` states."""
        size = max(FIRST_TABLE, self.rows)
        while states * 5 > size * 4 and size < self.most:
            size *= 2
        if size > self.rows:
            self.make(size)

    def make(self, size: int) -> None:
        """Enter all states into a new table with `size` slots, or more."""
        progress = self._progress
        progress[loops.INDEX_MASK] = index = (1 << (2 * self._keys.rows).bit_length()) - 1
        progress[loops.MARK_MASK] = 0xFFFFFFFF & ~index
        while True:
            regions = max(1, min(REGIONS, size // REGION))
            progress[loops.TABLE_MASK], progress[loops.REGION_MASK] = size - 1, size // regions - 1
            self.slots.clear(size)
            if self._call("rehash", self._keys, self.slots, progress) == loops.DONE:
                return
            size *= 2
