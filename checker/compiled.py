# SPDX-License-Identifier: GPL-2.0-only
"""The compiled run: a linked program and the search loop as machine code."""

import ast
import inspect
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from checker import expand, native, record
from checker.codegen import assembly
from checker.flat import Flat
from checker.graph import Graph
from checker.layout import FUEL, Broken, OutOfBounds
from checker.link import AST_LOCK, Function
from checker.search import Hit, Limits, Progress, Report, Search, calls_to
from checker.system import EVENT_BITS, LARGEST_RESULT, MAX_ERRNO, MAX_RESULTS, OOPS, Claim, System

CHUNK = 4096  # states expanded between two looks at the keyboard
NEVER = 1 << 62  # a target that is no claim


# ---- the module ----------------------------------------------------------------------------------


def _hits_text(name: str, parameters: str, claims: tuple[Claim, ...], on_step: bool) -> str:
    """A function that says which of the wanted claims are hit, a bit each."""
    lines = [f"def {name}({parameters}, wanted):", "    bits = 0"]
    for number, claim in enumerate(claims):
        if claim.on_step == on_step:
            test = f"{claim.name}({parameters})"
            lines.append(f"    if wanted & {1 << number} and {test if claim.sometimes else f'not {test}'}:")
            lines.append(f"        bits |= {1 << number}")
    return "\n".join([*lines, "    return bits"])


def _functions(text: str) -> list[Function]:
    nodes = ast.parse(text).body
    return [Function(node, "<search>") for node in nodes if isinstance(node, ast.FunctionDef)]


def _measures_text(names: Sequence[str]) -> str:
    """A function that gives the number-th measure of a state."""
    lines = [
        line for i, name in enumerate(names) for line in (f"    if number == {i}:", f"        return {name}(state)")
    ]
    return "\n".join(["def measure_of(state, number):", *lines, "    return 0"])


def module_assembly(system: System, flat: Flat, recording: bool = False) -> str:
    """The search over a system, as LLVM assembly; and what records all transitions. Raises LinkError."""
    numbers = {**system.program.constants, "OOPS": OOPS, "FUEL": FUEL, "KEY_WORDS": flat.key_words}
    numbers |= {"MAX_RESULTS": MAX_RESULTS, "MAX_ERRNO": MAX_ERRNO, "LARGEST_RESULT": LARGEST_RESULT}
    numbers |= {
        "EVENTS": 1 << EVENT_BITS,
        "CALL_SIZE": len(system.call_fields) + 1,
        "KEPT": flat.kept,
        "SIZE": flat.size,
    }
    numbers |= {f"AT_{name.upper()}": flat.numbers[name] for name in ("bug", "events", "oops", "fuel")}
    numbers |= {"RESULT": flat.numbers["result"]}
    numbers |= {name: value for name, value in vars(expand).items() if name.isupper() and type(value) is int}
    functions = system.program.reachable(system.roots())
    entries = list(expand.ENTRIES)
    texts = [
        flat.pack_text(),
        flat.unpack_text(),
        _hits_text("state_hits", "state", system.claims, False),
        _hits_text("step_hits", "before, call, after", system.claims, True),
        inspect.getsource(expand),
    ]
    if recording:
        numbers |= {name: value for name, value in vars(record).items() if name.isupper() and type(value) is int}
        texts += [_measures_text(system.measures), inspect.getsource(record)]
        entries += record.ENTRIES
    functions += [function for text in texts for function in _functions(text)]
    return assembly(flat, functions, numbers, entries)


def load(system: System, flat: Flat, recording: bool = False) -> native.Library:
    """The machine code of a system's search. Raises LinkError."""
    modules = [expand, record] if recording else [expand]
    arity = {
        name: len(inspect.signature(getattr(module, name)).parameters) for module in modules for name in module.ENTRIES
    }
    with AST_LOCK:
        text = module_assembly(system, flat, recording)
    return native.load(text, arity)


class Stepper:
    """The compiled run one call at a time, from the first state on."""

    def __init__(self, system: System) -> None:
        self.flat = Flat(system.layout, system.call_fields)
        self.code = load(system, self.flat)
        self.before, self.after = np.zeros(self.flat.size, np.int32), np.zeros(self.flat.size, np.int32)
        self.results = np.zeros((max(system.kinds) + 1, MAX_RESULTS), np.int64)
        self.events = np.zeros(1 << EVENT_BITS, np.int64)

    def step(self, call: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        """Carry out a call. Its result, and the key fields of the state after it, renamed."""
        numbers, key = np.array([*call, 0], np.int32), np.zeros(self.flat.key_words, np.int64)
        self.before, self.after = self.after, self.before
        arrays = (self.before, numbers, self.after, key, self.results, self.events)
        assert self.code.run("try_call", *arrays) <= 0
        fields = tuple(int(self.after[self.flat.index(place)]) for place in self.flat.layout.key_fields())
        return int(numbers[-1]), fields


# ---- the search ----------------------------------------------------------------------------------


def explore(
    system: System, targets: Collection[str] = (), limits: Limits | None = None, report: Report | None = None
) -> Search:
    """Search to closure, or until every one of `targets` is hit; explore.explore says the same in Python."""
    explorer = Explorer(system, targets, limits or Limits())
    explorer.run(report)
    return explorer.search


def explore_graph(system: System, limits: Limits | None = None, report: Report | None = None) -> Graph:
    """Search to closure, or to a limit, and then note every transition and every measure.

    Raises OutOfBounds, and Broken if a measure goes wrong.
    """
    explorer = Explorer(system, (), limits or Limits(), recording=True)
    explorer.run(report)
    return explorer.graph()


class Explorer:
    """A breadth-first search in growing arrays: keys[i] is the i-th state found; parents[i] and via[i] say how."""

    def __init__(self, system: System, targets: Collection[str], limits: Limits, recording: bool = False) -> None:
        self.system, self.limits, self.search = system, limits, Search()
        self.flat = Flat(system.layout, system.call_fields)
        self.code = load(system, self.flat, recording)
        assert len(system.calls) < 1 << 16
        self.before, self.after = np.zeros((2, self.flat.size), np.int32)
        self.calls = np.array([(*call, 0) for call in system.calls], np.int32)
        self.hits = np.zeros((max(1, len(system.claims)), expand.HITS_SIZE), np.int64)
        self.results = np.zeros((max(system.kinds) + 1, MAX_RESULTS), np.int64)
        self.events = np.zeros(1 << EVENT_BITS, np.int64)
        self.progress = np.zeros(expand.PROGRESS_SIZE, np.int64)
        self._set_up(targets)

    def _set_up(self, targets: Collection[str]) -> None:
        names = [claim.name for claim in self.system.claims]
        self.progress[expand.WANTED] = (1 << len(names)) - 1
        self.progress[expand.TARGETS] = sum(1 << names.index(name) for name in targets) or NEVER
        self.progress[expand.MAX_STATES] = -1 if self.limits.max_states is None else self.limits.max_states
        self.progress[expand.CALLS] = len(self.calls)
        self.keys = np.zeros((0, self.flat.key_words), np.int64)
        self.parents, self.via = np.zeros(0, np.int32), np.zeros(0, np.uint16)
        self._grow()

    def _grow(self) -> None:
        """At least twice the room for states, and from two to four slots of the table for each."""
        rows = max(1 << 12, 2 * len(self.keys)) + len(self.calls)
        count = int(self.progress[expand.COUNT])
        self.keys, keys = np.zeros((rows, self.flat.key_words), np.int64), self.keys
        self.parents, parents = np.zeros(rows, np.int32), self.parents
        self.via, via = np.zeros(rows, np.uint16), self.via
        self.keys[:count], self.parents[:count], self.via[:count] = keys[:count], parents[:count], via[:count]
        self.table = np.zeros(1 << (2 * rows - 1).bit_length(), np.int32)
        self.progress[expand.ROWS], self.progress[expand.TABLE_SIZE] = rows, len(self.table)
        self.code.run("rehash", self.keys, self.table, self.progress)

    def run(self, report: Report | None = None) -> None:
        """Fill in self.search."""
        search, progress = self.search, self.progress
        self._check(self.code.run("first_state", self.after, self.keys, self.table, progress, self.hits))
        start, end, stopped = 0, 1, progress[expand.TARGETS] == 0
        while start < end and not stopped:
            search.levels.append(end - start)
            if search.depth == self.limits.depth:
                search.stopped = "depth"
                break
            stopped = self._expand_level(start, end, report)
            start, end = end, int(progress[expand.COUNT])
        if start < end and search.stopped != "depth":
            search.levels.append(end - start)
        if progress[expand.BEYOND] and search.stopped is None:
            search.stopped = next(field.limit for _, _, field in self.system.layout.key_fields() if field.limit)
        search.closed = start == end and not stopped and search.stopped is None
        search.transitions = int(progress[expand.TRANSITIONS])
        self._read_hits()
        self._read_coverage()

    def _expand_level(self, start: int, end: int, report: Report | None) -> bool:
        """Expand the states start..end-1. True if the search is to end."""
        progress = self.progress
        while progress[expand.NEXT] < end:
            if report is not None:
                states, transitions = int(progress[expand.COUNT]), int(progress[expand.TRANSITIONS])
                report(Progress(states, transitions, self.search.depth, end - start))
            room = (self.before, self.after, self.calls, self.keys, self.parents, self.via, self.table)
            notes = (progress, self.hits, self.results, self.events)
            status = self.code.run("expand", *room, *notes, min(end, int(progress[expand.NEXT]) + CHUNK))
            self._check(status)
            if status == expand.NEEDS_ROOM:
                self._grow()
            elif status == expand.MAX_STATES_HIT:
                self.search.stopped = "max-states"
                return True
            elif status == expand.TARGETS_HIT:
                return True
        return False

    def graph(self) -> Graph:
        """All that was found, with what follows what."""
        shape = (self.search.states, len(self.calls))
        to, returned = np.full(shape, record.UNTRIED, np.int32), np.zeros(shape, np.int32)
        noted = np.zeros(shape, np.uint16)
        expanded = int(self.progress[expand.NEXT])
        for start in range(0, expanded, CHUNK):
            room = (self.before, self.after, self.calls, self.keys, self.table, self.progress)
            counters = (np.zeros_like(self.results), np.zeros_like(self.events))
            self.code.run("record", *room, *counters, to, returned, noted, start, min(expanded, start + CHUNK))
        measures = {}
        for number, name in enumerate(self.system.measures):
            measures[name] = np.zeros(self.search.states, np.int64)
            if self.code.run("measure", self.before, self.keys, self.progress, measures[name], number):
                raise Broken
        return Graph(self.system, self.search, to, returned, noted, measures)

    def _check(self, status: int) -> None:
        if status == expand.BROKEN:
            raise Broken
        if status == expand.OUT_OF_BOUNDS:
            place = list(self.system.layout.key_fields())[int(self.progress[expand.FIELD]) - 1]
            raise OutOfBounds(place, int(self.after[self.flat.index(place)]))

    def _read_hits(self) -> None:
        for number, claim in enumerate(self.system.claims):
            if self.progress[expand.WANTED] >> number & 1:
                continue
            parent, call, states, transitions = (int(value) for value in self.hits[number])
            path = calls_to(self.parents, self.via, parent, self.system.calls)
            calls = path if call < 0 else (*path, self.system.calls[call])
            self.search.hits[claim.name] = Hit(calls, states, transitions)

    def _read_coverage(self) -> None:
        coverage = self.search.coverage
        for kind, codes in enumerate(self.results):
            if codes.any():
                coverage.results[kind] = Counter({-int(code): int(codes[code]) for code in codes.nonzero()[0]})
        for mask in self.events.nonzero()[0]:
            for bit in range(EVENT_BITS):
                if mask >> bit & 1:
                    coverage.events[1 << bit] += int(self.events[mask])
