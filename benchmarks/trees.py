# SPDX-License-Identifier: GPL-2.0-only
"""The models of current and of 2.6 kernels, side by side on one scope.

python -m benchmarks.trees [PAGES] [--runs N] [--properties]

Both run the same calls, and runs take turns, so that other load on the machine affects both; the output is medians.
Each kernel has its own states, so the comparison is in transitions per second.
"""

import argparse
import statistics
import time
from collections.abc import Sequence

from vmacheck.checker.kernels import one_process, programs
from vmacheck.checker.kernels.scope import Scope, in_order
from vmacheck.checker.search.crew import Means
from vmacheck.checker.search.outcome import Limits, Search
from vmacheck.checker.search.rounds import Explorer
from vmacheck.model.calls.operations import EVERY_OPERATION

KERNELS = ("linux-2.6.8", "linux-6.18")


def searched(kernel: str, scope: Scope, properties: Sequence[str], workers: int) -> tuple[float, Search]:
    """The duration of the whole search in seconds, with machine code built before, and its result."""
    with Explorer(one_process.build(kernel, scope, properties), (), Limits(), Means(lambda: workers)) as explorer:
        begin = time.perf_counter()
        explorer.run()
        return time.perf_counter() - begin, explorer.search


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trees", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", type=int, nargs="?", default=5)
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each (default 3)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="threads of each (default 1)")
    parser.add_argument("--ops", default="mmap,munmap,mprotect,write", help="(default mmap,munmap,mprotect,write)")
    parser.add_argument("--properties", action="store_true", help="look at all claims in every state and at every call")
    options = parser.parse_args()
    scope = Scope(pages=options.pages, operations=in_order(options.ops.split(","), EVERY_OPERATION))
    properties = programs.property_names() if options.properties else []
    seconds: dict[str, list[float]] = {kernel: [] for kernel in KERNELS}
    found = {}
    for _ in range(options.runs):
        for kernel in KERNELS:
            taken, found[kernel] = searched(kernel, scope, properties, options.workers)
            seconds[kernel].append(taken)
    print(f"{scope}; {len(properties)} properties, medians of {options.runs}")
    print(f"{'':12} {'states':>11} {'transitions':>13} {'depth':>5} {'search s':>8} {'M/s':>6}")
    rates = []
    for kernel in KERNELS:
        search, median = found[kernel], statistics.median(seconds[kernel])
        rates.append(search.transitions / median / 1e6)
        counts = f"{search.states:11,} {search.transitions:13,} {search.depth:5}"
        print(f"{kernel:12} {counts} {median:8.2f} {rates[-1]:6.1f}")
    print(f"{rates[0] / rates[1]:12.2f}  transitions a second of {KERNELS[0]} by those of {KERNELS[1]}")


if __name__ == "__main__":
    main()
