# SPDX-License-Identifier: GPL-2.0-only
"""Line numbers of the tables and keys of a TOML text, which tomllib does not give."""

import re
import tomllib
from typing import Any

QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'[^']*'"
NAME = rf"((?:{QUOTED}|[\w-]|\s*\.\s*)+?)"
HEADER = re.compile(rf"\s*\[\s*{NAME}\s*\]\s*(#.*)?$")
KEY = re.compile(rf"\s*{NAME}\s*=")
THREE = ('"""', "'''")  # quotes of a multi-line text
ENDS = {'"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""+'), "'''": re.compile(r"(?:[^']|'(?!''))*'''+")}
PART = re.compile(rf"({'|'.join(THREE)})|{QUOTED}|#.*")


def lines_of(text: str) -> dict[tuple[str, ...], int]:
    """The line number of each table and key that begins a line, by its path."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    inside = ""  # the quotes that end the multi-line text that a line begins in
    for number, line in enumerate(text.split("\n"), 1):
        begins_inside, inside = bool(inside), _left_open(line, inside)
        if begins_inside:
            continue
        header, key = HEADER.match(line.rstrip("\r")), KEY.match(line)
        path = _path(header[1]) if header else (*table, *_path(key[1])) if key else ()
        if header and path:
            table = path
        for length in range(1, len(path) + 1):
            found.setdefault(path[:length], number)
    return found


def _left_open(line: str, inside: str) -> str:
    """The quotes of a text that continues after the line; inside: of the one that the line begins in."""
    at = 0
    while True:
        if inside:
            end = ENDS[inside].match(line, at)
            if end is None:
                return inside
            inside, at = "", end.end()
        part = PART.search(line, at)
        if part is None:
            return ""
        inside, at = part[1] or "", part.end()


def _path(key: str) -> tuple[str, ...]:
    try:
        inner: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(inner, dict):
        ((name, inner),) = inner.items()
        path.append(name)
    return tuple(path)
