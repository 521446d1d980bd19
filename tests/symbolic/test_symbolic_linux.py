# SPDX-License-Identifier: GPL-2.0-only
"""The symbolic run of current kernels: every path of a call against the interpreted run, as in test_symbolic.py."""

from functools import lru_cache

import pytest

from tests.support.helpers import rest
from tests.symbolic import test_symbolic
from tests.symbolic.test_symbolic import Explored, contradictions, disagreements, states_led_to
from vmacheck.checker.kernels.scope import in_order
from vmacheck.checker.program.interpreted import Oops
from vmacheck.checker.symbolic import flag_masks, values
from vmacheck.checker.symbolic import machine as symbolic
from vmacheck.model.calls.operations import EVERY_OPERATION

BASIC = ("mmap", "munmap", "mprotect", "write")
FEWER_PATHS = ("munmap", "write")  # with two vmas also by default; with the others in make proofs
ALONE = ("read", "munlock", "madvise", "mbind", "brk", "mlock2", "mseal", "dontfork", "hugepage")
WITH_ALL_CALLS = "linux-6.18"
KERNELS = rest(pytest.mark.proofs, ("linux-6.18+sticky", "linux-6.12", WITH_ALL_CALLS))


@pytest.mark.parametrize("part", rest(pytest.mark.proofs, [4, 1]))
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_path_ends_where_the_interpreted_run_does(kernel, part):
    for operation in BASIC:
        assert disagreements(kernel, operation, 1, every=part) == [], operation
        if part == 1 or operation in FEWER_PATHS:
            assert disagreements(kernel, operation, 2, every=part * (12 if operation == "mmap" else 5)) == [], operation
    for operation in ALONE if kernel == WITH_ALL_CALLS else ():
        assert disagreements(kernel, operation, 1, every=part) == [], operation


@pytest.mark.parametrize("operation", ["guard", "mlock", "mprotect"])
def test_so_do_loops_over_pages_that_change_more_than_pages(operation):
    """With no page listed, a fault on any gives the vma its anon_vma, and a marker on one ends the loop."""
    assert disagreements("linux-6.18+sticky", operation, 1, locked=True, every=3) == []


@pytest.mark.parametrize("part", rest(pytest.mark.proofs, [4, 1]))
@pytest.mark.parametrize("kernel", KERNELS)
def test_any_state_and_any_call_take_one_path_and_claims_say_what_is_so(kernel, part):
    for operation in (*BASIC, *(ALONE if kernel == WITH_ALL_CALLS else ())):
        vmas = 2 if operation in (BASIC if part == 1 else FEWER_PATHS) else 1
        assert contradictions(kernel, operation, 8 if part == 1 else 3, vmas=vmas) == [], operation


@pytest.mark.parametrize("kernel", KERNELS)
def test_any_state_is_any_that_programs_lead_to(kernel):
    words = in_order((*BASIC, "file", "brk", "mbind", "mlock2", "mseal", "dontfork", "mergeable"), EVERY_OPERATION)
    assert states_led_to(kernel, words, 1500, noreserve=True) > 500
    assert states_led_to(kernel, in_order((*BASIC, "guard"), EVERY_OPERATION), 600) > 200


# ---- that these tests can fail -------------------------------------------------------------------


def take_the_other_mask(patch):
    patch.setattr(flag_masks, "chosen", lambda formula, yes, no: values.chosen(values.negation(formula), yes, no))


def forget_all_but_the_first_way(patch):
    patch.setattr(flag_masks._Ways, "following", lambda ways: False)


@pytest.mark.parametrize("mutant", [take_the_other_mask, forget_all_but_the_first_way])
def test_a_wrong_mask_is_noticed(mutant, monkeypatch):
    monkeypatch.setattr(test_symbolic, "explored", lru_cache(Explored))
    mutant(monkeypatch)
    try:
        noticed = disagreements("linux-6.18", "mprotect", 1) + contradictions("linux-6.18", "mprotect", 10, vmas=1)
    except (AssertionError, ValueError, Oops, values.Unsupported) as error:
        noticed = [error]
    assert noticed


def test_a_loop_of_which_a_way_is_left_out_is_noticed(monkeypatch):
    """If only the listed pages are looked at, a write to any other is missed."""
    before = len(Explored("linux-6.18", "mlock", 1, 65536, locked=True).paths)
    monkeypatch.setattr(symbolic.SymbolicMachine, "_unlisted", lambda machine, state, first, end: iter(()))
    assert len(Explored("linux-6.18", "mlock", 1, 65536, locked=True).paths) < before
