# SPDX-License-Identifier: GPL-2.0-only
"""The fuzz: random patches for so many minutes, in two processes, and every contradiction with the patch shrunk.

`python -m tests.fuzz.run --minutes 60 --seed 1`; make fuzz.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

EVERY_FULL = 10  # one patch of so many is asked of the runs that take long, too


class Tally(NamedTuple):
    """What one process did."""

    made: int
    refused: int
    changed: int
    answers: Counter[str]
    found: list[str]


def work(seed: int, first: int, step: int, seconds: float, full_every: int) -> Tally:
    """Patches number first, first + step, ... of the seed, until the time is over."""
    from tests.conftest import Here
    from tests.fuzz import answers, mutate
    from vmacheck.checker.symbolic import pool

    setattr(pool, "ProcessPoolExecutor", Here)  # noqa: B010
    end = time.monotonic() + seconds
    made = refused = changed = 0
    counted, found = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, sys.maxsize, step):
            if time.monotonic() > end:
                break
            draw = Random(f"{seed}:{number}")
            base = draw.choice(mutate.KERNELS)
            scope, names = answers.question(draw)
            patch = mutate.patch(draw, base, answers.reached(base, scope))
            is_full = number % full_every == full_every - 1
            made += 1
            try:
                asked = answers.ask(patch, scope, names, Path(folder), is_full)
            except Exception as error:  # a crash is a finding, too
                found.append(report(seed, number, patch, scope, names, [f"{type(error).__name__}: {error}"]))
                continue
            refused += bool(asked.refused)
            changed += asked.changed
            counted += asked.answers
            if asked.contradictions:
                least = smallest(patch, scope, names, folder, is_full)
                found.append(report(seed, number, least, scope, names, asked.contradictions))
    return Tally(made, refused, changed, counted, found)


def smallest(patch, scope, names, folder, is_full):
    """The patch shrunk, as long as there is a contradiction."""
    from tests.fuzz import answers, mutate

    def still(other):
        try:
            return bool(answers.ask(other, scope, names, Path(folder), is_full).contradictions)
        except Exception:
            return False

    return mutate.shrunk(patch, still)


def report(seed, number, patch, scope, names, said):
    """A finding, as text."""
    where = f"{scope.pages} pages, {','.join(scope.protections)}, {','.join(scope.operations)}; {', '.join(names)}"
    lines = [f"---- seed {seed}, patch {number}, over {patch.base}: {'; '.join(patch.what)}", where, *said, patch.text]
    return "\n".join(lines)


def fuzz(seed: int, seconds: float, workers: int, full_every: int = EVERY_FULL) -> Tally:
    """Run the fuzz. Its findings depend on the seed, and on how far it comes."""
    os.environ.setdefault("VMACHECK_OPTIMISE", "0")
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(work, seed, first, workers, seconds, full_every) for first in range(workers)]
        tallies = [job.result() for job in jobs]
    answers: Counter[str] = sum((one.answers for one in tallies), Counter())
    found = [text for one in tallies for text in one.found]
    made, refused, changed = (sum(counts) for counts in zip(*(one[:3] for one in tallies), strict=True))
    return Tally(made, refused, changed, answers, found)


def main() -> int:
    """The command: 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.strftime("%Y%m%d")), help="default: one for each night")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--full", type=int, default=EVERY_FULL, metavar="N", help="one of N is asked of all runs")
    options = parser.parse_args()
    tally = fuzz(options.seed, 60 * options.minutes, options.workers, options.full)
    print("\n".join(tally.found))
    print(f"seed {options.seed}, {options.minutes:g} minutes, {options.workers} processes")
    print(f"{tally.made:,} patches: {tally.refused:,} refused, {tally.changed:,} that change an answer")
    for name, count in sorted(tally.answers.items()):
        print(f"  {name}: {count:,} answers")
    print(f"{len(tally.found)} contradictions")
    return int(bool(tally.found))


if __name__ == "__main__":
    raise SystemExit(main())
