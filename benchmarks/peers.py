# SPDX-License-Identifier: GPL-2.0-only
"""Other model checkers on the common state space: python -m benchmarks.peers PAGES [TOOL...].

TLC needs TLA2TOOLS=/path/to/tla2tools.jar; minicheck and musil may be installed in any of several Pythons on the PATH.
"""

import argparse
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.common.promela import model

COMMON = Path(__file__).parent / "common"
PYTHONS = (sys.executable, "python3.12", "python3.13", "python3.14", "python3")
PR_SET_CHILD_SUBREAPER = 36
TLC_CONFIG = "CONSTANT Pages = {}\nINIT Init\nNEXT Next\nINVARIANT Inv\n"


@dataclass(frozen=True)
class Row:
    """One search of the whole space by one tool. Transitions and depth count steps; depth 0: unreported."""

    tool: str
    states: int
    transitions: int
    depth: int
    build_seconds: float
    search_seconds: float
    wall_seconds: float
    peak_rss_kb: int
    note: str


@dataclass(frozen=True)
class Run:
    """A command that succeeded."""

    output: str
    seconds: float
    peak_rss_kb: int


class Failed(Exception):
    """A command failed, or its output lacks an expected part."""


def measured(command: Sequence[str | Path], folder: Path) -> Run:
    """Run a command in a folder.

    A shell starts it and ends at once, so that the command becomes our child: if we forked it ourselves, its peak
    would include our own memory.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    output = folder.resolve() / "output"
    started = time.perf_counter()
    shell = ["sh", "-c", 'out=$1; shift; "$@" > "$out" 2>&1 & echo $!', "sh", output, *command]
    pid = int(subprocess.run(shell, cwd=folder, check=True, stdout=subprocess.PIPE).stdout)
    try:
        _, status, usage = os.wait4(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    seconds = time.perf_counter() - started
    text = output.read_text(errors="replace")
    if os.waitstatus_to_exitcode(status):
        raise Failed(f"{' '.join(map(str, command))}: {text[-1000:]}")
    return Run(text, seconds, usage.ru_maxrss)


def installed(*programs: str) -> bool:
    """Are all of them on the PATH?"""
    return all(map(shutil.which, programs))


def said(output: str, pattern: str) -> str:
    """The last match of the pattern's group in a tool's output, without commas."""
    found: list[str] = re.findall(pattern, output)
    if not found:
        raise Failed(f"no {pattern!r} in: {output[-1000:]}")
    return found[-1].replace(",", "")


def json_row(tool: str, build_seconds: float, run: Run, note: str) -> Row:
    """The row of our own program, whose last line is JSON with the counts."""
    counts = json.loads(run.output.splitlines()[-1])
    wall = build_seconds + run.seconds
    return Row(tool, **counts, build_seconds=build_seconds, wall_seconds=wall, peak_rss_kb=run.peak_rss_kb, note=note)


def c_bfs(pages: int, folder: Path) -> Row | None:
    """The ceiling: the search written by hand in C."""
    if not installed("gcc"):
        return None
    build = measured(["gcc", "-O2", "-march=native", f"-DVN={pages}", COMMON / "bfs.c", "-o", "bfs"], folder)
    return json_row("C BFS", build.seconds, measured(["./bfs"], folder), "keeps no traces")


def spin(tool: str, flags: Sequence[str], options: Sequence[str], note: str, pages: int, folder: Path) -> Row | None:
    """SPIN, its steps in embedded C. It counts the initial state as a transition, and prints eight digits at most."""
    if not installed("spin", "gcc"):
        return None
    started = time.perf_counter()
    (folder / "model.pml").write_text(model(pages, "inv"))
    measured(["spin", "-a", "model.pml"], folder)
    compiler = ["gcc", "-O2", "-DSAFETY", "-DNOFAIR", f"-DVN={pages}", f"-I{COMMON}", *flags]
    measured([*compiler, "pan.c", "-o", "pan"], folder)
    built = time.perf_counter() - started
    bits = 3 * pages - 2  # enough for every state: the slots, twice the number of states, and the longest path
    run = measured(["./pan", f"-w{bits + 1}", f"-m{1 << bits}", *options], folder)
    depth = int(said(run.output, r"depth reached (\d+), errors: 0\b"))
    transitions = said(run.output, r"([\d.e+]+) transitions")
    rounded = "e" in transitions
    return Row(
        tool=tool,
        states=int(said(run.output, r"(\d+) states, stored")),
        transitions=int(float(transitions)) - (not rounded),
        depth=depth if flags else 0,
        build_seconds=built,
        search_seconds=float(said(run.output, r"elapsed time ([\d.e+-]+)")) or run.seconds,
        wall_seconds=built + run.seconds,
        peak_rss_kb=run.peak_rss_kb,
        note="; ".join(filter(None, [note, "transitions rounded to eight digits" if rounded else ""])),
    )


def stateright(threads: int, pages: int, folder: Path) -> Row | None:
    """Stateright's breadth-first checker, built once per folder."""
    if not installed("cargo"):
        return None
    project = folder / "stateright"
    program = Path("stateright", "target", "release", "peer")
    built = (folder / program).exists()
    shutil.copytree(COMMON / "stateright", project, dirs_exist_ok=True)
    build_seconds = 0.0 if built else measured(["cargo", "build", "--release"], project).seconds
    run = measured([program, str(pages), str(threads)], folder)
    note = "built in an earlier run" if built else "wall includes the build"
    row = json_row("Stateright", build_seconds, run, note)
    if threads == 1:
        return row
    return Row(**asdict(row) | {"tool": f"Stateright, {threads} threads", "depth": 0, "note": f"no levels; {note}"})


def rumur(pages: int, folder: Path) -> Row | None:
    """Rumur on one thread. It reports its time in whole seconds only."""
    if not installed("rumur", "gcc"):
        return None
    started = time.perf_counter()
    (folder / "pages.m").write_text(f"const PAGES: {pages};\n" + (COMMON / "rumur.m").read_text())
    options = ["--threads", "1", "--deadlock-detection", "off", "--output", "rumur.c"]
    measured(["rumur", *options, "pages.m"], folder)
    measured(["gcc", "-std=c11", "-O3", "-march=native", "-mcx16", "rumur.c", "-o", "rumur", "-lpthread"], folder)
    built = time.perf_counter() - started
    run = measured(["./rumur"], folder)
    states = int(said(run.output, r"(\d+) states, "))
    transitions = int(said(run.output, r"(\d+) rules fired"))
    return Row("Rumur", states, transitions, 0, built, run.seconds, built + run.seconds, run.peak_rss_kb, "no depth")


def in_python(module: str, pages: int, folder: Path) -> Row | None:
    """A checker in Python, in the first Python that has it."""
    for python in filter(None, map(shutil.which, PYTHONS)):
        if subprocess.run([python, "-c", f"import {module}"], check=False, capture_output=True).returncode == 0:
            run = measured([python, "-B", COMMON / f"with_{module}.py", str(pages)], folder)
            return json_row(module, 0.0, run, "no depth; transitions counted in the model")
    return None


def tlc(pages: int, folder: Path) -> Row | None:
    """TLC on one worker. It counts the initial state as a transition, and in the depth."""
    jar = os.environ.get("TLA2TOOLS")
    if not jar or not installed("java"):
        return None
    shutil.copy(COMMON / "AddressSpace.tla", folder)
    (folder / "AddressSpace.cfg").write_text(TLC_CONFIG.format(pages))
    java = ["java", "-XX:+UseParallelGC", "-cp", str(Path(jar).resolve()), "tlc2.TLC"]
    run = measured([*java, "-workers", "1", "-metadir", "states", "AddressSpace"], folder)
    transitions = int(said(run.output, r"([\d,]+) states generated")) - 1
    states = int(said(run.output, r"([\d,]+) distinct states found"))
    depth = int(said(run.output, r"search is (\d+)")) - 1
    note = "the search includes the start of the JVM"
    return Row("TLC", states, transitions, depth, 0.0, run.seconds, run.seconds, run.peak_rss_kb, note)


COMPACT = "hash-compact, its default"
TOOLS: dict[str, Callable[[int, Path], Row | None]] = {
    "C BFS": c_bfs,
    "SPIN BFS": partial(spin, "SPIN BFS", ["-DBFS"], [], ""),
    "SPIN BFS_PAR -u1": partial(spin, "SPIN BFS_PAR -u1", ["-DBFS_PAR"], ["-u1"], COMPACT),
    "SPIN BFS_PAR -u2": partial(spin, "SPIN BFS_PAR -u2", ["-DBFS_PAR"], ["-u2"], COMPACT),
    "SPIN DFS": partial(spin, "SPIN DFS", [], [], "depth first: no BFS depth"),
    "Stateright": partial(stateright, 1),
    "Stateright, 2 threads": partial(stateright, 2),
    "Rumur": rumur,
    "minicheck": partial(in_python, "minicheck"),
    "musil": partial(in_python, "musil"),
    "TLC": tlc,
}


def main() -> None:
    """Print one line of JSON per tool."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="Measure other model checkers.")
    parser.add_argument("pages", type=int, choices=range(3, 9))
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=", ".join(TOOLS))
    options = parser.parse_args()
    if unknown := set(options.tools) - set(TOOLS):
        parser.error(f"no such tool: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        for tool in options.tools or TOOLS:
            try:
                row = TOOLS[tool](options.pages, Path(folder))
            except Failed as failure:
                print(json.dumps({"tool": tool, "note": f"failed: {failure}"}), flush=True)
            else:
                print(json.dumps(asdict(row) if row else {"tool": tool, "note": "not installed"}), flush=True)


if __name__ == "__main__":
    main()
