# SPDX-License-Identifier: GPL-2.0-only
"""A trace as a C program that runs it, looks at every step, and says whether that agrees with a model kernel."""

import re
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vmacheck.checker.kernels.btf import KernelError
from vmacheck.checker.kernels.names import tree_of
from vmacheck.counterexamples.pictures.text import LEGEND, note_on_shared, picture
from vmacheck.counterexamples.real_kernels.live import COMPILERS, compile_program, compiler, encode
from vmacheck.counterexamples.real_kernels.qemu import replay_booted
from vmacheck.counterexamples.replay.one_process import Step, Vma
from vmacheck.counterexamples.replay.two_processes import steps_on
from vmacheck.model.calls.operations import ADVICE, MMAP_FLAGS, POLICIES, Call, TraceError, name_of
from vmacheck.model.common import mm
from vmacheck.model.common.unistd import (
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
from vmacheck.model.linux import mm as linux_mm

TEMPLATE = Path(__file__).with_name("program.c")
HARNESS = Path(__file__).with_name("kselftest_harness.h")
KSFT_SKIP = 4
PATIENCE = 60  # seconds allowed per program
STYLES = ("program", "kselftest")
OUTCOMES = {0: "reproduced", 1: "not reproduced", 2: "could not be set up", 77: "skipped"}
ACCESSES = {NR_read: "load", NR_write: "store", NR_memw: "force"}
WITH_FLAGS = (NR_mlock, NR_mlock2, NR_munlock, NR_madvise, NR_mseal)  # calls whose effect only VmFlags of smaps show
SMAPS_2_6 = {"LOCKED": "lo", "SEQ_READ": "sr", "RAND_READ": "rr"}
SMAPS = {**SMAPS_2_6, "DONTCOPY": "dc", "LOCKONFAULT": "lf", "WIPEONFORK": "wf", "DONTDUMP": "dd"}
SMAPS |= {"HUGEPAGE": "hg", "NOHUGEPAGE": "nh", "MERGEABLE": "mg", "SEALED": "sl"}
ACCOUNT = {"ACCOUNT": "ac"}
MAPPED = {"SHARED": "sh", "GROWSDOWN": "gd", "LOCKED": "lo"}  # by flags of mmap, of the same names
WIDTH = 100


@dataclass(frozen=True)
class Program:
    """A trace to make a C program of: its kernel, what it shows, and the control, empty if there is none."""

    kernel: str
    calls: tuple[Call, ...]
    pages: int
    steps: tuple[Step, ...]
    control: tuple[Step, ...]
    cause: str
    shows: str


@dataclass(frozen=True)
class Sees:
    """The things that a program reads besides maps: flags, by their names in smaps; which pages are its own."""

    flags: Mapping[str, str]
    pages: bool

    @classmethod
    def of(cls, kernel: str, calls: Sequence[Call]) -> "Sees":
        """The things that matter to these calls: moved or dropped memory shows only in its pages."""
        known = SMAPS if tree_of(kernel).shows_flags else SMAPS_2_6
        flags = known if any(call.nr in WITH_FLAGS for call in calls) else {}
        mapped = {word for word, bit in MMAP_FLAGS.items() if any(c.nr == NR_mmap and c.flags & bit for c in calls)}
        flags = {**flags, **{flag: short for flag, short in MAPPED.items() if flag in mapped}}
        moves = any(
            call.nr in (NR_mremap, NR_memw) or (call.nr, call.behavior) == (NR_madvise, mm.MADV_DONTNEED)
            for call in calls
        ) and not any(call.nr == NR_fork for call in calls)  # after fork, pages are shared
        return cls({**flags, **(ACCOUNT if any(map(_is_noreserve, calls)) else {})}, moves)


def program_of(kernel: str, calls: Sequence[Call], shows: str = "", pages: int | None = None) -> Program:
    """The trace, as the model kernel runs it, with the control that shows its cause.

    pages: size of the address space, if other than room for every call.

    Raises TraceError for a call that no program can make, UnknownName and LinkError.
    """
    if not calls:
        raise TraceError("the trace has no operations")
    for number, call in enumerate(calls, 1):
        encode(number, call)
    check_goes_on_in_the_child(calls)
    pages = pages or max(call.room for call in calls)
    steps = steps_on(kernel, calls, pages)
    cause = ""
    control: tuple[Step, ...] = ()
    for what, without in causes(calls):
        found = _carried_out(kernel, without, pages)
        if found and _is_control(found[-1].vmas, steps[-1].vmas, pages):
            cause, control = what, found
            break
    return Program(kernel, tuple(calls), pages, steps, control, cause, shows)


def check_goes_on_in_the_child(calls: Sequence[Call]) -> None:
    """Raise TraceError unless a trace is of one process, or goes on in a child that is forked once."""
    forks = [number for number, call in enumerate(calls) if call.nr == NR_fork]
    first = forks[0] if forks else len(calls)
    for number, call in enumerate(calls):
        if call.process != int(number > first) or call.nr == NR_exit or number in forks[1:]:
            raise TraceError(
                f"operation {number + 1}, '{call}': a program follows one process, and after one fork() its child, p1"
            )


def causes(calls: Sequence[Call]) -> Iterator[tuple[str, tuple[Call, ...]]]:
    """Possible causes of vmas staying apart, each with the calls that remain without it: the accesses first, then calls
    or flags that change anything but protections, then all of mprotect, then any one call.

    Sealed memory stays, so no control can follow it in one program.
    """
    if any(call.nr == NR_mseal for call in calls):
        return
    if any(call.nr == NR_fork for call in calls):
        yield "fork", tuple(call._replace(process=0) for call in calls if call.nr != NR_fork)
    kinds = [
        ("accesses", tuple(ACCESSES)),
        ("calls of madvise", (NR_madvise,)),
        ("calls of mlock", (NR_mlock, NR_mlock2, NR_munlock)),
    ]
    kinds += [("calls of mbind", (NR_mbind,)), ("calls of mprotect", (NR_mprotect,))]
    for what, numbers in kinds:
        if any(call.nr in numbers for call in calls):
            yield what, tuple(call for call in calls if call.nr not in numbers)
    if any(map(_is_noreserve, calls)):
        flags = ~mm.MAP_NORESERVE
        yield "NORESERVE", tuple(c._replace(flags=c.flags & flags) if c.nr == NR_mmap else c for c in calls)
    for number, call in enumerate(calls):
        if call.nr != NR_fork:
            yield f"call {call}", (*calls[:number], *calls[number + 1 :])


def _is_control(control: Sequence[Vma], trace: Sequence[Vma], pages: int) -> bool:
    """Is the same mapped and allowed everywhere, in fewer vmas? Else the omitted calls had an effect of their own."""
    return len(control) < len(trace) and _by_page(control, pages) == _by_page(trace, pages)


def _by_page(vmas: Sequence[Vma], pages: int) -> list[tuple[str, str | None, int] | None]:
    found: list[tuple[str, str | None, int] | None] = [None] * pages
    for vma in vmas:
        for page in range(vma.start, vma.end):
            found[page] = (vma.prot, vma.file, vma.pgoff + page - vma.start if vma.file else 0)
    return found


def _carried_out(kernel: str, calls: Sequence[Call], pages: int) -> tuple[Step, ...]:
    """The steps of the model; empty without calls, or if one stops it."""
    try:
        return steps_on(kernel, calls, pages) if calls else ()
    except TraceError:
        return ()


def _is_noreserve(call: Call) -> bool:
    return call.nr == NR_mmap and bool(call.flags & mm.MAP_NORESERVE)


# ---- C -------------------------------------------------------------------------------------------


def c_text(program: Program, style: str = "program") -> str:
    """The C file."""
    sees = Sees.of(program.kernel, program.calls)
    source = TEMPLATE.read_text()
    words = {
        "HEADER": header(program),
        "APART": str(len(program.steps[-1].vmas)),
        "TOGETHER": str(len(program.control[-1].vmas) if program.control else 0),
        "PAGES": str(program.pages),
        "MAPS": "/proc/self/smaps" if sees.flags else "/proc/self/maps",
        "FLAGS": "".join(f"{flag}\\0" for flag in sees.flags.values()),
        "SKIPPED": "77" if style == "program" else "4",
        "FILES": str(max(1, *(call.file for call in program.calls))),
        "FILE_PAGES": str(max(call.pgoff for call in program.calls) + 2 * program.pages),
        "TRACE": _body(program.steps, program.pages, sees),
        "CONTROL": _body(program.control, program.pages, sees),
    }
    parts = {name.upper(): name == style for name in STYLES}
    parts |= {"HAS_CONTROL": bool(program.control), "NO_CONTROL": not program.control, **_needs(program.calls)}
    parts |= {"SMAPS": bool(sees.flags), "PAGEMAP": sees.pages, "NO_PAGEMAP": not sees.pages}
    for part, wanted in parts.items():
        source = _choose(source, part, wanted)
    for word, text in words.items():
        source = source.replace(f"@{word}@", text)
    return source


def _needs(calls: Sequence[Call]) -> dict[str, bool]:
    """The parts of the template that a trace needs."""
    text = "".join(map(c_call, calls))
    of_pages = ("map", "map_file", "map_shared", "share_file", "move", "move_and_keep", "resize")
    words = (*of_pages, *ACCESSES.values(), "seal", "result")
    needs = {word.upper(): bool(re.search(rf"\b{word}\(", text)) for word in words}
    needs["MBIND"] = "set_policy(" in text
    needs["FORK"] = "become_child(" in text
    needs["GUARDS"] = "MADV_GUARD" in text
    needs["SYSCALL"] = needs["MBIND"] or needs["SEAL"]
    needs["RESULT"] |= needs["SYSCALL"]
    needs["PAGE_OF"] = any(needs[word.upper()] for word in of_pages)
    needs["ACCESS"] = needs["STORE"] or needs["LOAD"]
    needs["MAP_FILE_ALONE"] = needs["MAP_FILE"] and not needs["SHARE_FILE"]
    needs["MAP_FILE_TOO"] = needs["MAP_FILE"] and needs["SHARE_FILE"]
    needs["NORESERVE"] = any(map(_is_noreserve, calls))
    return needs


def _choose(source: str, name: str, wanted: bool) -> str:
    """Keep or remove the text between each @if NAME and its @end NAME."""
    lines = []
    keep = True
    for line in source.splitlines(keepends=True):
        if line.strip() in (f"@if {name}", f"@end {name}"):
            keep = wanted or line.startswith("@end")
        elif keep:
            lines.append(line)
    return "".join(lines)


def header(program: Program) -> str:
    """The lines of a comment on what the file shows and what it cannot."""
    vmas = [vma for step in (*program.steps, *program.control) for vma in step.vmas]
    legend = "; ".join([LEGEND, *(note.strip() for note in note_on_shared(vmas))])
    model = (
        f"The picture behind each call is the address space after it on the model kernel {program.kernel}: {legend}."
    )
    parts = [f"{program.shows}." if program.shows else "", "; ".join(map(str, program.calls)), model]
    parts += [_what_is_seen(program), _what_is_hidden(program.steps[-1]), _what_counts(program)]
    parts.append("Exit status: 0 reproduced, 1 not reproduced, 2 could not be set up, 77 skipped.")
    words = [line for part in parts if part for line in ("", *_wrapped(part))][1:]
    return "\n".join(f" * {word}".rstrip() for word in words)


def _what_is_seen(program: Program) -> str:
    sees = Sees.of(program.kernel, program.calls)
    more = [f", with {', '.join(sees.flags.values())} of its VmFlags" if sees.flags else ""]
    more.append(", and which pages are its own" if sees.pages else "")
    text = f"A program sees where a vma starts and ends and what it allows{''.join(more)}"
    if any(vma.anon_vma for step in program.steps for vma in step.vmas):
        text += (
            ", and so whether vmas were merged. It does not see anon_vmas, nor what the mapping of a page points at: of"
            " these there are only the effects here"
        )
    return f"{text}."


def _what_is_hidden(last: Step) -> str:
    """The part of the model's last state that no program sees: pages on an anon_vma that their vma is not on."""
    of_page = {page: vma.anon_vma for vma in last.vmas for page in range(vma.start, vma.end)}
    lost = [page for page in last.pages if page.freed or (page.anon_vma and page.anon_vma != of_page.get(page.page))]
    if not lost:
        return ""
    pages = " and ".join(str(page.page) for page in lost)
    what = "was freed" if lost[0].freed else "its vma is not on"
    return (
        f"Here the mapping of page {pages} points at an anon_vma that {what}, and no program sees that, nor does this"
        " one. It sees the layout that goes with it. A kernel that"
        " has this layout can still have handed the anon_vma over. What can be seen of a lost page, by those who have"
        " swap and time: it never leaves memory (its bit 62 in /proc/self/pagemap stays 0, after MADV_PAGEOUT, too)."
    )


def _what_counts(program: Program) -> str:
    if not program.control:
        return (
            "There is no control: nothing can be left out that leaves the same mapped and allowed in fewer vmas. What"
            " counts is every step."
        )
    ends = picture(program.control[-1].vmas, program.pages)
    apart, together = len(program.steps[-1].vmas), len(program.control[-1].vmas)
    return (
        f"The control is the same without {_the(program.cause)}, which ends as {ends}. Reproduced is that every call"
        " returns what it should and the same is mapped and allowed after it, and that the first ends with as many vmas"
        f" as it should, {apart}, and the control too, {together}. Which of two neighbours a page between them is"
        " merged with is said, but does not count."
    )


def _the(cause: str) -> str:
    return cause if cause == "NORESERVE" else f"the {cause}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _body(steps: Sequence[Step], pages: int, sees: Sees) -> str:
    texts = []
    for step in steps:
        words = [c_call(step.call), _c_result(step), f'"{layout(step.vmas, sees.flags)}"']
        words += [f'"{" ".join(str(page.page) for page in step.pages)}"'] if sees.pages else []
        texts.append(f"STEP({', '.join(words)});")
    width = max(map(len, texts), default=0)
    pictures = [picture(step.vmas, pages) for step in steps]
    return "\n".join(f"\t{text:{width}} /* {drawn} */" for text, drawn in zip(texts, pictures, strict=True))


def _c_result(step: Step) -> str:
    return f"-{step.result}" if isinstance(step.result, str) else str(step.result)


def layout(vmas: Sequence[Vma], flags: Mapping[str, str]) -> str:
    """The address space as the C file spells it: start-end:prot, in pages, and these flags, by their names in smaps."""
    words = []
    for vma in vmas:
        prot = "".join(letter.lower() if letter in vma.prot else "-" for letter in "RWX")
        shown = [short for name, short in flags.items() if name in vma.flags]
        words.append(",".join([f"{vma.start}-{vma.end}:{prot}", *shown]))
    return " ".join(words)


def c_call(call: Call) -> str:
    """The call as an expression of the C file."""
    if call.nr == NR_mmap:
        is_shared = bool(call.flags & linux_mm.MAP_SHARED)
        bits = call.flags & ~linux_mm.MAP_SHARED
        flags = " | ".join(f"MAP_{word}" for word, bit in MMAP_FLAGS.items() if bits & bit) or "0"
        words = f"{call.addr}, {call.len}, {_c_prot(call.prot)}, {flags}"
        if call.file:
            return f"{'share_file' if is_shared else 'map_file'}({call.file}, {call.pgoff}, {words})"
        return f"{'map_shared' if is_shared else 'map'}({words})"
    if call.nr == NR_mremap:
        if call.flags & linux_mm.MREMAP_DONTUNMAP:
            return f"move_and_keep({call.addr}, {call.len}, {call.new_addr})"
        if call.flags & mm.MREMAP_FIXED:
            return f"move({call.addr}, {call.len}, {call.new_len}, {call.new_addr})"
        return f"resize({call.addr}, {call.len}, {call.new_len})"
    if call.nr == NR_fork:
        return "become_child()"
    if call.nr in ACCESSES:
        return f"{ACCESSES[call.nr]}({call.addr})"
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
    """Compile the C file with every installed compiler, or with cc, and run it: its exit status and output.

    harness: the folder of kselftest_harness.h, for a file in that style. Raises KernelError if compiling fails, or the
    program does not end.
    """
    compilers = [cc] if cc else [found for found in COMPILERS[:2] if shutil.which(found)] or [compiler()]
    options = ("-isystem", str(harness / "mm")) if harness else ()
    with tempfile.TemporaryDirectory(prefix="vmacheck") as folder:
        (Path(folder) / "mm").mkdir()
        if harness is None:
            (Path(folder) / HARNESS.name).symlink_to(HARNESS)
        source, binary = Path(folder) / "mm" / name, Path(folder) / "program"
        source.write_text(text)
        for one in compilers:
            compile_program(source, binary, *options, cc=one)
        try:
            done = subprocess.run(
                [binary], check=False, capture_output=True, text=True, errors="replace", timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            raise KernelError(f"{name} does not come to an end") from None
    status = 77 if done.returncode == KSFT_SKIP else done.returncode
    if status not in OUTCOMES:
        raise KernelError(f"{name} ended with {done.returncode}: {(done.stdout + done.stderr).strip()}")
    return status, done.stdout + done.stderr


def try_out_booted(image: Path, texts: Mapping[str, str]) -> dict[str, int]:
    """Compile C files as static programs, and run them in one boot of the image: their exit statuses.

    Raises KernelError.
    """
    with tempfile.TemporaryDirectory(prefix="vmacheck") as folder:
        (Path(folder) / HARNESS.name).symlink_to(HARNESS)
        (Path(folder) / "mm").mkdir()
        programs = []
        for name, text in texts.items():
            source = Path(folder) / "mm" / f"{name}.c"
            source.write_text(text)
            programs.append(Path(folder) / name)
            compile_program(source, programs[-1], "-static")
        seen = replay_booted(image, [f"!/{program.name}" for program in programs], programs)
    return {name: 77 if one.result == KSFT_SKIP else one.result for name, (one,) in zip(texts, seen, strict=True)}
