# SPDX-License-Identifier: GPL-2.0-only
"""Arrays for machine code that grow without being copied."""

import ctypes
import math
import mmap
from typing import Any

import numpy as np


class Grown:
    """Rows of a number, or of several, zero at first. The kernel gives memory only to what is written to."""

    def __init__(self, dtype: Any, *several: int) -> None:
        self.dtype, self.shape = np.dtype(dtype), several
        self.row_bytes = self.dtype.itemsize * math.prod(several)
        self.rows, self.address = 0, 0
        self._map: mmap.mmap | None = None

    def grow(self, rows: int) -> None:
        """Make room for so many rows; those that there are stay, at another address."""
        if rows <= self.rows:
            return
        size = max(1, rows * self.row_bytes)
        if self._map is None:
            self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        else:
            self._map.resize(size)
        self.rows = rows
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    def clear(self, rows: int) -> None:
        """So many rows of zeros instead of what there is."""
        self._map, self.rows = None, 0
        self.grow(rows)

    def __getitem__(self, where: slice | int) -> Any:
        """A copy of some rows, as numpy's array."""
        assert self._map is not None
        numbers = np.frombuffer(self._map, self.dtype, self.rows * math.prod(self.shape))
        return numbers.reshape((self.rows, *self.shape))[where].copy()

    def put(self, first: int, rows: Any) -> None:
        """Write rows from `first` on."""
        assert self._map is not None
        data = np.ascontiguousarray(rows, self.dtype)
        ctypes.memmove(self.address + first * self.row_bytes, data.ctypes.data, data.nbytes)
