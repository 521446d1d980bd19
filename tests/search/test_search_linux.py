# SPDX-License-Identifier: GPL-2.0-only
"""Searches of current kernels: counts, both runs, and the verdicts on each version."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.test_search import compiled_keys
from tests.support.helpers import checked, rest, system, verdict, vmacheck, vmacheck_json
from vmacheck.checker.compiled.module import Stepper
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.scope import Scope, in_order
from vmacheck.checker.program.interpreted import CallRecord, Machine
from vmacheck.checker.search import explore, rounds
from vmacheck.checker.search.outcome import Limits
from vmacheck.model.calls.operations import EVERY_OPERATION, PROTECTIONS
from vmacheck.model.kernels import LINUX
from vmacheck.model.states import linux as state

BASIC = ("mmap", "munmap", "mprotect", "write")
STICKY = "linux-6.18+sticky"

# states, transitions, depth: pinned
PINNED = {
    ("linux-6.12", 3): (692, 22836, 11),
    ("linux-6.16", 3): (537, 17721, 11),
    ("linux-6.18", 3): (537, 17721, 11),
    ("linux-6.12", 4): (8483, 458082, 18),
    ("linux-6.18", 4): (5889, 318006, 16),
}


@pytest.mark.parametrize(("kernel", "pages"), PINNED, ids=str)
def test_pinned_counts(kernel, pages):
    search = rounds.explore(system(kernel, pages))
    assert search.closed
    assert (search.states, search.transitions, search.depth) == PINNED[kernel, pages]


SCOPES = {
    "basic": {"operations": BASIC},
    "moves": {"operations": ("mmap", "munmap", "write", "move", "dontunmap")},
    "locks": {"operations": in_order(("mmap", "mprotect", "mlock", "mlock2", "munlock"), EVERY_OPERATION)},
    "advice": {"operations": in_order(("mmap", "write", "madvise", "dontfork", "guard"), EVERY_OPERATION)},
    "shared memory": {"operations": ("mmap", "munmap", "write", "mremap", "shared"), "protections": ("RW",)},
    "growing down": {"operations": ("mmap", "munmap", "write", "move", "growsdown", "memw")},
    "seals": {"operations": in_order(("mmap", "munmap", "mseal", "mbind"), EVERY_OPERATION)},
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kernel", rest(pytest.mark.slow, [STICKY, "linux-6.12"]))
def test_runs_agree_state_by_state(kernel, scope):
    one = explore.Explorer(system(kernel, 2, **SCOPES[scope]), (), Limits())
    one.run()
    two = rounds.Explorer(system(kernel, 2, **SCOPES[scope]), (), Limits())
    two.run()
    assert one.search.levels == two.search.levels
    assert one.search.transitions == two.search.transitions
    assert one.search.coverage == two.search.coverage
    assert one.keys == compiled_keys(two)


@pytest.mark.parametrize("kernel", rest(pytest.mark.large, reversed(LINUX.kernels)))
def test_verdicts_agree(kernel):
    def plain(run):
        return [
            (r.claim.name, r.verdict, r.reason, r.calls, r.states, r.transitions, r.depth, r.closed)
            for r in checked(kernel, run=run, pages=3).results
        ]

    assert plain("interpreted") == plain("compiled")


# ---- random traces -------------------------------------------------------------------------------

HOLD = (
    "pages_match_flat_reference",
    "vmas_are_sorted_and_disjoint",
    "kernel_bug_is_never_hit",
    "faulted_vmas_are_on_their_list",
    "anon_vmas_are_freed_with_their_last_vma",
    "first_write_takes_neighbours_anon_vma",
)
SAFE = (
    "rmap_finds_every_page",
    "pages_hang_from_their_vmas_anon_vma",
    "page_index_is_linear",
    "nothing_refers_to_a_freed_anon_vma",
)
CLAIMS = {"linux-6.12": (*HOLD, *SAFE), "linux-6.16": HOLD, "linux-6.18": (*HOLD, *SAFE), STICKY: (*HOLD, *SAFE)}


@cache
def runs(kernel):
    """The system, and the code of both runs of it; no claims in machine code, which is about steps here."""
    scope = Scope(
        pages=8,
        protections=tuple(PROTECTIONS),
        operations=tuple(EVERY_OPERATION),
        noreserve=True,
        highest_pgoff=1000,
    )
    found = one_process.build(kernel, scope, CLAIMS[kernel])
    return found, Machine(found), replace(found, claims=())


CALLS = runs(STICKY)[0].calls
KIND = {call: (call.nr, call.file, call.behavior, call.flags) for call in CALLS}
BY_KIND = {kind: [call for call in CALLS if KIND[call] == kind] for kind in set(KIND.values())}
calls = st.sampled_from(sorted(BY_KIND)).flatmap(
    lambda kind: st.one_of(
        st.sampled_from([call for call in BY_KIND[kind] if call.len <= 3]), st.sampled_from(BY_KIND[kind])
    )
)


@pytest.mark.parametrize("kernel", rest(pytest.mark.large, reversed(CLAIMS)))
@given(trace=st.lists(calls, min_size=20, max_size=60))
@settings(max_examples=15, deadline=None)
def test_random_traces(kernel, trace):
    small, machine, without_claims = runs(kernel)
    stepper = Stepper(without_claims)
    before, after = machine.new(), machine.new()
    on_step = {claim.name for claim in small.claims if claim.on_step}
    for call in trace:
        result = machine.step(before, call, after)
        for name in set(CLAIMS[kernel]) & on_step:
            assert machine.functions[name](before, CallRecord(call, result), after), name
        key = machine.key(after)
        assert machine.check_bounds(key) is None
        for name in set(CLAIMS[kernel]) - on_step:
            assert machine.functions[name](after), name
        assert stepper.step(call) == (result, key)
        before, after = after, before


# ---- what the properties say ---------------------------------------------------------------------


def test_every_property_on_every_kernel():
    """Each violation has the stated length; everything else holds, for programs of any length."""
    kept_apart = {"equal_neighbours_are_not_kept_apart": 5, "adjacent_vmas_share_anon_vma": 5}
    violated = {
        "linux-6.12": {**kept_apart, "calls_miss_no_merge": 5},
        "linux-6.16": kept_apart,
        "linux-6.18": kept_apart,
    }
    for kernel, expected in violated.items():
        found = checked(kernel)
        assert found.search.closed
        assert {r.claim.name: len(r.calls) for r in found.results if r.verdict == "violated"} == expected
        assert {r.verdict for r in found.results} == {"holds", "violated"}


@pytest.mark.parametrize(
    ("name", "text", "more"),
    [
        ("pages_match_flat_reference", "def flags_with_account(mm, vma, newflags):\n    return newflags\n", ()),
        ("pages_match_flat_reference", "def vms_complete_munmap_vmas(mm, start, end):\n    vma = vma_next(mm, find_vma_prev(mm, start))\n    while vma != NULL and vma <= mm.map_count and mm.vma[vma].vm_start < end:\n        remove_vma(mm, vma)\n", ()),
        ("pages_match_flat_reference", "def do_mprotect(mm, start, len, prot):\n    return 0\n", ()),
        ("pages_match_flat_reference", "def advised_flags(vm_flags, file, behavior):\n    return vm_flags\n", ("dontfork",)),
        ("calls_miss_no_merge", "def can_vma_merge_left(mm):\n    return False\n", ()),
        ("first_write_takes_neighbours_anon_vma", "def find_mergeable_anon_vma(mm, vma):\n    return NULL\n", ()),
        ("rmap_finds_every_page", "def dup_anon_vma(mm, dst, src):\n    return\n", ()),
        ("unfaulted_vmas_have_pgoff_of_their_start", "def __split_vma(mm, vma, addr, new_below):\n    new = vm_area_dup(mm, vma)\n    mm.vma[new].vm_start = addr\n    mm.vma[vma].vm_end = addr\n    anon_vma_clone(mm, new, vma)\n    vma_link(mm, new)\n    x = new_below\n", ()),
    ],
)  # fmt: skip
def test_a_wrong_rule_breaks_a_claim(tmp_path, name, text, more):
    (tmp_path / "wrong.py").write_text(text)
    words = in_order((*BASIC, *more), EVERY_OPERATION)
    assert verdict("linux-6.18", name, pages=3, operations=words).verdict == "holds"
    assert verdict(f"linux-6.18+{tmp_path / 'wrong.py'}", name, pages=3, operations=words).verdict == "violated"


def test_mremap_frees_what_is_in_use_on_6_16_and_not_on_6_18():
    words = ("check", "linux-6.16", "-p", "rmap_finds_every_page", "--ops", "mmap,write,mremap,munmap", "--pages", "3")
    code, data = vmacheck_json(*words)
    counterexample = data["results"][0]["counterexample"]
    assert (code, counterexample["length"]) == (1, 5)
    code, out, _ = vmacheck("check", "linux-6.18", *words[2:4], "--ops", "mmap,write,move,munmap", "--pages", "3")
    assert (code, out.splitlines()[0]) == (0, "rmap_finds_every_page: holds for programs of any length")
    assert vmacheck("check", "linux-6.18", *words[2:])[0] == 3  # offsets grow without end


def test_what_the_fix_of_2025_merges():
    code, data = vmacheck_json("compare", "linux-6.12", "linux-6.18", "--by", "vmas", "--pages", "3")
    assert (code, data["verdict"], data["closed"]) == (1, "incomparable", True)
    assert data["a_worse"]["length"] == 5


def test_every_function_keeps_to_the_subset():
    from vmacheck.checker.program.link import link

    bounds = state.bounds(4, (), (), 65536, 3).constants()
    for kernel in LINUX.kernels.values():
        link(LINUX.files(kernel.patches), bounds).check_all()
    for name, patch in LINUX.patches.items():
        for base in patch.over:
            link(LINUX.files((*LINUX.kernels[base].patches, name)), bounds).check_all()
