# SPDX-License-Identifier: GPL-2.0-only
"""The compiled search: breadth-first, in rounds that several workers share; compiled/loops.py has the loops.

States are numbered in the order of a search by one worker: by the state that they were first reached from, then by
the call. So hits, counts and counterexamples do not depend on how work is shared out, and a search that is cut short
stops at the very call where one worker would have stopped.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from vmacheck.checker.compiled import loops, record
from vmacheck.checker.compiled.flat import Flat
from vmacheck.checker.compiled.module import load, load_soon
from vmacheck.checker.program.layout import Broken, OutOfBounds
from vmacheck.checker.program.system import EVENT_BITS, System
from vmacheck.checker.search.checkpoint import Checkpoint, CheckpointError, Position
from vmacheck.checker.search.crew import NEVER, Means, Worker, earliest, forget_hits
from vmacheck.checker.search.graph import Graph
from vmacheck.checker.search.memory import Grown, apart
from vmacheck.checker.search.outcome import Hit, Limits, Progress, Report, Search, calls_to
from vmacheck.checker.search.table import LARGEST_SEARCH, Table

BLOCK = 1 << 15  # calls tried in a block
SMALLEST = 1 << 13  # calls that are worth a worker
BLOCKS = 24  # in a round, for each worker, if there are several
MOST_WORKERS = 256
MOST_CANDIDATES = 64 << 20  # bytes for those of a round
BESIDE = 320 << 20  # bytes of memory that are not for states: Python, the machine code, and a round's candidates
LEAST_MEMORY = BESIDE + (64 << 20)
JUDGED = 1 << 8  # states whose claims are worth a worker
RECORDED = 1 << 12  # states recorded between two checks for ^C

Failure = tuple[int, Exception]  # with the position where it happened
Noted = tuple[list[Failure], dict[int, int]]  # failures, and where claims were hit first


def explore(
    system: System,
    targets: Collection[str] = (),
    limits: Limits | None = None,
    report: Report | None = None,
    means: Means | None = None,
) -> Search:
    """Search to closure, or until every one of `targets` is hit; explore.explore says the same in Python.

    Raises OutOfBounds, Broken, and CheckpointError.
    """
    with Explorer(system, targets, limits or Limits(), means) as explorer:
        explorer.run(report)
    return explorer.search


def explore_graph(system: System, limits: Limits | None = None, report: Report | None = None) -> Graph:
    """Search to closure, or to a limit, and then note every transition and every measure.

    Raises OutOfBounds, and Broken if a measure goes wrong.
    """
    with Explorer(system, (), limits or Limits(), recording=True) as explorer:
        explorer.run(report)
        return explorer.graph()


class Explorer:
    """A breadth-first search. keys[i] is the i-th state found; parents[i] and via[i] say how."""

    def __init__(
        self,
        system: System,
        targets: Collection[str],
        limits: Limits,
        means: Means | None = None,
        recording: bool = False,
    ) -> None:
        self.system, self.limits, self.search, self.means = system, limits, Search(), means or Means()
        self.flat = Flat(system.layout, system.call_fields)
        self.build = load_soon(system) if self.means.hurry else None
        self.code = self.build.library if self.build else load(system, recording)
        self.pool = ThreadPoolExecutor(MOST_WORKERS)
        self.keys = Grown(np.int64, self.flat.key_words)
        self.parents, self.via = Grown(np.int32), Grown(np.uint16)
        self.rows = {"keys": self.keys, "parents": self.parents, "via": self.via}  # the rows of each state
        self.positions, self.hashes, self.slots = Grown(np.int64), Grown(np.int64), Grown(np.int32)
        self.progress = np.zeros(loops.PROGRESS_SIZE, np.int64)
        self.table = Table(self.keys, self.progress, self.call)
        self.crew: list[Worker] = []
        self.is_beyond, self.start, self.end, self.expanded = False, 0, 1, 0
        self.longest = 0  # calls of the longest programs that were tried
        names = [claim.name for claim in system.claims]
        assert len(system.calls) < 1 << 16
        assert len(names) < loops.SEEN
        self.targets = {names.index(name) for name in targets} or {NEVER}
        self.progress[loops.WANTED] = (1 << len(names)) - 1
        self.progress[loops.CALLS] = len(system.calls)
        self.most = self._most_states()
        self.progress[loops.MAX_STATES] = min(self.most.values())

    def __enter__(self) -> "Explorer":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()
        if self.build is not None:
            self.build.close()

    @property
    def row_bytes(self) -> int:
        """The bytes of a state, besides its slot of the table."""
        return sum(array.row_bytes for array in self.rows.values())

    @property
    def count(self) -> int:
        """States found."""
        return int(self.progress[loops.COUNT])

    # ---- levels ----------------------------------------------------------------------------------

    def run(self, report: Report | None = None) -> None:
        """Fill in self.search. Raises OutOfBounds, Broken, and CheckpointError."""
        search, checkpoint = self.search, self.means.checkpoint
        is_over = self._begin() if checkpoint is None or not self._resume(checkpoint) else not self.targets
        while self.start < self.end and not is_over:
            if search.depth == self.limits.depth:
                search.stopped, is_over = "depth", True
            else:
                is_over = self._expand_level(report)
        if self.is_beyond and search.stopped is None:
            search.stopped = next(field.limit for _, _, field in self.system.layout.key_fields() if field.limit)
        search.closed = self.start == self.end and not is_over and search.stopped is None
        if checkpoint is not None and (search.closed or not self.targets):
            checkpoint.save(self.snapshot(), self.rows)
        self._read_coverage()

    def _begin(self) -> bool:
        """Enter the first state. Returns True if the search ends with it."""
        worker = self.workers(1)[0]
        for array in self.rows.values():
            array.grow(1)
        field = self.call("first_state", worker.after, self.keys, self.progress)
        if field < 0:
            raise Broken
        if field > 0:
            raise self._out_of_bounds(worker, field)
        self.search.levels.append(1)
        self.set_up()
        failures, hits = self.judge([worker], 0)
        for _, failure in failures:
            raise failure
        for claim in hits:
            self.progress[loops.WANTED] &= ~(1 << claim)
            self.targets.discard(claim)
            self.search.hits[self.system.claims[claim].name] = Hit((), 0, 0)
        return not self.targets

    def set_up(self) -> None:
        """Get ready to go on from the states found so far."""
        self._forget_keys()
        self.table.make_for(self.count)

    def _forget_keys(self) -> None:
        """Reset the workers' caches: no key but the first state's is known."""
        for worker in self.crew:
            worker.cache[:] = self.keys[0]

    def _expand_level(self, report: Report | None) -> bool:
        """Expand the rest of the level. Returns True if the search ends."""
        search, is_over = self.search, False
        self.longest = search.depth + 1
        while self.expanded < self.end and not is_over:
            if report is not None:
                done = self.expanded - self.start
                report(Progress(self.count, search.transitions, search.depth, self.end - self.start, done))
            if self.build is not None:
                self.build.improve()
                self.code = self.build.library
            crew = self.workers(max(1, min(MOST_WORKERS, self.means.workers())))
            is_over = self._round(crew, self.blocks(self.expanded, self.end, len(crew)))
            if self.means.checkpoint is not None and not is_over and self.means.checkpoint.is_due():
                self.means.checkpoint.save(self.snapshot(), self.rows)
        if self.count > self.end:
            search.levels.append(self.count - self.end)
        if not is_over:
            self.start, self.end = self.end, self.count
        return is_over

    def blocks(self, start: int, end: int, crew: int) -> Any:
        """The blocks of the next round, from the state `start` on."""
        calls = len(self.system.calls)
        most = max(1, BLOCK // calls)
        many = (
            4 if crew == 1 else max(1, min(BLOCKS * crew, MOST_CANDIDATES // (BLOCK * (20 + 8 * self.flat.key_words))))
        )
        size = max(1, min(most, max(SMALLEST // calls, -(-(end - start) // (2 * crew)))))
        blocks = self.blocks_of([(first, min(end, first + size)) for first in range(start, end, size)[:many]])
        self.make_room(int(blocks[-1, loops.END] - start) * calls)
        return blocks

    def blocks_of(self, ranges: list[tuple[int, int]]) -> Any:
        """Blocks of these states, with room behind the existing states for all that they may lead to."""
        blocks = apart(np.int64, len(ranges), loops.BLOCK_SIZE)
        blocks[:, [loops.START, loops.END]] = ranges
        blocks[:, loops.BASE] = self.count + (blocks[:, loops.START] - ranges[0][0]) * len(self.system.calls)
        blocks[:, loops.BEYOND_AT] = -1
        return blocks

    # ---- rounds ----------------------------------------------------------------------------------

    def _round(self, crew: list[Worker], blocks: Any) -> bool:
        """Find and enter the states that those of the blocks lead to. Returns True if the search ends."""
        before = self.count
        failures, hits, limit = self.discover(crew, blocks)
        reached = max((hits.get(claim, NEVER) for claim in self.targets), default=NEVER)
        for where, failure in sorted(failures, key=lambda one: one[0])[:1]:
            if where <= reached and where < limit:
                raise failure
        stop = min(limit, reached)
        self._note_hits({claim: where for claim, where in hits.items() if where <= stop}, before, blocks)
        beyond = blocks[:, loops.BEYOND_AT]
        self.is_beyond |= bool(((beyond >= 0) & (beyond <= stop)).any())
        if stop == NEVER:
            self.search.transitions += int(blocks[:, loops.TRIED].sum())
            self.expanded = int(blocks[-1, loops.END])
            return False
        if limit == stop:
            self.search.stopped = min(self.most, key=self.most.__getitem__)
        self.expanded = stop >> 16
        self._go_back(stop, before, blocks)
        return True

    def discover(self, crew: list[Worker], blocks: Any) -> tuple[list[Failure], dict[int, int], int]:
        """Fill in the blocks, and enter the new states.

        Returns the failures, where claims were hit first, and where the states became too many, or NEVER.
        """
        before = self.count
        failures, on_steps = self.generate(crew, blocks)
        limit = self.number_new(crew, blocks)
        more, on_states = self.judge(crew, before)
        return failures + more, on_steps | on_states, limit

    def generate(self, crew: list[Worker], blocks: Any) -> Noted:
        """Fill in the blocks."""
        failures: list[Failure] = []
        shared = (self.keys, self.positions, self.hashes, self.table.slots, self.progress)

        def work(worker: Worker, block: Any) -> None:
            own = (worker.cache, worker.results, worker.events, worker.hits)
            status = self.call("generate", worker.before, worker.after, worker.calls, *shared, *own, block)
            if status == loops.BROKEN:
                failures.append((int(block[loops.WRONG_AT]), Broken()))
            elif status == loops.OUT_OF_BOUNDS:
                failure = self._out_of_bounds(worker, int(block[loops.FIELD]))
                failures.append((int(block[loops.WRONG_AT]), failure))

        forget_hits(crew)
        self._share(crew, list(blocks), work)
        if failures and len(crew) > 1:
            return self._generate_again(crew, blocks)
        return failures, earliest(worker.seen() for worker in crew)

    def _generate_again(self, crew: list[Worker], blocks: Any) -> Noted:
        """Let one worker do the round: it skips claims that were hit before, where they may go wrong."""
        for block in blocks:
            self._discount(int(block[loops.START]) << 16, int(block[loops.AT]))
        blocks[:, loops.FOUND :] = 0
        blocks[:, loops.BEYOND_AT] = -1
        self._forget_keys()
        return self.generate(crew[:1], blocks)

    def number_new(self, crew: list[Worker], blocks: Any) -> int:
        """Number the candidates that are new states. Returns the position that led to too many, or NEVER."""
        self.table.make_for(self.count + int(blocks[:, loops.FOUND].sum()))
        while not self.claim(crew, blocks):
            self.table.make(2 * self.table.rows)
        room = (self.keys, self.positions, self.slots, self.parents, self.via, self.table.slots, self.progress)
        is_full = self.call("number", *room, blocks, len(blocks)) == loops.MAX_STATES_HIT
        return int(self.progress[loops.STOPPED_AT]) if is_full else NEVER

    def claim(self, crew: list[Worker], blocks: Any) -> bool:
        """Enter candidates into the table. Returns False if that needs a larger one."""
        full: list[bool] = []
        regions = self.table.rows // (int(self.progress[loops.REGION_MASK]) + 1)
        edges = [regions * n // len(crew) * (self.table.rows // regions) for n in range(len(crew) + 1)]
        shared = (self.keys, self.hashes, self.slots, self.table.slots, self.progress, blocks, len(blocks))

        def work(_worker: Worker, part: tuple[int, int]) -> None:
            full.append(self.call("claim", *shared, *part) == loops.FULL)

        self._share(crew, [(first, last) for first, last in pairwise(edges) if first < last], work)
        return not any(full)

    def judge(self, crew: list[Worker], first: int) -> Noted:
        """Look at the claims about the states from `first` on."""
        if not self.progress[loops.WANTED]:
            return [], {}
        failures: list[Failure] = []
        end = self.count
        size = max(JUDGED, -(-(end - first) // (4 * len(crew))))
        blocks = apart(np.int64, len(range(first, end, size)), loops.BLOCK_SIZE)
        for block, start in zip(blocks, range(first, end, size), strict=True):
            block[loops.START], block[loops.END] = start, min(end, start + size)

        def work(worker: Worker, block: Any) -> None:
            if self.call("judge", worker.before, self.keys, self.progress, worker.hits, block) == loops.BROKEN:
                failures.append((self.position(int(block[loops.WRONG_AT])), Broken()))

        forget_hits(crew)
        self._share(crew, list(blocks), work)
        if failures and len(crew) > 1:  # as in _generate_again
            return self.judge(crew[:1], first)
        seen = earliest(worker.seen() for worker in crew)
        return failures, {claim: self.position(row) for claim, row in seen.items()}

    def _share(self, crew: list[Worker], tasks: list[Any], work: Callable[[Worker, Any], None]) -> None:
        """Let the crew do all tasks; each worker takes its own in order."""
        left = iter(tasks)

        def some(worker: Worker) -> None:
            while (task := next(left, None)) is not None:
                work(worker, task)

        others = [self.pool.submit(some, worker) for worker in crew[1 : len(tasks)]]
        some(crew[0])
        for other in others:
            other.result()

    def _note_hits(self, hits: dict[int, int], before: int, blocks: Any) -> None:
        """Write down where claims were hit in a round that began with `before` states."""
        for claim, where in hits.items():
            self.progress[loops.WANTED] &= ~(1 << claim)
            self.targets.discard(claim)
            path = calls_to(self.parents, self.via, where >> 16, self.system.calls)
            states = bisect_left(range(self.count), where, before, key=self.position)
            tried = self.search.transitions + self._tried(int(blocks[0, loops.START]) << 16, where)
            name, call = self.system.claims[claim].name, self.system.calls[where & 65535]
            self.search.hits[name] = Hit((*path, call), states, tried)

    def _go_back(self, stop: int, before: int, blocks: Any) -> None:
        """Take back what the round did after the position `stop`."""
        search, progress = self.search, self.progress
        search.transitions += self._tried(int(blocks[0, loops.START]) << 16, stop)
        progress[loops.COUNT] = bisect_right(range(self.count), stop, before, key=self.position)
        for block in blocks:
            self._discount(max(stop + 1, int(block[loops.START]) << 16), int(block[loops.AT]))

    def _discount(self, start: int, end: int) -> None:
        """Take back the counts of the calls from one position up to another."""
        if start < end:
            results, events = self._tally(start, end)[1:]
            self.crew[0].results -= results
            self.crew[0].events -= events

    def _tried(self, start: int, end: int) -> int:
        """The number of calls tried from one position up to another."""
        return self._tally(start, end)[0]

    def _tally(self, start: int, end: int) -> tuple[int, Any, Any]:
        """The number of calls tried from one position up to another, their results and events."""
        worker = self.crew[0]
        results, events = np.zeros_like(worker.results), np.zeros_like(worker.events)
        states = (worker.before, worker.after, worker.calls, self.keys, self.progress)
        return self.call("tally", *states, results, events, start, end), results, events

    def position(self, row: int) -> int:
        """The state and the call that a state was first reached by."""
        return int(self.parents[row]) << 16 | int(self.via[row])

    # ---- checkpoints -----------------------------------------------------------------------------

    def snapshot(self) -> Position:
        """The position of the search, between two rounds."""
        search, calls = self.search, {call: number for number, call in enumerate(self.system.calls)}
        results, events = self.counters()
        return Position(
            count=self.count,
            level=[self.start, self.end, self.expanded],
            levels=search.levels,
            transitions=search.transitions,
            longest=self.longest,
            is_beyond=self.is_beyond,
            targets=sorted(self.targets),
            wanted=int(self.progress[loops.WANTED]),
            hits={name: [[calls[c] for c in h.calls], h.states, h.transitions] for name, h in search.hits.items()},
            results=[[*map(int, place), int(results[tuple(place)])] for place in np.argwhere(results)],
            events=[[int(place), int(events[place])] for place in events.nonzero()[0]],
        )

    def _resume(self, checkpoint: Checkpoint) -> bool:
        """Go on from where the search was last written down, if it was. Raises CheckpointError."""
        at = checkpoint.load(self.rows)
        if at is None:
            return False
        search, calls, progress, most = self.search, self.system.calls, self.progress, self.limits.depth
        if at.count > progress[loops.MAX_STATES] or (most is not None and at.longest > most):
            raise CheckpointError(f"{checkpoint.folder} is of a search that is beyond this one's limits already")
        search.levels, search.transitions = at.levels, at.transitions
        self.longest, self.is_beyond, self.targets = at.longest, at.is_beyond, set(at.targets)
        progress[loops.COUNT], progress[loops.WANTED] = at.count, at.wanted
        self.start, self.end, self.expanded = at.level
        for name, (path, states, transitions) in at.hits.items():
            search.hits[name] = Hit(tuple(calls[number] for number in path), states, transitions)
        self.put_counters(at.results, at.events)
        self.set_up()
        return True

    # ---- room ------------------------------------------------------------------------------------

    def workers(self, many: int) -> list[Worker]:
        """A crew of `many` workers."""
        while len(self.crew) < many:
            worker = Worker(self.system, self.flat)
            if self.crew:
                worker.cache[:] = self.keys[0]
            self.crew.append(worker)
        return self.crew[:many]

    def make_room(self, candidates: int) -> None:
        """Make room for this many candidates behind the states, and for the states that they may become."""
        needed = self.count + candidates
        if needed > self.keys.rows:
            for array in self.rows.values():
                array.grow(needed + max(candidates, self.keys.rows // 2))
        for array in (self.positions, self.hashes, self.slots):
            array.grow(candidates)
        if self.table.rows and needed > self.progress[loops.INDEX_MASK]:
            self.table.make(self.table.rows)

    def _most_states(self) -> dict[str, int]:
        """The most states possible, by what sets that limit."""
        most = {"numbers": LARGEST_SEARCH}
        if self.limits.max_states is not None:
            most["max-states"] = self.limits.max_states
        if self.limits.memory is not None:
            most["memory"] = self.table.limited(self.limits.memory - BESIDE, self.row_bytes)
        return most

    # ---- results ---------------------------------------------------------------------------------

    def graph(self) -> Graph:
        """The graph of all states found and of their transitions."""
        shape, worker = (self.search.states, len(self.system.calls)), self.crew[0]
        to, returned = np.full(shape, record.UNTRIED, np.int32), np.zeros(shape, np.int32)
        noted = np.zeros(shape, np.uint16)
        self.keys.grow(self.count + 1)
        counters = (np.zeros_like(worker.results), np.zeros_like(worker.events))
        room = (worker.before, worker.after, worker.calls, self.keys, self.table.slots, self.progress, *counters)
        for start in range(0, self.expanded, RECORDED):
            self.call("record", *room, to, returned, noted, start, min(self.expanded, start + RECORDED))
        measures = {}
        for number, name in enumerate(self.system.measures):
            measures[name] = np.zeros(self.search.states, np.int64)
            if self.call("measure", worker.before, self.keys, self.progress, measures[name], number):
                raise Broken
        return Graph(self.system, self.search, to, returned, noted, measures, self.keys[: self.search.states].copy())

    def call(self, entry: str, *arguments: Any) -> int:
        """Call one of the functions of compiled/loops.py or record.py."""
        return self.code.run(entry, *[a.address if isinstance(a, Grown) else a for a in arguments])

    def _out_of_bounds(self, worker: Worker, field: int) -> OutOfBounds:
        place = list(self.system.layout.key_fields())[field - 1]
        return OutOfBounds(place, int(worker.after[self.flat.index(place)]))

    def counters(self) -> tuple[Any, Any]:
        """Counts, so far, of the results of each kind of call, and of each mask of events."""
        return sum(worker.results for worker in self.crew), sum(worker.events for worker in self.crew)

    def put_counters(self, results: list[list[int]], events: list[list[int]]) -> None:
        """Set what counters() returns, from the nonzero numbers and their places."""
        worker = self.workers(1)[0]
        for kind, code, number in results:
            worker.results[kind, code] = number
        for mask, number in events:
            worker.events[mask] = number

    def _read_coverage(self) -> None:
        coverage = self.search.coverage
        results, events = self.counters()
        for kind, codes in enumerate(results):
            if codes.any():
                coverage.results[kind] = Counter({-int(code): int(codes[code]) for code in codes.nonzero()[0]})
        for mask in events.nonzero()[0]:
            for bit in range(EVENT_BITS):
                if mask >> bit & 1:
                    coverage.events[1 << bit] += int(events[mask])
