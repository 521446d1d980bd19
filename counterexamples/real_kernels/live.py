# SPDX-License-Identifier: GPL-2.0-only
"""Traces run on this machine's kernel, in a child process, by runner.c."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from vmacheck.checker.kernels.btf import KernelError
from vmacheck.counterexamples.replay.one_process import Vma
from vmacheck.model.calls.operations import ERRNO, Call, TraceError, protection_text
from vmacheck.model.common import mm
from vmacheck.model.common.unistd import (
    NR_brk,
    NR_exit,
    NR_fork,
    NR_madvise,
    NR_mbind,
    NR_memw,
    NR_mlock,
    NR_mlock2,
    NR_mmap,
    NR_mprotect,
    NR_mremap,
    NR_mseal,
    NR_munlock,
    NR_munmap,
    NR_read,
    NR_write,
)

SOURCE = Path(__file__).with_name("runner.c")
COMPILERS = ("gcc", "clang", "cc")
WARNINGS = ("-O2", "-Wall", "-Wextra", "-Werror")
MOST_PAGES = 256
LONGEST = 65000  # characters of a line that runner.c has room for
FEW = 1000  # traces too few to be worth a process


class Seen(NamedTuple):
    """The result of a call (0, a page or a negative errno) and the visible state, as runner.c prints them."""

    result: int
    cells: str

    @property
    def shown(self) -> int | str:
        """The result as reports have it."""
        return ERRNO.get(-self.result, f"errno {-self.result}") if self.result < 0 else self.result


def encode(number: int, call: Call) -> str:
    """The call, the number-th of its trace, as runner.c reads it.

    Raises TraceError for a call that no program can make.
    """
    if call.process:
        return f"1{encode(number, call._replace(process=0))}"
    if call.nr in (NR_fork, NR_exit):
        return "F" if call.nr == NR_fork else "X"
    head = f"operation {number}, '{call}'"
    if call.nr == NR_brk:
        raise TraceError(f"{head}: where the heap of a program is, is the kernel's choice: there is no replay of brk")
    if call.nr == NR_mremap and call.flags == mm.MREMAP_MAYMOVE:
        raise TraceError(f"{head}: where it moves to is the kernel's choice: name the place, as in mremap(0,1->2)")
    two = {NR_munmap: "u", NR_mlock: "l", NR_munlock: "k", NR_mseal: "S"}
    if call.nr in two:
        return f"{two[call.nr]}{call.addr},{call.len}"
    if call.nr == NR_mmap:
        return f"m{call.addr},{call.len},{call.prot},{call.flags},{call.file},{call.pgoff}"
    if call.nr == NR_mprotect:
        return f"p{call.addr},{call.len},{call.prot}"
    if call.nr == NR_mremap:
        return f"M{call.addr},{call.len},{call.new_len},{call.flags},{call.new_addr}"
    if call.nr == NR_mlock2:
        return f"L{call.addr},{call.len},{call.flags}"
    if call.nr == NR_madvise:
        return f"a{call.addr},{call.len},{call.behavior}"
    if call.nr == NR_mbind:
        return f"b{call.addr},{call.len},{call.policy}"
    return f"{ {NR_read: 'r', NR_write: 'w', NR_memw: 'W'}[call.nr] }{call.addr}"


def line_of(calls: Sequence[Call], pages: int, every_step: bool) -> str:
    """A trace as a line for runner.c. Raises TraceError."""
    if pages > MOST_PAGES:
        raise TraceError(f"the trace needs {pages} pages; a replay has {MOST_PAGES}")
    line = " ".join([str(pages), str(int(every_step)), *(encode(n, call) for n, call in enumerate(calls, 1))])
    if len(line) > LONGEST:
        raise TraceError(f"the trace has {len(calls)} calls, which are more than a replay takes")
    return line


def cells_of(vmas: Sequence[Vma], pages: int) -> str:
    """The letters that runner.c would print for these vmas."""
    cells = ["."] * pages
    for vma in vmas:
        prot = sum(1 << bit for bit, letter in enumerate("RWX") if letter in vma.prot)
        cells[vma.start : vma.end] = [chr(ord("A") + prot)] * (vma.end - vma.start)
        cells[vma.start] = chr(ord("a") + prot)
    return "".join(cells)


def vmas_in(cells: str) -> tuple[Vma, ...]:
    """The vmas that the letters show; flags, offsets and anon_vmas are invisible."""
    found = []
    for match in re.finditer("([a-h])[A-H]*", cells):
        prot = protection_text(ord(match[1]) - ord("a"))
        found.append(Vma(match.start(), match.end(), prot, (), match.start(), None))
    return tuple(found)


def compiler() -> str:
    """A C compiler. Raises KernelError."""
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found is None:
        raise KernelError(f"there is no C compiler; {', '.join(COMPILERS)} will do")
    return found


def compile_program(source: Path, program: Path, *options: str, cc: str | None = None) -> None:
    """Compile a C file; warnings are errors. Raises KernelError with the compiler's output."""
    done = subprocess.run(
        [cc or compiler(), *WARNINGS, *options, "-o", str(program), str(source)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise KernelError(f"{source.name} does not compile: {done.stderr.strip()}")


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="vmacheck")


@cache
def runner() -> Path:
    """runner.c as a static program, for as long as this process lives. Raises KernelError."""
    program = Path(_folder().name) / "runner"
    compile_program(SOURCE, program, "-static")
    return program


def seen_in(text: str) -> list[list[Seen]]:
    """The steps of each trace in the output of runner.c. Raises KernelError for incomplete output."""
    *traces, end = text.split("\n\n")
    if end.partition("\n")[0] != "end":
        raise KernelError("the kernel did not come to the end of the traces")
    return [[_step(line) for line in trace.splitlines()] for trace in traces]


def _step(line: str) -> Seen:
    match = re.fullmatch(r"(-?[0-9]+) (\S+)", line)
    if match is None:
        raise KernelError(f"in between of what was seen, the kernel says: {line}")
    return Seen(int(match[1]), match[2])


def carry_out(program: Path, look: Sequence[str], lines: Sequence[str]) -> list[list[Seen]]:
    """Run lines of line_of() in the compiled runner, a child process. Raises KernelError."""
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run([program, *look], input=text, check=False, capture_output=True, text=True)
    if done.returncode:
        raise KernelError(done.stderr.strip() or f"the runner ended with {done.returncode}")
    return seen_in(done.stdout.partition("begin\n")[2])


def replay_live(lines: Sequence[str], look: Sequence[str] = ()) -> list[list[Seen]]:
    """Run lines of line_of() on the running kernel, in one child process per processor. Raises KernelError.

    look: the arguments of runner.c that select what it prints.
    """
    processes = min(os.cpu_count() or 1, 1 + len(lines) // FEW)
    share = -(-len(lines) // processes)
    parts = [lines[first : first + share] for first in range(0, len(lines), share)]
    with ThreadPoolExecutor(processes) as pool:
        return [seen for part in pool.map(partial(carry_out, runner(), look), parts) for seen in part]
