# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck on the common state space: python -m benchmarks.ours PAGES WORKERS [merged|shared]."""

import json
import sys
import time

from benchmarks.common.system import system
from vmacheck.checker.search.crew import Means
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.rounds import Explorer
from vmacheck.checker.search.verdict import judge


def main() -> None:
    """Search, and print the verdict, the counterexample if any, and the counts as JSON."""
    pages, workers = int(sys.argv[1]), int(sys.argv[2])
    claim = sys.argv[3] if len(sys.argv) > 3 else "merged"
    searched = system(pages, claim)
    with Explorer(searched, [claim], Limits(), Means(lambda: workers)) as explorer:
        begin = time.perf_counter()
        explorer.run()
        seconds = time.perf_counter() - begin
        slots = explorer.table.rows * explorer.table.slots.row_bytes
    search = explorer.search
    result = judge(searched, searched.claims[0], search, seconds)
    print(result.verdict, *(searched.kinds[call.kind] + str(tuple(call[1:])) for call in result.calls or ()))
    print(f"{explorer.row_bytes} bytes a state, and {slots / max(1, search.states):.1f} of the table")
    counts = {
        "states": search.states,
        "transitions": sum(results[0] for results in search.coverage.results.values()),
        "depth": search.depth,
        "search_seconds": round(seconds, 4),
    }
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
