# SPDX-License-Identifier: GPL-2.0-only
"""Lines on a terminal: pictures in colours that all eyes can distinguish, next to their letters.

Elsewhere, and with NO_COLOR set, lines are printed as they are.
"""

import os
import re
import sys
from collections.abc import Iterable

from vmacheck.counterexamples.pictures.film import COLOURS, colour_of

# a step of a film: its number, calls or steps, the picture; and the line on the pages below it
STEP = re.compile(r" *\d+  .*(?:\)|@\w+)(?=   )")
PAGES = re.compile(r" {5}page \d+ hangs ")
CELL = re.compile(r"(?<=[ |])(?:[A-Z]{1,2}|[a-z]{1,2}|[o.\-])(?=[ |]|$)|<- differs|\bE[A-Z]{3,}\b|\bBUG\b")
HOME = re.compile(r"(?<= )[A-Z]{1,2}(?= at index)")


def show(lines: Iterable[str]) -> None:
    """Print the lines."""
    lines = list(lines)
    if not is_coloured():
        print("\n".join(lines))
        return
    from rich.console import Console  # noqa: PLC0415  (slow to import, and of no use elsewhere)
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for line in lines:
        text = Text(line)
        for start, end, style in styles_in(line):
            text.stylize(style, start, end)
        console.print(text)


def is_coloured() -> bool:
    """Is standard output a terminal, with colours enabled?"""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def styles_in(line: str) -> list[tuple[int, int, str]]:
    """The styled parts of a line: cells by their anon_vma, bold where writable."""
    step = STEP.match(line)
    cells = CELL.finditer(line, step.end()) if step else HOME.finditer(line) if PAGES.match(line) else ()
    return [(*match.span(), style_of(match[0])) for match in cells]


def style_of(cell: str) -> str:
    """The style of a cell."""
    if cell in ("o", "-", "."):
        return {"o": "bold", "-": "", ".": "dim"}[cell]
    if len(cell) > 2:
        return "bold reverse"
    number = colour_of(cell.upper())
    assert number is not None
    return f"bold {COLOURS[number]}" if cell.isupper() else COLOURS[number]
