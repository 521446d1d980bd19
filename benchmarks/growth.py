# SPDX-License-Identifier: GPL-2.0-only
"""How time and memory grow with pages: python -m benchmarks.growth [KERNEL] [--pages N,...] [--properties].

The search covers the kernel's whole state space, with one worker per processor; with --properties it evaluates all
claims in every state and at every call.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.peers import measured
from vmacheck.checker.commands.check import processors
from vmacheck.checker.kernels import one_process, programs
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.search.crew import Means
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.rounds import Explorer

ROOT = Path(__file__).parent.parent


def search(kernel: str, pages: int, properties: list[str]) -> None:
    """Search, and print a row of the table."""
    begin = time.perf_counter()
    with Explorer(
        one_process.build(kernel, Scope(pages=pages), properties), (), Limits(), Means(processors)
    ) as explorer:
        built = time.perf_counter()
        explorer.run()
        seconds = time.perf_counter() - built
        slots = explorer.table.rows * explorer.table.slots.row_bytes / explorer.count
    found = explorer.search
    print(
        f"{pages:5} {found.states:11,} {found.transitions:15,} {found.depth:5} {built - begin:7.2f} {seconds:9.2f}"
        f" {found.transitions / seconds / 1e6:6.1f} {explorer.row_bytes:6} + {slots:4.1f}"
    )


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kernel", nargs="?", default="linux-2.6.8")
    parser.add_argument("--pages", default="3,4,5,6")
    parser.add_argument("--properties", action="store_true")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    properties = programs.property_names() if options.properties else []
    if options.one:
        search(options.kernel, options.one, properties)
        return
    head = f"{'pages':5} {'states':>11} {'transitions':>15} {'depth':>5} {'build s':>7} {'search s':>9} {'M/s':>6}"
    print(f"{options.kernel}, {len(properties)} properties, {processors()} workers\n{head} bytes a state   MB")
    with tempfile.TemporaryDirectory() as folder:
        for pages in options.pages.split(","):
            words = [sys.executable, "-m", "benchmarks.growth", options.kernel, "--one", pages]
            words += ["--properties"] if options.properties else []
            run = measured(["env", f"PYTHONPATH={ROOT}", *words], Path(folder))
            print(f"{run.output.rstrip()} {run.peak_rss_kb >> 10:8}", flush=True)


if __name__ == "__main__":
    main()
