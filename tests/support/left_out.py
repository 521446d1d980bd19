# SPDX-License-Identifier: GPL-2.0-only
"""Traces that are left out of the tree, identified by a hash of their normal form, so that no file contains one.

They lead a released kernel to a fault of memory safety, or past a limit: all shortest ones in up to four pages. A
normal form keeps the order of calls and the relative places of page ranges, so that moved, stretched or mirrored
programs have the same one. In a C program, the calls are read from its steps and from the comment with its trace; a
handwritten C function is identified by its text, without comments, strings and space.
"""

import ast
import hashlib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from vmacheck.model.calls.operations import NAMES

HASHES = Path(__file__).with_name("left_out.sha256")
C_NAMES = (
    *("map", "map_shared", "map_file", "share_file", "move", "move_and_keep", "resize"),
    *("store", "load", "force", "seal", "set_policy", "become_child"),
)
CALL = re.compile(rf"\b({'|'.join(sorted({*NAMES.values(), *C_NAMES}, key=len, reverse=True))})\s*\(([^()]*)\)")
LENGTHS_IN_C = ((r"\bat\((\d+)\)", r"\1"), (r"\b(\d+) \* page_size\b", r"\1"), (r"\bpage_size\b", "1"))
ACCESSES = {"store": "write", "load": "read", "force": "memw"}


class Range(NamedTuple):
    """Pages from start up to end."""

    start: int
    end: int


class Seen(NamedTuple):
    """A call read from a text: its name with the flags that matter, and its ranges."""

    name: str
    ranges: tuple[Range, ...] = ()


def calls_in(text: str) -> list[Seen]:
    """The calls of a text in order, in the notation of traces or of the C programs, whatever the text between them."""
    text = html.unescape(text).replace("\\u003e", ">")
    for pattern, instead in LENGTHS_IN_C:
        text = re.sub(pattern, instead, text)
    found = (_seen(name, [word.strip() for word in words.split(",")]) for name, words in CALL.findall(text))
    return [call for call in found if call is not None]


def _seen(name: str, words: list[str]) -> Seen | None:
    """The call, or None unless its arguments are numbers of pages, as they should be."""
    try:
        return _seen_in_c(name, words) if name in C_NAMES else _seen_in_trace(name, words)
    except (ValueError, IndexError):
        return None


def _seen_in_c(name: str, words: list[str]) -> Seen | None:
    if name in ("map_file", "share_file"):
        words = words[2:]
    if name in ("map", "map_shared", "map_file", "share_file"):
        return _mapping(words[:2], words[2], [word.replace("MAP_", "") for word in words[3].split(" | ")], name)
    if name in ACCESSES:
        return _seen_in_trace(ACCESSES[name], words)
    numbers = [int(word) for word in words if word.isdigit()]
    if name == "move":
        return Seen("move", (_range(numbers[0], numbers[1]), _range(numbers[3], numbers[2])))
    if name == "move_and_keep":
        return Seen("move and keep", (_range(numbers[0], numbers[1]), _range(numbers[2], numbers[1])))
    if name == "resize":
        return Seen("resize", (_range(numbers[0], numbers[1]), _range(numbers[0], numbers[2])))
    return Seen("fork") if name == "become_child" else _seen_in_trace({"seal": "mseal"}.get(name, "mbind"), words)


def _seen_in_trace(name: str, words: list[str]) -> Seen:
    if name == "mmap":
        return _mapping(words[:2], words[2], words[3:], "")
    if name in ("fork", "exit"):
        return Seen(name)
    if name == "mremap":
        return _moved(words)
    if name in ("read", "write", "memw"):
        return Seen(name, (_range(int(words[0]), 1),))
    if name == "brk":
        return Seen(name, (_range(0, int(words[0])),))
    more = _protection(words[2]) if name == "mprotect" else "".join(words[2:]).removeprefix("MADV_")
    return Seen(f"{name} {more}".strip(), (_range(int(words[0]), int(words[1])),))


def _mapping(pages: list[str], prot: str, flags: list[str], name: str) -> Seen:
    kinds = {"shared": name in ("map_shared", "share_file") or "SHARED" in flags}
    kinds["file"] = "file" in name or any(flag.startswith("file=") for flag in flags)
    kinds["populate"] = "POPULATE" in flags
    words = ["mmap", _protection(prot), *(kind for kind, has in kinds.items() if has)]
    return Seen(" ".join(words), (_range(int(pages[0]), int(pages[1])),))


def _moved(words: list[str]) -> Seen:
    start = int(words[0])
    old, arrow, to = (word.strip() for word in words[1].partition("->"))
    sizes = [int(word) for word in words[2:] if word.isdigit()]
    new = sizes[0] if sizes else int(old)
    if not arrow:
        return Seen("resize", (_range(start, int(old)), _range(start, sizes[0])))
    name = "move and keep" if "DONTUNMAP" in words else "move"
    return Seen(name, (_range(start, int(old)), _range(int(to), new)))


def _range(start: int, pages: int) -> Range:
    return Range(start, start + pages)


def _protection(word: str) -> str:
    """The protection as writable, readable or none; executable makes no difference."""
    letters = re.sub(r"PROT_(\w)\w+", r"\1", word)
    return "W" if "W" in letters else "R" if re.search("[RX]", letters) else "N"


def normal_form(calls: Sequence[Seen]) -> str:
    """The calls with pages ranked by the ends of ranges, from below or above, whichever text sorts first."""
    points = sorted({point for call in calls for span in call.ranges for point in span})
    rank = {point: number for number, point in enumerate(points)}
    up = [(call.name, [(rank[start], rank[end]) for start, end in call.ranges]) for call in calls]
    top = len(points) - 1
    down = [(name, [(top - end, top - start) for start, end in spans]) for name, spans in up]
    return min(str(up), str(down))


def digest(calls: Sequence[Seen]) -> str:
    """The hash that identifies a list of calls."""
    return f"{len(calls)}:{_hash_of(normal_form(calls))}"


def digests_of_c(text: str) -> set[str]:
    """The hashes that identify the functions of a C file."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    bodies = re.findall(r"\n\{\n(.*?)\n\}", text, flags=re.DOTALL)
    words = [re.sub(r'"[^"]*"|\s', "", body) for body in bodies]
    return {f"C:{_hash_of(body)}" for body in words}


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def left_out() -> frozenset[str]:
    """The hashes of all omitted traces."""
    lines = HASHES.read_text().splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def found_in(text: str, known: frozenset[str]) -> list[str]:
    """The known hashes found in a text: of traces among its calls, and of functions in C."""
    calls = calls_in(text)
    lengths = {one.partition(":")[0] for one in known} - {"C"}
    windows = [
        calls[first : first + length] for length in map(int, lengths) for first in range(len(calls) - length + 1)
    ]
    return sorted((set(map(digest, windows)) | digests_of_c(text)) & known)


def texts_of(path: Path) -> Iterator[str]:
    """The texts of a file: its own, and for Python each f-string with the module's strings inserted."""
    text = path.read_text(errors="replace")
    yield text
    if path.suffix == ".py":
        tree = ast.parse(text)
        known: dict[str, str] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                known[node.targets[0].id] = _text_of(node.value, known)
        yield from (_text_of(node, known) for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.BinOp)))


def _text_of(node: ast.expr, known: Mapping[str, str]) -> str:
    """The string value of an expression, as far as it consists of strings of the module."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(one, known) for one in node.values)
    if isinstance(node, ast.FormattedValue):
        return _text_of(node.value, known)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text_of(node.left, known) + _text_of(node.right, known)
    return ""
