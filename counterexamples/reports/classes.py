# SPDX-License-Identifier: GPL-2.0-only
"""The local situations in which two kernels merge differently: each class with a shortest program.

A class is: the call, its neighbours to the left and right, which of these were written, and the merge case that each
kernel takes. Both kernels are in the same state before the call. Calls that go through several vmas are skipped: they
decide vma by vma, as calls for each alone do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NamedTuple, TypedDict

from vmacheck.checker.compiled.flat import Flat
from vmacheck.checker.files.json_types import AtLeast, AtMost, Positive
from vmacheck.checker.kernels.compare import Graphs
from vmacheck.checker.kernels.names import check_is_of
from vmacheck.checker.kernels.scope import Scope, ScopeData
from vmacheck.checker.program.interpreted import Key, Machine
from vmacheck.checker.program.system import System
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.product import Parting, partings
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.counterexamples.replay.one_process import Vma, vmas_of
from vmacheck.model.calls.operations import NAMES, Call
from vmacheck.model.common.mm import MREMAP_FIXED
from vmacheck.model.common.unistd import NR_mmap, NR_mremap
from vmacheck.model.kernels import LINUX
from vmacheck.model.linux.mm import MREMAP_DONTUNMAP

LEFT, RIGHT = (1, 2, 5, 6, 7), (1, 3, 4, 6, 8)  # merge cases that involve the vma on that side
OF_ONE_VMA = ("mprotect", "madvise", "mlock", "mlock2", "munlock", "mbind", "mseal", "mremap")
Side = Literal["-", "written", "unwritten", "same anon_vma"]
Area = Literal["written", "unwritten"]
NONE: Final = "-"
WRITTEN: Final = "written"
UNWRITTEN: Final = "unwritten"
SAME: Final = "same anon_vma"


class Class(NamedTuple):
    """A local situation: the call, what it changes and what lies on both sides; the merge case of each kernel or 0."""

    call: str
    left: Side
    area: Area
    right: Side
    one: int
    two: int


@dataclass(frozen=True)
class Classes:
    """The result: each class with its shortest program, and whether these are all of the scope."""

    a: str
    b: str
    scope: Scope
    found: tuple[tuple[Class, tuple[Call, ...]], ...]
    closed: bool


def classes_of(a: str, b: str, scope: Scope, limits: Limits, graphs: Graphs) -> Classes:
    """Every class in the scope. Raises as compare_kernels does, and ScopeError for 2.6 kernels."""
    for kernel in (a, b):
        check_is_of(LINUX, "--classes", kernel)
    one, two = (graphs.of(kernel, scope, limits) for kernel in (a, b))
    reader = Reader(one.system)
    found, closed = partings(one, two, limits.depth, reader.class_of)
    pairs = [(kind, parting.calls) for parting in found if (kind := reader.class_of(parting)) is not None]
    return Classes(a, b, scope, tuple(sorted(pairs, key=lambda pair: (pair[0].call, len(pair[1]), pair[0]))), closed)


class Reader:
    """Reads packed states of a system."""

    def __init__(self, system: System) -> None:
        self.machine, self.places = Machine(system), list(Flat(system.layout, system.call_fields).places())
        self.known: dict[tuple[int, ...], tuple[Vma, ...]] = {}

    def vmas(self, words: tuple[int, ...]) -> tuple[Vma, ...]:
        """The vmas of a state."""
        if words not in self.known:
            mm = self.machine.new()
            self.machine.load(mm, self._key(words))
            self.known[words] = vmas_of(mm)
        return self.known[words]

    def _key(self, words: Sequence[int]) -> Key:
        values = []
        for place, word, bit in self.places:
            raw = words[word] >> bit & (1 << place.field.bits) - 1
            set_bits = [b for b in range(64) if place.field.mask >> b & 1]
            values.append(sum((raw >> i & 1) << b for i, b in enumerate(set_bits)) if set_bits else raw)
        return tuple(values)

    def class_of(self, parting: Parting) -> Class | None:
        """The class of a parting; None if its call goes through several vmas, or the vmas end up the same."""
        call, vmas = parting.calls[-1], self.vmas(parting.before)
        source = vma_at(vmas, call.addr)
        name = NAMES[call.nr]
        if name in OF_ONE_VMA and (source is None or source.end < call.addr + call.len):
            return None
        one, two = (case_in(events) for events in parting.events)
        start, end = area_of(call)
        anon_vma = None if call.nr == NR_mmap or source is None else source.anon_vma
        cases = {one, two}
        left: Side = side(vma_at(vmas, start - 1), anon_vma) if cases & set(LEFT) else NONE
        right: Side = side(vma_at(vmas, end), anon_vma) if cases & set(RIGHT) else NONE
        return Class(kind_of(call), left, UNWRITTEN if anon_vma is None else WRITTEN, right, one, two)


def vma_at(vmas: Sequence[Vma], page: int) -> Vma | None:
    """The vma that a page lies in."""
    return next((vma for vma in vmas if vma.start <= page < vma.end), None)


def case_in(events: int) -> int:
    """The merge case among the events of a call; 0 if there is none."""
    return next((case for case in range(1, 9) if events & 1 << (case - 1)), 0)


def area_of(call: Call) -> tuple[int, int]:
    """The area that a call is about to merge with its neighbours."""
    if call.nr != NR_mremap:
        return call.addr, call.addr + call.len
    if call.flags & MREMAP_FIXED:
        return call.new_addr, call.new_addr + call.new_len
    return call.addr + call.len, call.addr + call.new_len


def kind_of(call: Call) -> str:
    """The call, in words."""
    if call.nr != NR_mremap:
        return NAMES[call.nr]
    if call.flags & MREMAP_DONTUNMAP:
        return "mremap DONTUNMAP"
    if not call.flags & MREMAP_FIXED:
        return "mremap in place"
    return "mremap move" if call.len == call.new_len else "mremap move, resize"


def side(vma: Vma | None, anon_vma: str | None) -> Side:
    """A neighbour, next to an area with that anon_vma."""
    if vma is None:
        return NONE
    if vma.anon_vma is None:
        return UNWRITTEN
    return SAME if vma.anon_vma == anon_vma else WRITTEN


# ---- text and data -------------------------------------------------------------------------------


def classes_text(found: Classes) -> list[str]:
    """One line per class."""
    rows = [["call", "left", "area", "right", found.a, found.b, "shortest program"]]
    rows += [[*_cells(kind), "; ".join(map(str, calls))] for kind, calls in found.found]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    lines = ["  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[6]]) for row in rows]
    all_or_not = "these are all" if found.closed else "there may be more: the search did not come to an end"
    return [*lines, "", f"{len(found.found)} classes; {all_or_not}", f"scope: {found.scope}"]


def _cells(kind: Class) -> Iterator[str]:
    yield from kind[:4]
    yield from (f"case {case}" if case else "apart" for case in (kind.one, kind.two))


MergeCase = Annotated[int, AtLeast(1), AtMost(8)]


class ClassData(TypedDict):
    """A situation in which two kernels merge differently, with a shortest program to it.

    left and right are the neighbours of the area that the call changes; case_a and case_b the merge case that each
    kernel takes, null for none.
    """

    call: str
    left: Side
    area: Area
    right: Side
    case_a: MergeCase | None
    case_b: MergeCase | None
    operations: Annotated[list[str], AtLeast(1)]
    length: Positive


class CompareClassesData(TypedDict):
    """The answer of `vmacheck compare --classes`. closed: these are all classes of the scope."""

    schema: Literal[1]
    a: str
    b: str
    scope: ScopeData
    closed: bool
    classes: list[ClassData]


def classes_data(found: Classes) -> CompareClassesData:
    """The classes as JSON has them."""
    return {
        "schema": SCHEMA,
        "a": found.a,
        "b": found.b,
        "scope": found.scope.as_data(),
        "closed": found.closed,
        "classes": [
            {
                "call": kind.call,
                "left": kind.left,
                "area": kind.area,
                "right": kind.right,
                "case_a": kind.one or None,
                "case_b": kind.two or None,
                "operations": [str(call) for call in calls],
                "length": len(calls),
            }
            for kind, calls in found.found
        ],
    }
