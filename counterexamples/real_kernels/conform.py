# SPDX-License-Identifier: GPL-2.0-only
"""Every sequence of a scope, on a model kernel and on a real one: agreements, and the ways in which they differ."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypedDict

from vmacheck.checker.files.json_types import Natural
from vmacheck.checker.kernels.scope import Scope, ScopeData
from vmacheck.checker.kernels.world import world_of
from vmacheck.checker.program.interpreted import Key, Machine
from vmacheck.checker.program.system import OOPS
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.counterexamples.real_kernels.live import Seen, encode, vmas_in
from vmacheck.counterexamples.real_kernels.replay import SeenLayoutData, seen_vmas
from vmacheck.counterexamples.real_kernels.views import LAYOUT, View, ViewName, of_two
from vmacheck.counterexamples.replay.one_process import STOPPED, Vma, vmas_of
from vmacheck.model.calls.operations import NAMES, Call, TraceError, result_text

Runs = Callable[[Sequence[str]], Sequence[Sequence[Seen]]]
ROUND = 100_000  # sequences per batch


class After(NamedTuple):
    """The effect of a call in the model: the state, by number, and its visible part."""

    state: int
    shown: int | str
    cells: str

    def agrees(self, seen: Seen) -> bool:
        """Does it equal what was seen?"""
        return self.cells == seen.cells and self.shown == seen.shown


@dataclass
class Difference:
    """A way in which the kernels differ: its count, and its first and so shortest example, with what was seen."""

    what: str
    count: int
    calls: tuple[Call, ...]
    model: tuple[int | str, str]
    real: tuple[int | str, str]


@dataclass
class Conformed:
    """The result: sequences compared, those that agree, differences by kind, calls that were left out.

    A sequence is compared up to its first difference.
    """

    kernel: str
    scope: Scope
    depth: int
    view: View = LAYOUT
    unseen: str = ""
    programs: str = ""
    compared: list[int] = field(default_factory=list)
    agreed: int = 0
    differences: dict[str, Difference] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def how(self) -> str:
        """The kind of programs that were compared, in words."""
        return self.programs or f"sequences of up to {self.depth}"

    @property
    def counted(self) -> str:
        """The number of programs compared, in words."""
        if self.programs:
            return "calls compared"
        counts = ", ".join(f"{number:,} of {length}" for length, number in enumerate(self.compared, 1))
        return f"sequences compared ({counts})"


class Model:
    """The states of a model kernel, computed on demand."""

    def __init__(self, kernel: str, scope: Scope, calls: Sequence[Call], view: View = LAYOUT) -> None:
        self.pages, self.calls, self.view, self.processes = scope.pages, calls, view, scope.processes
        self.text = of_two(view) if scope.processes > 1 else view.text
        self.machine = Machine(world_of(scope).build(kernel, scope, calls=list(calls)))
        self.before, self.after = self.machine.new(), self.machine.new()
        self.keys: list[Key] = []
        self.numbers: dict[Key, int] = {}
        self.known: dict[tuple[int, int], After] = {}
        self.first = self._number(self.machine.key(self.machine.new()))

    def forget(self) -> None:
        """Free memory: forget all states but the first."""
        del self.keys[1:]
        self.numbers = {self.keys[0]: self.first}
        self.known.clear()

    def _number(self, key: Key) -> int:
        if key not in self.numbers:
            self.numbers[key] = len(self.keys)
            self.keys.append(key)
        return self.numbers[key]

    def vmas(self, state: int) -> tuple[Vma, ...]:
        """The vmas of a state."""
        self.machine.load(self.before, self.keys[state])
        return vmas_of(self.before)

    def step(self, state: int, call: int) -> After:
        """The effect of a call, by number."""
        if (state, call) not in self.known:
            self.machine.load(self.before, self.keys[state])
            self.machine.evaluate("begin", self.before)
            result = self.machine.step(self.before, self.calls[call], self.after)
            shown = STOPPED if result == OOPS else result_text(self.calls[call], result)
            number = self._number(self.machine.key(self.after))
            cells = self.text(self.after, self.pages)
            self.known[state, call] = After(number, shown, cells)
        return self.known[state, call]


def asked_for(scope: Scope, left_out: Counter[str]) -> tuple[list[Call], list[str]]:
    """The calls of a scope that a program can make, and their text for runner.c."""
    calls, texts = [], []
    for call in scope.calls():
        try:
            texts.append(encode(1, call))
            calls.append(call)
        except TraceError:
            left_out[NAMES[call.nr]] += 1
    return calls, texts


def conform(kernel: str, scope: Scope, depth: int, on_real: Runs, view: View = LAYOUT) -> Conformed:
    """Compare every sequence of up to `depth` calls, shortest first, by what the view sees.

    on_real runs lines of line_of() on the real kernel. Raises TraceError, KernelError, UnknownName, LinkError.
    """
    found = Conformed(kernel, scope, depth, view)
    calls, texts = asked_for(scope, found.left_out)
    model = Model(kernel, scope, calls, view)
    level: list[tuple[tuple[int, ...], int]] = [((), model.first)]
    for _ in range(depth):
        following: list[tuple[tuple[int, ...], int]] = []
        compared = 0
        for sequences in _rounds(level, len(calls)):
            lines = [_line(scope.pages, [texts[call] for call in sequence]) for sequence, _ in sequences]
            for (sequence, state), (seen,) in zip(sequences, on_real(lines), strict=True):
                after = model.step(state, sequence[-1])
                compared += 1
                if after.agrees(seen):
                    following.append((sequence, after.state))
                else:
                    note(found, model, sequence, state, after, seen)
        found.compared.append(compared)
        found.agreed += len(following)
        level = following
    return found


def _rounds(level: Sequence[tuple[tuple[int, ...], int]], calls: int) -> Iterator[list[tuple[tuple[int, ...], int]]]:
    """Batches of each sequence with one more call, with the state before that."""
    some: list[tuple[tuple[int, ...], int]] = []
    for sequence, state in level:
        some += [((*sequence, call), state) for call in range(calls)]
        if len(some) >= ROUND:
            yield some
            some = []
    if some:
        yield some


def _line(pages: int, texts: Sequence[str]) -> str:
    return f"{pages} 0 {' '.join(texts)}"


def note(found: Conformed, model: Model, sequence: Sequence[int], state: int, after: After, seen: Seen) -> None:
    """Record a sequence that differs at its last call, which runs in the state."""
    calls = tuple(model.calls[call] for call in sequence)
    what = difference_of(model, calls[-1], state, after, seen)
    if what in found.differences:
        found.differences[what].count += 1
    else:
        found.differences[what] = Difference(what, 1, calls, (after.shown, after.cells), (seen.shown, seen.cells))


# ---- ways to differ ------------------------------------------------------------------------------


def difference_of(model: Model, call: Call, state: int, after: After, seen: Seen) -> str:
    """The way in which the last call differs: in what it returns, maps or allows, or in what it merges and why."""
    name, view = NAMES[call.nr], model.view
    if after.shown != seen.shown:
        shown = ["success" if isinstance(result, int) else result for result in (after.shown, seen.shown)]
        if shown[0] != shown[1]:
            return f"{name} returns {shown[0]} in the model, {shown[1]} in reality"
        return f"{name} returns another number"
    if model.processes > 1:
        return f"{name} leaves something else"
    ours, theirs = (view.cells(text, model.pages) for text in (after.cells, seen.cells))
    if ours.lower() != theirs.lower():
        return f"{name} maps or allows something else"
    starts = {page for page, cell in enumerate(ours) if cell.islower()}
    really = {page for page, cell in enumerate(theirs) if cell.islower()}
    if starts == really:
        return f"{name} leaves other {view.differs_in(after.cells, seen.cells)}"
    if starts - really and really - starts:
        return f"{name} merges with the other neighbour"
    if starts > really:
        return f"{name} merges less in the model: {_kept_apart_by(model.vmas(after.state), min(starts - really))}"
    return f"{name} merges more in the model: {_kept_apart_by(model.vmas(state), min(really - starts))}"


def _kept_apart_by(vmas: Sequence[Vma], page: int) -> str:
    """The difference between the vmas on both sides of a page, in the model."""
    left = next((vma for vma in vmas if vma.end == page), None)
    right = next((vma for vma in vmas if vma.start == page), None)
    if left is None or right is None:
        return "next to what is new"
    flags = set(left.flags) ^ set(right.flags)
    if flags:
        return f"{', '.join(sorted(flags))} on one side"
    if left.policy != right.policy or left.file != right.file:
        return "another file or policy"
    if left.pgoff + left.end - left.start != right.pgoff:
        return "offsets"
    if left.anon_vma and right.anon_vma and left.anon_vma != right.anon_vma:
        return "two anon_vmas"
    if left.anon_vma != right.anon_vma:
        return "an anon_vma on one side"
    if left.prot != right.prot:
        return "protections before the call"
    return "nothing tells them apart"


# ---- text and data -------------------------------------------------------------------------------


def conform_text(found: Conformed, real: str) -> list[str]:
    """The table of differences, the most frequent first, each with its shortest example."""
    total = sum(found.compared)
    ways = sorted(found.differences.values(), key=lambda way: (-way.count, way.what))
    lines = []
    for way in ways:
        lines += [f"{way.count:,} times: {way.what}", f"    {'; '.join(map(str, way.calls))}"]
        lines.append(f"    {_seen(found, way.model)} on {found.kernel}, {_seen(found, way.real)} on {real}")
    lines += [""] if ways else []
    lines.append(f"scope: {found.scope}, {found.how}")
    if found.view is not LAYOUT:
        lines.append(f"compared: {found.view.sees}{found.unseen}")
    if found.left_out:
        lines.append(
            f"left out, as no program can ask for them: {', '.join(f'{n} of {w}' for w, n in found.left_out.items())}"
        )
    lines.append(f"{total:,} {found.counted}, none beyond its first difference")
    lines.append(f"{found.agreed:,} agree with {real}, {total - found.agreed:,} differ in {len(ways)} ways")
    return lines


def _seen(found: Conformed, seen: tuple[int | str, str]) -> str:
    result, cells = seen
    if found.view is not LAYOUT or found.scope.processes > 1:
        return f"{cells}{f' ({result})' if isinstance(result, str) else ''}"
    vmas = [f"{vma.start}-{vma.end}:{vma.prot}" for vma in vmas_in(cells)]
    return f"{' '.join(vmas) or 'nothing'}{f' ({result})' if isinstance(result, str) else ''}"


class _TextData(TypedDict, total=False):
    seen: str


class SeenStateData(SeenLayoutData, _TextData):
    """The result of a call, and the address space after it; seen: all that is compared of it, as text."""


class SeenTextData(TypedDict):
    """The result of a call, and all that is compared of the address spaces of two processes after it, as text."""

    result: int | str
    seen: str


class DifferenceData(TypedDict):
    """A way to differ: how often it was met, and the shortest program that shows it."""

    what: str
    count: Natural
    operations: list[str]
    model: SeenStateData | SeenTextData
    real: SeenStateData | SeenTextData


class ConformSequencesData(TypedDict):
    """The answer of `vmacheck conform`.

    view is what was looked at; compared: how many programs of each length; left_out: calls that no program can make.
    """

    schema: Literal[1]
    kernel: str
    real: str
    scope: ScopeData
    depth: Natural | None
    view: ViewName
    compared: list[Natural]
    agreed: Natural
    left_out: dict[str, Natural]
    differences: list[DifferenceData]


def conform_data(found: Conformed, real: str) -> ConformSequencesData:
    """The whole answer of `vmacheck conform` as JSON has it."""
    return {
        "schema": SCHEMA,
        "kernel": found.kernel,
        "real": real,
        "scope": found.scope.as_data(),
        "depth": found.depth,
        "view": found.view.name,
        "compared": found.compared,
        "agreed": found.agreed,
        "left_out": dict(found.left_out),
        "differences": [
            {
                "what": way.what,
                "count": way.count,
                "operations": [str(call) for call in way.calls],
                "model": _data(found, way.model),
                "real": _data(found, way.real),
            }
            for way in found.differences.values()
        ],
    }


def _data(found: Conformed, seen: tuple[int | str, str]) -> SeenStateData | SeenTextData:
    result, text = seen
    if found.scope.processes > 1:
        both: SeenTextData = {"result": result, "seen": text}
        return both
    more: _TextData = {} if found.view is LAYOUT else {"seen": text}
    data: SeenStateData = {
        "result": result,
        "vmas": seen_vmas(vmas_in(found.view.cells(text, found.scope.pages))),
        **more,
    }
    return data
