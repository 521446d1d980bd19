# SPDX-License-Identifier: GPL-2.0-only
"""Long random traces of all calls in 8 pages, through both runs, and against every claim that must hold."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.helpers import rest, system
from vmacheck.checker.compiled.module import Stepper
from vmacheck.checker.program.interpreted import CallRecord, Machine
from vmacheck.model.calls.operations import OPERATIONS, PROTECTIONS
from vmacheck.model.calls.traces import parse_trace

PAGES = 8
SCOPES = {
    "plain": {},
    "few vmas": {"max_map_count": 4},
    "some vmas": {"max_map_count": 7},
}
SOUND = (
    "vmas_are_sorted_and_disjoint",
    "pages_match_flat_reference",
    "kernel_bug_is_never_hit",
    "faulted_vmas_are_on_their_list",
    "anon_vmas_are_freed_with_their_last_vma",
    "anon_vma_is_write_once",
)
MERGING = ("unfaulted_vmas_have_pgoff_of_their_start", "calls_miss_no_merge")
LOCAL = ("first_write_takes_neighbours_anon_vma",)
SAFE = (
    "rmap_finds_every_page",
    "pages_hang_from_their_vmas_anon_vma",
    "page_index_is_linear",
    "nothing_refers_to_a_freed_anon_vma",
)
HOLD = {
    "anonmm": (*SOUND, *MERGING, "rmap_finds_every_page"),
    "rmap39": (*SOUND, *MERGING),
    "andrea-aa": SOUND,
    "andrea": (*SOUND, *MERGING),
    "andrea-rwx": (*SOUND, *MERGING),
    "rmap40": (*SOUND, *MERGING, *LOCAL),
    "one-per-mm": (*SOUND, *MERGING),
    "further-afield": (*SOUND, *MERGING, *LOCAL),
    "linux-2.6.8": (*SOUND, *MERGING, *LOCAL),
    "linux-2.6.8+copy-vma-import": (*SOUND, *MERGING, *LOCAL, *SAFE),
}
FEW = ("anonmm", "rmap40", "linux-2.6.8+copy-vma-import")


def everything(kernel, scope):
    more = {"protections": tuple(PROTECTIONS), "operations": tuple(OPERATIONS), "noreserve": True}
    return system(kernel, PAGES, HOLD[kernel], highest_pgoff=1000, **more, **SCOPES[scope])


FIRST = [("linux-2.6.8+copy-vma-import", "plain"), ("rmap40", "few vmas"), ("anonmm", "some vmas")]
CASES = FIRST + [
    (kernel, scope)
    for kernel in HOLD
    for scope in SCOPES
    if (kernel, scope) not in FIRST and (scope == "plain" or kernel in FEW)
]


@cache
def runs(kernel, scope):
    """The system, and the code of both runs of it; no claims in machine code, which is about steps here."""
    found = everything(kernel, scope)
    return found, Machine(found), replace(found, claims=())


CALLS = everything("rmap40", "plain").calls
BY_KIND = {kind: [call for call in CALLS if call.nr == kind] for kind in {call.nr for call in CALLS}}
# mostly small ranges: over large ones little history survives
calls = st.sampled_from(sorted(BY_KIND)).flatmap(
    lambda kind: st.one_of(
        st.sampled_from([call for call in BY_KIND[kind] if call.len <= 3]), st.sampled_from(BY_KIND[kind])
    )
)


@pytest.mark.parametrize(("kernel", "scope"), rest(pytest.mark.slow, CASES, len(FIRST)), ids=lambda word: word)
@given(trace=st.lists(calls, min_size=20, max_size=60))
@settings(max_examples=15, deadline=None)
def test_random_traces(kernel, scope, trace):
    small, machine, without_claims = runs(kernel, scope)
    stepper = Stepper(without_claims)
    before, after = machine.new(), machine.new()
    on_step = {claim.name for claim in small.claims if claim.on_step}
    for call in trace:
        result = machine.step(before, call, after)
        record = CallRecord(call, result)
        for name in HOLD[kernel]:
            if name in on_step:
                assert machine.functions[name](before, record, after), name
        key = machine.key(after)
        assert machine.check_bounds(key) is None
        for name in HOLD[kernel]:
            if name not in on_step:
                assert machine.functions[name](after), name
        assert stepper.step(call) == (result, key)
        before, after = after, before


@given(st.lists(st.sampled_from(CALLS), max_size=20), st.sampled_from(["; ", "\n", " ;\n  # why\n", ";;"]))
def test_a_trace_is_text_and_text_is_a_trace(trace, between):
    assert parse_trace(between.join(map(str, trace))) == trace
