# SPDX-License-Identifier: GPL-2.0-only
"""The shape of a state: its fields, their bounds, and which of them make up its key."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from vmacheck.checker.files.errors import InputError

# Fields that every state has besides the model's own. `bug` is part of the key: the call before stopped
# the kernel (1), or had not enough room in the model (OUT_OF_ROOM).
# The others live inside a call: what it did, whether it stopped the kernel, and how many more rounds its loops get.
OUT_OF_ROOM = 2
MACHINE_FIELDS: tuple[tuple[Any, ...], ...] = (("bug", OUT_OF_ROOM), ("events", None), ("oops", None), ("fuel", None))
FUEL = 10_000


@dataclass(frozen=True)
class Field:
    """A number in a struct. Its values are 0..high, or any set of the bits in mask; scratch fields are unbounded.

    limit names the search bound that high is, if larger values are possible but not followed. whole: any 32 bits.
    """

    name: str
    high: int = 0
    mask: int = 0
    scratch: bool = False
    limit: str | None = None
    whole: bool = False

    @classmethod
    def of(cls, name: str, bounds: Any) -> "Field":
        """A field with bounds as a model gives them: a number, ("bits", mask), ("limit", number, name) or None."""
        if bounds is None:
            return cls(name, scratch=True)
        if isinstance(bounds, int):
            return cls(name, high=bounds)
        if bounds[0] == "limit":
            return cls(name, high=bounds[1], limit=bounds[2])
        return cls(name, mask=bounds[1])

    @property
    def bits(self) -> int:
        """How many bits the field takes in a key."""
        if self.whole:
            return 32
        return self.mask.bit_count() if self.mask else self.high.bit_length()

    def allows(self, value: int) -> bool:
        """Is value within the bounds?"""
        if self.scratch or self.whole:
            return True
        return value & ~self.mask == 0 if self.mask else 0 <= value <= self.high

    def __str__(self) -> str:
        return f"the bits {self.mask:#x}" if self.mask else f"0..{self.high}"


@dataclass(frozen=True)
class Array:
    """An array of structs; slots first..last are the state, up to last + spare can be used inside a call."""

    name: str
    first: int
    last: int
    spare: int
    fields: tuple[Field, ...]

    @property
    def scratch(self) -> bool:
        """Is no field of it part of a key?"""
        return all(field.scratch for field in self.fields)


class Place(NamedTuple):
    """A field of a state: of a slot of an array, or, if array is empty, of the state itself."""

    array: str
    slot: int
    field: Field

    def __str__(self) -> str:
        return f"{self.array}[{self.slot}].{self.field.name}" if self.array else self.field.name


@dataclass(frozen=True)
class Layout:
    """The numbers and the arrays that a state consists of."""

    numbers: tuple[Field, ...]
    arrays: tuple[Array, ...]

    @classmethod
    def of(cls, entries: Sequence[tuple[Any, ...]]) -> "Layout":
        """The layout that a model describes; model/states/linux_2_6.py says how."""
        numbers, arrays = [], []
        for entry in (*entries, *MACHINE_FIELDS):
            if len(entry) == 2:
                numbers.append(Field.of(*entry))
            else:
                name, first, last, spare, fields = entry
                arrays.append(Array(name, first, last, spare, tuple(Field.of(*item) for item in fields.items())))
        return cls(tuple(numbers), tuple(arrays))

    def key_fields(self) -> Iterator["Place"]:
        """The fields that make up a key, in order."""
        for field in self.numbers:
            if not field.scratch:
                yield Place("", 0, field)
        for array in self.arrays:
            for slot in range(array.first, array.last + 1):
                for field in array.fields:
                    if not field.scratch:
                        yield Place(array.name, slot, field)


class Broken(InputError):
    """A property, begin or canonicalise went wrong, outside of any call that could stop the kernel."""

    def __init__(self) -> None:
        super().__init__(
            "a property, a measure, begin or canonicalise uses NULL or a slot that does not exist as a pointer,"
            " or does not end"
        )


class OutOfBounds(InputError):
    """A model put a value into a field that the scope has no room for."""

    def __init__(self, place: Place, value: int) -> None:
        super().__init__(f"{place} is {value}, outside of {place.field}")
        self.place = place
