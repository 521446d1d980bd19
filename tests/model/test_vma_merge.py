# SPDX-License-Identifier: GPL-2.0-only
"""vma_merge, vma_adjust, split_vma: one test per case, drawn. The event of the case must fire as well."""

import pytest

from tests.support.helpers import drawn, steps
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import Machine
from vmacheck.model.calls.traces import parse_trace

# (name, kernel, calls before, picture before, call, picture after, event of the call)
CASES = [
    ("1 P*N joins all", "rmap40", "mmap(0,1,RW); mmap(2,1,RW)", "o .|o .", "mmap(1,1,RW)", "o o o .", 1),
    ("1 P takes N's", "rmap40", "mmap(0,1,RW); mmap(2,1,RW); write(2)", "o .|A .", "mmap(1,1,RW)", "A A A .", 1),
    ("1 P keeps its own", "rmap40", "mmap(0,1,RW); mmap(2,1,RW); write(0)", "A .|o .", "mmap(1,1,RW)", "A A A .", 1),
    ("2 not 1: two anon_vmas", "rmap40", "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2)", "A .|B .", "mmap(1,1,RW)",
     "A A|B .", 2),
    ("1 anonmm does not mind", "anonmm", "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2)", "o .|o .", "mmap(1,1,RW)",
     "o o o .", 1),
    ("2 P grows", "rmap40", "mmap(0,1,RW)", "o . . .", "mmap(1,2,RW)", "o o o .", 2),
    ("2 new area joins a faulted P", "rmap40", "mmap(0,1,RW); write(0)", "A . . .", "mmap(1,2,RW)", "A A A .", 2),
    ("2 not 1: N's flags differ", "rmap40", "mmap(0,1,RW); mmap(2,1,R)", "o .|- .", "mmap(1,1,RW)", "o o|- .", 2),
    ("3 N grows down", "rmap40", "mmap(2,1,RW)", ". .|o .", "mmap(0,2,RW)", "o o o .", 3),
    ("3 N keeps its anon_vma", "rmap40", "mmap(2,1,RW); write(2)", ". .|A .", "mmap(0,2,RW)", "A A A .", 3),
    ("3 not 1: P's flags differ", "rmap40", "mmap(0,1,R); mmap(2,1,RW)", "- .|o .", "mmap(1,1,RW)", "-|o o .", 3),
    ("4 N grows into P's tail", "rmap40", "mmap(0,3,RW); mprotect(2,1,R)", "o o|- .", "mprotect(1,1,R)", "o|- - .", 4),
    ("4 N's anon_vma covers it", "rmap40", "mmap(0,4,RW); write(0); mprotect(3,1,R)", "A A A|a", "mprotect(2,1,R)",
     "A A|a a", 4),
    ("5 P grows into N's head", "rmap40", "mmap(0,3,RW); mprotect(0,1,R)", "-|o o .", "mprotect(1,1,R)", "- -|o .", 5),
    ("6 P swallows N and X", "rmap40", "mmap(0,3,RW); mprotect(1,1,R)", "o|-|o .", "mprotect(1,1,RW)", "o o o .", 6),
    ("6 P takes X's", "rmap40", "mmap(0,3,RW); mprotect(1,1,R); write(2)", "o|-|A .", "mprotect(1,1,RW)", "A A A .", 6),
    ("6 P takes N's", "rmap40", "mmap(0,3,RW); mmap(1,1,R); mprotect(1,1,RW); mprotect(0,1,R); mprotect(2,1,R); write(1)",
     "-|A|- .", "mprotect(1,1,R)", "a a a .", 6),
    ("7 not 6: P and X differ", "rmap40", "mmap(0,3,RW); mprotect(1,1,R); write(0); write(2)", "A|-|B .",
     "mprotect(1,1,RW)", "A A|B .", 7),
    ("7 P swallows N", "rmap40", "mmap(0,2,RW); mprotect(1,1,R)", "o|- . .", "mprotect(1,1,RW)", "o o . .", 7),
    ("7 P takes N's", "rmap39", "mmap(0,2,RW); mprotect(0,1,R); write(1)", "-|A . .", "mprotect(1,1,R)", "a a . .", 7),
    ("8 N swallows X", "rmap40", "mmap(0,2,RW); mprotect(0,1,R)", "-|o . .", "mprotect(0,1,RW)", "o o . .", 8),
    ("8 N takes X's", "rmap40", "mmap(0,2,RW); mprotect(0,1,R); write(1)", "-|A . .", "mprotect(0,1,RW)", "A A . .", 8),
    ("8 not 6: P and N differ", "rmap39", "mmap(0,3,RW); mprotect(1,1,R); write(0); mprotect(0,1,R); mprotect(0,1,RW);"
     "mprotect(1,1,RW); mprotect(0,1,R)", "a|A A .", "mprotect(0,1,RW)", "A A A .", 8),
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "setup", "before", "call", "after", "case"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])  # fmt: skip
def test_case(kernel, setup, before, call, after, case):
    assert drawn(kernel, setup) == before
    assert drawn(kernel, f"{setup}; {call}") == after
    assert events_of_last_call(kernel, f"{setup}; {call}") & 0xFF == 1 << (case - 1)


def events_of_last_call(kernel, trace, pages=4):
    calls = parse_trace(trace)
    machine = Machine(one_process.without_renaming(one_process.build(kernel, Scope(pages=pages), calls=calls), calls))
    before, after = machine.new(), machine.new()
    for call in calls:
        before, after = after, before
        machine.step(before, call, after)
    return after.events


# (name, kernel, trace, picture): no merge, splits, and what decides about merging
DRAWN = [
    ("RW and R do not merge", "rmap40", "mmap(0,1,RW); mmap(1,1,R)", "o|- . ."),
    ("VM_ACCOUNT: once writable is not never writable", "rmap40", "mmap(0,1,RW); mprotect(0,1,R); mmap(1,1,R)", "-|- . ."),
    ("VM_ACCOUNT: mprotect to writable adds it", "rmap40", "mmap(0,1,R); mprotect(0,1,RW); mmap(1,1,RW)", "o o . ."),
    ("NORESERVE RW is not accounted", "rmap40", "mmap(0,1,RW); mmap(1,1,RW,NORESERVE)", "o|o . ."),
    ("NORESERVE R is as R", "rmap40", "mmap(0,1,R); mmap(1,1,R,NORESERVE)", "- - . ."),
    ("NORESERVE RW made R stays without", "rmap40", "mmap(0,1,RW,NORESERVE); mprotect(0,1,R); mmap(1,1,R)", "- - . ."),
    ("NORESERVE R made RW is accounted", "rmap40", "mmap(0,1,R,NORESERVE); mprotect(0,1,RW); mmap(1,1,RW)", "o o . ."),
    ("no change, no merge", "rmap40", "mmap(0,1,RW); mmap(1,1,RW,NORESERVE); mprotect(1,1,RW)", "o|o . ."),
    ("split in the middle: three", "rmap40", "mmap(0,4,RW); mprotect(1,2,R)", "o|- -|o"),
    ("split: all parts keep the anon_vma", "rmap40", "mmap(0,4,RW); write(0); mprotect(1,2,R)", "A|a a|A"),
    ("mmap over the middle", "rmap40", "mmap(0,4,RW); mmap(1,2,R)", "o|- -|o"),
    ("mmap over the same is one again", "rmap40", "mmap(0,4,RW); write(0); mmap(1,2,RW)", "A A A A"),
    ("munmap in the middle", "rmap40", "mmap(0,4,RW); write(1); munmap(1,2)", "A . .|A"),
    ("munmap does not merge", "rmap40", "mmap(0,1,RW); mmap(2,1,RW); munmap(1,1)", "o .|o ."),
    ("munmap over several", "rmap40", "mmap(0,1,RW); mmap(1,1,R); mmap(3,1,RW); munmap(0,4)", ". . . ."),
    ("munmap of nothing", "rmap40", "munmap(0,4)", ". . . ."),
    ("mprotect merges over its whole range", "rmap40", "mmap(0,4,RW); mprotect(1,1,R); mprotect(3,1,R); mprotect(0,4,R)", "- - - -"),
    ("mprotect jumps over what it swallowed", "rmap40", "mmap(0,3,RW); mprotect(0,1,R); mprotect(0,2,RW)", "o o o ."),
    ("mprotect stops at a hole, what is done stays", "rmap40", "mmap(0,1,RW); mmap(2,1,RW); mprotect(0,3,R)", "- .|o . ENOMEM"),
    ("mprotect past the last vma", "rmap40", "mmap(0,2,RW); mprotect(1,2,R)", "o|- . . ENOMEM"),
    ("mprotect of a hole", "rmap40", "mmap(1,1,RW); mprotect(0,2,R)", ".|o . . ENOMEM"),
    ("mprotect of nothing", "rmap40", "mprotect(0,0,R)", ". . . ."),
    ("munmap of length 0", "rmap40", "mmap(0,1,RW); munmap(0,0)", "o . . . EINVAL"),
    ("mmap of length 0", "rmap40", "mmap(1,0,RW)", ". . . ."),
    ("write to a hole", "rmap40", "write(0)", ". . . . EFAULT"),
    ("write to R", "rmap40", "mmap(0,1,R); write(0)", "- . . . EFAULT"),
    ("read of N", "rmap40", "mmap(0,1,N); read(0)", "- . . . EFAULT"),
    ("read of R prepares nothing", "rmap40", "mmap(0,1,RW); read(0)", "o . . ."),
    ("read of W faults, but not once the page is there", "rmap40", "mmap(0,1,W); read(0)", "o . . . EFAULT"),
    ("read of W with a page", "rmap40", "mmap(0,1,W); write(0); read(0)", "A . . ."),
    ("read of RX", "rmap40", "mmap(0,1,RX); read(0)", "- . . ."),
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "trace", "after"), [c[1:] for c in DRAWN], ids=[c[0] for c in DRAWN])
def test_drawn(kernel, trace, after):
    assert drawn(kernel, trace) == after


def test_pgoff_follows_the_start_through_splits_and_merges():
    last = steps("rmap40", "mmap(1,3,RW); mprotect(2,1,R); mmap(0,1,RW); mprotect(3,1,R)")[-1]
    assert [(vma.start, vma.pgoff) for vma in last.vmas] == [(0, 0), (2, 2)]


def test_max_map_count_refuses_a_split_and_keeps_what_was_done():
    # the first split of the middle is the second vma, a third is refused; the first split stays
    setup = "mmap(0,4,RW)"
    assert drawn("rmap40", f"{setup}; mprotect(1,2,R)", max_map_count=2) == "o|o o o ENOMEM"
    assert drawn("rmap40", f"{setup}; mprotect(1,2,R)", max_map_count=3) == "o|- -|o"
    assert drawn("rmap40", f"{setup}; munmap(1,1)", max_map_count=1) == "o o o o ENOMEM"
    assert drawn("rmap40", f"{setup}; munmap(1,1)", max_map_count=2) == "o|o o o ENOMEM"


def test_mmap_is_refused_only_above_max_map_count():
    setup = "mmap(0,1,RW); mmap(2,1,R)"
    assert drawn("rmap40", f"{setup}; mmap(1,1,N)", max_map_count=2) == "o|-|- ."
    assert drawn("rmap40", f"{setup}; mmap(1,1,N); mmap(3,1,RW)", max_map_count=2) == "o|-|- . ENOMEM"
