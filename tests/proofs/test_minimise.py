# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck minimise: from any program that shows a violation to the least one, proved, and its general form."""

import random

import pytest

from tests.support.helpers import MUTANTS, vmacheck, vmacheck_json
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.proofs.any_size import Violation
from vmacheck.checker.proofs.least import cost_of
from vmacheck.checker.proofs.oracle import Oracle
from vmacheck.checker.proofs.weakest_condition import general
from vmacheck.checker.symbolic.pool import workers
from vmacheck.counterexamples.minimal.shrink import Shrink
from vmacheck.model.calls.operations import Call
from vmacheck.model.calls.traces import parse_trace

LEAST = ["mmap(0,1,RW)", "write(0)", "mmap(2,1,RW)", "write(2)", "mmap(1,1,RW)"]
CONDITION = "a <= b < d < e <= g < h and a < c <= d and e <= f < h"
SHARING = Violation(("rmap40",), "adjacent_vmas_share_anon_vma")


def long_trace(violation, pages=12, length=40, seed=1, late=38):
    """A random program that shows the violation late, and not before."""
    calls, chance = Scope(pages=pages).calls(), random.Random(seed)
    oracle = Oracle(violation, pages)
    while True:
        trace = [chance.choice(calls) for _ in range(length)]
        first = oracle.first_at(trace)
        if first is not None and first >= late:
            return trace[:first]


def text_of(calls):
    return "; ".join(str(call) for call in calls)


# ---- the whole way -------------------------------------------------------------------------------


@pytest.mark.proofs
def test_a_long_random_trace_becomes_the_least_program():
    """40 calls on 12 pages are reduced to the least program that a search and Z3 find."""
    trace = long_trace(SHARING)
    assert len(trace) >= 38
    assert max(call.room for call in trace) == 12
    code, data = vmacheck_json("minimise", "rmap40", "adjacent_vmas_share_anon_vma", text_of(trace))
    assert (code, data["verdict"]) == (0, "proved")
    assert (data["given"], data["counterexample"]["operations"]) == (len(trace), LEAST)
    assert (data["pages"], data["total_length"]) == (3, 5)
    assert data["general"]["condition"] == CONDITION
    assert any(line.startswith("Z3: none of fewer calls in an address space of any size") for line in data["shorter"])
    assert data["least"][-1].startswith("Z3: of those of length 5, none has simpler protections")


def test_from_a_search():
    """A wrong kernel with a page's place in the vma as its index: wrong everywhere but at the lowest address."""
    kernel = f"rmap40+{MUTANTS}/page_index_is_linear.py"
    code, out, _ = vmacheck("minimise", kernel, "page_index_is_linear", "--pages", "3")
    assert code == 0
    assert "  1  mmap(1,1,RW)   .|o\n  2  write(1)       .|A\n" in out
    assert "the same for any 0 < a <= b < c\n\n     mmap(a,c-a,RW)\n     write(b)\n" in out
    assert out.endswith("the least there is: PROVED\n")


def test_two_kernels():
    """The least program after which a has more vmas than b; whether a shorter one of some size exists is open."""
    mutant = MUTANTS / "calls_miss_no_merge.mmap.py"
    code, data = vmacheck_json("minimise", f"rmap40+{mutant}", "rmap40", "--by", "vmas", "--pages", "3")
    assert (code, data["verdict"], data["by"]) == (3, "incomplete", "vmas")
    assert "comparisons are not followed" in data["shorter"][-1]
    assert data["counterexample"]["length"] == 2
    assert data["pages"] == 2


def test_what_is_not_followed_is_not_proved():
    kernel = f"rmap40+{MUTANTS}/page_index_is_linear.py"
    words = ("minimise", kernel, "page_index_is_linear", "--pages", "2", "--ops", "mmap,write,brk")
    code, out, _ = vmacheck(*words)
    assert code == 3
    assert "Z3, any size: not known (brk is not followed)" in out
    assert "Z3: whether a lesser one of as many calls exists is not known (brk is not followed)" in out
    assert out.endswith("the least there is: not proved\n")


# ---- the parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_shrinking_ends_in_a_program_of_which_every_call_is_needed(seed):
    violation = Violation(("rmap40",), "rmap_finds_every_page")
    trace = long_trace(violation, pages=8, length=25, seed=seed, late=12)
    oracle = Oracle(violation, 8)
    best = Shrink(trace, oracle.shows).run()
    assert oracle.shows(best)
    assert cost_of(best) <= cost_of(trace)
    for number in range(len(best)):
        assert not oracle.shows(best[:number] + best[number + 1 :])


def test_the_gate_takes_only_what_is_less_and_still_shows_it():
    calls = tuple(parse_trace("mmap(0,2,RW); write(0); write(1)"))
    shrink = Shrink(calls, lambda program: len(program) >= 2)
    assert not shrink.consider((*calls, calls[0]))
    assert not shrink.consider(calls[:1])
    assert shrink.consider(calls[:2])
    assert shrink.best == calls[:2]


def test_the_order_of_programs():
    """Calls, then pages, then length, then protections, then addresses."""
    programs = [
        "mmap(0,9,RW)",
        "mmap(0,1,R); mmap(0,1,R)",
        "mmap(0,1,R); mmap(1,1,R)",
        "mmap(0,1,R); mmap(0,2,R)",
        "mmap(0,1,R); mmap(0,2,RW)",
        "mmap(0,1,RW); mmap(0,2,R)",
        "mmap(1,1,RW); mmap(0,2,R)",
    ]
    costs = [cost_of(parse_trace(text)) for text in programs]
    assert costs == sorted(costs)
    assert len(set(costs)) == len(costs)


@pytest.mark.proofs
def test_the_general_form_is_as_general_as_that():
    """Numbers that meet the condition show the violation; those that just miss it do not."""
    calls = parse_trace("; ".join(LEAST))
    with workers() as pool:
        found = general(pool, SHARING, calls, 20000)
    assert found is not None
    assert found.calls == ("mmap(a,d-a,RW)", "write(b)", "mmap(e,h-e,RW)", "write(f)", "mmap(c,g-c,RW)")
    assert found.condition == CONDITION
    oracle, chance = Oracle(SHARING, 24), random.Random(1)
    both = {True: 0, False: 0}
    while min(both.values()) < 200:
        a, b, c, d, e, f, g, h = (chance.randrange(12) for _ in range(8))
        if not (a < d < e < h and c < g and a <= b < d and e <= f < h):
            continue
        program = [Call(1, a, d - a, 3), Call(4, b), Call(1, e, h - e, 3), Call(4, f), Call(1, c, g - c, 3)]
        meets = a < c <= d and e <= g < h
        both[meets] += 1
        assert oracle.shows(program) == meets


# ---- bad input -----------------------------------------------------------------------------------

BAD = [
    (["rmap40", "adjacent_vmas_share_anon_vma", "mmap(0,1,RW)"], "is not violated on rmap40 by a program of 1 call"),
    (["rmap40", "vmas_are_sorted_and_disjoint", "--pages", "2"], "in this scope: there is nothing to minimise"),
    (["rmap40", "adjacent_vmas_share_anon_vma", "mmap(0,1"], "operation 1, 'mmap(0,1': not of the form"),
    (["rmap40", "adjacent_vmas_share_anon_vma", " ;"], "the trace has no operations"),
    (["rmap40", "adjacent"], "unknown property 'adjacent'"),
    (["rmap40", "rmap39"], "unknown property 'rmap39'"),
    (["rmap40", "rmap3", "--by", "vmas"], "unknown kernel 'rmap3'"),
    (["rmap40", "adjacent_vmas_share_anon_vma", "mmap(0,1,RW);mmap(99999,1,RW)"], "there can be 256"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "why"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line(words, why):
    code, out, err = vmacheck("minimise", *words)
    assert (code, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1
