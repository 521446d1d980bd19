# SPDX-License-Identifier: GPL-2.0-only
"""The patch's sentences on current kernels: verdicts, witnesses, and a wrong rule that breaks each that holds."""

from dataclasses import fields, replace

import pytest

from tests.claims.test_claims import witnesses_that_replay
from tests.support.helpers import rest, vmacheck, vmacheck_json
from vmacheck.checker.claims.linux import CURRENT_CLAIMS, SHARING
from vmacheck.checker.claims.linux_2_6 import CLAIMS
from vmacheck.checker.claims.parts import BOUNDED, HOLDS, REFUTED, Returns, decide, decide_all
from vmacheck.counterexamples.reports.claims import claims_data
from vmacheck.model.kernels import LINUX

VERDICTS = {
    "C1-today": HOLDS,
    "C2-today": HOLDS,
    "C3-today": HOLDS,
    "C4-today": BOUNDED,
    "C5-today": BOUNDED,
    "C7-today": HOLDS,
    "C8-today": HOLDS,
    "C9-today": HOLDS,
    "C10-today": REFUTED,
    "C14-today": HOLDS,
    "C15-today": REFUTED,
    "C16-today": REFUTED,
    "C18-today": HOLDS,
    "C19-today": REFUTED,
    "C20-today": REFUTED,
    "C23-today": REFUTED,
    "C24-today": HOLDS,
    "T-SAFE-2-today": HOLDS,
    "T-SAFE-3-today": REFUTED,
    "T-SAFE-4-today": BOUNDED,
    "T-SAFE-5-today": HOLDS,
}
# the length of the program that decides a claim
LENGTHS = {"C1": 5, "C10": 4, "C14": 5, "C15": 3, "C16": 3, "C19": 5, "C20": 6, "C23": 4, "T-SAFE-3": 5}


@pytest.fixture(scope="module")
def decided():
    return decide_all(CURRENT_CLAIMS)


@pytest.mark.large
def test_every_claim_is_as_expected(decided):
    assert {one.claim.id: one.verdict for one in decided} == VERDICTS
    assert {claim.id: claim.expected for claim in CURRENT_CLAIMS} == VERDICTS
    assert {name.removesuffix("-today") for name in VERDICTS} - {claim.id for claim in CLAIMS} == {"T-SAFE-5"}


@pytest.mark.large
def test_lengths(decided):
    found = {claim["id"].removesuffix("-today"): claim["length"] for claim in claims_data(decided)["claims"]}
    assert {name: found[name] for name in LENGTHS} == LENGTHS


@pytest.mark.large
def test_every_part_is_as_its_sentence_says(decided):
    """Each refuted part has a witness; in claims that hold every part holds, but for the bug of 6.16."""
    for one in decided:
        for part, found in zip(one.claim.parts, one.findings, strict=True):
            assert found.verdict != "open", part.says
            if found.verdict == REFUTED:
                assert found.witness is not None, part.says
                assert one.verdict == REFUTED or (one.claim.id, part.is_claim) == ("C24-today", False)


@pytest.mark.large
def test_every_witness_replays(decided):
    assert witnesses_that_replay(decided) > 40


# a wrong rule, put over one kernel, for each claim that holds
# fmt: off
NO_DUP = "def dup_anon_vma(mm, dst, src):\n    return\n"
NEVER_SHARES = "def find_mergeable_anon_vma(mm, vma):\n    return NULL\n"
NO_CHAIN = "def anon_vma_fork(mm, vma, pvma):\n    anon_vma = anon_vma_alloc(mm)\n    mm.anon_vma[anon_vma].parent = mm.vma[pvma].anon_vma\n    list_add(mm, vma, anon_vma)\n    mm.vma[vma].anon_vma = anon_vma\n"
MOVES_ONE = "def merges_with_source(flags):\n    return True\n\n\ndef remap_move(mm, addr, len, flags, new_addr):\n    return -EFAULT\n"
REGARDLESS = "def is_mergeable_anon_vma(mm, vma):\n    return True\n\n\ndef are_anon_vmas_compatible(mm, vma1, vma2):\n    return True\n"
MERGES_NOT = "def can_vma_merge_left(mm):\n    return False\n"
FRESH = "def anon_vma_prepare(mm, vma):\n    mm.vma[vma].anon_vma = anon_vma_alloc(mm)\n    return 0\n"
FREES = "def unlink_anon_vmas(mm, vma):\n    anon_vma = mm.vma[vma].anon_vma_node\n    if anon_vma != NULL:\n        list_del(mm, vma)\n        mm.vma[vma].anon_vma = NULL\n        anon_vma_free(mm, anon_vma)\n"
# fmt: on
MUTANTS = [
    ("C1-today", "linux-6.18+merge-regardless", MERGES_NOT),
    ("C2-today", "linux-6.18", FRESH),
    ("C3-today", "linux-6.12", REGARDLESS),
    ("C4-today", "linux-6.18", MOVES_ONE),
    ("C5-today", "linux-6.18", REGARDLESS),
    ("C7-today", "linux-6.16", REGARDLESS),
    ("C8-today", "linux-6.18", NEVER_SHARES),
    ("C9-today", "linux-6.18+share-all", NEVER_SHARES),
    ("C14-today", "linux-6.18", NEVER_SHARES),
    ("C18-today", "linux-6.18+share-further", NO_DUP),
    ("C24-today", "linux-6.18", FREES),
    ("T-SAFE-2-today", "linux-6.16", NO_DUP),
    ("T-SAFE-4-today", "linux-6.18", NO_DUP),
    ("T-SAFE-5-today", "linux-6.18", NO_CHAIN),
]  # fmt: skip


def with_kernel(part, kernel, wrong):
    """The part with another kernel in place of one."""

    def put(value):
        if isinstance(value, tuple):
            return tuple(put(one) for one in value)
        return wrong if value == kernel else value

    return replace(part, **{field.name: put(getattr(part, field.name)) for field in fields(part)})


@pytest.mark.parametrize(
    ("name", "kernel", "text"), rest(pytest.mark.large, MUTANTS, 3), ids=[name for name, *_ in MUTANTS]
)
def test_a_wrong_rule_breaks_it(tmp_path, name, kernel, text):
    (tmp_path / "wrong.py").write_text(text)
    (claim,) = (claim for claim in CURRENT_CLAIMS if claim.id == name)
    parts = [part for part in claim.parts if part.is_claim]
    changed = [with_kernel(part, kernel, f"{kernel}+{tmp_path / 'wrong.py'}") for part in parts]
    broken = [one for part, one in zip(parts, changed, strict=True) if part != one]
    assert broken
    for part in broken:
        if decide(replace(claim, parts=(part,))).verdict not in (HOLDS, BOUNDED):
            return
    pytest.fail(f"{name} still holds")


def test_every_claim_that_holds_has_a_wrong_rule():
    assert [name for name, *_ in MUTANTS] == [name for name, verdict in VERDICTS.items() if verdict != REFUTED]


def test_results_are_told_apart():
    right = tuple((kernel, "EFAULT") for kernel in LINUX.kernels)
    assert Returns(f"{SHARING}; mremap(0,3,4)", 4, right).decide().verdict == HOLDS
    assert Returns(f"{SHARING}; mremap(0,3,4)", 4, (("linux-6.18", 0),)).decide().verdict == REFUTED


def test_the_command():
    code, out, err = vmacheck("claims", "C7-today")
    assert (code, err) == (0, "")
    assert "Verdict: holds" in out
    code, data = vmacheck_json("claims", "C15-today", "C15")
    assert (code, [claim["id"] for claim in data["claims"]]) == (0, ["C15-today", "C15"])
    code, _, err = vmacheck("claims", "C6-today")
    assert (code, err) == (2, "vmacheck: unknown claim 'C6-today'; did you mean C16-today?\n")
