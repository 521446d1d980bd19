# SPDX-License-Identifier: GPL-2.0-only
"""Fork, exit and chains on current kernels: drawn, searched, and each claim with a rule that breaks it."""

import random
import re
from dataclasses import replace

import pytest

from tests.real_kernels.test_conform import mutant
from tests.search.test_search import compiled_keys
from tests.support.helpers import rest, vmacheck, vmacheck_json
from vmacheck.checker.compiled.module import Stepper
from vmacheck.checker.kernels import processes
from vmacheck.checker.kernels.scope import Scope, in_order
from vmacheck.checker.program.interpreted import CallRecord
from vmacheck.checker.search import explore, rounds
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import check
from vmacheck.counterexamples.pictures.films import process_film
from vmacheck.counterexamples.real_kernels.views import BPF, of_two
from vmacheck.counterexamples.replay.two_processes import replay_processes
from vmacheck.model.calls.operations import EVERY_OPERATION
from vmacheck.model.calls.traces import parse_trace
from vmacheck.model.common.unistd import NR_exit, NR_fork, NR_mmap, NR_write
from vmacheck.properties import PROCESS_PROPERTIES

KERNEL = "linux-6.18"
SMALL = {"protections": ("RW",), "operations": ("mmap", "munmap", "write")}


def system(kernel=KERNEL, pages=2, properties=(), **scope):
    return processes.build(kernel, Scope(pages=pages, processes=2, **scope), properties)


def film(trace, pages=2, kernel=KERNEL):
    """The picture of the last step."""
    calls = parse_trace(trace, processes=True)
    steps = replay_processes(processes.build(kernel, Scope(pages=pages, processes=2), calls=calls), calls)
    return re.sub(r"^.*\)\s+(?=p[01]:)", "", process_film(steps, pages)[len(steps) - 1])


# (name, trace, the last line); those that begin so are of docs/rules-6.md section 8
CASES = [
    ("a child has an anon_vma of its own", "mmap(0,1,RW); write(0); fork()", "p0: A .  p1: B ."),
    ("unless there was none", "mmap(0,1,RW); fork()", "p0: o .  p1: o ."),
    ("each of the pieces has", "mmap(0,2,RW); write(0); mprotect(0,1,R); fork()", "p0: a|A  p1: b|C"),
    ("F04 the child's pieces are not one again", "mmap(0,2,RW); write(0); mprotect(0,1,R); fork(); p1: mprotect(0,1,RW)", "p0: a|A  p1: B|C"),
    ("F05 the parent's are", "mmap(0,2,RW); write(0); mprotect(0,1,R); fork(); mprotect(0,1,RW)", "p0: A A  p1: b|C"),
    ("F06 nor are pieces cut after the fork kept apart", "mmap(0,2,RW); write(0); fork(); p1: mprotect(0,1,R); p1: mprotect(0,1,RW)", "p0: A A  p1: B B"),
    ("X06 mapped over in a child", "mmap(0,3,RW); write(0); fork(); p1: mmap(1,1,RW)", "p0: A A A  p1: B|o|B"),
    ("F07 growth of a child takes in what was not faulted", "mmap(0,1,RW); write(0); fork(); p1: mmap(2,1,RW); p1: mremap(0,1,2)", "p0: A . .  p1: B B B"),
    ("a fork of what may be read only", "mmap(0,1,R); fork(); p1: read(0)", "p0: - .  p1: - ."),
    ("DONTFORK", "mmap(0,1,RW); madvise(0,1,DONTFORK); fork()", "p0: o .  p1: . ."),
    ("WIPEONFORK", "mmap(0,1,RW); write(0); madvise(0,1,WIPEONFORK); fork()", "p0: A .  p1: o ."),
    ("shared memory is not copied", "mmap(0,1,RW,SHARED); write(0); fork(); p1: write(0)", "p0: # .  p1: # ."),
    ("nor is a shared file", "mmap(0,1,RW,SHARED,file=F,off=0); fork(); p1: mprotect(0,1,R)", "p0: # .  p1: = ."),
    ("DONTFORK of shared memory", "mmap(0,1,RW,SHARED); madvise(0,1,DONTFORK); fork()", "p0: # .  p1: . ."),
    ("an object keeps its size in a child", "mmap(0,1,RW,SHARED); fork(); p1: mremap(0,1,2); p1: write(1)", "p0: # .  p1: # #   EFAULT"),
    ("two objects, one of each", "mmap(0,1,RW,SHARED); fork(); p1: mmap(1,1,RW,SHARED); p1: mremap(0,0->1,1)", "p0: # .  p1: #|#"),
    ("what grows down is copied, and grows", "mmap(1,1,RW,GROWSDOWN); write(1); fork(); p1: read(0)", "p0: .|A  p1: B B"),
    ("what is shared is copied when it is written by force", "mmap(0,1,RW); write(0); mprotect(0,1,R); fork(); p1: memw(0)", "p0: a .  p1: b ."),
    ("F11 equal neighbours after a fork", "mmap(0,2,R); mlock2(0,1,ONFAULT); fork()", "p0: -|-  p1: -|-"),
    ("gone", "mmap(0,1,RW); write(0); fork(); p1: exit()", "p0: A ."),
    ("the parent gone", "mmap(0,1,RW); write(0); fork(); exit()", "p1: B ."),
    ("a third generation", "mmap(0,1,RW); write(0); fork(); exit(); p1: fork()", "p0: C .  p1: B ."),
    ("what nobody needs is used again", "mmap(0,1,RW); write(0); fork(); exit(); p1: fork(); p1: exit(); fork()", "p0: C .  p1: B ."),
]  # fmt: skip


@pytest.mark.parametrize(("trace", "last"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_drawn(trace, last):
    pages = 3 if "(0,3" in trace or "(2,1" in trace else 2
    assert film(trace, pages) == last


def files(trace, pages=2):
    """The files of each process's vmas at the end."""
    calls = parse_trace(trace, processes=True)
    steps = replay_processes(processes.build(KERNEL, Scope(pages=pages, processes=2), calls=calls), calls)
    return [[vma.file for vma in process.vmas] for process in steps[-1].processes]


def test_an_object_is_one_for_both_processes():
    fork = "mmap(0,1,RW,SHARED); fork()"
    assert files(fork) == [["shm1"], ["shm1"]]
    assert files(f"{fork}; munmap(0,1); mmap(0,1,RW,SHARED)") == [["shm2"], ["shm1"]]
    assert files(f"{fork}; p1: mmap(1,1,RW,SHARED); p1: exit(); mmap(1,1,RW,SHARED)") == [["shm1", "shm2"]]


def test_markers_of_files_are_copied_where_there_is_a_flag_for_them():
    trace = "mmap(0,1,R,SHARED); madvise(0,1,GUARD_INSTALL); fork(); p1: read(0)"
    assert film(trace, 1, f"{KERNEL}+sticky") == "p0: =  p1: =   EFAULT"
    # here an anon_vma is what they are copied for
    assert film(trace, 1) == "p0: a  p1: b   EFAULT"


def seen(trace, kernel=KERNEL):
    """The chains and the counts, as BPF shows them."""
    calls = parse_trace(trace, processes=True)
    machine = explore.Machine(
        processes.without_renaming(processes.build(kernel, Scope(pages=2, processes=2), calls=calls), calls)
    )
    before, after = machine.new(), machine.new()
    for call in calls:
        machine.step(before, call, after)
        before, after = after, before
    return [[word.split(":", 4)[4] for word in part.split(";")] for part in of_two(BPF)(before, 2).split("|") if part]


@pytest.mark.parametrize(
    ("trace", "chains"),
    [
        ("mmap(0,1,RW); write(0); fork()", [["*1:2,1"], ["*2.1:0,1"]]),
        ("mmap(0,1,RW); write(0); fork(); exit()", [["*1.2:0,1"]]),
        ("mmap(0,1,RW); write(0); fork(); exit(); p1: fork()", [["*1.2.3:0,1"], ["*2.3:1,1"]]),
        # used again: the own anon_vma is then in the middle of the chain
        ("mmap(0,1,RW); write(0); fork(); exit(); p1: fork(); p1: exit(); fork()", [["*1.2.3:0,1"], [".1*2.3:1,1"]]),
        # of two that could be, the older one
        (
            "mmap(0,2,RW); write(1); fork(); exit(); p1: mprotect(0,1,RWX); p1: fork(); p1: exit(); fork(); exit();"
            " p1: fork(); p1: exit(); munmap(0,1); fork()",
            [[".1*2.3.4:1,1"], [".1.2*3.4:1,1"]],
        ),
    ],
)
def test_chains(trace, chains):
    assert seen(trace) == chains


# ---- searches ------------------------------------------------------------------------------------

PINNED = {"linux-6.12": (29670, 593400, 22), "linux-6.18": (29670, 593400, 22)}


@pytest.mark.parametrize("kernel", rest(pytest.mark.slow, reversed(PINNED)))
def test_a_search_comes_to_an_end_and_everything_holds(kernel):
    names = tuple(processes.property_names())
    found = check(system(kernel, properties=names, **SMALL), names, Limits(), "compiled")
    assert {result.claim.name: result.verdict for result in found.results} == dict.fromkeys(names, "holds")
    assert found.search.closed
    assert (found.search.states, found.search.transitions, found.search.depth) == PINNED[kernel]


SHARED = {"protections": ("R", "RW"), "operations": ("mmap", "munmap", "mprotect", "write", "shared", "sharedfile")}
GROWING = {"protections": ("RW",), "operations": ("munmap", "write", "locked", "growsdown", "memw")}


@pytest.mark.parametrize("most", rest(pytest.mark.slow, [6_000, 60_000]))
@pytest.mark.parametrize(("pages", "scope"), [(1, SHARED), (2, GROWING)], ids=["shared", "growing"])
def test_everything_holds_with_the_other_kinds_of_memory(pages, scope, most):
    names = tuple(processes.property_names())
    found = check(system(pages=pages, properties=names, **scope), names, Limits(max_states=most), "compiled")
    assert FLAT in names
    assert not [result.claim.name for result in found.results if result.verdict == "violated"]
    assert found.search.closed or found.search.states == most


@pytest.mark.parametrize("scope", [SHARED, GROWING], ids=["shared", "growing"])
def test_both_runs_agree_on_other_kinds_of_memory(scope):
    one = explore.Explorer(system(f"{KERNEL}+sticky", **scope), (), Limits(depth=3))
    one.run()
    two = rounds.Explorer(system(f"{KERNEL}+sticky", **scope), (), Limits(depth=3))
    two.run()
    assert one.keys == compiled_keys(two)


def test_a_search_of_three_pages_comes_to_an_end():
    """With memory that is faulted in when mapped, every vma has a chain."""
    names = tuple(processes.property_names())
    small = system(pages=3, properties=names, protections=("RW",), operations=("populate",))
    found = check(small, names, Limits(), "compiled")
    assert {result.verdict for result in found.results} == {"holds"}
    assert (found.search.states, found.search.transitions, found.search.depth) == (21780, 348480, 29)


LARGE = {
    ("munmap", "populate"): (104242, 2918776, 30),
    ("write", "populate"): (1517726, 33389972, 32),
    ("munmap", "write", "populate"): (4689390, 159439260, 33),
}


@pytest.mark.large
@pytest.mark.parametrize("words", LARGE)
def test_larger_searches_of_three_pages(words):
    names = ("kernel_bug_is_never_hit", "chains_are_well_formed")
    small = system(pages=3, properties=names, protections=("RW",), operations=words)
    found = check(small, names, Limits(), "compiled")
    assert {result.verdict for result in found.results} == {"holds"}
    assert (found.search.states, found.search.transitions, found.search.depth) == LARGE[words]


def test_runs_agree_state_by_state():
    limits = Limits(depth=6)
    one = explore.Explorer(system(**SMALL), (), limits)
    one.run()
    two = rounds.Explorer(system(**SMALL), (), limits)
    two.run()
    assert one.search.levels == two.search.levels
    assert one.keys == compiled_keys(two)


# a rule that breaks the claim: what replaces a function of the kernel, and the calls that it takes
MUTANTS = {
    "kernel_bug_is_never_hit": ("def anon_vma_fork(mm, vma, pvma):\n    BUG(mm)\n", ()),
    "walks_find_every_mapping": (
        "def anon_vma_fork(mm, vma, pvma):\n    reused = anon_vma_alloc(mm)\n    list_add(mm, vma, reused)\n"
        "    mm.vma[vma].anon_vma = reused\n", ()),
    "chains_are_well_formed": (
        "def anon_vma_fork(mm, vma, pvma):\n    anon_vma_clone(mm, vma, pvma)\n"
        "    mm.vma[vma].anon_vma = anon_vma_alloc(mm)\n", ()),
    "vmas_with_one_anon_vma_have_one_chain": (
        "def list_is_singular(mm, vma):\n    return mm.vma[vma].link_1 != NULL\n", ("mprotect",)),
    "no_anon_vma_outlives_its_chains": ("def list_empty(mm, anon_vma):\n    return False\n", ()),
    "pages_lie_in_vmas_that_have_them_on_their_chain": (
        "def dup_anon_vma(mm, dst, src):\n    return\n", ("mprotect",)),
    "the_other_process_keeps_its_pages": (
        "def leave_mate(mm, address):\n    if mm.page[address].mate != 0:\n"
        "        mm.page[TASK_SIZE + mm.page[address].mate - 1].mapcount = 0\n        mm.page[address].mate = 0\n", ()),
    "fork_gives_the_child_the_same_memory": ("def copy_pages(mm, start, end):\n    return\n", ()),
    "what_is_written_is_ones_own": (
        "def handle_mm_fault(mm, vma, address, write_access):\n    if mm.page[address].mapcount == 0:\n"
        "        return do_no_page(mm, vma, address, write_access)\n    return 0\n", ()),
    "pages_match_flat_reference": (
        "def move_page_tables(mm, old_addr, new_addr, len):\n    return\n"
        "def zap_page_range(mm, start, end):\n    return\n", ()),
}  # fmt: skip


def test_every_claim_has_a_mutant():
    assert set(MUTANTS) == set(processes.property_names())


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_breaks_the_claim(name, tmp_path):
    text, more = MUTANTS[name]
    (tmp_path / "wrong.py").write_text(text)
    scope = {"protections": ("RW", "RWX") if more else ("RW",), "operations": ("mmap", "munmap", *more, "write")}
    broken = system(f"{KERNEL}+{tmp_path / 'wrong.py'}", properties=(name,), **scope)
    found = check(broken, (name,), Limits(max_states=100_000), "compiled")
    assert found.results[0].verdict == "violated"


@pytest.mark.parametrize(
    ("name", "old", "new", "operations"),
    [
        ("what_is_written_is_ones_own", "mm.page[address].mate != 0:\n            anon", "mm.page[address].mate != 0 and (mm.vma[vma].vm_flags & 2) != 0:\n            anon", ("mmap", "mprotect", "write", "memw")),
        ("what_is_written_is_ones_own", "if mm.vma[vma].vm_flags & VM_SHARED:", "if mm.vma[vma].vm_flags & 0:", ("write", "shared")),
        ("fork_gives_the_child_the_same_memory", "mm.vma[new] = mm.vma[vma]\n            clear_chain(mm, new)", "mm.vma[new] = mm.vma[vma]\n            mm.vma[new].vm_file = 0\n            clear_chain(mm, new)", ("write", "mmap", "shared")),
    ],
)  # fmt: skip
def test_mutant_of_other_kinds_of_memory_breaks_the_claim(name, old, new, operations, tmp_path):
    kernel = mutant(tmp_path, "../worlds/fork_linux", old, new)
    limits = Limits(max_states=100_000)
    found = check(system(kernel, 1, (name,), operations=operations), (name,), limits, "compiled")
    assert found.results[0].verdict == "violated"


# ---- the flat reference --------------------------------------------------------------------------

FLAT = "pages_match_flat_reference"


@pytest.mark.parametrize(
    ("kernel", "most"),
    [
        ("linux-6.18+sticky", 2_000),
        *rest(pytest.mark.slow, [("linux-6.18+sticky", 15_000)], 0),
        *rest(pytest.mark.large, [("linux-6.12", 15_000)], 0),
    ],
)
@pytest.mark.parametrize(
    "more", ["move,dontunmap", "mlock,mlock2", "mseal,dontfork", "guard,wipeonfork", "populate,file", "madvise,mbind"]
)
def test_the_flat_reference_holds_of_both(kernel, most, more):
    """Each call is tried in each of up to `most` states."""
    words = in_order(("mmap", "munmap", "mprotect", "write", "read", *more.split(",")), EVERY_OPERATION)
    small = system(kernel, 2, (FLAT,), operations=words)
    found = check(small, (FLAT,), Limits(max_states=most), "compiled")
    assert found.results[0].verdict == "incomplete"


def test_both_runs_say_the_same_of_it():
    def said(run):
        small = system(KERNEL, 2, (FLAT,), operations=("mmap", "munmap", "mprotect", "write", "mremap", "mlock"))
        (result,) = check(small, (FLAT,), Limits(max_states=200), run).results
        return result.verdict, result.calls, result.states, result.transitions

    assert said("interpreted") == said("compiled")


def test_a_child_of_6_16_loses_its_parents_memory():
    """Pages that mremap left in a vma without an anon_vma are not copied; fixed in 6.18.y."""
    more = {"protections": ("RW",), "operations": ("mmap", "write", "move")}
    (result,) = check(system("linux-6.16", 3, (FLAT,), **more), (FLAT,), Limits(), "compiled").results
    assert (result.outcome, str(result.calls[-1])) == ("violated 6", "fork()")


NO_COPY = (
    "def handle_mm_fault(mm, vma, address, write_access):\n    if mm.page[address].guard != 0:\n        return -EFAULT\n"
    "    if mm.page[address].mapcount == 0:\n        return do_no_page(mm, vma, address, write_access)\n    return 0\n"
)
MATE_NOT_TOLD = (
    "def move_page_tables(mm, old_addr, new_addr, len):\n    for offset in range(len):\n"
    "        mm.page[new_addr + offset] = mm.page[old_addr + offset]\n        mm.page[old_addr + offset].mate = 0\n"
    "        mm.page[old_addr + offset].guard = 0\n        page_remove_rmap(mm, old_addr + offset)\n"
)
TAKES_BOTH = (
    "def page_remove_rmap(mm, address):\n    if mm.page[address].mate != 0:\n"
    "        mate = TASK_SIZE + mm.page[address].mate - 1\n        mm.page[mate].mate = 0\n"
    "        mm.page[mate].mapcount = 0\n        mm.page[mate].mapping = NULL\n        mm.page[mate].index = 0\n"
    "    mm.page[address].mate = 0\n    mm.page[address].mapcount = 0\n    mm.page[address].mapping = NULL\n"
    "    mm.page[address].index = 0\n"
)
NO_FORK = "def dup_mmap(mm):\n    return\n"
NO_CONTENTS = "def copy_pages(mm, start, end):\n    return\n"
IN_THE_OTHER = (
    "def step(mm, call):\n    if mm.forked == 0 and mm.left != call.process:\n        return -EINVAL\n"
    "    return call_in_process(mm, call)\n"
)
WRONG = [
    ("a write that copies nothing", "munmap", NO_COPY),
    ("a move that leaves the other behind", "move", MATE_NOT_TOLD),
    ("munmap that takes the other's pages", "munmap", TAKES_BOTH),
    ("a fork without memory", "munmap", NO_FORK),
    ("a fork without contents", "munmap", NO_CONTENTS),
    ("p1's calls are p0's", "munmap", IN_THE_OTHER),
    ("p1's mremap", "mremap", "def check_mremap_params(mm, addr, old_len, new_len, flags, new_addr):\n    return -EINVAL\n"),
    ("locks that are inherited", "mlock", "def dup_mmap(mm):\n    for vma in range(1, mm.map_count + 1):\n"
        "        mm.other_count = vma\n        mm.vma[OTHER + vma] = mm.vma[vma]\n        clear_chain(mm, OTHER + vma)\n"
        "        mm.vma[OTHER + vma].anon_vma = NULL\n        mm.vma[OTHER + vma].was = NULL\n"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "text"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_call_breaks_the_flat_reference(more, text, tmp_path):
    (tmp_path / "wrong.py").write_text(text)
    scope = {"protections": ("RW",), "operations": ("mmap", "write", more)}
    broken = system(f"{KERNEL}+{tmp_path / 'wrong.py'}", properties=(FLAT,), **scope)
    assert check(broken, (FLAT,), Limits(max_states=20_000), "interpreted").results[0].verdict == "violated"


EVERYTHING = tuple(word for word in EVERY_OPERATION if word != "brk")
TRACED = ("linux-6.18+sticky", KERNEL, "linux-6.12")


@pytest.mark.parametrize("kernel", rest(pytest.mark.large, TRACED))
def test_random_traces(kernel):
    """Long traces of both processes, each of a few kinds of calls, mostly on small ranges: large ones erase history."""
    traced = system(kernel, 8, (FLAT,), protections=("R", "RW"), operations=EVERYTHING, highest_pgoff=1000)
    kinds: dict = {}
    for call in traced.calls:
        kinds.setdefault((call.nr, call.file, call.behavior, call.flags), []).append(call)
    usual = [kind for kind in kinds if kind[0] in (NR_mmap, NR_write, NR_fork, NR_exit)]
    rng = random.Random(1)
    machine, without_claims = explore.Machine(traced), replace(traced, claims=())
    for _ in range(12):
        before, after = machine.new(), machine.new()
        stepper = Stepper(without_claims)
        some = rng.sample(sorted(kinds), 8)
        for _ in range(50):
            kind = kinds[rng.choice(some if rng.random() < 0.7 else usual)]
            call = rng.choice([one for one in kind if one.len <= 3] if rng.random() < 0.8 else kind)
            result = machine.step(before, call, after)
            if after.bug:
                break  # a chain that needs more links than there are
            assert machine.functions[FLAT](before, CallRecord(call, result), after), str(call)
            assert stepper.step(call) == (result, machine.key(after))
            before, after = after, before


def test_what_the_command_says():
    code, out, _ = vmacheck("check", KERNEL, "--processes", "2", "--pages", "1", "--ops", "mmap,write,munmap")
    assert code == 0
    assert "scope: 1 page, protections R,RW, calls mmap,munmap,write, 2 processes" in out
    code, data = vmacheck_json("run", KERNEL, "mmap(0,1,RW); write(0); fork(); p1: write(0)")
    assert code == 0
    assert [(vma["process"], vma["anon_vma"]) for vma in data["steps"][-1]["vmas"]] == [("p0", "A"), ("p1", "B")]
    assert [(page["process"], page["anon_vma"]) for page in data["steps"][-1]["pages"]] == [("p0", "A"), ("p1", "B")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check", "rmap40", "--processes", "2"), "--processes is about current kernels, and rmap40 is none;"),
        (("check", KERNEL, "--processes", "3"), "--processes is 3; it can be 1 or 2"),
        (("check", KERNEL, "--processes", "2", "--ops", "mmap,brk"), "--processes has no brk"),
        (("check", KERNEL, "--processes", "2", "--threads", "1"), "--processes goes without --threads and --segments"),
        (("run", KERNEL, "mmap(0,1,RW); p1: write(0)"), "operation 2, 'p1: write(0)': there is no such process"),
        (("run", KERNEL, "p2: write(0)"), "operation 1, 'p2: write(0)': there are p0 and p1"),
    ],
)
def test_what_is_refused(words, message):
    code, out, err = vmacheck(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"vmacheck: {message}")


def test_premises_are_known():
    assert {prop.premise for prop in PROCESS_PROPERTIES.values()} <= {None, *PROCESS_PROPERTIES}
