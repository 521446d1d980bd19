# SPDX-License-Identifier: GPL-2.0-only
"""A line on the terminal that says how far a search is."""

import resource
import sys
import time
from types import TracebackType

from checker.search import Progress

INTERVAL = 0.2  # seconds between two updates


class ProgressLine:
    """Shows progress on stderr if that is a terminal, and takes the line away at the end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shown = False
        self.begin = self.last = time.monotonic()

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, progress: Progress) -> None:
        """Show where the search is, if it is time to."""
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self.last < INTERVAL:
            return
        self.last, self.shown = now, True
        rate = progress.transitions / (now - self.begin) / 1e6
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        line = (
            f"{self.name}: {progress.states:,} states, {progress.transitions:,} transitions ({rate:.1f} M/s),"
            f" depth {progress.depth}, frontier {progress.frontier:,}, {memory:,} MB"
        )
        sys.stderr.write(f"\r\x1b[K{line[:119]}")
        sys.stderr.flush()
