# SPDX-License-Identifier: GPL-2.0-only
"""SIGTERM handled like ^C: running work is stopped, and half-written files are removed."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def _terminated(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the rest must be done in full
    raise Terminated


@contextmanager
def ends_in_order() -> Iterator[None]:
    """Let SIGTERM raise Terminated in here, unless it has another handler already."""
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def ended_by(end: KeyboardInterrupt) -> int:
    """Print which signal ended the command. Returns a shell's exit code for it."""
    is_terminated = isinstance(end, Terminated)
    print(f"vmacheck: {'terminated' if is_terminated else 'interrupted'}", file=sys.stderr)
    return 128 + (signal.SIGTERM if is_terminated else signal.SIGINT)
