# SPDX-License-Identifier: GPL-2.0-only
"""The calls as data and as text: numbers, the trace notation, and all calls that fit in a scope.

    mmap(a,n,P)  mmap(a,n,P,NORESERVE)  munmap(a,n)  mprotect(a,n,P)  write(a)  read(a)

a and n are page numbers and counts, P is one of N, R, W, RW, RX, RWX. A trace is calls separated by ";" or newlines;
"#" starts a comment.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from model.mm import EFAULT, EINVAL, ENOMEM, MAP_NORESERVE, VM_EXEC, VM_READ, VM_WRITE
from model.unistd import NR_mmap, NR_mprotect, NR_munmap, NR_read, NR_write

PROTECTIONS = {
    "N": 0,
    "R": VM_READ,
    "W": VM_WRITE,
    "RW": VM_READ | VM_WRITE,
    "RX": VM_READ | VM_EXEC,
    "RWX": VM_READ | VM_WRITE | VM_EXEC,
}
ERRNO = {ENOMEM: "ENOMEM", EFAULT: "EFAULT", EINVAL: "EINVAL"}


class TraceError(ValueError):
    """A trace that cannot be read, or does not fit; the message names the operation."""


class Call(NamedTuple):
    """One call or user access: its number and arguments, in pages. What a call does not use is 0."""

    nr: int
    addr: int
    len: int = 0
    prot: int = 0
    flags: int = 0

    @property
    def pages(self) -> range:
        """The pages that the call names."""
        return range(self.addr, self.addr + (1 if OPERATIONS[NAMES[self.nr]].form == "a" else self.len))

    def __str__(self) -> str:
        form = OPERATIONS[NAMES[self.nr]].form
        words = [str(self.addr)]
        if "n" in form:
            words.append(str(self.len))
        if "P" in form:
            words.append(protection_text(self.prot))
        if self.flags & MAP_NORESERVE:
            words.append("NORESERVE")
        return f"{NAMES[self.nr]}({','.join(words)})"


class Operation(NamedTuple):
    """A kind of call: its number, its arguments as in the notation, and what it is."""

    nr: int
    form: str
    what: str


OPERATIONS = {
    "mmap": Operation(NR_mmap, "a,n,P[,NORESERVE]", "anonymous MAP_PRIVATE MAP_FIXED mapping of n pages at page a"),
    "munmap": Operation(NR_munmap, "a,n", "unmap n pages from page a"),
    "mprotect": Operation(NR_mprotect, "a,n,P", "set the protection of n pages from page a"),
    "write": Operation(NR_write, "a", "user write to page a, with a fault if one is needed"),
    "read": Operation(NR_read, "a", "user read of page a, with a fault if one is needed"),
}
NAMES = {operation.nr: name for name, operation in OPERATIONS.items()}


def protection_text(prot: int) -> str:
    """R, W, X bits as in the notation; "N" for none."""
    letters = "".join(c for c, bit in (("R", VM_READ), ("W", VM_WRITE), ("X", VM_EXEC)) if prot & bit)
    return letters or "N"


def result_text(call: Call, result: int) -> int | str:
    """What a call returned: 0, an address in pages, or the name of an errno."""
    return ERRNO.get(-result, f"errno {-result}") if result < 0 else result


def all_calls(pages: int, protections: tuple[str, ...], operations: tuple[str, ...], noreserve: bool) -> Iterator[Call]:
    """Every call of the given kinds in an address space of so many pages, in the order that decides between
    counterexamples of the same length: by kind, then shorter ranges first, then lower addresses, then protections."""
    ranges = [(addr, length) for length in range(1, pages + 1) for addr in range(pages - length + 1)]
    for name, operation in OPERATIONS.items():
        if name not in operations:
            continue
        if operation.form == "a":
            yield from (Call(operation.nr, addr) for addr in range(pages))
        elif operation.form == "a,n":
            yield from (Call(operation.nr, addr, length) for addr, length in ranges)
        else:
            flags = (0, MAP_NORESERVE) if noreserve and operation.nr == NR_mmap else (0,)
            for addr, length in ranges:
                for prot in (bits for name, bits in PROTECTIONS.items() if name in protections):
                    yield from (Call(operation.nr, addr, length, prot, flag) for flag in flags)


# ---- text to calls -----------------------------------------------------------------------------


def parse_trace(text: str) -> list[Call]:
    """A trace as calls. Raises TraceError that says which operation cannot be read, and why."""
    lines = [line.split("#", 1)[0] for line in text.splitlines()]
    words = [word.strip() for line in lines for word in line.split(";")]
    texts = [word for word in words if word]
    return [_parse_call(number, word) for number, word in enumerate(texts, 1)]


def _parse_call(number: int, text: str) -> Call:
    where = f"operation {number}, '{text}'"
    if re.match(r"[pt]\d+\s*:", text):
        raise TraceError(f"{where}: there is one process with one thread; leave the prefix out")
    match = re.fullmatch(r"(\w+)\s*\(([^()]*)\)", text)
    if match is None:
        raise TraceError(f"{where}: not of the form name(arguments)")
    name, words = match[1], [word.strip() for word in match[2].split(",")]
    if name not in OPERATIONS:
        raise TraceError(f"{where}: unknown operation '{name}'; there are {', '.join(OPERATIONS)}")
    operation = OPERATIONS[name]
    form = operation.form.removesuffix("[,NORESERVE]").split(",")
    extra = words[len(form) :] if operation.nr == NR_mmap else []
    if len(words) != len(form) + len(extra) or "" in words:
        raise TraceError(f"{where}: the form is {name}({operation.form})")
    numbers = [_page_number(where, word) for kind, word in zip(form, words, strict=False) if kind != "P"]
    prot = next((_protection(where, word) for kind, word in zip(form, words, strict=False) if kind == "P"), 0)
    if extra.count("NORESERVE") > 1:
        raise TraceError(f"{where}: NORESERVE is named twice")
    if extra not in ([], ["NORESERVE"]):
        raise TraceError(f"{where}: unknown mmap flag '{extra[-1]}'; there is NORESERVE")
    return Call(operation.nr, numbers[0], numbers[1] if len(numbers) > 1 else 0, prot, MAP_NORESERVE if extra else 0)


def _page_number(where: str, word: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", word):
        raise TraceError(f"{where}: '{word}' is not a page number")
    return int(word)


def _protection(where: str, word: str) -> int:
    if word not in PROTECTIONS:
        raise TraceError(f"{where}: '{word}' is not a protection; there are {', '.join(PROTECTIONS)}")
    return PROTECTIONS[word]
