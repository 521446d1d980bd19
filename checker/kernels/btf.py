# SPDX-License-Identifier: GPL-2.0-only
"""Offsets of members in the running kernel's structs, read from the part of its BTF that this takes."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vmacheck.checker.files.errors import InputError

BTF = Path("/sys/kernel/btf/vmlinux")
MAGIC = 0xEB9F
INT, PTR, ARRAY, STRUCT, UNION, ENUM, FUNC, FUNC_PROTO, VAR, DATASEC = 1, 2, 3, 4, 5, 6, 12, 13, 14, 15
DECL_TAG, ENUM64 = 17, 19
# bytes after the head of a type of each kind: fixed, and for each of its parts
BYTES = {INT: (4, 0), ARRAY: (12, 0), VAR: (4, 0), DECL_TAG: (4, 0)}
BYTES_EACH = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, DATASEC: 12, ENUM64: 12}


class KernelError(InputError):
    """A real kernel, or a means to ask one, is missing; the message says which."""


class Type(NamedTuple):
    """A type: its name, kind, the type that it refers to, and its members: name, type, offset in bits."""

    name: str
    kind: int
    of: int
    members: tuple[tuple[str, int, int], ...]


class Btf:
    """The types of the running kernel. Raises KernelError if they cannot be read."""

    def __init__(self, path: Path = BTF) -> None:
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise KernelError(f"{path}: {error.strerror}") from None
        magic, _, _, head, start, length, strings, _ = struct.unpack_from("<HBBIIIII", self.data)
        if magic != MAGIC:
            raise KernelError(f"{path} is not BTF")
        self.strings = head + strings
        self.places = [0, *self._places(head + start, head + start + length)]
        self.named: dict[tuple[str, int], int] = {}
        for number, place in enumerate(self.places[1:], 1):
            name, info = struct.unpack_from("<II", self.data, place)
            if name and (info >> 24 & 31) in (STRUCT, FUNC):
                self.named.setdefault((self._text(name), info >> 24 & 31), number)

    def _places(self, place: int, end: int) -> Iterator[int]:
        while place < end:
            yield place
            info = struct.unpack_from("<I", self.data, place + 4)[0]
            kind, parts = info >> 24 & 31, info & 0xFFFF
            place += 12 + BYTES.get(kind, (0, 0))[0] + BYTES_EACH.get(kind, 0) * parts

    def _text(self, offset: int) -> str:
        start = self.strings + offset
        return self.data[start : self.data.index(b"\0", start)].decode()

    def type(self, number: int) -> Type:
        """A type by its number."""
        place = self.places[number]
        name, info, of = struct.unpack_from("<III", self.data, place)
        kind, parts = info >> 24 & 31, info & 0xFFFF
        members: list[tuple[str, int, int]] = []
        if kind in (STRUCT, UNION):
            for part in range(parts):
                text, of_part, offset = struct.unpack_from("<III", self.data, place + 12 + 12 * part)
                members.append((self._text(text), of_part, offset & 0xFFFFFF if info >> 31 else offset))
        return Type(self._text(name), kind, of, tuple(members))

    def offset(self, name: str, member: str) -> int:
        """The offset of a member in a struct, in bytes. Raises KernelError."""
        number = self.named.get((name, STRUCT))
        found = None if number is None else self._bits(number, member)
        if found is None:
            raise KernelError(f"the running kernel has no {name}.{member}")
        return found // 8

    def _bits(self, number: int, member: str) -> int | None:
        for name, of, offset in self.type(number).members:
            if name == member:
                return offset
            if not name and self.type(of).kind in (STRUCT, UNION):
                inner = self._bits(of, member)
                if inner is not None:
                    return offset + inner
        return None

    def function(self, name: str) -> int:
        """The number of a function. Raises KernelError."""
        if (name, FUNC) not in self.named:
            raise KernelError(f"the running kernel has no {name}")
        return self.named[name, FUNC]
