# SPDX-License-Identifier: GPL-2.0-only
"""The claims as data, the machinery that decides them, and the replay of every witness."""

import pytest

from tests.support.helpers import vmacheck, vmacheck_json
from vmacheck.checker.claims import parts as machinery
from vmacheck.checker.claims.growth import LoopGrows, Window, shortest_loop
from vmacheck.checker.claims.linux_2_6 import CLAIMS, RMAP39, RMAP40
from vmacheck.checker.claims.parts import (
    BOUNDED,
    HOLDS,
    OPEN,
    REFUTED,
    Can,
    Claim,
    Decided,
    Ends,
    Finding,
    Grows,
    NotChecked,
    cannot,
    decide_all,
    never,
    scope,
    vmas_after,
)
from vmacheck.checker.claims.programs import program_1, program_2
from vmacheck.counterexamples.reports.claims import claims_data, claims_text


# deciding all claims takes a minute: what does so is in this file, so that one process does it once
@pytest.fixture(scope="module")
def decided():
    return decide_all(CLAIMS)


@pytest.mark.large
def test_every_claim_is_there_and_as_expected(decided):
    ids = [one.claim.id for one in decided]
    assert ids == [*(f"C{n}" for n in range(1, 25)), *(f"T-SAFE-{n}" for n in range(1, 5)), "H1"]
    assert {one.claim.id: one.verdict for one in decided} == {one.claim.id: one.claim.expected for one in decided}


def witnesses_that_replay(decided):
    """The number of witnesses of the claims; each is run, and must have its stated length."""
    seen = set()
    for claim in claims_data(decided)["claims"]:
        for witness in (part["witness"] for part in claim["parts"] if part["witness"]):
            for kernel in witness["kernels"]:
                program = (kernel, "; ".join(witness["operations"]), str(witness["pages"]))
                if program not in seen:
                    seen.add(program)
                    code, out, err = vmacheck("run", *program[:2], "--pages", program[2])
                    assert (code, err) == (0, ""), program
                    shown = out.split("\n\n")[0].splitlines()
                    assert len(shown) - shown[0].startswith("     calls ") == witness["length"]
    return len(seen)


@pytest.mark.large
def test_every_witness_replays(decided):
    assert witnesses_that_replay(decided) > 100


# of parts that the specification leaves to be found: the claim, a word of the sentence, length of the shortest witness
FOUND = [
    ("C3", f"{RMAP40} can fail where anonmm succeeds", 4),
    ("C3", f"{RMAP39} can fail where anonmm succeeds, with no mremap before", 7),
    ("C3", f"{RMAP40} can fail where anonmm succeeds, with no mremap before", 8),
    ("C3", f"{RMAP39} can fail where {RMAP40} succeeds", 7),
    ("C6", f"{RMAP39} can have more vmas than andrea", 6),
    ("C10", "passes over", 4),
    ("C11", "can have more vmas", 7),
    ("C12", f"{RMAP40} cannot have more vmas than andrea+importer", 6),
    ("C14", f"{RMAP39} can have more vmas than {RMAP40}", 6),
    ("C14", "rmap40 can have more vmas than rmap39", 12),
    ("C16", "ignore-locked", 5),
    ("C16", "ignore-hints", 6),
    ("C20", f"{RMAP40} cannot have more vmas than {RMAP40}+prev-first", 8),
    ("T-SAFE-1", "on rmap40:", 4),
    ("T-SAFE-3", "on linux-2.6.8:", 5),
]


@pytest.mark.large
@pytest.mark.parametrize(("claim", "words", "length"), FOUND, ids=str)
def test_lengths(decided, claim, words, length):
    (one,) = [one for one in decided if one.claim.id == claim]
    parts = zip(one.claim.parts, one.findings, strict=True)
    found = [finding for part, finding in parts if words in part.says.replace("allocates", "passes over allocates")]
    assert found
    assert found[0].witness is not None
    assert len(found[0].witness.calls) == length


@pytest.mark.large
def test_the_answer_does_not_depend_on_how_many_are_decided_at_a_time(decided):
    text = claims_text(decided)
    for one in decided:
        if one.claim.id in ("C12", "C15", "T-SAFE-3"):
            again = claims_text([Decided(one.claim, tuple(part.decide() for part in one.claim.parts))])
            assert again[:4] == text[text.index(again[0]) :][:4]


# ---- the machinery -------------------------------------------------------------------------------


def verdict(*findings):
    parts = tuple(NotChecked("", "", is_claim=is_claim) for is_claim, _ in findings)
    return Decided(Claim("", "", "", parts, ""), tuple(Finding(found) for _, found in findings)).verdict


def test_the_worst_part_decides_and_asides_do_not():
    assert verdict((True, HOLDS), (False, REFUTED)) == HOLDS
    assert verdict((True, HOLDS), (True, BOUNDED)) == BOUNDED
    assert verdict((True, REFUTED), (True, BOUNDED)) == REFUTED
    assert verdict((True, OPEN), (True, BOUNDED)) == OPEN


def test_parts_can_fail():
    small = scope(2)
    assert Can("rmap40", "rmap40", "vmas", small).decide().verdict == REFUTED
    assert cannot("rmap40", "anonmm", "walk", small).decide().verdict == REFUTED
    assert cannot("rmap40", "rmap40", "vmas", scope(2, more="mremap")).decide().verdict == BOUNDED
    assert Can("rmap40", "rmap40", "vmas", scope(2, more="mremap")).decide().verdict == OPEN
    assert never("rmap40", "two_vmas_exist", small).decide().verdict == REFUTED
    assert machinery.Happens("anonmm", "a_vma_is_faulted", small).decide().verdict == REFUTED
    assert machinery.Always("anonmm", ("anon_vma_is_write_once",), small).decide().verdict == OPEN
    assert Ends("mmap(0,1,R)", 1, (("rmap40", 2),)).decide().verdict == REFUTED
    too_many = Grows("", program_1, vmas_after, "", ((RMAP40, "n", lambda n: n),))
    assert too_many.decide().verdict == REFUTED
    assert LoopGrows("anonmm", "anonmm", small).decide().verdict == OPEN
    assert LoopGrows(RMAP39, "anonmm", small, wants=False).decide().verdict == REFUTED


def test_programs_for_growing_n():
    assert program_1(2) == "mmap(0,1,RW); write(0); mprotect(0,1,R); mmap(1,1,RW); write(1); mprotect(1,1,R)"
    assert program_2(3) == "mmap(0,3,RW); mprotect(1,1,R); write(0); write(2); mprotect(0,3,RW)"


def test_a_loop_is_found_as_a_cycle_and_grows():
    loop, states = shortest_loop(RMAP39, "anonmm", scope(), 3)
    assert states == 724
    assert loop is not None
    assert [str(call) for _, call in loop.body] == ["mmap(0,1,RW)", "write(0)", "mprotect(0,1,R)"]
    for rounds in (2, 5, 12):
        calls = loop.calls(rounds)
        assert vmas_after(RMAP39, calls, 12) == rounds
        assert vmas_after("anonmm", calls, 12) == 1


def test_moving_the_window_leads_to_states_that_there_are():
    window = Window("rmap40+importer", scope())
    moves = [(one, two) for one, two, data in window.graph.edges(data=True) if data["call"] is None]
    assert moves
    for state, follows in moves:
        before, after = window.keys[state], window.keys[follows]
        assert before != after
    assert set(window.leaving) <= set(window.graph.edges)


def test_one_claim_in_full():
    code, out, err = vmacheck("claims", "C15")
    assert (code, err) == (0, "")
    assert '"Since only mprotect tries to remerge vmas"' in out
    assert "Verdict: refuted" in out
    assert "mmap(1,1,R)" in out
    code, data = vmacheck_json("claims", "C15", "C7")
    assert code == 0
    assert [claim["id"] for claim in data["claims"]] == ["C15", "C7"]
    assert data["claims"][0]["parts"][0]["witness"]["length"] == 3


def test_an_unexpected_verdict_is_said(monkeypatch):
    from vmacheck.checker.claims import linux_2_6 as seed_claims

    claims = [claim for claim in seed_claims.CLAIMS if claim.id == "C15"]
    monkeypatch.setattr(seed_claims, "CLAIMS", (machinery.Claim(**{**vars(claims[0]), "expected": HOLDS}),))
    code, _, err = vmacheck("claims", "C15")
    assert (code, err) == (1, "unexpected: C15 is refuted, not holds\n")


def test_an_unknown_claim_is_one_line():
    code, out, err = vmacheck("claims", "C25")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "unknown claim 'C25'" in err
