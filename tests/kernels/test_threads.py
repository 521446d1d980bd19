# SPDX-License-Identifier: GPL-2.0-only
"""Faults in steps, in threads and two processes: results, calls in one step as a reference, and mutants."""

import pytest

from tests.documents.pages import PAGES
from tests.search.test_search import compiled_keys
from tests.support.helpers import rest, system, vmacheck, vmacheck_json
from vmacheck.checker.kernels import threads
from vmacheck.checker.kernels.scope import Scope, ScopeError
from vmacheck.checker.program.interpreted import Machine, NullSlot
from vmacheck.checker.search import explore, rounds
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import check
from vmacheck.counterexamples.replay.threads import replay_threads
from vmacheck.model.calls.interleaving import KINDS, THREAD_OPERATIONS, interleaved_calls, parse_interleaving
from vmacheck.properties import THREAD_PROPERTIES

PLAIN = ("mmap", "munmap", "mprotect", "write")
FORK = (*PLAIN, "fork")
RWX = ("RW", "RWX")
FAULTS = "faults_share_with_their_neighbours"

# kernel, pages, threads, operations, all steps: states, transitions, depth
PINNED = {
    ("rmap39", 2, 2, PLAIN, False): (132, 6732, 9),
    ("rmap40", 2, 2, PLAIN, False): (120, 6120, 8),
    ("rmap40", 2, 2, PLAIN, True): (2628, 134028, 38),
    ("linux-2.6.8", 3, 2, PLAIN, False): (1362, 92616, 16),
    ("linux-2.6.8", 3, 3, PLAIN, False): (2864, 249168, 18),
    ("linux-2.6.8", 3, 2, (*PLAIN, "stack"), False): (153032, 13160752, 44),
    ("linux-2.6.8", 2, 1, (*FORK, "reclaim"), False): (56916, 2561220, 20),
    ("linux-2.6.8", 2, 2, FORK, False): (14774, 886440, 15),
    ("rmap40", 2, 1, FORK, False): (92754, 2628160, 38),
}


def build(kernel, pages=2, many=2, operations=PLAIN, names=None, **scope):
    scope = Scope(pages=pages, operations=operations, threads=many, **scope)
    return threads.build(kernel, scope, threads.property_names(scope) if names is None else names)


def checked(one, run="compiled"):
    names = [claim.name for claim in one.claims if not claim.sometimes]
    return check(one, names, Limits(), run)


def violated(found):
    return {result.claim.name: len(result.calls) for result in found.results if result.verdict == "violated"}


def mark_of(states, transitions, _depth):
    """The marks of a search: larger ones have their own make targets."""
    return pytest.mark.large if states > 100_000 else pytest.mark.slow if transitions > 1_000_000 else ()


@pytest.mark.parametrize(
    ("kernel", "pages", "many", "operations", "every_step"),
    [pytest.param(*case, marks=mark_of(*counts)) for case, counts in PINNED.items()],
    ids=str,
)
def test_pinned_counts(kernel, pages, many, operations, every_step):
    search = rounds.explore(build(kernel, pages, many, operations, (), every_step=every_step))
    assert search.closed
    assert (search.states, search.transitions, search.depth) == PINNED[kernel, pages, many, operations, every_step]


@pytest.mark.large
def test_three_pages_two_threads_two_processes():
    found = checked(build("linux-2.6.8", 3, 2, FORK))
    assert found.search.closed
    assert not violated(found)
    assert f" {found.search.states:,} states" in PAGES["threads"].read_text(encoding="utf-8")


# ---- what is found -------------------------------------------------------------------------------


def text(found, name):
    (result,) = (result for result in found.results if result.claim.name == name)
    return "; ".join(map(str, result.calls))


def test_h1_two_first_faults_next_to_each_other():
    """Each order of two faults shares; but both may look before either has installed an anon_vma for the other."""
    found = checked(build("linux-2.6.8", protections=RWX))
    assert violated(found) == {FAULTS: 6}
    assert text(found, FAULTS) == (
        "mmap(0,1,RW); mmap(1,1,RWX); t1: write(0); t2: write(1); t1: @page_table_lock; t2: @page_table_lock"
    )
    assert not violated(checked(build("linux-2.6.8", many=1, protections=RWX)))


def test_h1_cannot_be_merged_any_more():
    _, data = vmacheck_json(
        "run", "linux-2.6.8",
        "mmap(0,1,RW); mmap(1,1,RWX); t1: write(0); t2: write(1); t1: @page_table_lock; t2: @page_table_lock;"
        " mprotect(0,1,RWX)",
    )  # fmt: skip
    assert [vma["anon_vma"] for vma in data["steps"][-1]["vmas"]] == ["A", "B"]
    _, data = vmacheck_json(
        "run", "linux-2.6.8",
        "mmap(0,1,RW); mmap(1,1,RWX); t1: write(0); t1: @page_table_lock; t1: write(1); t1: @page_table_lock;"
        " mprotect(0,1,RWX)",
    )  # fmt: skip
    assert [(vma["start"], vma["end"], vma["anon_vma"]) for vma in data["steps"][-1]["vmas"]] == [(0, 2, "A")]


@pytest.mark.parametrize(("kernel", "many"), [("rmap40", 1), ("linux-2.6.8", 1), ("linux-2.6.8", 2), ("rmap39", 1)])
def test_s6_a_list_that_two_processes_change(kernel, many):
    found = checked(build(kernel, many=many, operations=FORK))
    assert found.search.closed
    if kernel != "rmap40":
        assert set(violated(found)) == ({FAULTS} if kernel == "rmap39" else set())
        return
    assert violated(found) == {
        "kernel_bug_is_never_hit": 10,
        "lists_are_whole_when_nobody_joins_them": 11,
        "no_anon_vma_is_left_behind": 13,
        "no_vma_has_a_freed_anon_vma": 13,
    }
    assert text(found, "kernel_bug_is_never_hit").endswith(
        "fork(); t1: write(1); t1: @page_table_lock; p1: exit(); t1: @next_prev_new"
    )


def test_walks_are_safe():
    """rmap 40 links a vma without the list's lock, but in an order in which a walk sees the list before or after."""
    for kernel in ("rmap40", "linux-2.6.8"):
        found = checked(build(kernel, operations=(*PLAIN, "reclaim")))
        assert not violated(found)
        assert "a_walk_comes_to_its_page" in found.search.hits


# ---- mutants -------------------------------------------------------------------------------------

NO_RECHECK = "def is_still_without(mm, vma):\n    return True\n"
LINKED_AGAIN = (
    "def list_add_begin(mm, vma, anon_vma):\n    mm.vma[vma].anon_vma_node = anon_vma\n"
    "    if mm.vma[vma].link == NULL:\n        mm.vma[vma].link = node_alloc(mm)\n"
)
UNLOCK = (
    "def unlock(mm, thread, anon_vma):\n    mm.ptl = 0\n"
    "    if joins_lists_locked(mm):\n        mm.anon_vma[anon_vma].lock = 0\n"
)
PUBLISHED_FIRST = (
    "def list_add_step(mm, thread, anon_vma, node):\n    at = mm.task[thread].at\n"
    "    if at == AT_NEXT_PREV:\n        mm.anon_vma[anon_vma].first = node\n"
    "    elif at == AT_NEW_NEXT:\n        set_prev(mm, anon_vma, mm.task[thread].node, node)\n"
    "    elif at == AT_NEW_PREV:\n        mm.node[node].next = mm.task[thread].node\n"
    "    else:\n        mm.task[thread].node = NULL\n"
    "    mm.task[thread].at = at + 1\n"
)
NO_LOCK = "def is_blocked(mm, thread):\n    return False\n\n\ndef unlock(mm, thread, anon_vma):\n    mm.ptl = 0\n"
ONE_PROCESS = (
    "def vma_of_node(mm, node):\n    for vma in range(1, OTHER + mm.other_count + 1):\n"
    "        if mm.vma[vma].link == node:\n            return vma if vma < OTHER else 1\n    return NULL\n"
)
MUTANTS = {
    "no recheck": ("kernel_bug_is_never_hit", NO_RECHECK, {}),
    "no recheck, and a node can be linked twice": ("no_anon_vma_is_left_behind", NO_RECHECK + LINKED_AGAIN, {}),
    "the winner frees its own, and munmap once more": (
        "kernel_bug_is_never_hit",
        UNLOCK + "    mm.task[thread].allocated = 1\n",
        {},
    ),
    "not linked backwards": (
        "lists_are_whole_when_nobody_joins_them",
        "def set_prev(mm, anon_vma, node, prev):\n    if node == NULL:\n        mm.anon_vma[anon_vma].last = prev\n",
        {"many": 2},
    ),
    "on no list": (
        "vmas_end_on_the_list_of_their_anon_vma",
        "def list_add_begin(mm, vma, anon_vma):\n    mm.vma[vma].link = node_alloc(mm)\n",
        {},
    ),
    "the loser keeps its own": (
        "no_anon_vma_is_left_behind",
        UNLOCK + "    mm.task[thread].allocated = 0\n",
        {},
    ),
    "the winner frees its own": (
        "no_vma_has_a_freed_anon_vma",
        UNLOCK + "    mm.task[thread].allocated = 1\n",
        {},
    ),
    "the list stays locked": ("locks_are_free_in_the_end", "def unlock(mm, thread, anon_vma):\n    mm.ptl = 0\n", {}),
    "page_table_lock is kept": ("somebody_can_go_on", "def unlock(mm, thread, anon_vma):\n    return\n", {}),
    "published first": (
        "walks_miss_no_page", PUBLISHED_FIRST, {"operations": (*PLAIN, "reclaim"), "kernel": "rmap40"},
    ),
    "mapped at the wrong offset": (
        "pages_are_found_through_their_anon_vma",
        "def set_pte(mm, vma, address):\n    mm.page[address].mapcount = 1\n"
        "    mm.page[address].mapping = mm.vma[vma].anon_vma\n",
        {"many": 1},
    ),
    "the look-up goes by vm_start": (
        "kernel_bug_is_never_hit",
        "def find_vma_prev(mm, addr):\n    prev = NULL\n    for vma in range(1, mm.map_count + 1):\n"
        "        if mm.vma[vma].vm_start < addr:\n            prev = vma\n    return prev\n",
        {"operations": (*PLAIN, "stack")},
    ),
    "no lock": ("lists_are_whole_when_nobody_joins_them", NO_LOCK, {"kernel": "rmap40", "protections": RWX}),
    "the walk sees one process": (
        "walks_miss_no_page", ONE_PROCESS, {"many": 1, "operations": (*PLAIN, "fork", "reclaim")},
    ),
    "in p1 no neighbour is asked": (
        FAULTS,
        "def sharable_anon_vma(mm, vma):\n    return NULL if mm.running else find_mergeable_anon_vma(mm, vma)\n",
        {"many": 1, "operations": FORK, "protections": RWX},
    ),
    "no neighbour is asked": (FAULTS, "def sharable_anon_vma(mm, vma):\n    return NULL\n", {"protections": RWX}),
}  # fmt: skip


SHORTEST = {
    "no recheck": 26,
    "no recheck, and a node can be linked twice": 33,
    "the winner frees its own, and munmap once more": 19,
    "not linked backwards": 18,
    "on no list": 17,
    "the loser keeps its own": 27,
    "the winner frees its own": 17,
    "the list stays locked": 17,
    "page_table_lock is kept": 16,
    "published first": 30,
    "mapped at the wrong offset": 17,
    "the look-up goes by vm_start": 22,
    "no lock": 29,
    "the walk sees one process": 23,
    "in p1 no neighbour is asked": 28,
    "no neighbour is asked": 26,
}


# A vma that has an anon_vma, and is not on its list yet, is nothing that a fault sees between steps taken together.
LOOK = "def find_mergeable_anon_vma(mm, vma):\n    for near in range(1, mm.map_count + 1):\n        if {}:\n            BUG(mm)\n    return NULL\n"
HIDDEN = (
    (LOOK.format("mm.vma[near].anon_vma != mm.vma[near].anon_vma_node"), "looks at anon_vma_node"),
    (LOOK.format("mm.vma[near].anon_vma != NULL and list_empty(mm, mm.vma[near].anon_vma)"), "looks at first"),
)


def test_what_changes_steps_needs_every_step(tmp_path):
    path = tmp_path / "mutant.py"
    for patch, what in (
        (NO_RECHECK, "replaces is_still_without"),
        ("def find_mergeable_anon_vma(mm, vma):\n    return mm.anon_vma[1].first\n", "looks at first"),
        *HIDDEN,
        ("def find_mergeable_anon_vma(mm, vma):\n    mm.vma[vma].vm_pgoff = 0\n    return NULL\n", "looks at vm_pgoff"),
    ):
        path.write_text(patch)
        with pytest.raises(ScopeError, match=f"{what}: which steps can be one depends on it"):
            build(f"rmap40+{path}")
    path.write_text("def mpol_equal(a, b):\n    return a == b\n")
    assert not violated(checked(build(f"rmap40+{path}")))


@pytest.mark.parametrize("patch", [patch for patch, _ in HIDDEN])
def test_what_would_be_hidden_is_found_at_every_step(patch, tmp_path):
    path = tmp_path / "mutant.py"
    path.write_text(patch)
    found = checked(build(f"linux-2.6.8+{path}", names=("kernel_bug_is_never_hit",), every_step=True, protections=RWX))
    assert violated(found) == {"kernel_bug_is_never_hit": 14}


def test_every_claim_has_a_mutant():
    claims = {name for name, prop in THREAD_PROPERTIES.items() if prop.kind != "sometimes"}
    assert claims | {"kernel_bug_is_never_hit"} == {name for name, _, _ in MUTANTS.values()}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_breaks_its_claim(mutant, tmp_path):
    name, patch, more = MUTANTS[mutant]
    more = dict(more)
    kernel = more.pop("kernel", "linux-2.6.8")
    path = tmp_path / "mutant.py"
    path.write_text(patch)
    found = checked(build(f"{kernel}+{path}", names=(name,), every_step=True, **more))
    assert violated(found) == {name: SHORTEST[mutant]}


# ---- against calls that are one step, and against each other ---------------------------------------


def states_of(one):
    explorer = rounds.Explorer(one, (), Limits())
    explorer.run()
    machine = Machine(one)
    mm = machine.new()
    for key in compiled_keys(explorer):
        machine.load(mm, key)
        yield mm


def seen(mm, pages):
    """A state with no fault under way, as far as one call a step knows it."""
    vmas = [mm.vma[number] for number in range(1, mm.map_count + 1)]
    return (
        tuple((v.vm_start, v.vm_end, v.vm_flags, v.vm_pgoff, v.anon_vma, v.anon_vma_node) for v in vmas),
        tuple((mm.page[p].mapcount, mm.page[p].mapping, mm.page[p].index) for p in range(pages)),
        tuple(slot.life for slot in mm.anon_vma[1 : 3 * pages + 1]),
        mm.leaked,
    )


@pytest.mark.parametrize(
    "kernel",
    rest(pytest.mark.slow, ["rmap40", "linux-2.6.8", "rmap39", "andrea", "one-per-mm", "further-afield"]),
)
@pytest.mark.parametrize("every_step", [False, True])
def test_one_thread_does_what_calls_do(kernel, every_step):
    """A fault whose steps nobody interrupts reaches exactly the states of a write in one step."""
    one = build(kernel, 3, 1, names=(), every_step=every_step)
    idle = {seen(mm, 3) for mm in states_of(one) if mm.task[1].at == 0}
    assert idle == {seen(mm, 3) for mm in states_of(system(kernel, 3))}


def of_steps():
    """Each of the scopes with one kernel, then the rest."""
    scopes = {
        "threads": (2, 2, PLAIN),
        "3 pages": (3, 2, PLAIN),
        "fork": (2, 1, FORK),
        "reclaim": (2, 2, (*PLAIN, "reclaim")),
        "stack": (2, 2, (*PLAIN, "stack")),
    }
    first = {("rmap40", "threads"), ("linux-2.6.8", "reclaim"), ("rmap39", "stack")}
    for name, scope in scopes.items():
        for kernel in ("rmap39", "rmap40", "linux-2.6.8"):
            mark = () if (kernel, name) in first else pytest.mark.slow
            yield pytest.param(kernel, *scope, marks=mark, id=f"{name}-{kernel}")


@pytest.mark.parametrize(("kernel", "pages", "many", "operations"), list(of_steps()))
def test_steps_that_nobody_can_tell_apart(kernel, pages, many, operations):
    """With every step and with fewer, the verdicts are the same, and so are the states with no fault under way."""
    found, idle = [], []
    for every_step in (False, True):
        one = build(kernel, pages, many, operations, every_step=every_step)
        found.append({result.claim.name: result.verdict for result in checked(one).results})
        idle.append({everything(mm, kernel == "linux-2.6.8") for mm in states_of(one) if is_idle(mm, many)})
    assert found[0] == found[1]
    assert idle[0] == idle[1]


def is_idle(mm, many):
    return not any(mm.task[thread].at for thread in range(1, many + 1))


def everything(mm, any_order):
    """A state with no fault under way, of both processes; with or without the order of the lists."""
    vmas = slots(mm.vma)
    mapped = [(page.mapcount, page.mapping, page.index, page.shared) for page in slots(mm.page)]
    lists = [list_of(mm, anon_vma) for anon_vma in slots(mm.anon_vma)]
    return (
        tuple((v.vm_start, v.vm_end, v.vm_flags, v.vm_pgoff, v.anon_vma, v.anon_vma_node) for v in vmas),
        (mm.map_count, mm.other_count, mm.forked, mm.leaked, mm.missed, mm.ptl, mm.other_ptl, mm.oops),
        tuple(mapped),
        tuple((slot.life, slot.lock) for slot in slots(mm.anon_vma)),
        tuple(tuple(sorted(nodes)) if any_order else tuple(nodes) for nodes in lists),
    )


def slots(array):
    return [slot for slot in array if not isinstance(slot, NullSlot)]


def list_of(mm, anon_vma):
    """The vmas that the list leads to, as far as it can be followed."""
    found, node = [], anon_vma.first
    while node and len(found) < len(mm.vma):
        found += [slot for slot, vma in enumerate(slots(mm.vma), 1) if vma.link == node] or [-1]
        node = mm.node[node].next
    return found


@pytest.mark.parametrize(("many", "operations"), [(2, PLAIN), (1, (*PLAIN, "reclaim"))])
def test_the_runs_agree(many, operations):
    one = build("rmap40", 2, many, operations)
    first, second = explore.Explorer(one, (), Limits()), rounds.Explorer(one, (), Limits())
    first.run()
    second.run()
    assert first.keys == compiled_keys(second)
    assert first.search == second.search


# ---- text ----------------------------------------------------------------------------------------


def test_every_call_is_text_and_text_is_a_call():
    calls = list(interleaved_calls(3, ("R", "RW"), THREAD_OPERATIONS, 3))
    assert {KINDS[call.nr] for call in calls} == {*THREAD_OPERATIONS, "exit", "step"} - {"stack"}
    assert parse_interleaving("; ".join(map(str, calls))) == calls


@pytest.mark.parametrize("every_step", rest(pytest.mark.slow, [False, True]))
@pytest.mark.parametrize(("many", "more"), [(1, ("fork",)), (2, ("stack",)), (2, ("stack", "reclaim"))], ids=str)
def test_a_counterexample_can_be_replayed(every_step, many, more):
    found = checked(build("rmap40", many=many, operations=(*PLAIN, *more), every_step=every_step))
    assert any(result.calls for result in found.results)
    for result in found.results:
        if result.calls:
            steps = replay_threads(result.system, result.calls)
            assert len(steps) == len(result.calls)
            _, data = vmacheck_json("run", "rmap40", "; ".join(map(str, result.calls)))
            assert [step["result"] for step in data["steps"]] == [step.result for step in steps]


def test_a_trace_can_be_run_at_every_step():
    fault = "t1: @anon_vma; t1: @vm_start; t1: @find_mergeable_anon_vma; t1: @anon_vma_alloc; t1: @page_table_lock"
    code, _, _ = vmacheck("run", "rmap40", "--every-step", f"mmap(0,1,RW); t1: write(0); {fault}")
    assert code == 0
    code, _, err = vmacheck("run", "rmap40", "--every-step", "mmap(0,1,RW); t1: write(0); t1: @page_table_lock")
    assert (code, err) == (2, "vmacheck: operation 3, 't1: @page_table_lock': t1 is at @anon_vma\n")
    code, _, err = vmacheck("run", "rmap40", "--every-step", "mmap(0,1,RW)")
    assert (code, err) == (2, "vmacheck: --every-step is for traces of threads\n")


def test_reclaim_can_be_run():
    for every_step in ((), ("--every-step",)):
        _, data = vmacheck_json("run", *every_step, "rmap40", "mmap(0,1,RW); t1: reclaim(0)")
        assert data["steps"][-1]["result"] == "EFAULT"
    _, data = vmacheck_json("run", "rmap40", "--pages", "200", "mmap(0,1,RW); t1: write(0)")
    assert data["steps"][-1]["threads"] == ["page_table_lock"]


def test_the_film_has_a_column_for_each_thread():
    code, out, _ = vmacheck("check", "linux-2.6.8", "--threads", "2", "--pages", "2", "--prot", "RW,RWX", "-p", FAULTS)
    assert code == 1
    assert "     calls          t1                t2\n  1  mmap(0,1,RW)" in out
    assert "  6                                   @page_table_lock   A|B\n" in out


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        ("t1: @foo", "operation 1, 't1: @foo': no step is called 'foo'; there are anon_vma, "),
        ("t1: write(0); t1: @set_pte", "operation 2, 't1: @set_pte': t1 is inside no fault"),
        ("mmap(0,1,RW); t1: write(0); t1: @set_pte", "operation 3, 't1: @set_pte': t1 is at @page_table_lock"),
        ("fork(); write(0)", "operation 2, 'write(0)': a write is of a thread, as in t1: write(0), and any other call"),
        ("t1: mmap(0,1,RW)", "operation 1, 't1: mmap(0,1,RW)': a write is of a thread"),
        ("p1: fork()", "operation 1, 'p1: fork()': p0 forks, and p1 exits"),
        ("p1 t1: write(0)", "operation 1, 'p1 t1: write(0)': there is no such process"),
        ("p1: exit()", "operation 1, 'p1: exit()': there is no such process"),
        ("exit()", "operation 1, 'exit()': p0 forks, and p1 exits"),
        ("reclaim(0)", "operation 1, 'reclaim(0)': reclaim is of a thread, as in t1: reclaim(0)"),
        ("@visit", "operation 1, '@visit': a step is of a thread, as in t1: @visit"),
        ("fork", "operation 1, 'fork': not of the form name(arguments)"),
        ("t1 p1: write(0)", "operation 1, 't1 p1: write(0)': who makes a call is written as p1:, t1: or p1 t1:"),
        ("fork(); p1: mmap(0,1,RW)", "operation 2, 'p1: mmap(0,1,RW)': p1 has write, munmap and exit only"),
        ("p2: exit()", "operation 1, 'p2: exit()': there are p0 and p1, and t1 to t9"),
        ("t0: write(0)", "operation 1, 't0: write(0)': there are p0 and p1, and t1 to t9"),
        ("t1:", "operation 1, 't1:': what is the call?"),
        ("t1: write(0,1)", "operation 1, 't1: write(0,1)': the form is write(a)"),
        ("t5: write(0)", "--threads is 5; it can be 1 to 4"),
        ("fork(); mmap(0,1,RW,NORESERVE)", "operation 2, 'mmap(0,1,RW,NORESERVE)': threads have mmap, munmap, "),
    ],
)
def test_a_bad_trace_is_one_line(trace, message):
    code, out, err = vmacheck("run", "rmap40", trace)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"vmacheck: {message}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rmap40", "--threads", "5"), "--threads is 5; it can be 1 to 4"),
        (("rmap40", "--threads", "2", "--ops", "mmap,write,mremap"), "--threads has no mremap; there are mmap, munmap,"),
        (("rmap40", "--threads", "2", "--noreserve"), "--threads goes without --segments, --noreserve and --max-pgoff"),
        (("rmap40", "--ops", "mmap,fork"), "--ops: fork is for --threads"),
        (("rmap40", "--every-step"), "--every-step is for --threads"),
        (("anonmm", "--threads", "2"), "--threads is about anon_vma_prepare, which anonmm does not have"),
        (("rmap40", "--threads", "2", "-p", "pages_match_flat_reference"), "unknown property 'pages_match_flat_reference'"),
        (("rmap40", "-p", FAULTS), f"unknown property '{FAULTS}'"),
    ],
)  # fmt: skip
def test_what_is_refused(words, message):
    code, out, err = vmacheck("check", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"vmacheck: {message}")
