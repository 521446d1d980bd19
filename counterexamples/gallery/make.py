# SPDX-License-Identifier: GPL-2.0-only
"""The gallery: findings as C programs and pictures, with the kernels that show them, all written by this file.

python -m vmacheck.counterexamples.gallery.make [IMAGE...]    rewrite gallery/; with kernel images, also run there

Findings of 2.6 kernels go to linux_2_6/, those of current kernels to linux/. What leads a released kernel to a fault of
memory safety, or past a limit, is in words only.
"""

import json
import platform
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vmacheck.checker.claims.linux_2_6 import CLAIMS
from vmacheck.checker.jobs.default import kernels_2004
from vmacheck.checker.kernels import one_process, processes
from vmacheck.checker.kernels.names import tree_of
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import CallRecord, Machine
from vmacheck.checker.proofs.any_size import Violation
from vmacheck.checker.proofs.oracle import Oracle
from vmacheck.counterexamples.pictures.film import film_svg
from vmacheck.counterexamples.pictures.films import film, process_film, thread_film
from vmacheck.counterexamples.pictures.text import LEGEND
from vmacheck.counterexamples.real_kernels.conform import Model
from vmacheck.counterexamples.real_kernels.live import cells_of, encode
from vmacheck.counterexamples.real_kernels.qemu import release_of
from vmacheck.counterexamples.real_kernels.replay import LIVE, on_real
from vmacheck.counterexamples.real_kernels.views import BPF, best_view
from vmacheck.counterexamples.replay.threads import replay_text
from vmacheck.counterexamples.replay.two_processes import replay_processes, steps_on
from vmacheck.counterexamples.reproducer.write import OUTCOMES, Program, c_text, program_of, try_out, try_out_booted
from vmacheck.model.calls.interleaving import is_interleaving, parse_interleaving
from vmacheck.model.calls.operations import Call
from vmacheck.model.calls.traces import parse_trace
from vmacheck.model.common.unistd import NR_fork
from vmacheck.model.kernels import LINUX
from vmacheck.properties import PROPERTIES

GALLERY = Path(__file__).parent
SOURCE = GALLERY / "findings.toml"
REAL = GALLERY / "real.json"
HEAD = """# What was found, and where it can be seen

Written by `python -m vmacheck.counterexamples.gallery.make`. Each finding is a trace, on the model kernel that it was
found on; a program, NAME.c, that runs the trace and says whether it saw what the model says, with a control wherever
leaving something out leaves the same mapped in fewer vmas; and a picture, NAME.svg. To see it yourself: `cc NAME.c &&
./a.out`. Findings of 2.6 kernels are in linux_2_6/, those of current kernels in linux/; a number in front is that of
the claim. Findings about memory safety, or about a limit, of released kernels are [in words only](#in-words-only).

"yes", of a model kernel: the trace violates the same property there, or, if it violates none, ends with the same
address space. Of a real kernel: the program says "reproduced". "layout": it says so, but what the finding is about no
program sees: the kernel merges as the model does, and may still do right what the model does wrong.

[distance.md](distance.md): how far the model of 2004 is from a current kernel, in every way that short programs show.
[merged.md](merged.md): what 6.18 merges and 6.12 does not, class by class.
"""
REST = """C17, C21, C22 and H1 are about threads, which no program can have interleave at will; C18 says that nothing
goes wrong, so there is nothing to show."""
CURRENT = """# Current kernels

A "candidate" looks like a bug of current kernels, or like something that nobody meant; the evidence is with it."""
IN_WORDS = """# In words only

These lead a released kernel to a fault of memory safety, or past a limit, so no program and no trace of them is here.
The command finds the shortest trace on your own machine; of the second, one refused call."""
KERNELS = (*LINUX.kernels, "linux-6.18+sticky")


@dataclass(frozen=True)
class Finding:
    """A finding: its name, the kernel that it was found on, the trace, and what that shows."""

    name: str
    kernel: str
    trace: str
    says: str
    violates: str
    is_hidden: bool
    status: str = ""
    evidence: str = ""

    @property
    def is_threaded(self) -> bool:
        """Is the trace of threads, which no program can follow step by step?"""
        return is_interleaving(self.trace) and not self.is_current

    @property
    def is_current(self) -> bool:
        """Is it about current kernels?"""
        return tree_of(self.kernel) is LINUX

    @property
    def path(self) -> str:
        """The path of its files, without their suffixes."""
        return f"{'linux' if self.is_current else 'linux_2_6'}/{self.name}"

    @property
    def calls(self) -> tuple[Call, ...]:
        """The trace of a finding that a program can follow."""
        return tuple(parse_trace(self.trace, processes=self.is_current))

    @property
    def pages(self) -> int:
        """The number of pages that it takes."""
        return max(call.room for call in self.calls)


@dataclass(frozen=True)
class InWords:
    """A finding that is described, not shown: what happens, in which kernels, the fix, and the number of calls."""

    name: str
    says: str
    kernels: str
    fixed: str
    length: str
    command: str


def in_words() -> list[InWords]:
    """The findings without a trace here."""
    return [InWords(name, **one) for name, one in tomllib.loads(SOURCE.read_text())["in_words"].items()]


def findings() -> list[Finding]:
    """All findings with a trace, those of the claims with the theorem that they decide."""
    theorems = {f"c{one.id[1:].zfill(2)}": f"{one.id}: {one.theorem}" for one in CLAIMS if one.id[0] == "C"}
    found = tomllib.loads(SOURCE.read_text())
    del found["in_words"]
    return [
        Finding(
            name,
            one["kernel"],
            one["trace"],
            one.get("says") or theorems[name.partition("-")[0]],
            one.get("property", ""),
            one.get("hidden", False),
            one.get("status", ""),
            one.get("evidence", ""),
        )
        for name, one in found.items()
    ]


def program(finding: Finding) -> Program:
    """The input for the finding's C program."""
    return program_of(finding.kernel, finding.calls, finding.says.removesuffix("."))


def text_of(finding: Finding) -> str:
    """The C program of a finding."""
    return c_text(program(finding))


def files() -> dict[str, str]:
    """Every file that is generated from findings.toml and real.json, by its path in the gallery."""
    written = {}
    for finding in findings():
        if not finding.is_threaded:
            one = program(finding)
            written[f"{finding.path}.c"] = c_text(one)
            written[f"{finding.path}.svg"] = film_svg(finding.says, one.steps, one.pages)
    written["README.md"] = index()
    return written


def index() -> str:
    """The page of all findings."""
    real = json.loads(REAL.read_text()) if REAL.exists() else {}
    kernels = sorted(real, key=_numbers)
    tables: list[list[str]] = []
    sections = []
    for models, is_current in ((kernels_2004(), False), (list(KERNELS), True)):
        columns = [*models, *(f"Linux {kernel}" for kernel in kernels)]
        table = [f"| finding | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
        for finding in findings():
            if finding.is_current == is_current:
                said = ["" if finding.is_threaded else real[k]["programs"].get(finding.name, "") for k in kernels]
                cells = [*_on_models(finding, models), *(_in_words(finding, outcome) for outcome in said)]
                table.append(f"| [{finding.name}](#{finding.name}){_label(finding)} | {' | '.join(cells)} |")
                sections += ["", *_section(finding, real)]
        tables.append(table)
    releases = ", ".join(f"{kernel} is {real[kernel]['release']}" for kernel in kernels)
    asked = ["", f"Linux {releases}."] if kernels else []
    old, current = tables
    parts = [HEAD, *old, *asked, "", REST, "", CURRENT, "", *current, "", IN_WORDS, *_in_words_only()]
    return "\n".join([*parts, "", "# In traces and pictures", "", f"In the pictures: {LEGEND}.", *sections, ""])


def _in_words_only() -> list[str]:
    lines = []
    for one in in_words():
        lines += ["", f"## {one.name}", "", one.says, "", f"- Kernels: {one.kernels}", f"- Fixed: {one.fixed}"]
        lines += [f"- Length: {one.length}", f"- To find it: `{one.command}`"]
    return lines


def _label(finding: Finding) -> str:
    return f": {finding.status}" if finding.status else ""


def _section(finding: Finding, real: Mapping[str, Any]) -> list[str]:
    lines = [f"## {finding.name}", "", f"{finding.says}", ""]
    if finding.status:
        lines += [f"{finding.status.capitalize()}.{f' {finding.evidence}' if finding.evidence else ''}", ""]
    lines += ["```", *_film(finding), "```"]
    for one in real.values():
        if finding.name in one.get("anon_vmas", {}):
            models = one["anon_vmas"][finding.name]
            same = f"those of {', '.join(models)}" if models else "those of none of these kernels"
            lines += [
                "",
                f"Through BPF, after each call, the flags, offsets and anon_vmas of {one['release']} are {same}.",
            ]
    if not finding.is_threaded:
        lines += ["", ", ".join(f"[{finding.name}.{kind}]({finding.path}.{kind})" for kind in ("c", "svg"))]
    return lines


def _numbers(release: str) -> list[int]:
    return [int(word) for word in re.findall(r"\d+", release)]


def _in_words(finding: Finding, outcome: str) -> str:
    yes = "layout" if finding.is_hidden else "yes"
    return {"reproduced": yes, "not reproduced": "no"}.get(outcome, outcome)


def _on_models(finding: Finding, models: Sequence[str]) -> list[str]:
    """The model kernels on which a trace has the same effect as on its own: the violation, or the final state."""
    if finding.is_threaded:
        return ["yes" if model == finding.kernel else "" for model in models]
    calls, pages = finding.calls, finding.pages
    if finding.violates and finding.is_current:
        return ["yes" if breaks(model, finding.violates, calls, pages) else "no" for model in models]
    if finding.violates:
        oracles = [Oracle(Violation((model,), finding.violates), pages) for model in models]
        return ["no" if oracle.first_at(calls) is None else "yes" for oracle in oracles]
    own = cells_of(steps_on(finding.kernel, calls, pages)[-1].vmas, pages)
    return ["yes" if cells_of(steps_on(model, calls, pages)[-1].vmas, pages) == own else "no" for model in models]


def breaks(model: str, name: str, calls: Sequence[Call], pages: int) -> bool:
    """Does the last of the calls break the property of that name on a current kernel?"""
    system = one_process.build(model, Scope(pages=pages), (name,), calls)
    machine = Machine(replace(one_process.without_renaming(system, calls), claims=system.claims))
    before, after = machine.new(), machine.new()
    for call in calls[:-1]:
        machine.step(before, call, after)
        before, after = after, before
    result = machine.step(before, calls[-1], after)
    on_step = PROPERTIES[name].on_step
    states = (before, CallRecord(calls[-1], result), after) if on_step else (after,)
    return not machine.evaluate(name, *states)


def _film(finding: Finding) -> list[str]:
    if finding.is_threaded:
        steps = parse_interleaving(finding.trace)
        pages = max(step.end for step in steps)
        return [finding.kernel, *thread_film(replay_text(finding.kernel, pages, steps), pages)]
    calls, pages = finding.calls, finding.pages
    if any(call.nr == NR_fork for call in calls):
        found = replay_processes(processes.build(finding.kernel, Scope(pages=pages), calls=list(calls)), calls)
        return [finding.kernel, *process_film(found, pages)]
    return [finding.kernel, *film(steps_on(finding.kernel, calls, pages), pages)]


# ---- on real kernels -----------------------------------------------------------------------------


def short(release: str) -> str:
    """6.18 of 6.18.44-something."""
    return ".".join(release.split(".")[:2])


def outcomes(kernel: str) -> dict[str, str]:
    """The outcome of each program on the running kernel ("live") or on an image. Raises KernelError."""
    shown = [finding for finding in findings() if not finding.is_threaded]
    texts = {finding.name: text_of(finding) for finding in shown}
    if kernel == LIVE:
        statuses = {name: try_out(text, f"{name}.c")[0] for name, text in texts.items()}
    else:
        statuses = try_out_booted(Path(kernel), texts)
    return {name: OUTCOMES.get(status, f"ended with {status}") for name, status in statuses.items()}


def anon_vmas_as_on(finding: Finding) -> list[str]:
    """The model kernels with the flags, offsets and chains of the running one, after each call. Raises KernelError."""
    calls, pages = finding.calls, finding.pages
    many = 2 if any(call.nr == NR_fork for call in calls) else 1
    line = f"{pages} 1 {' '.join(encode(number, call) for number, call in enumerate(calls, 1))}"
    ((*seen,),) = on_real(LIVE, [line], BPF, many)
    same = []
    for kernel in KERNELS:
        model = Model(kernel, Scope(pages=pages, processes=many), list(dict.fromkeys(calls)), BPF)
        state, agrees = model.first, True
        for call, one in zip(calls, seen, strict=True):
            after = model.step(state, model.calls.index(call))
            agrees, state = agrees and after.agrees(one), after.state
        same += [kernel] if agrees else []
    return same


def release(kernel: str) -> str:
    """The release of a real kernel."""
    return platform.release() if kernel == LIVE else release_of(Path(kernel))


def main(images: Sequence[str]) -> None:
    """Rewrite the gallery; given images, run the programs on them and on the running kernel first."""
    if images:
        asked = {
            short(release(kernel)): {"release": release(kernel), "programs": outcomes(kernel)}
            for kernel in (*images, LIVE)
        }
        if best_view()[0] is BPF:
            current = [one for one in findings() if one.is_current]
            asked[short(release(LIVE))]["anon_vmas"] = {finding.name: anon_vmas_as_on(finding) for finding in current}
        REAL.write_text(json.dumps(dict(sorted(asked.items(), key=lambda item: _numbers(item[0]))), indent=1) + "\n")
    for name, text in files().items():
        (GALLERY / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
