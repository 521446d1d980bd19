# SPDX-License-Identifier: GPL-2.0-only
"""Current kernels, drawn: the cases of docs/rules-6.md, on the model and, where available, on the real kernel."""

import platform

import pytest

from tests.support.helpers import all_drawn, drawn, mirrored, shortest, steps, vmacheck
from vmacheck.checker.commands.reproduce import SEEN
from vmacheck.counterexamples.real_kernels.replay import LIVE, compare_with_real
from vmacheck.model.calls.traces import parse_trace

KERNEL = "linux-6.18+sticky"
ALL = "linux-6.12 linux-6.16 linux-6.18 linux-6.18+sticky"
TWO = "mmap(0,1,RW); write(0); mmap(2,1,RW); write(2)"
THREE = "mmap(0,3,RW); mprotect(1,1,RWX)"

# (name, trace, picture), the same on every kernel; the names that begin so are those of docs/rules-6.md section 9
SAME = [
    ("P01 adjacent", "mmap(0,2,RW); mmap(2,2,RW)", "o o o o"),
    ("P02 another protection", "mmap(0,2,RW); mmap(2,2,R)", "o o|- -"),
    ("P03 a gap is filled", "mmap(0,1,RW); mmap(2,1,RW); mmap(1,1,RW)", "o o o"),
    ("P04 a gap between two anon_vmas: left", f"{TWO}; mmap(1,1,RW)", "A A|B"),
    ("a new range into one that was faulted, left", "mmap(0,1,RW); write(0); mmap(1,1,RW)", "A A"),
    ("a new range into one that was faulted, right", "mmap(1,1,RW); write(1); mmap(0,1,RW)", "A A"),
    ("a new range between one that was faulted and one not", "mmap(0,1,RW); mmap(2,1,RW); write(2); mmap(1,1,RW)", "A A A"),
    ("P05 flags differed at the fault", "mmap(0,2,RW); madvise(0,1,DONTFORK); write(0); write(1); madvise(0,1,DOFORK)", "A|B"),
    ("P06 shared, then merged", "mmap(0,2,RW); mprotect(0,1,RWX); write(0); write(1); mprotect(0,1,RW)", "A A"),
    ("P07 the next first", f"{TWO}; mmap(1,1,RWX); write(1); mprotect(1,1,RW)", "A|B B"),
    ("P08 the previous if the next will not do", "mmap(0,1,RW); write(0); mmap(2,1,RW,STACK); write(2); mmap(1,1,RWX); write(1); mprotect(1,1,RW)", "A A|B"),
    ("P09 the middle first", f"{THREE}; write(1); write(0); write(2); mprotect(1,1,RW)", "A A A"),
    ("P10 the middle last", f"{THREE}; write(0); write(2); write(1); mprotect(1,1,RW)", "A|B B"),
    ("P12 mremap grows across two", "mmap(0,1,RW); mmap(1,1,R); mremap(0,2->4,4)", "o|- . . . . . . EFAULT"),
    ("P13 mremap of the same size across two", "mmap(0,1,RW); mmap(1,1,R); mremap(0,2,2)", "o|-"),
    ("P14 mremap shrinks across two", "mmap(0,1,RW); mmap(1,2,R); mremap(0,3,2)", "o|- ."),
    ("P18 moved and shrunk across two", "mmap(0,1,RW); mmap(1,2,R); mremap(0,3->4,1)", ". . . .|o"),
    ("P20 into itself", "mmap(0,4,RW); mremap(0,2->1)", "o o o o EINVAL"),
    ("P21 not faulted: as if mapped there", "mmap(0,1,RW); mmap(5,1,RW); mremap(5,1->1)", "o o . . . ."),
    ("P22 faulted: keeps its offset", "mmap(0,1,RW); mmap(5,1,RW); write(5); mremap(5,1->1)", "o|A . . . ."),
    ("P23 moved back", "mmap(0,2,RW); write(0); mremap(1,1->5); mremap(5,1->1)", "A A . . . ."),
    ("P25 merged with its source", "mmap(0,2,RW); mremap(0,1->2)", ".|o o"),
    ("P26 grown up to the next", "mmap(0,1,RW); mmap(2,1,RW); mremap(0,1,2)", "o o o"),
    ("P27 grown up to another anon_vma", f"{TWO}; mremap(0,1,2)", "A A|B"),
    ("P28 no room to grow", "mmap(0,1,RW); mmap(1,1,R); mremap(0,1,2)", "o|- ENOMEM"),
    ("P29 not the end of a vma", "mmap(0,3,RW); mremap(0,1,2)", "o o o ENOMEM"),
    ("P30 the source stays, without its anon_vma", "mmap(0,1,RW); write(0); mremap(0,1->2,DONTUNMAP)", "o .|A"),
    ("a part of the source stays, with its anon_vma", "mmap(0,2,RW); write(0); mremap(0,1->3,DONTUNMAP)", "A A .|A"),
    ("P31 the source is as if never faulted", "mmap(0,1,RW); write(0); mremap(0,1->2,DONTUNMAP); mprotect(0,1,R); mmap(1,1,R)", "- -|A"),
    ("A03 accounting is taken back", "mmap(0,1,RW); mmap(1,1,R); mprotect(0,1,R)", "- -"),
    ("A04 but not of what was faulted", "mmap(0,1,RW); mmap(1,1,R); write(0); mprotect(0,1,R)", "a|-"),
    ("A06 NORESERVE has none", "mmap(0,1,RW,NORESERVE); mmap(1,1,R,NORESERVE); mprotect(1,1,RW)", "o o"),
    ("A07 NORESERVE or not", "mmap(0,1,RW,NORESERVE); mmap(1,1,RW)", "o|o"),
    ("A08 never accounted", "mmap(0,1,N); mmap(1,1,R); mprotect(0,1,R)", "- -"),
    ("A09 a read is no fault", "mmap(0,1,RW); read(0); mprotect(0,1,R); mmap(1,1,R)", "- -"),
    ("A11 what was dropped was faulted", "mmap(0,1,RW); write(0); madvise(0,1,DONTNEED); mprotect(0,1,R); mmap(1,1,R)", "a|-"),
    ("X05 over the middle of what is alike", "mmap(0,3,RW); mmap(1,1,RW)", "o o o"),
    ("X15 locked, and so faulted", "mmap(0,1,RW); mlock(0,1)", "A"),
    ("X18 locked, but not to be faulted", "mmap(0,1,N); mlock(0,1)", "- ENOMEM"),
    ("locked when it comes", "mmap(0,1,RW); mlock2(0,1,ONFAULT)", "o"),
    ("locked both ways", "mmap(0,2,R); mlock2(0,1,ONFAULT); mlock(1,1)", "-|-"),
    ("X04 locked up to a hole, and not faulted", "mmap(0,1,RW); mlock(0,2)", "o . ENOMEM"),
    ("unlocked, and merged", "mmap(0,2,R); mlock(0,1); munlock(0,2)", "- -"),
    ("E12 locked, and made writable", "mmap(0,1,R); mlock(0,1); mprotect(0,1,RW)", "A"),
    ("POPULATE", "mmap(0,1,RW,POPULATE)", "A"),
    ("X03 madvise over a hole", "mmap(0,1,RW); mmap(2,1,RW); madvise(0,3,DONTFORK); mmap(1,1,RW)", "o|o|o"),
    ("madvise ends with a hole", "mmap(0,1,RW); madvise(0,2,DONTFORK)", "o . ENOMEM"),
    ("X10 no way back from HUGEPAGE", "mmap(0,2,RW); madvise(0,1,HUGEPAGE); madvise(0,1,NOHUGEPAGE)", "o|o"),
    ("madvise merges", "mmap(0,2,RW); madvise(0,1,DONTDUMP); madvise(0,1,DODUMP)", "o o"),
    ("WIPEONFORK of a file", "mmap(0,1,RW,file=F,off=0); madvise(0,1,WIPEONFORK)", "o EINVAL"),
    ("mprotect stops at a hole", "mmap(0,1,RW); mmap(2,1,RW); mprotect(0,3,R)", "- .|o ENOMEM"),
    ("mprotect of nothing", "mmap(0,1,RW); mprotect(0,0,R)", "o"),
    ("mmap of nothing", "mmap(0,0,RW)", ". EINVAL"),
    ("munmap of nothing", "munmap(0,0)", ". EINVAL"),
    ("sealed", "mmap(0,2,RW); mseal(0,1); munmap(0,1)", "o|o EPERM"),
    ("sealed: only what is all mapped", "mmap(0,1,RW); mseal(0,2)", "o . ENOMEM"),
    ("sealed side by side", "mmap(0,3,RW); mseal(1,1); mseal(0,3)", "o o o"),
    ("X24 refused after the first cut", "mmap(0,3,RW); mseal(2,1); munmap(1,2)", "o|o|o EPERM"),
    ("X25 one again", "mmap(0,3,RW); mseal(2,1); munmap(1,2); mprotect(0,2,R)", "- -|o"),
    ("X27 not without a change", "mmap(0,3,RW); mseal(2,1); munmap(1,2); mprotect(0,2,RW)", "o|o|o"),
    ("sealed: mprotect", "mmap(0,1,RW); mseal(0,1); mprotect(0,1,RW)", "o EPERM"),
    ("sealed: what loses what is read-only", "mmap(0,1,R); mseal(0,1); madvise(0,1,DONTFORK)", "- EPERM"),
    ("sealed: what loses what is writable", "mmap(0,1,RW); mseal(0,1); madvise(0,1,DONTFORK)", "o"),
    ("sealed: other advice", "mmap(0,1,R); mseal(0,1); madvise(0,1,DONTDUMP)", "-"),
    ("X31 a policy keeps apart", "mmap(0,2,RW); mbind(0,1,BIND)", "o|o"),
    ("X32 the default one does not", "mmap(0,2,RW); mbind(0,1,BIND); mbind(0,1,DEFAULT)", "o o"),
    ("mbind over a hole", "mmap(0,1,RW); mbind(0,2,BIND)", "o . EFAULT"),
    ("mbind over a hole, by default", "mmap(0,1,RW); mbind(0,2,DEFAULT)", "o ."),
    ("mbind of a hole, by default", "mbind(0,2,DEFAULT)", ". . EFAULT"),
    ("what may be written may be read", "mmap(0,1,W); read(0)", "o"),
    ("what may not be touched", "mmap(0,1,N); read(0)", "- EFAULT"),
    ("a locked vma grows, and is faulted", "mmap(0,1,RW); mlock(0,1); mremap(0,1,2)", "A A"),
]  # fmt: skip

# (name, trace, {kernels: picture})
DIFFERENT = [
    ("P11 the middle never faulted", f"{THREE}; write(0); write(2); mprotect(1,1,RW)", {ALL: "A A|B"}),
    ("P15 two vmas are moved", "mmap(0,1,RW); mmap(1,1,R); mremap(0,2->4)", {
        "linux-6.12 linux-6.16": "o|- . . . . EFAULT", "linux-6.18 linux-6.18+sticky": ". . . .|o|-"}),
    ("P16 with a hole, which stays one", "mmap(0,1,RW); mmap(2,1,R); mmap(5,1,RX); mremap(0,3->4)", {
        "linux-6.12 linux-6.16": "o .|- . . . . EFAULT", "linux-6.18 linux-6.18+sticky": ". . . .|o|-|-"}),
    ("P17 that begins with a hole", "mmap(1,1,R); mremap(0,2->4)", {ALL: ".|- . . . . EFAULT"}),
    ("P19 looked at before it is unmapped", "mmap(0,1,RW); mmap(1,1,R); mmap(3,3,RX); mremap(0,2->3,3)", {
        "linux-6.12 linux-6.16": "o|- . . . . EFAULT", "linux-6.18": "o|- .|- - - EFAULT"}),
    ("mprotect of what was faulted, next to what was not", "mmap(0,1,R,NORESERVE); mmap(1,1,RW,NORESERVE); write(1); mprotect(1,1,R)", {
        "linux-6.12": "-|a", "linux-6.16 linux-6.18 linux-6.18+sticky": "a a"}),
    ("the other way round", "mmap(0,1,R,NORESERVE); mmap(1,1,RW,NORESERVE); write(1); mprotect(0,1,RW)", {ALL: "A A"}),
    ("with both neighbours", "mmap(0,3,R,NORESERVE); mprotect(1,1,RW); write(1); mprotect(1,1,R)", {
        "linux-6.12": "-|a|-", "linux-6.16 linux-6.18": "a a a"}),
    ("with the next", "mmap(1,1,R,NORESERVE); mmap(0,1,RW,NORESERVE); write(0); mprotect(0,1,R)", {
        "linux-6.12": "a|-", "linux-6.16 linux-6.18": "a a"}),
    ("merged with a source that stays", "mmap(0,1,R); mremap(0,1->1,DONTUNMAP)", {
        "linux-6.12 linux-6.16": "-|-", "linux-6.18 linux-6.18+sticky": "- -"}),
    ("a locked source that stays", "mmap(0,2,R); mlock(0,2); mremap(0,1->3,DONTUNMAP); mmap(2,1,R)", {
        "linux-6.12 linux-6.16": "-|-|-|-", "linux-6.18 linux-6.18+sticky": "- - -|-"}),
    ("what moves is merged with what is left of it", "mmap(0,2,R); mlock(0,2); mremap(0,1->2,DONTUNMAP)", {
        "linux-6.12 linux-6.16": "-|- -", "linux-6.18 linux-6.18+sticky": "- - -"}),
    ("A12 guards want an anon_vma", "mmap(0,1,RW); madvise(0,1,GUARD_INSTALL)", {
        "linux-6.12": "o EINVAL", "linux-6.16 linux-6.18 linux-6.18+sticky": "A"}),
    ("a file's guards", "mmap(0,1,R,file=F,off=0); madvise(0,1,GUARD_INSTALL)", {
        "linux-6.16 linux-6.18": "a", "linux-6.18+sticky": "-"}),
    ("a guard is not got past", "mmap(0,1,RW); madvise(0,1,GUARD_INSTALL); write(0)", {"linux-6.18 linux-6.18+sticky": "A EFAULT"}),
    ("until it is removed", "mmap(0,1,RW); madvise(0,1,GUARD_INSTALL); madvise(0,1,GUARD_REMOVE); write(0)", {"linux-6.18": "A"}),
    ("a guard moves along", "mmap(0,1,RW); madvise(0,1,GUARD_INSTALL); mremap(0,1->1); read(1)", {"linux-6.18": ".|A EFAULT"}),
    ("a guard outlives DONTNEED", "mmap(0,1,RW); madvise(0,1,GUARD_INSTALL); madvise(0,1,DONTNEED); read(0)", {"linux-6.18": "A EFAULT"}),
    ("no guards where it is locked", "mmap(0,1,RW); mlock(0,1); madvise(0,1,GUARD_INSTALL)", {"linux-6.18": "A EINVAL"}),
]  # fmt: skip


@pytest.mark.parametrize("kernel", ALL.split())
def test_on_every_kernel(kernel):
    all_drawn(kernel, SAME)


@pytest.mark.parametrize("kernel", ALL.split())
def test_kernels_differ(kernel):
    rows = [
        (name, trace, after)
        for name, trace, pictures in DIFFERENT
        for kernels, after in pictures.items()
        if kernel in kernels.split()
    ]
    assert len(rows) > 10
    all_drawn(kernel, rows)


def test_every_case_is_so_on_the_running_kernel():
    """The running kernel must be one that the model stands for, or the test is vacuous."""
    if not platform.release().startswith("6.18."):
        pytest.skip(f"the running kernel is {platform.release()}, not 6.18")
    traces = [parse_trace(case[1]) for case in [*SAME, *DIFFERENT]]
    compared = compare_with_real(KERNEL, LIVE, [(calls, max(8, *(call.room for call in calls))) for calls in traces])
    wrong = ["; ".join(map(str, one.calls)) for one in compared if one.first is not None]
    assert wrong == []


FLAGS = [
    ("mmap(0,1,RW)", ["ACCOUNT"]),
    ("mmap(0,1,RW,NORESERVE)", ["NORESERVE"]),
    ("mmap(0,1,R,STACK)", ["NOHUGEPAGE"]),
    ("mmap(0,1,R); mlock2(0,1,ONFAULT)", ["LOCKED LOCKONFAULT"]),
    ("mmap(0,1,R); mlock2(0,1,ONFAULT); mlock(0,1)", ["LOCKED"]),
    ("mmap(0,1,R); mseal(0,1)", ["SEALED"]),
    ("mmap(0,1,R); madvise(0,1,MERGEABLE)", ["MERGEABLE"]),
    ("mmap(0,2,RW); write(0); mprotect(1,1,R)", ["ACCOUNT", "ACCOUNT"]),  # A05: the whole vma was faulted
    ("mmap(0,1,RW); madvise(0,1,GUARD_INSTALL); mmap(1,1,RW)", ["ACCOUNT MAYBE_GUARD"]),
    ("mmap(1,1,RW); madvise(1,1,GUARD_INSTALL); mmap(0,1,RW)", ["ACCOUNT MAYBE_GUARD"]),
    ("mmap(0,2,RW); mprotect(0,1,R); madvise(0,1,GUARD_INSTALL); mprotect(0,1,RW)", ["ACCOUNT MAYBE_GUARD"]),
    ("mmap(0,2,RW); mprotect(0,1,R); madvise(1,1,GUARD_INSTALL); mprotect(0,1,RW)", ["ACCOUNT MAYBE_GUARD"]),
]


@pytest.mark.parametrize(("trace", "flags"), FLAGS, ids=[trace for trace, _ in FLAGS])
def test_flags(trace, flags):
    assert [" ".join(sorted(vma.flags)) for vma in steps(KERNEL, trace, 2)[-1].vmas] == flags


def test_the_use_after_free_of_6_16():
    """P24: faulted memory is moved next to unfaulted memory, above and below; the search gives the calls."""
    trace = shortest("linux-6.16", "rmap_finds_every_page", "mremap")
    assert len(parse_trace(trace)) == 5
    assert trace == shortest("linux-2.6.8", "rmap_finds_every_page", "mremap")
    for calls, apart, one, mended in (
        (trace, "A|o .", "o o .", "A A ."),
        (mirrored(trace, 3), ".|o|A", ".|o o", ".|A A"),
    ):
        assert drawn("linux-6.12", calls, 3) == apart
        assert drawn("linux-6.16", calls, 3) == one
        assert steps("linux-6.16", calls, 3)[-1].pages[0].freed
        for kernel in ("linux-6.18", "linux-6.18+sticky"):
            assert drawn(kernel, calls, 3) == mended
            assert not steps(kernel, calls, 3)[-1].pages[0].freed


@pytest.mark.parametrize(
    "trace",
    [
        "mmap(0,2,R); mseal(0,1)",
        "mmap(0,2,RW,NORESERVE,POPULATE); mlock2(0,1,ONFAULT)",
        "mmap(0,2,RW); madvise(0,1,GUARD_INSTALL); write(0)",
        "mmap(0,2,RW); write(0); mremap(0,1->2,DONTUNMAP)",
        "mmap(0,2,RW,STACK); madvise(0,1,DONTFORK); madvise(1,1,HUGEPAGE)",
        "mmap(0,1,R); mmap(1,1,RW); write(1); mprotect(1,1,R); mprotect(0,2,RW)",
    ],
)
def test_as_a_c_program(trace, tmp_path):
    if not platform.release().startswith("6.18."):
        pytest.skip(f"the running kernel is {platform.release()}, not 6.18")
    code, out, _ = vmacheck("reproduce", trace, "--expect", KERNEL, "-o", str(tmp_path / "program.c"))
    assert (code, out) == (0, f"reproduced on Linux {platform.release()}{SEEN}\n")


def test_a_patch_is_named_with_the_kernels_that_it_is_for():
    assert (
        vmacheck("run", "linux-6.12+sticky", "mmap(0,1,RW)")[2]
        == "vmacheck: linux-6.12+sticky: sticky is a change to linux-6.18\n"
    )
    code, out, _ = vmacheck("run", "linux-6.12+merge-faulted+mremap-many", "mmap(0,1,RW)")
    assert (code, out.splitlines()[0]) == (0, "  1  mmap(0,1,RW)   o")
