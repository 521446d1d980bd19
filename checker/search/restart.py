# SPDX-License-Identifier: GPL-2.0-only
"""Where a search is, to a checkpoint and back."""

from typing import TYPE_CHECKING

import numpy as np

from vmacheck.checker.compiled import loops
from vmacheck.checker.search.checkpoint import Checkpoint, CheckpointError
from vmacheck.checker.search.outcome import Hit

if TYPE_CHECKING:
    from vmacheck.checker.search.rounds import Explorer


def save(explorer: "Explorer", checkpoint: Checkpoint) -> None:
    """Write down where a search is, between two rounds."""
    search, calls = explorer.search, {call: number for number, call in enumerate(explorer.system.calls)}
    results, events = explorer.counters()
    data = {
        "count": explorer.count,
        "level": [explorer.start, explorer.end, explorer.expanded],
        "levels": search.levels,
        "transitions": search.transitions,
        "longest": explorer.longest,
        "is_beyond": explorer.is_beyond,
        "targets": sorted(explorer.targets),
        "wanted": int(explorer.progress[loops.WANTED]),
        "hits": {name: [[calls[c] for c in h.calls], h.states, h.transitions] for name, h in search.hits.items()},
        "results": [[*map(int, place), int(results[tuple(place)])] for place in np.argwhere(results)],
        "events": [[int(place), int(events[place])] for place in events.nonzero()[0]],
    }
    checkpoint.save(data, explorer.rows, explorer.count)


def resume(explorer: "Explorer", checkpoint: Checkpoint) -> bool:
    """Go on from where a search was last written down, if it was. Raises CheckpointError."""
    data = checkpoint.load(explorer.rows)
    if data is None:
        return False
    search, calls, progress = explorer.search, explorer.system.calls, explorer.progress
    most = explorer.limits.depth
    if data["count"] > progress[loops.MAX_STATES] or (most is not None and data["longest"] > most):
        raise CheckpointError(f"{checkpoint.folder} is of a search that is beyond this one's limits already")
    search.levels, search.transitions = data["levels"], data["transitions"]
    explorer.longest = data["longest"]
    progress[loops.COUNT], progress[loops.WANTED] = data["count"], data["wanted"]
    explorer.start, explorer.end, explorer.expanded = data["level"]
    explorer.is_beyond, explorer.targets = data["is_beyond"], set(data["targets"])
    for name, (path, states, transitions) in data["hits"].items():
        search.hits[name] = Hit(tuple(calls[number] for number in path), states, transitions)
    explorer.put_counters(data["results"], data["events"])
    explorer.set_up()
    return True
