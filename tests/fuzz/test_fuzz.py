# SPDX-License-Identifier: GPL-2.0-only
"""A few patches of the fuzz, and versions of the checker that are wrong, each of which it tells from the right one."""

from random import Random

import pytest

from tests.fuzz import answers, mutate
from tests.fuzz.mutate import Patch
from tests.support.helpers import rest
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program import interpreted
from vmacheck.checker.proofs import bounded
from vmacheck.checker.symbolic import machine, solver, values

FEW = Scope(pages=2, protections=("RW",), operations=("mmap", "munmap"))
WRITES = Scope(pages=3, protections=("RW",), operations=("mmap", "munmap", "write"))
BUG = (answers.BUG,)


def stops(function, parameters, test, then):
    return Patch("linux-2.6.8", (f"def {function}({parameters}):\n    if {test}:\n        BUG(mm)\n    {then}\n",), ())


MAPS = ("do_mmap_pgoff", "mm, file, addr, len, prot, flags, pgoff")
UNMAPS = ("unmap_region", "mm, start, end")
BIT_32 = stops(*UNMAPS, "(~mm.vma[1].vm_flags & ((1 << 31) << 1)) != 0", "zap_page_range(mm, start, end)")
WRAPS = stops(*MAPS, "(len + 2) * 2147483647 * 2147483647 < 0", "return -EINVAL")
BEYOND = stops(*UNMAPS, "mm.page[end].mapcount != 0", "zap_page_range(mm, start, end)")
APART = stops(
    *UNMAPS,
    "end - start == 2 and mm.page[start].mapcount == 0 and mm.page[start + 1].mapcount != 0",
    "zap_page_range(mm, start, end)",
)


@pytest.mark.parametrize("number", rest(pytest.mark.slow, range(60), 6))
def test_no_two_answers_contradict_each_other(number, tmp_path):
    draw = Random(f"test:{number}")
    base = draw.choice(mutate.KERNELS)
    scope, names = answers.question(draw)
    patch = mutate.patch(draw, base, answers.reached(base, scope))
    assert answers.ask(patch, scope, names, tmp_path, False).contradictions == [], patch.text


# ---- that it can fail ----------------------------------------------------------------------------


def masks_of_32_bits(patch):
    patch.setattr(values, "WORD", (1 << 32) - 1)
    patch.setattr(values.Bits, "__invert__", lambda one: values.Bits(("~", one.expression), (1 << 32) - 1))


def numbers_without_end(patch):
    patch.setattr(interpreted, "wrapped", lambda value: value)


def pages_without_end(patch):
    patch.setattr(machine.Pages, "check", lambda *_: None)


def one_page_for_all(patch):
    from vmacheck.checker.proofs import any_size

    patch.setattr(any_size, "_text_of", lambda _: "any")
    patch.setattr(any_size, "looks_at_pages", lambda *_: False)
    patch.setattr(bounded, "looks_at_pages", lambda *_: False)


def first_ways_only(patch):
    add = bounded._Search._add

    def only_new(search, row, step, place, after, following):
        known = len(search.into)
        add(search, row, step, place, after, following)
        if len(search.into) == known:
            search.out.get(row, [None]).pop()

    patch.setattr(bounded._Search, "_add", only_new)
    patch.setattr(bounded._Search, "_is_real", lambda *_: False)


@pytest.mark.parametrize(
    ("wrong", "patch", "scope", "is_full"),
    [
        (numbers_without_end, WRAPS, FEW, False),
        (pages_without_end, BEYOND, FEW, False),
        pytest.param(masks_of_32_bits, BIT_32, FEW, True, marks=pytest.mark.slow),
        (one_page_for_all, APART, WRITES, False),
        (first_ways_only, stops(*UNMAPS, "end - start == 2", "zap_page_range(mm, start, end)"), FEW, False),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_wrong_checker_is_found_out(wrong, patch, scope, is_full, tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "DEPTH", 3 if scope is WRITES else 2)
    assert answers.ask(patch, scope, BUG, tmp_path, is_full).contradictions == []
    wrong(monkeypatch)
    solver.start_afresh()
    answers.of_base.cache_clear()
    assert answers.ask(patch, scope, BUG, tmp_path, is_full).contradictions != []
