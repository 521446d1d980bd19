# SPDX-License-Identifier: GPL-2.0-only
"""The gallery: findings as C programs and pictures, with the kernels that show them, written anew by this file.

python -m counterexamples.findings [IMAGE...]    write gallery/ again; with kernel images, also run there
"""

import json
import platform
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from checker.anysize import Violation
from checker.expected import seed_kernels
from checker.oracle import Oracle
from checker.seed_claims import CLAIMS
from counterexamples.against import LIVE
from counterexamples.interleaving import replay_text, thread_film
from counterexamples.live import cells_of
from counterexamples.picture import LEGEND, film
from counterexamples.qemu import release_of
from counterexamples.reproduce import OUTCOMES, Program, c_text, program_of, steps_on, try_out, try_out_booted
from counterexamples.svg import film_svg
from model.interleaving import is_interleaving, parse_interleaving
from model.traces import parse_trace

GALLERY = Path(__file__).parent / "gallery"
SOURCE = GALLERY / "findings.toml"
REAL = GALLERY / "real.json"
HEAD = """# What was found, and where it can be seen

Written by `python -m counterexamples.findings`. Each finding is a trace, on the model kernel that it was found on; a
program, NAME.c, that carries the trace out and says whether it saw what the model says, with a control wherever leaving
something out leaves the same mapped in fewer vmas; and a picture, NAME.svg. To see it yourself: `cc NAME.c && ./a.out`.

"yes", of a model kernel: the trace violates the same property there, or, if it violates none, ends with the same
address space. Of a real kernel: the program says "reproduced". "layout": it says so, but what the finding is about no
program sees: the kernel merges as the model does, and may still do right what the model does wrong.

[distance.md](distance.md): how far the model of 2004 is from today's kernel, in every way that short programs show.
"""
REST = """C17, C21, C22 and H1 are about threads, which no program can have interleave at will; C18 says that nothing
goes wrong, so there is nothing to show."""


@dataclass(frozen=True)
class Finding:
    """Something that was found: its name, the kernel that it was found on, the trace, and what that shows."""

    name: str
    kernel: str
    trace: str
    says: str
    violates: str
    is_hidden: bool

    @property
    def is_threaded(self) -> bool:
        """Can no program be made to follow it step by step?"""
        return is_interleaving(self.trace)


def findings() -> list[Finding]:
    """All findings, those of the claims with the theorem that they decide."""
    theorems = {claim.id.lower(): f"{claim.id}: {claim.theorem}" for claim in CLAIMS}
    found = tomllib.loads(SOURCE.read_text())
    return [
        Finding(
            name,
            one["kernel"],
            one["trace"],
            one.get("says") or theorems[name],
            one.get("property", ""),
            one.get("hidden", False),
        )
        for name, one in found.items()
    ]


def program(finding: Finding) -> Program:
    """The finding as what a C program is made of."""
    return program_of(finding.kernel, parse_trace(finding.trace), finding.says.removesuffix("."))


def files() -> dict[str, str]:
    """Every file of the gallery that is written from findings.toml and real.json, by its name."""
    written = {}
    for finding in findings():
        if not finding.is_threaded:
            one = program(finding)
            written[f"{finding.name}.c"] = c_text(one)
            written[f"{finding.name}.svg"] = film_svg(finding.says, one.steps, one.pages)
    written["README.md"] = index()
    return written


def index() -> str:
    """The page of all findings."""
    real = json.loads(REAL.read_text()) if REAL.exists() else {}
    kernels = sorted(real, key=_numbers)
    columns = [*seed_kernels(), *(f"Linux {kernel}" for kernel in kernels)]
    table = [f"| finding | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    sections = []
    for finding in findings():
        said = ["" if finding.is_threaded else real[k]["programs"][finding.name] for k in kernels]
        cells = [*_on_models(finding), *(_in_words(finding, outcome) for outcome in said)]
        table.append(f"| [{finding.name}](#{finding.name}) | {' | '.join(cells)} |")
        sections += ["", f"## {finding.name}", "", f"{finding.says}", "", "```", *_film(finding), "```"]
        if not finding.is_threaded:
            sections += ["", f"[{finding.name}.c]({finding.name}.c), [{finding.name}.svg]({finding.name}.svg)"]
    releases = ", ".join(f"{kernel} is {real[kernel]['release']}" for kernel in kernels)
    asked = ["", f"Linux {releases}."] if kernels else []
    return "\n".join([HEAD, *table, *asked, "", REST, "", f"In the pictures: {LEGEND}.", *sections, ""])


def _numbers(release: str) -> list[int]:
    return [int(word) for word in re.findall(r"\d+", release)]


def _in_words(finding: Finding, outcome: str) -> str:
    yes = "layout" if finding.is_hidden else "yes"
    return {"reproduced": yes, "not reproduced": "no"}.get(outcome, outcome)


def _on_models(finding: Finding) -> list[str]:
    """On which model kernels a trace violates what it violates on its own, or leaves what it leaves there."""
    models = seed_kernels()
    if finding.is_threaded:
        return ["yes" if model == finding.kernel else "" for model in models]
    calls = parse_trace(finding.trace)
    pages = max(call.room for call in calls)
    if finding.violates:
        oracles = [Oracle(Violation((model,), finding.violates), pages) for model in models]
        return ["no" if oracle.first_at(calls) is None else "yes" for oracle in oracles]
    own = cells_of(steps_on(finding.kernel, calls, pages)[-1].vmas, pages)
    return ["yes" if cells_of(steps_on(model, calls, pages)[-1].vmas, pages) == own else "no" for model in models]


def _film(finding: Finding) -> list[str]:
    if finding.is_threaded:
        steps = parse_interleaving(finding.trace)
        pages = max(step.end for step in steps)
        return [finding.kernel, *thread_film(replay_text(finding.kernel, pages, steps), pages)]
    calls = parse_trace(finding.trace)
    pages = max(call.room for call in calls)
    return [finding.kernel, *film(steps_on(finding.kernel, calls, pages), pages)]


# ---- on real kernels -----------------------------------------------------------------------------


def short(release: str) -> str:
    """6.18 of 6.18.44-something."""
    return ".".join(release.split(".")[:2])


def outcomes(kernel: str) -> dict[str, str]:
    """What each program says on the running kernel ("live") or on an image. Raises KernelError."""
    shown = [finding for finding in findings() if not finding.is_threaded]
    texts = {finding.name: c_text(program(finding)) for finding in shown}
    if kernel == LIVE:
        statuses = {name: try_out(text, f"{name}.c")[0] for name, text in texts.items()}
    else:
        statuses = try_out_booted(Path(kernel), texts)
    return {name: OUTCOMES.get(status, f"ended with {status}") for name, status in statuses.items()}


def release(kernel: str) -> str:
    """The release of a real kernel."""
    return platform.release() if kernel == LIVE else release_of(Path(kernel))


def main(images: Sequence[str]) -> None:
    """Write the gallery again; with images, after asking them and the running kernel."""
    if images:
        asked = {
            short(release(kernel)): {"release": release(kernel), "programs": outcomes(kernel)}
            for kernel in (*images, LIVE)
        }
        REAL.write_text(json.dumps(dict(sorted(asked.items(), key=lambda item: _numbers(item[0]))), indent=1) + "\n")
    for name, text in files().items():
        (GALLERY / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
