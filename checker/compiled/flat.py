# SPDX-License-Identifier: GPL-2.0-only
"""The state of the compiled run: one flat array of numbers, and its key as a few 64-bit words."""

from collections.abc import Iterator, Sequence

from vmacheck.checker.program.layout import Array, Field, Layout, Place


class Flat:
    """The index of each number of a state, and of a call, in a flat array. The fields of the key come first."""

    def __init__(self, layout: Layout, call_fields: Sequence[str]) -> None:
        self.layout = layout
        self.numbers: dict[str, int] = {}
        self.arrays: dict[str, Array] = {}
        self.bases: dict[str, int] = {}
        size = 0
        for scratch in (False, True):
            for array in layout.arrays:
                if array.scratch == scratch:
                    self.arrays[array.name] = array
                    self.bases[array.name] = size - array.first * len(array.fields)
                    size += (array.last + array.spare - array.first + 1) * len(array.fields)
            for field in layout.numbers:
                if field.scratch == scratch:
                    self.numbers[field.name] = size
                    size += 1
            if not scratch:
                self.kept = size
        self.size = size
        self.call_fields = (*call_fields, "result")
        self.numbers.update({name: place for place, name in enumerate(self.call_fields)})

    def index(self, place: Place) -> int:
        """The index of a field."""
        if not place.array:
            return self.numbers[place.field.name]
        array = self.arrays[place.array]
        return self.bases[place.array] + place.slot * len(array.fields) + array.fields.index(place.field)

    # ---- keys ------------------------------------------------------------------------------------

    def places(self) -> Iterator[tuple[Place, int, int]]:
        """Each key field with the word and the bit that it starts at; none straddles two words."""
        word = bit = 0
        for place in self.layout.key_fields():
            if bit + place.field.bits > 64:
                word, bit = word + 1, 0
            yield place, word, bit
            bit += place.field.bits

    @property
    def key_words(self) -> int:
        """The size of a key, in 64-bit words."""
        return max(word for _, word, _ in self.places()) + 1

    def pack_text(self) -> str:
        """pack(s, key): write the key of s. Returns 0, or the number (from 1) of a field whose value is out of bounds.

        Minus the number if the value is beyond a limit of the search.
        """
        lines = ["def pack(s: i32, key: i64):", "    beyond = 0"]
        current = -1
        for number, (place, word, bit) in enumerate(self.places(), 1):
            if word != current:
                lines += [f"    key[{current}] = w"] if current >= 0 else []
                lines.append("    w = 0")
                current = word
            lines.append(f"    v = s[{self.index(place)}]")
            if place.field.whole:
                pass
            elif place.field.limit is None:
                lines += [f"    if {_outside(place.field)}:", f"        return {number}"]
            else:
                lines += ["    if v < 0:", f"        return {number}"]
                lines += [f"    if v > {place.field.high}:", f"        beyond = {-number}"]
            lines += [f"    w |= (v >> {low} & {ones}) << {bit + below}" for low, ones, below in _runs(place.field)]
        return "\n".join([*lines, f"    key[{current}] = w", "    return beyond"])

    def unpack_text(self) -> str:
        """unpack(key, s): the opposite of pack."""
        lines = ["def unpack(key: i64, s: i32):"]
        current = -1
        for place, word, bit in self.places():
            if word != current:
                lines.append(f"    w = key[{word}]")
                current = word
            parts = [f"(w >> {bit + below} & {ones}) << {low}" for low, ones, below in _runs(place.field)]
            lines.append(f"    s[{self.index(place)}] = {' | '.join(parts) or 0}")
        return "\n".join(lines)


def _outside(field: Field) -> str:
    return f"v & {~field.mask}" if field.mask else f"v < 0 or v > {field.high}"


def _runs(field: Field) -> Iterator[tuple[int, int, int]]:
    """The runs of bits that a field may have set: (lowest bit, as many ones, number of bits below)."""
    mask = field.mask or (1 << field.bits) - 1
    below = 0
    while mask:
        low = (mask & -mask).bit_length() - 1
        length = (~(mask >> low) & (mask >> low) + 1).bit_length() - 1
        yield low, (1 << length) - 1, below
        mask &= ~(((1 << length) - 1) << low)
        below += length


def field_metadata(name: str, number: int) -> str:
    """Metadata by which LLVM knows that fields do not overlap."""
    return f'!{number} = !{{!{number + 1}, !{number + 1}, i64 0}}\n!{number + 1} = !{{!"{name}", !1, i64 0}}'
