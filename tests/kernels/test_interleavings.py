# SPDX-License-Identifier: GPL-2.0-only
"""The final states of interleaved faults, against a program of the same rules that shares no code."""

from itertools import combinations_with_replacement

import pytest

from tests.support import naive_faults
from vmacheck.checker.kernels import threads
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import Machine, NullSlot
from vmacheck.checker.program.system import OOPS
from vmacheck.model.calls.interleaving import Call
from vmacheck.model.common.mm import EBUSY, LIVE
from vmacheck.model.common.unistd import NR_exit, NR_fork, NR_mmap, NR_step, NR_write

# start, pages, is it written before
APART = ((0, 1, False), (1, 1, False))
ONE = ((0, 2, False),)
FIRST_WRITTEN = ((0, 1, True), (1, 1, False))
LAST_WRITTEN = ((0, 1, False), (1, 1, True))
ALL_WRITTEN = ((0, 2, True),)
THREE = ((0, 1, True), (1, 1, False), (2, 1, True))
KERNELS = {"rmap39": (False, False), "rmap40": (False, True), "linux-2.6.8": (True, True)}  # locked, shares


class Interleaved:
    """The model's runs of faults from a state on."""

    def __init__(self, kernel, layout, is_forked, faults, every_step):
        self.pages, self.many = max(start + pages for start, pages, _ in layout), max(1, len(faults))
        operations = ("mmap", "munmap", "mprotect", "write", *(["fork"] if is_forked else []))
        scope = Scope(
            pages=self.pages, protections=("RW", "RWX"), operations=operations, threads=self.many, every_step=every_step
        )
        self.machine = Machine(threads.build(kernel, scope, ()))
        self.first = self.machine.key(self.machine.new())
        for number, (start, pages, _) in enumerate(layout):
            self.first = self.after(self.first, Call(NR_mmap, start, pages, 7 if number % 2 else 3, 0))[1]
        for start, _, is_written in layout:
            if is_written:
                self.first = self.after(self.first, Call(NR_write, start, thread=1))[1]
            while is_written and self.state(self.first).task[1].at:
                self.first = self.after(self.first, Call(NR_step, self.state(self.first).task[1].at, thread=1))[1]
        if is_forked:
            self.first = self.after(self.first, Call(NR_fork))[1]

    def state(self, key):
        mm = self.machine.new()
        self.machine.load(mm, key)
        return mm

    def after(self, key, call):
        mm = self.machine.new()
        result = self.machine.step(self.state(key), call, mm)
        assert result >= 0 or result in (-EBUSY, OOPS)
        return result, self.machine.key(mm)

    def moves(self, mm, faults, exits):
        """Calls that may be possible, with the faults that remain after them, and whether p1 is still to exit."""
        threads = range(1, self.many + 1)
        for thread in threads:
            if mm.task[thread].at:
                yield Call(NR_step, mm.task[thread].at, thread=thread), faults, exits
        idle = [thread for thread in threads if not mm.task[thread].at]
        for number, (process, address) in enumerate(faults):
            rest = faults[:number] + faults[number + 1 :]
            if idle:
                yield Call(NR_write, address, process=process, thread=idle[0]), rest, exits
        if exits:
            yield Call(NR_exit, process=1), tuple(fault for fault in faults if fault[0] == 0), False

    def outcomes(self, faults, exits):
        found, seen, left = set(), set(), [(self.first, faults, exits)]
        while left:
            now = left.pop()
            if now in seen:
                continue
            seen.add(now)
            mm = self.state(now[0])
            if mm.bug:
                found.add("BUG")
                continue
            moves = list(self.moves(mm, *now[1:]))
            if not moves:
                found.add(self.outcome(mm))
            after = [(*self.after(now[0], call), *more) for call, *more in moves]
            left += [tuple(state) for result, *state in after if result != -EBUSY]
            if moves and all(result == -EBUSY for result, *_ in after):
                found.add("DEADLOCK")
        return found

    def outcome(self, mm):
        """The outcome in the form of naive_faults."""
        names, owner = {0: 0}, {}
        numbers = [(0, n) for n in range(1, mm.map_count + 1)]
        numbers += [(1, n) for n in range(self.pages + 2, self.pages + 2 + mm.other_count)]
        vmas = []
        for process, number in numbers:
            vma = mm.vma[number]
            owner[vma.link] = (process, vma.vm_start)
            vmas.append(((process, vma.vm_start), names.setdefault(vma.anon_vma, len(names))))
        mapped = [n for n in range(self.pages * (1 + mm.forked)) if mm.page[n].mapcount]
        pages = [
            (divmod(n, self.pages), names.setdefault(mm.page[n].mapping, len(names)), bool(mm.page[n].shared))
            for n in mapped
        ]

        def order(node, way):
            found = []
            while node and len(found) < 9:
                found.append(owner[node] if mm.node[node].life == LIVE else "freed")
                node = getattr(mm.node[node], way)
            return tuple(found)

        heads = [mm.anon_vma[anon_vma] for anon_vma in list(names)[1:]]
        lists = [(order(head.first, "next"), order(head.last, "prev")) for head in heads]
        live = sum(slot.life == LIVE for slot in mm.anon_vma if not isinstance(slot, NullSlot))
        return tuple(vmas), tuple(pages), tuple(lists), bool(mm.forked), live


def in_any_order(found):
    """Outcomes without the order of the lists."""
    return {
        one if isinstance(one, str) else (*one[:2], tuple(tuple(map(frozenset, ways)) for ways in one[2]), *one[3:])
        for one in found
    }


def compare(kernel, layout, is_forked, faults, exits, rules=None):
    """The outcomes, equal with every step and with fewer, and those of the other program."""
    locked, shares = rules or KERNELS[kernel.split("+", 1)[0]]
    expected = naive_faults.outcomes(naive_faults.begin(layout, is_forked, faults, locked, shares), exits)
    expected = in_any_order(expected) if locked else expected
    for every_step in (True, False):
        if "/" in kernel and not every_step:
            continue
        found = Interleaved(kernel, layout, is_forked, faults, every_step).outcomes(faults, exits)
        yield (in_any_order(found) if locked else found), expected


def addresses(layout):
    return [page for start, pages, _ in layout for page in range(start, start + pages)]


def cases():
    for layout in (APART, ONE, FIRST_WRITTEN, LAST_WRITTEN, THREE):
        many = (2, 3) if layout in (APART, ONE) else (2,)
        for count in many:
            for faults in combinations_with_replacement([(0, page) for page in addresses(layout)], count):
                yield layout, False, faults, False
    for layout in (FIRST_WRITTEN, LAST_WRITTEN, ALL_WRITTEN):
        both = [(process, page) for process in (0, 1) for page in addresses(layout)]
        for faults in combinations_with_replacement(both, 2):
            for exits in (False, True):
                yield layout, True, faults, exits


def of_kernels():
    """Two faults of rmap40, whose rules have a bug, then three, which have more ways to interleave, and other kernels."""
    for kernel in KERNELS:
        for many in (2, 3):
            first = pytest.mark.slow if many == 3 else ()
            yield pytest.param(kernel, many, marks=first if kernel == "rmap40" else pytest.mark.large)


@pytest.mark.parametrize(("kernel", "many"), list(of_kernels()))
def test_faults_end_where_another_program_says(kernel, many):
    chosen = [case for case in cases() if len(case[2]) == many]
    assert len(chosen) == {2: 78, 3: 8}[many]
    ends = set()
    for case in chosen:
        for found, expected in compare(kernel, *case):
            assert found == expected, case
            ends |= found
    assert "DEADLOCK" not in ends
    # the bug takes two processes
    assert ("BUG" in ends) == (kernel == "rmap40" and many == 2)


@pytest.mark.parametrize("rules", [(True, False), (False, True)], ids=str)
def test_other_rules_would_be_told_apart(rules):
    case = (FIRST_WRITTEN, True, ((0, 1), (1, 1)), True)
    assert all(found != expected for found, expected in compare("linux-2.6.8", *case, rules=rules))


def test_a_lost_race_that_nobody_looks_for_would_be_told_apart(tmp_path):
    path = tmp_path / "mutant.py"
    path.write_text("def is_still_without(mm, vma):\n    return True\n")
    ((found, expected),) = compare(f"linux-2.6.8+{path}", ONE, False, ((0, 0), (0, 1)), False)
    assert "BUG" in found - expected
