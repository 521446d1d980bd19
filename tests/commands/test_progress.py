# SPDX-License-Identifier: GPL-2.0-only
"""The progress line on terminals of several widths, and where there is no terminal."""

import contextlib
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios

import pytest

from tests.support.helpers import rest

SHOWS = """
import sys
from vmacheck.checker.commands.support import progress
from vmacheck.checker.search.outcome import Progress
progress.INTERVAL = 1e-9
print("before", file=sys.stderr)
with progress.ProgressLine() as line:
    for level in range(12):
        line.of("linux-6.18+sticky")(Progress(10**level, 10 * 10**level, level, 3**level, 2 * level))
    line.say("short")
    line.say("x" * 400)
print("after", file=sys.stderr)
print("rich" in sys.modules)
"""
CHECK = "from vmacheck.checker.commands.main import main; raise SystemExit(main())"
HURRIED = f"from vmacheck.checker.commands.support import progress; progress.INTERVAL = 1e-9; {CHECK}"
WORDS = ["check", "rmap40", "--pages", "3", "--run", "interpreted"]
CONTROL = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


def on_a_terminal(columns, program, *words):
    """The output of a program to a terminal of `columns` columns as its stderr, and to a pipe as its stdout."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    child = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**environment, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    parts = []
    with contextlib.suppress(OSError):  # when the other end is closed
        while part := os.read(ours, 1 << 16):
            parts.append(part)
    os.close(ours)
    out, _ = child.communicate(timeout=60)
    return b"".join(parts).decode(), out, child.returncode


class Screen:
    """A terminal with the few controls that are used; it wraps like xterm, at the next letter."""

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column = columns, [[]], 0, 0
        self.wraps, self.cursor, self.widest, self.seen = 0, True, 0, []

    def feed(self, text):
        for question, number, letter, control, letters in CONTROL.findall(text):
            if control:
                self.move(self.row + 1, self.column) if control == "\n" else self.move(self.row, 0)
            for one in letters:
                self.put(one)
            if letters:
                self.seen.append(self.shown()[self.row])
            if letter == "A":
                self.move(self.row - int(number or 1), self.column)
            elif letter == "K":
                self.lines[self.row] = [] if number == "2" else self.lines[self.row][: self.column]
            elif letter in ("h", "l") and question and number == "25":
                self.cursor = letter == "h"
            else:
                assert letter in ("", "m"), letter
        return self

    def move(self, row, column):
        self.row, self.column = row, column
        while len(self.lines) <= row:
            self.lines.append([])

    def put(self, one):
        if self.column == self.columns:
            self.wraps += 1
            self.move(self.row + 1, 0)
        line = self.lines[self.row]
        line.extend(" " * (self.column - len(line)))
        line[self.column : self.column + 1] = [one]
        self.column += 1
        self.widest = max(self.widest, self.column)

    def shown(self):
        return ["".join(line).rstrip() for line in self.lines]


def test_the_screen_wraps():
    screen = Screen(4).feed("abcd\refgh")
    assert (screen.shown(), screen.wraps) == (["efgh"], 0)
    assert (screen.feed("ij").shown(), screen.wraps) == (["efgh", "ij"], 1)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_line_is_as_wide_as_the_terminal_and_leaves_nothing_behind(columns):
    text, out, code = on_a_terminal(columns, SHOWS)
    screen = Screen(columns).feed(text)
    assert (code, out) == (0, "True\n")
    assert [line for line in screen.shown() if line] == ["before", "after"]
    assert screen.wraps == 0
    assert screen.widest == columns
    assert screen.cursor
    assert "x" * (columns - 1) + "…" in screen.seen
    assert "short" in screen.seen
    whole = "linux-6.18+sticky: 1 states, 10 transitions"
    assert any(line.startswith(whole[: columns - 1]) for line in screen.seen)
    assert any("frontier 27 (22 %" in line for line in screen.seen) == (columns == 200)


@pytest.mark.parametrize("columns", rest(pytest.mark.slow, [80, 40, 200]))
def test_a_command_leaves_nothing_behind(columns):
    text, out, code = on_a_terminal(columns, HURRIED, *WORDS)
    screen = Screen(columns).feed(text)
    assert any(line.startswith("rmap40: ") for line in screen.seen)
    assert any("frontier" in line for line in screen.seen) or columns < 200
    assert not any(screen.shown())
    assert (screen.wraps, screen.cursor, code) == (0, True, 1)
    assert "\x1b" not in out
    assert "scope: 3 pages" in out


@pytest.mark.parametrize("program", [SHOWS, HURRIED], ids=["shows", "command"])
def test_there_is_no_line_in_a_pipe(program):
    """And rich is not even imported."""
    words = [sys.executable, "-c", program, *WORDS]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ("before\nafter\n" if program == SHOWS else "")
    assert "\x1b" not in done.stdout
    if program == SHOWS:
        assert done.stdout == "False\n"
