# SPDX-License-Identifier: GPL-2.0-only
"""Strategies for users' own tests: operations, traces, and reachable states."""

import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis.errors import InvalidArgument

from tests.support.helpers import MUTANTS, checked, steps
from vmacheck.checker.kernels.names import UnknownName
from vmacheck.checker.kernels.scope import Scope, ScopeError
from vmacheck.checker.strategies import operations, reachable_states, traces
from vmacheck.counterexamples.pictures.text import picture
from vmacheck.model.calls.operations import Call
from vmacheck.model.calls.traces import parse_trace

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(operations(pages=3, ops=("mmap", "mlock"), prot=("R",)))
def test_operations(call):
    assert isinstance(call, Call)
    assert [call] == parse_trace(str(call))
    assert call.end <= 3
    assert str(call).startswith(("mmap(", "mlock("))


def test_operations_are_those_of_the_scope():
    calls = Scope(pages=2).calls()
    for call in calls:
        assert find(operations(pages=2), lambda drawn, call=call: drawn == call) == call
    assert find(operations(pages=2), lambda _: True) == calls[0]


@FEW
@given(traces(pages=3, max_size=6))
def test_traces_are_text_that_is_carried_out(text):
    done = steps("rmap40", text, 3)
    assert 1 <= len(done) <= 6
    assert "; ".join(str(step.call) for step in done) == text


def test_traces_shrink():
    assert find(traces(pages=2), lambda text: "write" in text).count(";") == 0
    assert find(traces(min_size=2, max_size=2), lambda _: True).count(";") == 1


def renamed(drawn):
    """The picture with letters in the order in which they appear: a trace names anon_vmas in the order of making."""
    letters = list(dict.fromkeys(re.findall("[A-Z]", drawn.upper())))
    names = {letter: "ABC"[number] for number, letter in enumerate(letters)}
    names |= {old.lower(): new.lower() for old, new in names.items()}
    return "".join(names.get(cell, cell) for cell in drawn)


@FEW
@given(reachable_states("rmap40", pages=3))
def test_a_state_is_where_its_trace_leads(state):
    assert not state.stopped
    if not state.trace:
        assert (state.vmas, state.picture) == ((), ". . .")
        return
    last = steps("rmap40", state.trace, 3)[-1]
    assert renamed(picture(last.vmas, 3)) == renamed(state.picture)
    assert [(vma.start, vma.end, vma.prot) for vma in last.vmas] == [(v.start, v.end, v.prot) for v in state.vmas]
    assert len(last.pages) == len(state.pages)


def test_a_state_shrinks_to_a_shortest_trace():
    states = reachable_states("rmap39", pages=2)
    found = find(states, lambda state: len({vma.anon_vma for vma in state.vmas} - {None}) == 2)
    result = checked("rmap39", "adjacent_vmas_share_anon_vma", pages=2).results[0]
    assert len(found.calls) == len(result.calls) == 5
    assert repr(found) == f"<{found.picture!r} of rmap39 after {found.trace}>"
    assert find(states, lambda _: True).trace == ""


def test_what_a_failure_says():
    @settings(max_examples=200, deadline=None, database=None)
    @given(reachable_states("rmap40", pages=2))
    def test(state):
        assert "A" not in state.picture

    with pytest.raises(AssertionError) as error:
        test()
    assert re.search(r"state=<'.{3}' of rmap40 after mmap\(.*\); write\(\d\)>", "".join(error.value.__notes__))


def test_every_state_can_be_drawn():
    states = reachable_states("rmap40", pages=1, prot="RW")
    drawn = set()

    @settings(max_examples=400, deadline=None)
    @given(states)
    def draw(state):
        drawn.add((state.picture, state.pages))

    draw()
    assert {one for one, _ in drawn} == {".", "o", "A"}


def test_depth_and_patches():
    patch = MUTANTS / "kernel_bug_is_never_hit.null.py"
    stopped = find(reachable_states(f"rmap40+{patch}", pages=2), lambda state: state.stopped)
    assert steps(f"rmap40+{patch}", stopped.trace, 2)[-1].result == "BUG"

    @FEW
    @given(reachable_states("rmap40", depth=1))
    def test(state):
        assert len(state.calls) <= 1

    test()


def test_too_many_states():
    with pytest.raises(
        ScopeError, match="rmap40 has more than 100 states in this scope: give fewer pages, or max_stat"
    ):
        find(reachable_states("rmap40", max_states=100), lambda _: True)


def test_bad_input():
    with pytest.raises(UnknownName, match="did you mean rmap40"):
        reachable_states("rmap41")
    with pytest.raises(ScopeError, match="unknown operation 'fly'"):
        operations(ops="fly")
    with pytest.raises(InvalidArgument, match="a trace of 3 to 2 calls cannot be"):
        traces(min_size=3, max_size=2)


def test_without_hypothesis():
    text = "import sys; sys.modules['hypothesis'] = None; import vmacheck.checker.strategies"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    why = "vmacheck.checker.strategies needs the package hypothesis: install vmacheck[hypothesis]"
    assert found.stderr.splitlines()[-1] == f"ImportError: {why}"
    assert "During handling" not in found.stderr
