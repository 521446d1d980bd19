# SPDX-License-Identifier: GPL-2.0-only
"""Shared memory, MAP_LOCKED, growing down, and writes through /proc/self/mem, drawn, on the models and the real one."""

import platform

import pytest

from tests.model.test_linux import ALL, KERNEL
from tests.real_kernels.test_conform import mutant
from tests.support.helpers import all_drawn, drawn, rest, steps, verdict, vmacheck, vmacheck_json
from vmacheck.checker.commands.reproduce import SEEN
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.scope import Scope, in_order
from vmacheck.checker.program.interpreted import Machine
from vmacheck.counterexamples.real_kernels.replay import LIVE, compare_with_real
from vmacheck.model.calls.operations import EVERY_OPERATION
from vmacheck.model.calls.traces import parse_trace

# (name, trace, picture), the same on every kernel; the names that begin so are those of docs/rules-6.md
SAME = [
    ("shared memory", "mmap(0,1,RW,SHARED)", "#"),
    ("two objects are not merged", "mmap(0,1,RW,SHARED); mmap(1,1,RW,SHARED)", "#|#"),
    ("an object that is cut is one again", "mmap(0,2,RW,SHARED); mprotect(0,1,R); mprotect(0,1,RW)", "# #"),
    ("a write to it is no fault of anonymous memory", "mmap(0,2,RW,SHARED); write(0); mprotect(0,1,R); mprotect(0,1,RW)", "# #"),
    ("A13 it is not accounted", "mmap(0,2,R,SHARED); mprotect(0,1,RW); mprotect(0,1,R)", "= ="),
    ("it keeps its size: accesses", "mmap(0,1,RW,SHARED); mremap(0,1,2); write(1)", "# # EFAULT"),
    ("it keeps its size: reads", "mmap(0,1,RW,SHARED); mremap(0,1,2); read(1)", "# # EFAULT"),
    ("inside of it", "mmap(0,1,RW,SHARED); mremap(0,1,2); write(0)", "# #"),
    ("it keeps its size: mlock", "mmap(0,1,RW,SHARED); mremap(0,1,2); mlock(0,2)", "# # ENOMEM"),
    ("it keeps its size: /proc/self/mem", "mmap(0,1,RW,SHARED); mremap(0,1,2); memw(1)", "# # EIO"),
    ("it grows and is merged with what follows", "mmap(0,3,RW,SHARED); munmap(1,1); mremap(0,1,2)", "# # #"),
    ("it is moved and keeps its offset", "mmap(0,2,RW,SHARED); mremap(1,1->3); mremap(3,1->1)", "# # . ."),
    ("mapped again", "mmap(0,2,RW,SHARED); mremap(1,0->3,1)", "# # .|#"),
    ("mapped again beside it", "mmap(0,2,RW,SHARED); munmap(1,1); mremap(0,0->1,1)", "#|#"),
    ("mapped again, and moved to where it fits", "mmap(0,2,RW,SHARED); mremap(1,0->2,1); mremap(0,0->4,2); munmap(5,1); mremap(2,1->5)", "# # . .|# #"),
    ("mapped again over itself", "mmap(0,2,RW,SHARED); mremap(0,0->0,2)", ". . EFAULT"),
    ("mapped again, larger than it is", "mmap(0,1,RW,SHARED); mremap(0,0->2,2); write(3)", "# .|# # EFAULT"),
    ("mapped again, but private", "mmap(0,1,RW); mremap(0,0->2,1)", "o . . EINVAL"),
    ("mapped again, in place", "mmap(0,1,RW,SHARED); mremap(0,0,1)", "# ENOMEM"),
    ("mapped again, of locked memory", "mmap(0,1,RW,SHARED,LOCKED); mremap(0,0->1,1)", "#|#"),
    ("DONTUNMAP of shared memory", "mmap(0,1,RW,SHARED); mremap(0,1->2,DONTUNMAP); write(0)", "# .|#"),
    ("WIPEONFORK of shared memory", "mmap(0,1,RW,SHARED); madvise(0,1,WIPEONFORK)", "# EINVAL"),
    ("MERGEABLE does nothing to it", "mmap(0,2,RW,SHARED); madvise(0,1,MERGEABLE)", "# #"),
    ("DONTFORK does", "mmap(0,2,RW,SHARED); madvise(0,1,DONTFORK)", "#|#"),
    ("sealed, it may be dropped", "mmap(0,1,R,SHARED); mseal(0,1); madvise(0,1,DONTNEED)", "="),
    ("it cannot grow down", "mmap(0,1,RW,SHARED,GROWSDOWN)", ". EINVAL"),
    ("nor can a file", "mmap(0,1,RW,file=F,off=0,GROWSDOWN)", ". EINVAL"),
    ("refused before anything is cut", "mmap(0,3,RW); mmap(1,1,RW,SHARED,GROWSDOWN)", "o o o EINVAL"),
    ("POPULATE reads", "mmap(0,1,RW,SHARED,POPULATE)", "#"),
    ("a shared file", "mmap(0,1,RW,SHARED,file=F,off=0); mmap(1,1,RW,SHARED,file=F,off=1); write(0)", "# #"),
    ("a shared file and a private one", "mmap(0,1,RW,SHARED,file=F,off=0); mmap(1,1,RW,file=F,off=1); write(1)", "#|A"),
    ("a shared file has no end", "mmap(0,1,RW,SHARED,file=F,off=0); mremap(0,1,2); write(1)", "# #"),
    ("mlock of a shared mapping that nobody may use", "mmap(0,1,N,SHARED); mlock(0,1)", "= ENOMEM"),
    ("locked, and made writable, but shared", "mmap(0,1,R,SHARED); mlock(0,1); mprotect(0,1,RW)", "#"),
    ("MAP_LOCKED", "mmap(0,1,RW,LOCKED)", "A"),
    ("MAP_LOCKED of what may not be written", "mmap(0,1,R,LOCKED)", "-"),
    ("MAP_LOCKED of what may not be used", "mmap(0,1,N,LOCKED)", "-"),
    ("MAP_LOCKED of a file", "mmap(0,1,RW,LOCKED,file=F,off=0)", "A"),
    ("locked or not", "mmap(0,1,R,LOCKED); mmap(1,1,R); munlock(0,1)", "- -"),
    ("locked both ways", "mmap(0,1,R,LOCKED); mmap(1,1,R); mlock(1,1)", "- -"),
    ("A10 written by force", "mmap(0,1,R); memw(0); mprotect(0,1,RW); mprotect(0,1,R); mmap(1,1,R)", "a|-"),
    ("A14 accounting keeps from sharing", "mmap(0,1,R); mmap(1,1,RW); write(1); memw(0); mprotect(0,1,RW)", "B|A"),
    ("written by force, and shared", "mmap(0,2,RWX,NORESERVE); mprotect(0,1,R); write(1); memw(0); mprotect(0,1,RWX)", "A A"),
    ("by force, to what may not be used", "mmap(0,1,N); memw(0)", "a"),
    ("by force, to a file", "mmap(0,1,R,file=F,off=0); memw(0)", "a"),
    ("by force, to shared memory", "mmap(0,1,R,SHARED); memw(0)", "= EIO"),
    ("by force, to shared memory that may be written", "mmap(0,1,RW,SHARED); memw(0)", "#"),
    ("by force, to nothing", "mmap(1,1,RW); memw(0)", ".|o EIO"),
    ("by force, to what is sealed", "mmap(0,1,R); mseal(0,1); memw(0)", "a"),
    ("by force, below what grows down", "mmap(3,1,R,GROWSDOWN); memw(1)", ".|a a a"),
    ("X28 what grows down is not as others", "mmap(0,1,RW,GROWSDOWN); mmap(1,1,RW)", "o|o"),
    ("X30 but as its like", "mmap(0,1,RW,GROWSDOWN); mmap(1,1,RW,GROWSDOWN)", "o o"),
    ("X29 it grows, and has an anon_vma", "mmap(3,1,RW,GROWSDOWN); write(1)", ".|A A A"),
    ("by a read, too", "mmap(3,1,RW,GROWSDOWN); read(1)", ".|A A A"),
    ("even where the access is refused", "mmap(3,1,R,GROWSDOWN); write(2)", ". .|a a EFAULT"),
    ("even where no access is allowed", "mmap(3,1,N,GROWSDOWN); read(2)", ". .|a a EFAULT"),
    ("only down", "mmap(1,1,RW,GROWSDOWN); write(2)", ".|o . EFAULT"),
    ("not at what is too near", "mmap(0,1,R); mmap(5,1,RW,GROWSDOWN); write(4)", "- . . . .|o EFAULT"),
    ("what nobody may use is not too near", "mmap(0,1,N); mmap(3,1,RW,GROWSDOWN); write(1)", "-|A A A"),
    ("nor is what grows down", "mmap(0,1,RW,GROWSDOWN); mmap(3,1,RW,GROWSDOWN); write(1)", "o|A A A"),
    ("it is not merged when it comes near", "mmap(0,1,RW,GROWSDOWN); mmap(2,1,RW,GROWSDOWN); write(1)", "o|A A"),
    ("nor when anon_vmas were taken from neighbours", "mmap(0,1,RW,GROWSDOWN); mmap(2,1,RW,GROWSDOWN); write(1); write(0)", "A|A A"),
    ("it takes a neighbour's anon_vma", "mmap(1,1,RW,GROWSDOWN); mmap(2,1,RWX,GROWSDOWN); write(2); read(0)", "A A|A"),
    ("refused, it has no anon_vma", "mmap(0,1,R); mmap(2,1,RW,GROWSDOWN); read(1)", "- .|o EFAULT"),
    ("mprotect does not grow", "mmap(1,1,RW,GROWSDOWN); mprotect(0,2,R)", ".|o ENOMEM"),
    ("mlock does not grow", "mmap(1,1,RW,GROWSDOWN); mlock(0,2)", ".|o ENOMEM"),
    ("mremap grows up to it", "mmap(0,1,RW); mmap(3,1,RW,GROWSDOWN); mremap(0,1,3)", "o o o|o"),
    ("mremap moves it", "mmap(0,1,RW,GROWSDOWN); mremap(0,1->3); read(2)", ". .|A A"),
]  # fmt: skip

# what cannot be asked for of a real kernel: its heap, and where it moves to, are its own choice
MODEL_ONLY = [
    ("mapped again, where the kernel likes", "mmap(0,1,RW,SHARED); mremap(0,0,1,MAYMOVE)", "#|#"),
    ("not below what grows down", "mmap(0,1,RW); mmap(3,1,RW,GROWSDOWN); mremap(0,1,4,MAYMOVE)", ". . .|o|o o o o ."),
    ("brk keeps away from it", "mmap(3,1,RW,GROWSDOWN); brk(1)", ". . .|o"),
    ("unless something is between", "mmap(3,1,RW,GROWSDOWN); mmap(2,1,N); brk(1)", "o .|-|o"),
    ("what grows down ends with the offsets", "mmap(0,1,RW,GROWSDOWN); write(0); mremap(0,1->3); write(2)", ". . .|A EFAULT"),
    ("and has its anon_vma by then", "mmap(1,1,RW,GROWSDOWN); write(1); mremap(1,1->4); write(2); write(3)", ". . .|A A"),
]  # fmt: skip


@pytest.mark.parametrize("kernel", ALL.split())
def test_on_every_kernel(kernel):
    all_drawn(kernel, SAME)


@pytest.mark.parametrize("kernel", ALL.split())
def test_on_the_model(kernel):
    all_drawn(kernel, MODEL_ONLY)


def test_every_case_is_so_on_the_running_kernel():
    """The running kernel must be one that the model stands for, or the test is vacuous."""
    if not platform.release().startswith("6.18."):
        pytest.skip(f"the running kernel is {platform.release()}, not 6.18")
    traces = [parse_trace(case[1]) for case in SAME]
    compared = compare_with_real(KERNEL, LIVE, [(calls, max(8, *(call.room for call in calls))) for calls in traces])
    wrong = ["; ".join(map(str, one.calls)) for one in compared if one.first is not None]
    assert wrong == []


def test_guards_give_shared_memory_an_anon_vma_but_not_on_the_running_kernel():
    trace = "mmap(0,1,RW,SHARED); madvise(0,1,GUARD_INSTALL)"
    assert [drawn(kernel, trace, 1) for kernel in ALL.split()] == ["# EINVAL", "A", "A", "#"]


FLAGS = [
    ("mmap(0,1,RW,SHARED)", ["SHARED"]),
    ("mmap(0,1,RW,SHARED,NORESERVE)", ["NORESERVE SHARED"]),
    ("mmap(0,1,R,SHARED); mprotect(0,1,RW)", ["SHARED"]),
    ("mmap(0,1,RW,SHARED,file=F,off=0)", ["SHARED"]),
    ("mmap(0,1,RW,SHARED); madvise(0,1,MERGEABLE)", ["SHARED"]),
    ("mmap(0,1,RW,SHARED,LOCKED)", ["LOCKED SHARED"]),
    ("mmap(0,1,RW,LOCKED)", ["ACCOUNT LOCKED"]),
    ("mmap(0,1,RW,GROWSDOWN)", ["ACCOUNT GROWSDOWN"]),
    ("mmap(1,1,RW,GROWSDOWN,NORESERVE); write(0)", ["GROWSDOWN NORESERVE"]),
    ("mmap(0,1,R); memw(0); mprotect(0,1,RW); mprotect(0,1,R)", ["ACCOUNT"]),  # A10
]


@pytest.mark.parametrize(("trace", "flags"), FLAGS, ids=[trace for trace, _ in FLAGS])
def test_flags(trace, flags):
    assert [" ".join(sorted(vma.flags)) for vma in steps(KERNEL, trace, 2)[-1].vmas] == flags


def test_which_pages_are_written():
    pages = {
        "mmap(0,2,RW,SHARED); write(0)": [],
        "mmap(0,2,RW,SHARED,POPULATE,LOCKED)": [],
        "mmap(0,2,RW,LOCKED)": [0, 1],
        "mmap(0,2,R,LOCKED)": [],
        "mmap(0,2,R); memw(1)": [1],
        "mmap(2,1,RW,GROWSDOWN,LOCKED); read(0)": [2],
        "mmap(2,1,RW,GROWSDOWN); write(0)": [0],
    }
    for trace, expected in pages.items():
        assert [page.page for page in steps(KERNEL, trace, 3)[-1].pages] == expected


def test_offsets():
    step = steps(KERNEL, "mmap(2,2,RW,SHARED); mprotect(3,1,R); mmap(1,1,RW,GROWSDOWN); write(0)", 4)[-1]
    assert [(vma.start, vma.pgoff) for vma in step.vmas] == [(0, 0), (2, 0), (3, 1)]


def test_an_object_has_a_name_while_it_is_mapped():
    trace = "mmap(0,1,RW,SHARED); mmap(1,1,RW,SHARED); mremap(0,0->2,1); mmap(0,1,RW)"
    assert [vma.file for vma in steps(KERNEL, trace, 3)[-1].vmas] == [None, "shm2", "shm1"]


def key_after(trace):
    calls = parse_trace(trace)
    machine = Machine(one_process.build(KERNEL, Scope(pages=4, operations=("mmap", "mremap", "shared")), calls=calls))
    state, after = machine.new(), machine.new()
    for call in calls:
        machine.step(state, call, after)
        state, after = after, state
    return machine.key(state)


def test_states_that_differ_in_the_names_of_objects_are_one():
    one, two = "mmap(0,1,RW,SHARED)", "mmap(1,2,RW,SHARED)"
    assert key_after(f"{one}; {two}") == key_after(f"{two}; {one}")
    assert key_after(f"{one}; {two}") == key_after(f"{one}; {one}; {two}")
    # the size is one of the state, though nothing is mapped there any more
    assert key_after("mmap(0,1,RW,SHARED)") != key_after("mmap(0,2,RW,SHARED); munmap(1,1)")
    assert key_after(f"{one}; mremap(0,0->3,1)") != key_after(f"{one}; mmap(3,1,RW,SHARED)")


def test_drawn_by_the_commands(tmp_path):
    trace = "mmap(0,1,RW,SHARED); mmap(1,1,R,SHARED)"
    code, out, _ = vmacheck("run", KERNEL, trace, "--svg", str(tmp_path / "film.svg"))
    assert (code, out.splitlines()[1:3]) == (
        0,
        ["  2  mmap(1,1,R,SHARED)    #|=", "     = shared memory that is not writable, # that is"],
    )
    assert ">RW shm1<" in (tmp_path / "film.svg").read_text()
    assert "shared memory that is" not in vmacheck("run", KERNEL, "mmap(0,1,RW)")[1]
    words = ("--pages", "1", "--ops", "mmap,shared", "--prot", "RW", "--format", "svg")
    assert ">#</text>" in vmacheck("graph", KERNEL, *words)[1]
    code, data = vmacheck_json("run", KERNEL, trace)
    assert [(vma["flags"], vma["file"], vma["pgoff"]) for vma in data["steps"][-1]["vmas"]] == [
        (["SHARED"], "shm1", 0),
        (["SHARED"], "shm2", 0),
    ]


# ---- C programs ----------------------------------------------------------------------------------

PROGRAMS = [
    "mmap(0,2,RW,SHARED); mmap(2,2,RW,SHARED); mremap(2,2,4); write(4); write(3); mremap(2,0->6,1); mprotect(0,1,R)",
    "mmap(5,1,RW,GROWSDOWN); write(3); mmap(0,1,R); read(2); mprotect(0,1,N); read(2)",
    "mmap(0,1,R); memw(0); memw(1); mmap(1,1,R,SHARED); memw(1); mprotect(0,1,N); memw(0)",
    "mmap(0,1,RW,LOCKED); mmap(1,1,R,LOCKED); munlock(0,2)",
    "mmap(0,2,RW,SHARED,file=F,off=1); mmap(2,1,RW,file=F,off=3); write(0); write(2); memw(1)",
    "mmap(0,1,RW,SHARED,file=F,off=1); mmap(1,1,R,SHARED,LOCKED,NORESERVE)",
    "mmap(0,1,R,NORESERVE); mmap(1,1,RW,NORESERVE); write(1); memw(0); mprotect(0,1,RW); mremap(0,1->3)",
]


@pytest.mark.parametrize("style", ["program", "kselftest"])
@pytest.mark.parametrize("trace", PROGRAMS)
def test_as_a_c_program(trace, style, tmp_path):
    if not platform.release().startswith("6.18."):
        pytest.skip(f"the running kernel is {platform.release()}, not 6.18")
    words = ("--style", style, "-o", str(tmp_path / "program.c"))
    code, out, _ = vmacheck("reproduce", trace, "--expect", KERNEL, *words)
    assert (code, out.splitlines()[-1]) == (0, f"reproduced on Linux {platform.release()}{SEEN}")


def test_a_c_program_that_expects_something_else_is_not_reproduced(tmp_path):
    """6.12 does not merge written memory into unwritten memory, and the program sees that."""
    if not platform.release().startswith("6.18."):
        pytest.skip(f"the running kernel is {platform.release()}, not 6.18")
    trace = "mmap(0,1,R,NORESERVE); mmap(1,1,R,NORESERVE,LOCKED); memw(1); munlock(1,1)"
    code, out, _ = vmacheck("reproduce", trace, "--expect", "linux-6.12", "-o", str(tmp_path / "program.c"))
    assert (code, out.splitlines()[-1]) == (1, f"not reproduced on Linux {platform.release()}")


# ---- the flat reference --------------------------------------------------------------------------

REFERENCE = [
    (2, "read,shared"),
    (2, "memw,file,sharedfile"),
    (3, "growsdown,read,memw"),
    (2, "growsdown,brk,shared,locked"),
    (2, "madvise,shared,locked,mergeable"),
]


@pytest.mark.parametrize(("pages", "more"), rest(pytest.mark.large, REFERENCE, 2), ids=[more for _, more in REFERENCE])
def test_the_flat_reference_holds(pages, more):
    words = in_order(("mmap", "munmap", "mprotect", "write", *more.split(",")), EVERY_OPERATION)
    for noreserve in (False, True) if pages == 2 else (False,):
        result = verdict(
            KERNEL,
            "pages_match_flat_reference",
            pages=pages,
            protections=("N", "R", "RW"),
            operations=words,
            noreserve=noreserve,
        )
        assert (result.verdict, result.closed) == ("holds", True)


# (name, the calls that it takes, the file, what it has, what it shall have instead)
WRONG = [
    ("an object for all", ("shared",), "shmem", "if not is_mapped_from(mm, file):", "if file > 0:"),
    ("an object is a page too small", ("shared",), "shmem", "mm.vma[vma].i_size = size\n", "mm.vma[vma].i_size = size - 1\n"),
    ("an object ends a page early", ("shared",), "shmem", ">= mm.vma[vma].i_size", "+ 1 >= mm.vma[vma].i_size"),
    ("offsets of an object are addresses", ("shared",), "mmap", "pgoff = 0 if (vm_flags & VM_SHARED) != 0 else addr", "pgoff = addr"),
    ("shared memory is accounted", ("shared",), "mmap", "(VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE", "(VM_NORESERVE | VM_WRITE)) == VM_WRITE"),
    ("a shared page is copied", ("shared",), "fault", "if mm.vma[vma].vm_flags & VM_SHARED:", "if mm.vma[vma].vm_flags & 0:"),
    ("MAP_LOCKED is not faulted in", ("locked",), "mmap", "(MAP_POPULATE | MAP_LOCKED)", "MAP_POPULATE"),
    ("MAP_LOCKED does not lock", ("locked",), "mmap", "vm_flags = vm_flags | VM_LOCKED", "vm_flags = vm_flags | 0"),
    ("memw minds protections", ("memw",), "fault", "(VM_SHARED | VM_WRITE)) == VM_SHARED", "VM_WRITE) == 0"),
    ("memw writes shared memory", ("memw", "shared"), "fault", "(VM_SHARED | VM_WRITE)) == VM_SHARED", "0) == 1"),
    ("nothing grows down", ("growsdown",), "fault", "(mm.vma[vma].vm_flags & VM_GROWSDOWN) == 0 or", "vma > 0 or"),
    ("everything grows down", (), "fault", "(mm.vma[vma].vm_flags & VM_GROWSDOWN) == 0 or", ""),
    ("a read does not grow", ("read", "growsdown"), "fault", "    elif not vma_is_accessible(mm, vma):\n", "    elif not vma_is_accessible(mm, vma) or mm.vma[vma].vm_start == address:\n"),
    ("no gap", ("growsdown",), "fault", "STACK_GUARD_GAP:\n", "0:\n"),
    ("a gap to what nobody may use", ("growsdown",), "fault", " and vma_is_accessible(mm, prev):", ":"),
    ("a gap to what grows down", ("growsdown",), "fault", "(mm.vma[prev].vm_flags & VM_GROWSDOWN) == 0 and ", ""),
    ("offsets do not grow", ("growsdown",), "fault", "mm.vma[vma].vm_pgoff - grow", "mm.vma[vma].vm_pgoff"),
    ("it grows by a page at a time", ("growsdown",), "fault", "grow = mm.vma[vma].vm_start - address\n", "address = mm.vma[vma].vm_start - 1\n    grow = 1\n"),
    ("brk comes near", ("growsdown", "brk"), "mmap", "return mm.vma[vma].vm_start - STACK_GUARD_GAP", "return mm.vma[vma].vm_start"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "file", "old", "new"),
    rest(pytest.mark.large, [case[1:] for case in WRONG], 8),
    ids=[case[0] for case in WRONG],
)
def test_a_wrong_rule_breaks_the_flat_reference(tmp_path, more, file, old, new, monkeypatch):
    monkeypatch.setattr(one_process, "check_names_are_only_compared", lambda *_: None)  # these rules know the names
    kernel = mutant(tmp_path, file, old, new)
    words = in_order({"mmap", "munmap", "mprotect", "write", *more}, EVERY_OPERATION)
    name = "pages_match_flat_reference"
    found = verdict(kernel, name, pages=3, protections=("N", "R", "RW"), operations=words)
    assert found.verdict == "violated"
