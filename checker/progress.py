# SPDX-License-Identifier: GPL-2.0-only
"""A line on the terminal that says how far the searches are."""

import resource
import sys
import threading
import time
from types import TracebackType

from checker.search import Progress, Report

INTERVAL = 0.2  # seconds between two updates


class ProgressLine:
    """Shows progress on stderr if that is a terminal, and takes the line away at the end."""

    def __init__(self) -> None:
        self.begin = self.last = time.monotonic()
        self.shown = False
        self.lock = threading.Lock()

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def of(self, name: str) -> Report:
        """The report to make on a search, by the name of what is searched."""
        return lambda progress: self.show(name, progress)

    def show(self, name: str, progress: Progress) -> None:
        """Show where a search is, if it is time to."""
        rate = progress.transitions / max(time.monotonic() - self.begin, INTERVAL) / 1e6
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        self.say(
            f"{name}: {progress.states:,} states, {progress.transitions:,} transitions ({rate:.1f} M/s),"
            f" depth {progress.depth}, frontier {progress.frontier:,}, {memory:,} MB"
        )

    def say(self, line: str) -> None:
        """Show a line, if it is time to."""
        if not sys.stderr.isatty() or time.monotonic() - self.last < INTERVAL:
            return
        with self.lock:
            self.last, self.shown = time.monotonic(), True
            sys.stderr.write(f"\r\x1b[K{line[:119]}")
            sys.stderr.flush()
