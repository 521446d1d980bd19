# SPDX-License-Identifier: GPL-2.0-only
"""The visible part of a model's address space, in the words that runner.c has for a real one."""

import struct
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from vmacheck.checker.kernels.btf import Btf, KernelError
from vmacheck.counterexamples.real_kernels import bpf
from vmacheck.counterexamples.real_kernels.live import Seen, cells_of, replay_live
from vmacheck.counterexamples.replay.one_process import vmas_of
from vmacheck.counterexamples.replay.two_processes import mm_of, processes_of
from vmacheck.model.common.mm import LIVE, VM_EXEC, VM_READ, VM_SHARED, VM_WRITE
from vmacheck.model.linux.mm import VM_MERGEABLE, VM_SEALED

# as smaps has them, by bit
TOKENS = {0: "rd", 1: "wr", 2: "ex", 3: "sh", 4: "mr", 5: "mw", 6: "me", 7: "ms", 8: "gd", 11: "gu", 13: "lo"}
TOKENS |= {15: "sr", 16: "rr", 17: "dc"}
TOKENS |= {19: "lf", 20: "ac", 21: "nr", 25: "wf", 26: "dd", 29: "hg", 30: "nh", 31: "mg", 42: "sl"}
MAY = 0x70  # memory may be read, written and executed,
MAYSHARE = 0x80  # and shared memory may be shared
NOTHING = "-"
PROT_BITS = VM_READ | VM_WRITE | VM_EXEC


def real_flags(vm_flags: int) -> int:
    """The model's flags as the kernel's, on x86-64."""
    flags = vm_flags & ~(VM_SEALED | VM_MERGEABLE) | MAY | (MAYSHARE if vm_flags & VM_SHARED else 0)
    return flags | (1 << 42 if vm_flags & VM_SEALED else 0) | (1 << 31 if vm_flags & VM_MERGEABLE else 0)


def _layout(mm: Any, pages: int) -> str:
    return cells_of(vmas_of(mm), pages)


def _smaps(mm: Any, _pages: int) -> str:
    words = []
    for vma in (mm.vma[i] for i in range(1, mm.map_count + 1)):
        flags = real_flags(vma.vm_flags)
        tokens = "".join(token for bit, token in TOKENS.items() if flags >> bit & 1)
        anonymous = sum(mm.page[page].mapcount for page in range(vma.vm_start, vma.vm_end))
        words.append(f"{vma.vm_start}-{vma.vm_end}:{tokens}:{anonymous}")
    return ";".join(words) or NOTHING


def chain_of(vma: Any) -> list[int]:
    """The anon_vmas that a vma is linked to, newest first."""
    if hasattr(vma, "link_1"):
        chain = (getattr(vma, f"link_{i}") for i in range(1, 9))
        return [anon_vma for anon_vma in chain if anon_vma]
    return [vma.anon_vma_node] if vma.anon_vma_node else []


class Counts:
    """The anon_vmas of a state, named in the order of visits, and the kernel's counts of each."""

    def __init__(self, mm: Any, mms: Sequence[Any]) -> None:
        self.mm, self.names = mm, dict[int, int]()
        self.active = Counter(mm.vma[i].anon_vma for mm in mms for i in range(1, mm.map_count + 1))

    def link(self, anon_vma: int, own: int) -> str:
        """A link of a chain."""
        return f"{'*' if anon_vma == own else '.'}{self.names.setdefault(anon_vma, len(self.names) + 1)}"

    def of(self, anon_vma: int) -> str:
        """num_children and num_active_vmas."""
        children = 1
        if hasattr(self.mm.anon_vma[1], "parent"):
            others = (self.mm.anon_vma[i] for i in range(1, len(self.mm.anon_vma)) if self._is_slot(i))
            children = sum(other.life == LIVE and other.parent == anon_vma for other in others)
        return f":{children},{self.active[anon_vma]}" if anon_vma else ""

    def _is_slot(self, i: int) -> bool:
        return hasattr(type(self.mm.anon_vma[i]), "__slots__")


def _bpf(mm: Any, _pages: int) -> str:
    return _bpf_of(mm, Counts(mm, [mm]))


def _bpf_of(mm: Any, counts: Counts) -> str:
    words = []
    for vma in (mm.vma[i] for i in range(1, mm.map_count + 1)):
        chain = "".join(counts.link(one, vma.anon_vma) for one in chain_of(vma)) + counts.of(vma.anon_vma)
        flags, policy = real_flags(vma.vm_flags), int(vma.vm_policy != 0)
        words.append(f"{vma.vm_start}-{vma.vm_end}:{flags:x}:{vma.vm_pgoff}:{policy}:{chain}")
    return ";".join(words) or NOTHING


def of_two(view: "View") -> Callable[[Any, int], str]:
    """The part of two processes that the view sees."""

    def text(mm: Any, pages: int) -> str:
        there = processes_of(mm)
        mms = {process: mm_of(mm, process, pages) for process in there}
        counts = Counts(mm, list(mms.values()))
        parts = {p: _bpf_of(one, counts) if view is BPF else view.text(one, pages) for p, one in mms.items()}
        return "|".join(parts.get(process, "") for process in range(2))

    return text


ViewName = Literal["layout", "smaps", "bpf"]


class View(NamedTuple):
    """A way to look: its name, a description, and the function from a state and its size in pages to what it sees."""

    name: ViewName
    sees: str
    text: Callable[[Any, int], str]

    def cells(self, text: str, pages: int) -> str:
        """One letter per page of what was seen."""
        if self is LAYOUT:
            return text
        cells = ["."] * pages
        for word in text.split(";") if text != NOTHING else ():
            span, flags, *_ = word.split(":")
            start, end = map(int, span.split("-"))
            prot = int(flags, 16) & PROT_BITS if self is BPF else prot_in(flags)
            cells[start:end] = [chr(ord("A") + prot)] * (end - start)
            cells[start] = chr(ord("a") + prot)
        return "".join(cells)

    def differs_in(self, one: str, two: str) -> str:
        """The difference, where the layout is the same."""
        names = ("flags", "anonymous pages") if self is SMAPS else ("flags", "offsets", "policies", "anon_vmas")
        found = set()
        for left, right in zip(one.split(";"), two.split(";"), strict=True):
            parts = zip(names, left.split(":", 4)[1:], right.split(":", 4)[1:], strict=True)
            found |= {name for name, a, b in parts if a != b}
        return " and ".join(name for name in names if name in found)


def prot_in(tokens: str) -> int:
    """The protection of a vma by its flags in smaps."""
    words = {tokens[i : i + 2] for i in range(0, len(tokens), 2)}
    return sum(1 << bit for bit in range(3) if TOKENS[bit] in words)


LAYOUT = View("layout", "results, ranges and protections", _layout)
SMAPS = View("smaps", "results, ranges, all flags, and how many pages are anonymous", _smaps)
BPF = View("bpf", "results, ranges, all flags, offsets, policies, and the chains of anon_vmas with their counts", _bpf)
VIEWS = {view.name: view for view in (LAYOUT, SMAPS, BPF)}


@cache
def _iterator() -> bytes:
    """The input of runner.c: the function to attach to, and the program."""
    btf = Btf()
    return struct.pack("<II", btf.function("bpf_iter_task_vma"), 0) + bpf.program(btf)


@contextmanager
def look_with(view: View) -> Iterator[Sequence[str]]:
    """The arguments of runner.c for a view of the running kernel. Raises KernelError if the view is unavailable."""
    if view is not BPF:
        yield [] if view is LAYOUT else [view.name]
        return
    program = _iterator()
    with tempfile.NamedTemporaryFile(prefix="vmacheck") as file:
        file.write(program)
        file.flush()
        yield [str(Path(file.name))]


def best_view() -> tuple[View, str]:
    """The view of the running kernel that sees the most of a model's state, and the reason if it is not BPF."""
    try:
        see(BPF, ["1 0 u0,1"])
    except KernelError as error:
        return SMAPS, f"; not offsets and anon_vmas, for want of BPF: {error.args[0].splitlines()[-1]}"
    return BPF, ""


def see(view: View, lines: Sequence[str], more: Sequence[str] = ()) -> list[list[Seen]]:
    """Run lines for runner.c, with more arguments, on the running kernel. The visible states. Raises KernelError."""
    with look_with(view) as look:
        return replay_live(lines, [*look, *more])
