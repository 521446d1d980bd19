# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's address space for the checkers written in Python."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise

# A page: 0 unmapped, else its protection in the low two bits, R or RW, and its anon_vma, 0 for none, above them.
UNMAPPED, R, RW, PROT, ANON = 0, 1, 3, 3, 2
State = tuple[int, ...]


def mergeable(a: int, b: int) -> bool:
    """Do the cells have the same protection, and at most one anon_vma?"""
    return not (a ^ b) & PROT and (a == b or a <= PROT or b <= PROT)


def inv(state: State) -> bool:
    """Is no pair of neighbours mergeable?"""
    return all(a == b or not mergeable(a, b) for a, b in pairwise(state))


def tidy(pages: State) -> State:
    """Merge neighbours from left to right, then number the anon_vmas by first appearance."""
    merged: list[int] = []
    numbers = {0: 0}
    while len(merged) < len(pages):
        vma, end = pages[len(merged)], len(merged) + 1
        while end < len(pages) and mergeable(vma, pages[end]):
            vma |= pages[end]
            end += 1
        anon = numbers.setdefault(vma >> ANON, len(numbers))
        merged += [vma & PROT | anon << ANON] * (end - len(merged))
    return tuple(merged)


def anon_for(state: State, page: int) -> int:
    """The anon_vma for a fault: that of the next vma, else of the previous one, else a new one."""
    after = next((other for other in state[page:] if other != RW), 0) >> ANON
    before = next((other for other in reversed(state[:page]) if other != RW), 0) >> ANON
    return after or before or 1 + max(other >> ANON for other in state)


def steps(state: State) -> Iterator[tuple[str, State]]:
    """Every operation that the state allows, with the resulting state."""
    for start, end in combinations(range(len(state) + 1), 2):
        before, pages, after = state[:start], state[start:end], state[end:]
        for prot in (R, RW):
            yield f"map {start} {end} {prot}", tidy(before + (prot,) * len(pages) + after)
            if all(pages):
                protected = tuple(page & ~PROT | prot for page in pages)
                yield f"protect {start} {end} {prot}", tidy(before + protected + after)
        if any(pages):
            yield f"unmap {start} {end}", tidy(before + (UNMAPPED,) * len(pages) + after)
    for page, cell in enumerate(state):
        if cell == RW:  # tidy() gives the anon_vma to the rest of the vma
            yield f"fault {page}", tidy((*state[:page], RW | anon_for(state, page) << ANON, *state[page + 1 :]))


class Counted:
    """The steps as a list, counted, for checkers that do not count them."""

    def __init__(self) -> None:
        self.taken = 0

    def __call__(self, state: State) -> list[tuple[str, State]]:
        """All steps from a state."""
        found = list(steps(state))
        self.taken += len(found)
        return found


def explore(check: Callable[[State, Counted], tuple[bool, int]], pages: int) -> None:
    """Run check on the empty address space, and print the counts. check returns the verdict on INV, and the states."""
    counted = Counted()
    started = time.perf_counter()
    holds, states = check((UNMAPPED,) * pages, counted)
    seconds = time.perf_counter() - started
    if not holds:
        raise SystemExit("INV is violated")
    print(json.dumps({"states": states, "transitions": counted.taken, "depth": 0, "search_seconds": seconds}))
