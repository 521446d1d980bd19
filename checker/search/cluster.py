# SPDX-License-Identifier: GPL-2.0-only
"""The same search over the machines of a Ray cluster.

Each shard has the states whose keys hash to it, and the table of them. In a round, free shards expand blocks of
states; what these lead to goes to the shards that own it; the new states come back here, and are numbered in the order
that rounds.py keeps. This process has the keys of all states as well, without a table, so a lost shard is made again
and the round restarted: nothing depends on who did what, or how often.
"""

import logging
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError, RayTaskError

from vmacheck.checker.compiled import loops
from vmacheck.checker.program.system import System
from vmacheck.checker.search.crew import NEVER, ClusterError, Means, Worker, earliest
from vmacheck.checker.search.outcome import Limits, Report, Search
from vmacheck.checker.search.rounds import Explorer, Failure
from vmacheck.checker.search.table import FIRST_TABLE

ATTEMPTS = 20  # rounds restarted before the cluster is given up


def connect(address: str) -> None:
    """Connect to a cluster by its address; auto: the one this machine is part of; local: one on this machine alone."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(
            address,
            configure_logging=False,
            log_to_driver=False,
            include_dashboard=False,
        )
    except (RayError, ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise ClusterError(f"--ray {address}: {str(error).splitlines()[0]}") from None


def processors() -> int:
    """The number of processors of the cluster."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))


def explore(
    system: System,
    targets: Collection[str],
    limits: Limits,
    report: Report | None,
    means: Means,
) -> Search:
    """Search as rounds.explore does, with one shard per worker. Raises ClusterError besides."""
    with ClusterExplorer(system, targets, limits, means, means.workers()) as explorer:
        explorer.run(report)
    return explorer.search


@dataclass
class Notes:
    """Results of expanding a block of states, besides the states it leads to."""

    failures: list[Failure]
    hits: dict[int, int]
    block: Any
    results: Any
    events: Any


@dataclass
class Entered:
    """The new states among those sent to a shard: positions and keys in order; and what claims say of them."""

    positions: Any
    keys: Any
    failures: list[Failure]
    hits: dict[int, int]


class Shard:
    """A worker that owns the states of a part of all keys, and expands any."""

    def __init__(self, system: System, many: int, keys: Any) -> None:
        self.many = many
        self.hands, self.mine = Explorer(system, (), Limits()), Explorer(system, (), Limits())
        self.hands.table.make(FIRST_TABLE)
        self._have(keys)

    def process(self) -> int:
        """Its process."""
        return os.getpid()

    def _have(self, keys: Any) -> None:
        """Replace the shard's states with these."""
        self.mine.progress[loops.COUNT] = 0
        self.mine.make_room(len(keys) + 1)
        self.mine.keys.put(0, keys.tobytes())
        self.mine.progress[loops.COUNT] = len(keys)
        self.mine.table.make(FIRST_TABLE)
        self.mine.table.make_for(len(keys))

    def expand(self, first: int, keys: Any, wanted: int) -> list[Any]:
        """Try every call in these states, numbered from `first`. Returns notes, and one part per shard."""
        hands, offset = self.hands, first << 16
        (worker,) = hands.workers(1)
        hands.progress[loops.COUNT], hands.progress[loops.WANTED] = 0, wanted
        hands.make_room(len(keys) * (1 + len(worker.calls)))
        hands.keys.put(0, keys.tobytes())
        hands.progress[loops.COUNT] = len(keys)
        worker.cache[:] = keys[0]
        worker.results[:], worker.events[:] = 0, 0
        blocks = hands.blocks_of([(0, len(keys))])
        failures, hits = hands.generate([worker], blocks)
        block = blocks[0].copy()
        found = int(block[loops.FOUND])
        rows, hashes = hands.keys[len(keys) : len(keys) + found], hands.hashes[:found]
        positions, owners = hands.positions[:found] + offset, owners_of(hashes, self.many)
        block[[loops.AT, loops.WRONG_AT]] += offset
        block[loops.BEYOND_AT] += offset if block[loops.BEYOND_AT] >= 0 else 0
        hits = {claim: where + offset for claim, where in hits.items()}
        failures = [(where + offset, failure) for where, failure in failures]
        notes = Notes(failures, hits, block, worker.results.copy(), worker.events.copy())
        return [notes, *((positions[owners == part], rows[owners == part]) for part in range(self.many))]

    def enter(self, committed: int, wanted: int, *parts: tuple[Any, Any]) -> Entered:
        """Enter those of these keys, in order, that are new. States beyond `committed` are of a restarted round."""
        mine, (worker,) = self.mine, self.mine.workers(1)
        if mine.count != committed:
            self._have(mine.keys[:committed])
        positions, keys = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
        mine.make_room(len(keys))
        mine.keys.put(committed * mine.keys.row_bytes, keys.tobytes())
        mine.positions.put(0, positions.tobytes())
        mine.call("hash_rows", mine.keys, committed, committed + len(keys), mine.hashes)
        blocks = mine.blocks_of([(0, 0)])
        blocks[0, loops.FOUND] = len(keys)
        mine.progress[loops.WANTED] = wanted
        mine.number_new([worker], blocks)
        failures, hits = mine.judge([worker], committed)
        new = slice(committed, mine.count)
        where = mine.parents[new].astype(np.int64) << 16 | mine.via[new]
        return Entered(where, mine.keys[new], failures, hits)


def owners_of(hashes: Any, many: int) -> Any:
    """The shard that owns each state, by the bits of its hash that the table uses last."""
    return (hashes.view(np.uint64) >> np.uint64(48)) % np.uint64(many)


class ClusterExplorer(Explorer):
    """The search as it is led from here."""

    def __init__(self, system: System, targets: Collection[str], limits: Limits, means: Means, many: int) -> None:
        super().__init__(system, targets, limits, means)
        self.many, self.actor = many, ray.remote(max_restarts=0)(Shard)
        self.shared: Any = ray.put(system)
        self.shards: list[Any] = []

    def set_up(self) -> None:
        """Send the states found so far to the shards that own them."""
        self.committed = [0] * self.many
        for part, keys in enumerate(self._parts(range(self.many))):
            self.committed[part] = len(keys)
            self.shards.append(self.actor.remote(self.shared, self.many, keys))

    def _parts(self, parts: Collection[int]) -> list[Any]:
        """The keys that belong to each of these shards, in order."""
        keys, hashes = self.keys[: self.count], np.zeros(self.count, np.int64)
        self.call("hash_rows", self.keys, 0, self.count, hashes)
        owners = owners_of(hashes, self.many)
        return [keys[owners == part] for part in parts]

    def blocks(self, start: int, end: int, crew: int) -> Any:
        """The blocks of the next round."""
        return super().blocks(start, end, max(crew, 2, self.many))

    def discover(self, crew: list[Worker], blocks: Any) -> tuple[list[Failure], dict[int, int], int]:
        """Fill in the blocks, and enter the new states, on the shards."""
        for _ in range(ATTEMPTS):
            try:
                notes, entered = self._ask(blocks)
                break
            except RayTaskError:
                raise
            except RayError as error:
                failure = error
                self._revive()
        else:
            raise ClusterError(f"the cluster failed {ATTEMPTS} times in a row, at last with: {failure}")
        for block, note in zip(blocks, notes, strict=True):
            block[loops.FOUND :] = note.block[loops.FOUND :]
            crew[0].results += note.results
            crew[0].events += note.events
        self.committed = [old + len(one.keys) for old, one in zip(self.committed, entered, strict=True)]
        limit = self._append(entered)
        said: list[Notes | Entered] = [*notes, *entered]
        return [failure for one in said for failure in one.failures], earliest(one.hits for one in said), limit

    def _ask(self, blocks: Any) -> tuple[list[Notes], list[Entered]]:
        """Let the shards do a round."""
        wanted, asked = int(self.progress[loops.WANTED]), []
        for number, block in enumerate(blocks):
            start, end = int(block[loops.START]), int(block[loops.END])
            expand_there = self.shards[number % self.many].expand.options(num_returns=self.many + 1)
            asked.append(expand_there.remote(start, self.keys[start:end], wanted))
        entered = [
            shard.enter.remote(self.committed[part], wanted, *(answer[part + 1] for answer in asked))
            for part, shard in enumerate(self.shards)
        ]
        return ray.get([answer[0] for answer in asked]), ray.get(entered)

    def _revive(self) -> None:
        """Make lost shards again."""
        lost = []
        for part, shard in enumerate(self.shards):
            try:
                ray.get(shard.process.remote())
            except RayError:
                lost.append(part)
        for part, keys in zip(lost, self._parts(lost), strict=True):
            self.shards[part] = self.actor.remote(self.shared, self.many, keys)

    def _append(self, entered: list[Entered]) -> int:
        """Number the new states. Returns the position that led to too many states, or NEVER."""
        where = np.concatenate([one.positions for one in entered])
        keys = np.concatenate([one.keys for one in entered])
        order = np.argsort(where, kind="stable")
        most, limit = int(self.progress[loops.MAX_STATES]), NEVER
        if most < self.count + len(order):
            limit = int(where[order[most - self.count]])
            order = order[: most - self.count]
        self.make_room(len(order))
        new = {
            "keys": keys[order],
            "parents": (where[order] >> 16).astype(np.int32),
            "via": (where[order] & 0xFFFF).astype(np.uint16),
        }
        for name, array in self.rows.items():
            array.put(self.count * array.row_bytes, new[name].tobytes())
        self.progress[loops.COUNT] += len(order)
        return limit
