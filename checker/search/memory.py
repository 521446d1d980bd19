# SPDX-License-Identifier: GPL-2.0-only
"""Arrays for machine code that grow without being copied."""

import contextlib
import ctypes
import math
import mmap
import re
from typing import Any

import numpy as np

LINE = 128  # bytes that processors pass to each other together


def apart(dtype: Any, *shape: int) -> Any:
    """An array of zeros that shares no cache line with another, so that workers do not wait for each other."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + 2 * LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size].view(dtype).reshape(shape)


class Grown:
    """Rows of one number or several, zero at first. The kernel allocates memory only for rows written to."""

    def __init__(self, dtype: Any, *several: int) -> None:
        self.dtype, self.shape = np.dtype(dtype), several
        self.row_bytes = self.dtype.itemsize * math.prod(several)
        self.rows, self.address = 0, 0
        self._map: mmap.mmap | None = None

    def grow(self, rows: int) -> None:
        """Make room for `rows` rows. Existing rows are kept, at another address."""
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
        """Replace the contents with `rows` zeroed rows, in huge pages if available (all of it will be touched)."""
        self._map, self.rows = None, 0
        self.grow(rows)
        if hasattr(mmap, "MADV_HUGEPAGE") and self._map is not None:
            with contextlib.suppress(OSError):
                self._map.madvise(mmap.MADV_HUGEPAGE)

    def __getitem__(self, where: slice | int) -> Any:
        """A copy of some rows, as numpy's array."""
        assert self._map is not None
        numbers = np.frombuffer(self._map, self.dtype, self.rows * math.prod(self.shape))
        return numbers.reshape((self.rows, *self.shape))[where].copy()

    def get(self, start: int, size: int) -> bytes:
        """`size` bytes of the rows, from byte `start` on."""
        return ctypes.string_at(self.address + start, size)

    def put(self, start: int, content: bytes) -> None:
        """Write bytes of the rows, from byte `start` on."""
        assert start + len(content) <= self.rows * self.row_bytes
        ctypes.memmove(self.address + start, content, len(content))


def bytes_in(text: str) -> int | None:
    """A size in bytes, from 4G or 700M; None for other text."""
    found = re.fullmatch(r"([0-9]{1,9})([KMGT])", text)
    return int(found[1]) << 10 * (1 + "KMGT".index(found[2])) if found else None
