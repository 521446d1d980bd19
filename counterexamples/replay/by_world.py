# SPDX-License-Identifier: GPL-2.0-only
"""A program run on a system, whatever its kind of world."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vmacheck.checker.kernels.scope import PAGES, PROCESSES, THREADS
from vmacheck.checker.program.system import System
from vmacheck.counterexamples.replay.one_process import replay
from vmacheck.counterexamples.replay.threads import replay_threads
from vmacheck.counterexamples.replay.two_processes import replay_processes

REPLAYS: Mapping[str, Callable[[System, Sequence[Any]], list[Any]]] = {
    PAGES: replay,
    THREADS: replay_threads,
    PROCESSES: replay_processes,
}


def steps_of(system: System, calls: Sequence[Any]) -> list[Any]:
    """The steps of the calls, run from the first state on: Steps, or ThreadSteps. Raises TraceError."""
    return REPLAYS[system.world](system, calls)
