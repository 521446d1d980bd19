# SPDX-License-Identifier: GPL-2.0-only
"""A line on the terminal that shows the progress of searches."""

import resource
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from vmacheck.checker.search.outcome import Progress, Report

if TYPE_CHECKING:
    from rich.live import Live

INTERVAL = 0.2  # seconds between two updates


class ProgressLine:
    """A progress line on stderr, if that is a terminal, removed at the end.

    The line is at most as wide as the terminal. Rich is imported only when a line is shown, to save waiting for it
    elsewhere.
    """

    def __init__(self) -> None:
        self.begin = self.last = time.monotonic()
        self.live: Live | None = None
        self.levels: dict[str, tuple[int, float, int]] = {}  # the depth, when it began, and the states expanded then
        self.lock = threading.Lock()

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.live is not None:
            self.live.stop()

    def of(self, name: str) -> Report:
        """The function that reports on a search, by the name of its system."""
        return lambda progress: self.show(name, progress)

    def show(self, name: str, progress: Progress) -> None:
        """Show the progress of a search, if it is time to."""
        if not self._is_time():
            return
        now, pages = time.monotonic(), int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        rate = progress.transitions / max(now - self.begin, INTERVAL) / 1e6
        depth, since, done = self.levels.get(name, (-1, now, 0))
        if depth != progress.depth:
            since, done = now, progress.expanded
            self.levels[name] = (progress.depth, since, done)
        left = ""
        if progress.expanded > done:
            seconds = (now - since) * (progress.frontier - progress.expanded) / (progress.expanded - done)
            left = f", {seconds:,.0f} s left"
        self.say(
            f"{name}: {progress.states:,} states, {progress.transitions:,} transitions ({rate:.1f} M/s),"
            f" {pages * resource.getpagesize() >> 20:,} MB, depth {progress.depth},"
            f" frontier {progress.frontier:,} ({100 * progress.expanded // progress.frontier} %{left})"
        )

    def _is_time(self) -> bool:
        return sys.stderr.isatty() and time.monotonic() - self.last >= INTERVAL

    def say(self, line: str) -> None:
        """Show a line, if it is time to."""
        if not self._is_time():
            return
        from rich.text import Text

        with self.lock:
            self.last = time.monotonic()
            self.live = self.live or _live()
            self.live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)


def _live() -> "Live":
    """A line on stderr, drawn when it changes. Output of the command is not redirected through it."""
    from rich.console import Console
    from rich.live import Live

    live = Live(
        console=Console(stderr=True, highlight=False),
        transient=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    live.start()
    return live
