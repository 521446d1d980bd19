# SPDX-License-Identifier: GPL-2.0-only
"""A trace as a C program that carries it out, looks at every step, and says whether it saw what a model kernel says."""

import re
import subprocess
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checker import vm
from checker.scope import Scope
from checker.vm import is_modern
from counterexamples.live import KernelError, compile_program, encode
from counterexamples.picture import LEGEND, picture
from counterexamples.replay import Step, Vma, replay
from model import mm
from model.modern import mm as modern
from model.operations import ADVICE, MMAP_FLAGS, POLICIES, Call, TraceError, name_of
from model.unistd import (
    NR_madvise,
    NR_mbind,
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

TEMPLATE = Path(__file__).with_name("program.c")
STYLES = ("program", "kselftest")
OUTCOMES = {0: "reproduced", 1: "not reproduced", 2: "could not be set up", 77: "skipped"}
ACCESSES = (NR_read, NR_write)
WITH_FLAGS = (NR_mlock, NR_mlock2, NR_munlock, NR_madvise, NR_mseal)  # calls whose effect only VmFlags of smaps show
SEED_SMAPS = {"LOCKED": "lo", "SEQ_READ": "sr", "RAND_READ": "rr"}
SMAPS = {**SEED_SMAPS, "DONTCOPY": "dc", "LOCKONFAULT": "lf", "WIPEONFORK": "wf", "DONTDUMP": "dd"}
SMAPS |= {"HUGEPAGE": "hg", "NOHUGEPAGE": "nh", "MERGEABLE": "mg", "SEALED": "sl"}
WIDTH = 100


@dataclass(frozen=True)
class Program:
    """A trace to make a C program of: on which kernel it shows what, and the control, or nothing if there is none."""

    kernel: str
    calls: tuple[Call, ...]
    pages: int
    steps: tuple[Step, ...]
    control: tuple[Step, ...]
    cause: str
    shows: str


def program_of(kernel: str, calls: Sequence[Call], shows: str = "") -> Program:
    """The trace, as the model kernel carries it out, with the control that shows its cause.

    Raises TraceError for what no program can ask of a kernel, UnknownName and LinkError.
    """
    if not calls:
        raise TraceError("the trace has no operations")
    for number, call in enumerate(calls, 1):
        encode(number, call)
    pages = max(call.room for call in calls)
    steps = steps_on(kernel, calls, pages)
    cause = ""
    control: tuple[Step, ...] = ()
    for what, numbers in causes(calls):
        without = tuple(call for call in calls if call.nr not in numbers)
        found = steps_on(kernel, without, pages) if without else ()
        if found and len(found[-1].vmas) < len(steps[-1].vmas):
            cause, control = what, found
            break
    return Program(kernel, tuple(calls), pages, steps, control, cause, shows)


def causes(calls: Sequence[Call]) -> list[tuple[str, tuple[int, ...]]]:
    """What can have kept vmas apart: the accesses; else the calls that change something else than protections.

    What was sealed stays, so that no control can follow it in one program.
    """
    if any(call.nr == NR_mseal for call in calls):
        return []
    kinds = [
        ("accesses", ACCESSES),
        ("calls of madvise", (NR_madvise,)),
        ("calls of mlock", (NR_mlock, NR_mlock2, NR_munlock)),
    ]
    kinds += [("calls of mbind", (NR_mbind,)), ("calls of mprotect", (NR_mprotect,))]
    return [(what, numbers) for what, numbers in kinds if any(call.nr in numbers for call in calls)]


def steps_on(kernel: str, calls: Sequence[Call], pages: int) -> tuple[Step, ...]:
    """The steps of the model. Raises TraceError if a call stops it."""
    steps = replay(vm.build(kernel, Scope(pages), calls=list(calls)), calls)
    if len(steps) < len(calls) or steps[-1].result == "BUG":
        raise TraceError(
            f"operation {len(steps)}, '{calls[len(steps) - 1]}', stops {kernel}: there is no layout after it"
        )
    return tuple(steps)


# ---- C -------------------------------------------------------------------------------------------


def c_text(program: Program, style: str = "program") -> str:
    """The C file."""
    with_flags = any(call.nr in WITH_FLAGS for call in program.calls)
    source = TEMPLATE.read_text()
    words = {
        "HEADER": header(program),
        "APART": str(len(program.steps[-1].vmas)),
        "TOGETHER": str(len(program.control[-1].vmas) if program.control else 0),
        "PAGES": str(program.pages),
        "MAPS": "/proc/self/smaps" if with_flags else "/proc/self/maps",
        "FLAGS": "".join(f"{flag}\\0" for flag in (SMAPS if is_modern(program.kernel) else SEED_SMAPS).values()),
        "FILES": str(max(1, *(call.file for call in program.calls))),
        "TRACE": _body(program.steps, program.pages, with_flags),
        "CONTROL": _body(program.control, program.pages, with_flags),
    }
    parts = {name.upper(): name == style for name in STYLES}
    parts |= {"HAS_CONTROL": bool(program.control), "NO_CONTROL": not program.control, **_needs(program.calls)}
    for part, wanted in parts.items():
        source = _choose(source, part, wanted)
    for word, text in words.items():
        source = source.replace(f"@{word}@", text)
    return source


def _needs(calls: Sequence[Call]) -> dict[str, bool]:
    """The parts of the template that a trace needs."""
    text = "".join(map(c_call, calls))
    words = ("map", "map_file", "move", "move_and_keep", "resize", "store", "load", "seal", "result")
    needs = {word.upper(): bool(re.search(rf"\b{word}\(", text)) for word in words}
    needs["MBIND"] = "set_policy(" in text
    needs["GUARDS"] = "MADV_GUARD" in text
    needs["SYSCALL"] = needs["MBIND"] or needs["SEAL"]
    needs["RESULT"] |= needs["SYSCALL"]
    needs["PAGE_OF"] = any(needs[word] for word in ("MAP", "MAP_FILE", "MOVE", "MOVE_AND_KEEP", "RESIZE"))
    needs["ACCESS"] = needs["STORE"] or needs["LOAD"]
    return needs


def _choose(source: str, name: str, wanted: bool) -> str:
    """Keep or leave out what lies between each @if NAME and its @end NAME."""
    lines = []
    keep = True
    for line in source.splitlines(keepends=True):
        if line.strip() in (f"@if {name}", f"@end {name}"):
            keep = wanted or line.startswith("@end")
        elif keep:
            lines.append(line)
    return "".join(lines)


def header(program: Program) -> str:
    """What the file shows and what it cannot, as the lines of a comment."""
    words = [*_wrapped(f"{program.shows}." if program.shows else ""), "", *_wrapped("; ".join(map(str, program.calls)))]
    model = (
        f"The picture behind each call is the address space after it on the model kernel {program.kernel}: {LEGEND}."
    )
    words += ["", *_wrapped(model), ""]
    if any(vma.anon_vma for step in program.steps for vma in step.vmas):
        words += _wrapped(
            "A program sees where a vma starts and ends and what it allows, and so whether vmas were merged. It does"
            " not see anon_vmas, nor what the mapping of a page points at: of these there are only the effects here."
        )
    else:
        words += _wrapped("A program sees where a vma starts and ends and what it allows.")
    if program.control:
        ends = picture(program.control[-1].vmas, program.pages)
        apart, together = len(program.steps[-1].vmas), len(program.control[-1].vmas)
        text = (
            f"The control is the same without the {program.cause}, which ends as {ends}. Reproduced is that the first"
        )
        words += [
            "",
            *_wrapped(f"{text} ends with as many vmas as it should, {apart}, and the control too, {together}."),
        ]
    else:
        text = (
            "There is no control: no kind of call can be left out for fewer vmas in the end. What counts is every step."
        )
        words += ["", *_wrapped(text)]
    words += ["", "Exit status: 0 reproduced, 1 not reproduced, 2 could not be set up, 77 skipped."]
    while words and not words[0]:
        words.pop(0)
    return "\n".join(f" * {word}".rstrip() for word in words)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _body(steps: Sequence[Step], pages: int, with_flags: bool) -> str:
    texts = [f'STEP({c_call(s.call)}, {_c_result(s)}, "{layout(s.vmas, with_flags)}");' for s in steps]
    width = max(map(len, texts), default=0)
    pictures = [picture(step.vmas, pages) for step in steps]
    return "\n".join(f"\t{text:{width}} /* {drawn} */" for text, drawn in zip(texts, pictures, strict=True))


def _c_result(step: Step) -> str:
    return f"-{step.result}" if isinstance(step.result, str) else str(step.result)


def layout(vmas: Sequence[Vma], with_flags: bool) -> str:
    """The address space as the C file spells it: start-end:prot, in pages, and flags that smaps shows."""
    words = []
    for vma in vmas:
        prot = "".join(letter.lower() if letter in vma.prot else "-" for letter in "RWX")
        flags = [short for name, short in SMAPS.items() if name in vma.flags] if with_flags else []
        words.append(",".join([f"{vma.start}-{vma.end}:{prot}", *flags]))
    return " ".join(words)


def c_call(call: Call) -> str:
    """The call as an expression of the C file."""
    if call.nr == NR_mmap:
        flags = " | ".join(f"MAP_{word}" for word, bit in MMAP_FLAGS.items() if call.flags & bit) or "0"
        words = f"{call.addr}, {call.len}, {_c_prot(call.prot)}, {flags}"
        return f"map_file({call.file}, {call.pgoff}, {words})" if call.file else f"map({words})"
    if call.nr == NR_mremap:
        if call.flags & modern.MREMAP_DONTUNMAP:
            return f"move_and_keep({call.addr}, {call.len}, {call.new_addr})"
        if call.flags & mm.MREMAP_FIXED:
            return f"move({call.addr}, {call.len}, {call.new_len}, {call.new_addr})"
        return f"resize({call.addr}, {call.len}, {call.new_len})"
    if call.nr in ACCESSES:
        return f"{'store' if call.nr == NR_write else 'load'}({call.addr})"
    span = f"at({call.addr}), {f'{call.len} * ' if call.len != 1 else ''}page_size"
    if call.nr == NR_mseal:
        return f"seal({call.addr}, {call.len})"
    if call.nr == NR_mlock2:
        return f"result(mlock2({span}, MLOCK_ONFAULT))"
    if call.nr == NR_mprotect:
        return f"result(mprotect({span}, {_c_prot(call.prot)}))"
    if call.nr == NR_madvise:
        return f"result(madvise({span}, MADV_{name_of(call.behavior, ADVICE)}))"
    if call.nr == NR_mbind:
        return f"set_policy({call.addr}, {call.len}, MPOL_{name_of(call.policy, POLICIES)})"
    name = {NR_munmap: "munmap", NR_mlock: "mlock", NR_munlock: "munlock"}[call.nr]
    return f"result({name}({span}))"


def _c_prot(prot: int) -> str:
    words = [f"PROT_{name}" for bit, name in enumerate(("READ", "WRITE", "EXEC")) if prot & 1 << bit]
    return " | ".join(words) or "PROT_NONE"


# ---- compiled and run ----------------------------------------------------------------------------


def try_out(text: str, name: str, harness: Path | None = None, cc: str | None = None) -> tuple[int, str]:
    """Compile the C file and run it: its exit status, and what it said. Raises KernelError if it cannot be compiled.

    harness: the folder that has kselftest_harness.h, for a file in that style.
    """
    with tempfile.TemporaryDirectory(prefix="vmacheck") as folder:
        source, binary = Path(folder) / name, Path(folder) / "program"
        source.write_text(text)
        compile_program(
            source,
            binary,
            *(
                (
                    "-isystem",
                    str(harness / "mm"),
                )
                if harness
                else ()
            ),
            cc=cc,
        )
        done = subprocess.run([binary], check=False, capture_output=True, text=True, timeout=60)
    if done.returncode not in OUTCOMES:
        raise KernelError(f"{name} ended with {done.returncode}: {(done.stdout + done.stderr).strip()}")
    return done.returncode, done.stdout + done.stderr
