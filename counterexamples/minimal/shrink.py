# SPDX-License-Identifier: GPL-2.0-only
"""A program that shows a violation, made smaller as long as it still does: passes from coarse to fine, one gate."""

from collections.abc import Callable, Collection, Iterator, Sequence

from vmacheck.checker.proofs.least import RANK, cost_of
from vmacheck.model.calls.operations import FIXED, Call
from vmacheck.model.common.unistd import NR_mmap, NR_mprotect, NR_mremap

Program = tuple[Call, ...]


class Shrink:
    """The smallest program so far; `consider` is the gate. `tried`: the number of programs that were run."""

    def __init__(
        self, calls: Sequence[Call], shows: Callable[[Program], bool], protections: Collection[int] = tuple(RANK)
    ) -> None:
        self.best, self._shows, self._protections, self.tried = tuple(calls), shows, protections, 0
        self._seen: set[Program] = set()

    def consider(self, calls: Program) -> bool:
        """Keep the program if it is less than the best, and still shows the violation."""
        if calls in self._seen or cost_of(calls) >= cost_of(self.best):
            return False
        self._seen.add(calls)
        self.tried += 1
        if not self._shows(calls):
            return False
        self.best = calls
        return True

    def run(self) -> Program:
        """Repeat all passes until none finds anything."""
        while any([self._drop(), self._each(_without_page), self._each(_shorter), self._each(self._simpler)]):
            pass
        return self.best

    def _drop(self) -> bool:
        """Leave out runs of calls, the longest first."""
        changed, size = False, len(self.best) // 2
        while size:
            start = 0
            while start < len(self.best):
                if self.consider(self.best[:start] + self.best[start + size :]):
                    changed = True
                else:
                    start += size
            size //= 2
        return changed

    def _each(self, smaller: Callable[[Program], Iterator[Program]]) -> bool:
        changed = False
        while any(self.consider(calls) for calls in smaller(self.best)):
            changed = True
        return changed

    def _simpler(self, calls: Program) -> Iterator[Program]:
        """Simplify the protection of one call, or one protection in all calls that have it."""
        with_prot = [i for i, call in enumerate(calls) if call.nr in (NR_mmap, NR_mprotect)]
        groups = [[i] for i in with_prot]
        groups += [[i for i in with_prot if calls[i].prot == prot] for prot in {calls[i].prot for i in with_prot}]
        for group in groups:
            for prot in self._protections:
                yield tuple(call._replace(prot=prot) if i in group else call for i, call in enumerate(calls))


def _without_page(calls: Program) -> Iterator[Program]:
    """The program without one page, for each page: those above it move down, and ranges that had it shrink."""
    pages = max(call.room for call in calls)
    for page in range(pages):
        moved = [_collapsed(call, page) for call in calls]
        yield tuple(call for call in moved if call is not None)


def _collapsed(call: Call, page: int) -> Call | None:
    def down(address: int) -> int:
        return address - (address > page)

    if call.flags == FIXED and call.nr == NR_mremap:
        if call.addr <= page < call.addr + call.len or call.new_addr <= page < call.new_addr + call.new_len:
            return None
        return call._replace(addr=down(call.addr), new_addr=down(call.new_addr))
    end = down(call.addr + call.len)
    addr = down(call.addr)
    return call._replace(addr=addr, len=end - addr) if call.len == 0 or end > addr else None


def _shorter(calls: Program) -> Iterator[Program]:
    """Shorten one range by a page, at either end; of a move, at both of its places."""
    for i, call in enumerate(calls):
        if call.len < 2:
            continue
        less = {"len": call.len - 1}
        if call.flags == FIXED:
            less["new_len"] = call.new_len - 1
        for shift in (0, 1):
            one = call._replace(addr=call.addr + shift, **less)
            if call.flags == FIXED:
                one = one._replace(new_addr=call.new_addr + shift)
            yield (*calls[:i], one, *calls[i + 1 :])
