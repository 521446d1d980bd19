# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck beside other tools on one state space: python -m benchmarks [PAGES] [--runs N] [--tools NAME,...].

All tools must agree on the numbers of states and transitions, and on the depth if they report it. Runs take turns, so
that other load on the machine affects all of them; the output is medians and their ratios.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.common.system import system
from benchmarks.peers import TOOLS, Failed, Row, json_row, measured
from vmacheck.checker.compiled.module import load
from vmacheck.checker.files.kept import cache_folder

ROOT = Path(__file__).parent.parent
USUAL = ("C BFS", "SPIN BFS", "SPIN BFS_PAR -u2", "Stateright", "Stateright, 2 threads")
COUNTS = {4: (745, 31774, 12), 5: (5797, 372607, 16), 6: (43713, 3915300, 22), 7: (346271, 41155821, 26)}
COUNTS[8] = (2806961, 426330900, 31)
WORKERS = (1, 2, 4)


def ours(workers: int, pages: int, folder: Path) -> Row:
    """The row of vmacheck, from its start to the verdict, with machine code built before."""
    command = [sys.executable, "-m", "benchmarks.ours", str(pages), str(workers)]
    run = measured(["env", f"PYTHONPATH={ROOT}", *command], folder)
    verdict, memory, _ = run.output.splitlines()
    if verdict != "holds":
        raise Failed(f"vmacheck says {verdict}")
    return json_row(f"vmacheck, {workers} worker{'s' * (workers > 1)}", 0, run, memory)


def disagreements(rows: list[Row], pages: int) -> list[str]:
    """The differences of each row from the known counts. A depth of 0 is unreported."""
    states, transitions, depth = COUNTS[pages]
    return [
        f"{row.tool}: {row.states} states, {row.transitions} transitions, depth {row.depth}"
        for row in rows
        if (row.states, row.transitions) != (states, transitions) or row.depth not in {0, depth}
    ]


def without_cargo(tool: Callable[[int, Path], Row | None], pages: int, folder: Path) -> Row | None:
    """A row without the build time of a Rust program."""
    row = tool(pages, folder)
    return row and replace(row, wall_seconds=row.wall_seconds - row.build_seconds, note="built before")


def medians(runs: list[Row]) -> Row:
    """One row for several runs of a tool."""
    of = {name: statistics.median(getattr(run, name) for run in runs) for name in ("wall_seconds", "search_seconds")}
    return replace(runs[-1], peak_rss_kb=max(run.peak_rss_kb for run in runs), **of)


def line(row: Row) -> str:
    """A row of the table."""
    rate = row.transitions / row.search_seconds / 1e6
    return (
        f"{row.tool:24} {row.wall_seconds:8.2f} {row.search_seconds:8.2f} {rate:8.1f} {row.peak_rss_kb / 1024:8.0f}"
        f"  {row.note}"
    )


def ratios(rows: dict[str, Row]) -> list[str]:
    """The ratios of wall and search times to vmacheck's, one line each."""
    found = []
    one, two = rows["vmacheck, 1 worker"], rows["vmacheck, 2 workers"]
    for name, row in rows.items():
        if not name.startswith("vmacheck"):
            found.append(
                f"{row.wall_seconds / two.wall_seconds:6.2f}  wall time of {name} by that of vmacheck, 2 workers"
            )
    if "C BFS" in rows:
        found.append(
            f"{rows['C BFS'].search_seconds / one.search_seconds:6.2f}  search of C BFS by that of vmacheck, 1 worker"
        )
    found.append(f"{one.search_seconds / two.search_seconds:6.2f}  search of vmacheck, 1 worker by that of 2 workers")
    return found


def counterexample(pages: int) -> str:
    """The counterexample to full sharing, the same with any number of workers."""
    words = [sys.executable, "-m", "benchmarks.ours", str(pages)]
    said = {
        subprocess.run([*words, str(w), "shared"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
            "\n"
        )[0]
        for w in WORKERS
    }
    if len(said) != 1:
        raise Failed(f"workers find different programs: {said}")
    return said.pop()


def processor() -> str:
    """The machine's processor."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return f"{len(os.sched_getaffinity(0))} cores, {found[1] if found else 'unknown processor'}"


def start(cache: Path) -> float:
    """Seconds from the start of a command to its verdict, at 3 pages, with machine code stored in this folder."""
    command = [sys.executable, "-m", "vmacheck", "check", "rmap40", "--pages", "3"]
    begin = time.perf_counter()
    subprocess.run(
        command, cwd=ROOT, env={**os.environ, "VMACHECK_CACHE": str(cache)}, stdout=subprocess.DEVNULL, check=False
    )
    return time.perf_counter() - begin


def starts(runs: int) -> str:
    """Print the time to the first verdict, cold and warm."""
    cold, warm = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(start(Path(folder)))
        warm.append(start(cache_folder()))
    return (
        f"first verdicts, rmap40 at 3 pages: {statistics.median(cold):.2f} s cold, {statistics.median(warm):.2f} s warm"
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("pages", type=int, nargs="?", default=7, choices=range(4, 9))
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each tool (default 3)")
    parser.add_argument("--tools", default=";".join(USUAL), help=f"separated by ';' (default {'; '.join(USUAL)})")
    options = parser.parse_args()
    names = [name for name in options.tools.split(";") if name]
    if unknown := set(names) - set(TOOLS):
        parser.error(f"no such tool: {', '.join(sorted(unknown))}")
    chosen: dict[str, Callable[[int, Path], Row | None]] = {
        f"vmacheck, {workers} worker{'s' * (workers > 1)}": partial(ours, workers) for workers in (1, 2)
    }
    for name in names:
        chosen[name] = partial(without_cargo, TOOLS[name]) if name.startswith("Stateright") else TOOLS[name]
    runs: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        load(system(options.pages))
        for _ in range(options.runs):
            for name, tool in list(chosen.items()):
                row = tool(options.pages, Path(folder))
                if row is None:
                    print(f"{name}: not installed")
                    del chosen[name]
                else:
                    runs.setdefault(name, []).append(row)
    rows = {name: medians(found) for name, found in runs.items()}
    if wrong := disagreements([row for found in runs.values() for row in found], options.pages):
        sys.exit("\n".join(wrong))
    states, transitions, depth = COUNTS[options.pages]
    print(f"{options.pages} pages: {states:,} states, {transitions:,} transitions, depth {depth}; all agree")
    print(
        f"medians of {options.runs}; seconds from start to verdict and of the search; millions of transitions a second"
    )
    print(f"{'':24} {'wall':>8} {'search':>8} {'M/s':>8} {'MB':>8}")
    print("\n".join([*map(line, rows.values()), *ratios(rows)]))
    print(starts(options.runs))
    print(f"counterexample with {', '.join(map(str, WORKERS))} workers: {counterexample(options.pages)}")


if __name__ == "__main__":
    main()
