# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck prove: properties by induction, programs of any size, and whether two functions are the same."""

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.support.helpers import MUTANTS, rest, vmacheck, vmacheck_json
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.proofs import equivalence, induction, prove
from vmacheck.checker.proofs.bounded import search
from vmacheck.checker.symbolic import pool
from vmacheck.checker.symbolic.solver import Solver

REWRITES = MUTANTS.parent / "rewrites"
BUILT_IN = {*induction.STRUCTURE, induction.RANGES}
FOUR = ("mmap", "munmap", "mprotect", "write")

# kernel, property, the lemmas that it takes
PROVED = [
    ("rmap40", "vmas_are_sorted_and_disjoint", ()),
    ("rmap40", "unfaulted_vmas_have_pgoff_of_their_start", ()),
    ("linux-2.6.8", "anon_vma_is_write_once", ()),
    ("rmap40", "first_write_takes_neighbours_anon_vma", ()),
    ("linux-2.6.8", "pages_hang_from_their_vmas_anon_vma", ("rmap_finds_every_page",)),
    ("linux-2.6.8", "page_index_is_linear", ()),
    ("linux-2.6.8", "pages_match_flat_reference", ("rmap_finds_every_page",)),
]
# with the number of vmas before the call
SIZES = [1, pytest.param(3, marks=pytest.mark.proofs)]


def proof_of(kernel, name, vmas, *more):
    return vmacheck_json("prove", kernel, name, "--vmas", str(vmas), *more)


@pytest.mark.parametrize("vmas", SIZES)
@pytest.mark.parametrize(("kernel", "name", "lemmas"), PROVED, ids=[name for _, name, _ in PROVED])
def test_proved(kernel, name, lemmas, vmas):
    code, data = proof_of(kernel, name, vmas)
    assert (code, data["verdict"], data["reason"], data["vmas"]) == (0, "proved", None, vmas)
    assert set(data["lemmas"]) - BUILT_IN == set(lemmas)


# the number of vmas with which a call can break it on the mutant
REFUTED = {name: 1 for _, name, _ in PROVED} | dict.fromkeys(
    ["anon_vma_is_write_once", "first_write_takes_neighbours_anon_vma"], 2
)


@pytest.mark.parametrize(
    "name",
    rest(
        pytest.mark.proofs,
        [pytest.param(name, marks=[pytest.mark.proofs] * (vmas > 1)) for name, vmas in REFUTED.items()],
        4,
    ),
)
def test_refuted_on_a_mutant_with_a_state_drawn(name):
    kernel, vmas = f"linux-2.6.8+{MUTANTS / name}.py", str(REFUTED[name])
    code, out, _ = vmacheck("prove", kernel, name, "--vmas", vmas)
    assert code == 1
    assert f"{name} on {kernel}: REFUTED" in out
    assert f"breaks {name}" in out or f"and {name}" in out
    assert "     before " in out
    assert "a program that does it, from the empty address space:" in out


def test_a_failure_that_no_program_comes_to_is_ruled_out_by_a_lemma():
    """nothing_refers_to_a_freed_anon_vma is not inductive: a page may hang from an anon_vma that is not its vma's."""
    code, data = proof_of("linux-2.6.8", "nothing_refers_to_a_freed_anon_vma", 1)
    assert (code, data["verdict"]) == (0, "proved")
    assert len(set(data["lemmas"]) - BUILT_IN) == 1


def test_without_a_lemma_the_failing_state_is_shown(monkeypatch):
    monkeypatch.setattr(prove, "_candidates", lambda *_: [])
    code, out, _ = vmacheck("prove", "linux-2.6.8", "nothing_refers_to_a_freed_anon_vma", "--vmas", "1")
    assert code == 3
    assert "nothing_refers_to_a_freed_anon_vma on linux-2.6.8: not proved" in out
    assert "no program leads to this state" in out


def test_the_seeds_claim_is_refuted_by_the_state_before_its_last_call():
    """Induction fails in the state of the shortest program: A .|B, and a mmap in between."""
    code, out, _ = vmacheck("prove", "rmap40", "adjacent_vmas_share_anon_vma", "--vmas", "2")
    assert code == 1
    assert (
        "     before         A .|B\n     mmap(1,1,RW)   A A|B\n\n     a program of 4 calls leads to this state" in out
    )


def test_with_too_few_vmas_a_search_still_refutes():
    code, data = proof_of("rmap40", "adjacent_vmas_share_anon_vma", 1)
    assert (code, data["verdict"]) == (1, "refuted")
    assert data["reason"] == "no call breaks it from a state of up to 1 vmas, but one does from a larger one"


def test_what_never_happens_is_not_proved():
    code, data = proof_of("rmap40", "first_write_takes_neighbours_anon_vma", 1, "--ops", "mmap,munmap")
    assert (code, data["verdict"]) == (4, "vacuous")


def test_what_a_state_is_taken_to_be_is_proved_too(tmp_path):
    """One call leaves a policy that no state is assumed to have, and another reacts to it."""
    patch = tmp_path / "patch.py"
    patch.write_text(
        "def unmap_region(mm, start, end):\n"
        "    zap_page_range(mm, start, end)\n"
        "    if mm.vma[1].vm_end <= start:\n"
        "        if mm.vma[1].vm_policy == 7:\n"
        "            mm.vma[1].vm_start = mm.vma[1].vm_end\n"
        "        elif end - start > 3:\n"
        "            mm.vma[1].vm_policy = 7\n"
    )
    words = ("vmas_are_sorted_and_disjoint", "--vmas", "2", "--ops", "mmap,munmap")
    code, out, _ = vmacheck("prove", f"linux-2.6.8+{patch}", *words)
    assert code == 3
    assert "a call that breaks fields_are_in_range" in out
    assert "not proved" in out


@pytest.mark.parametrize(
    "operation", rest(pytest.mark.proofs, ["madvise", "file", "read", "munlock", "mbind", "brk"], 2)
)
def test_other_calls_are_followed(operation):
    name = "unfaulted_vmas_have_pgoff_of_their_start"
    code, data = proof_of("rmap40", name, 1, "--ops", f"mmap,write,{operation}")
    assert (code, data["verdict"]) in [(0, "proved"), (4, "vacuous")]
    assert operation in data["ops"]


def test_processes_answer_as_one_does(monkeypatch):
    """The other tests ask Z3 in their own process, which need not import it again."""
    words = ("prove", "rmap40", "adjacent_vmas_share_anon_vma", "--vmas", "1")
    here = vmacheck(*words)
    monkeypatch.setattr(pool, "ProcessPoolExecutor", ProcessPoolExecutor)
    assert vmacheck(*words) == here


# ---- Z3 does not answer --------------------------------------------------------------------------


def gives_up(self, formula=True):
    self.gave_up = True
    return True


def test_no_answer_is_a_verdict_of_its_own(monkeypatch):
    """A question that Z3 leaves open is never taken for a proof."""
    monkeypatch.setattr(Solver, "find", gives_up)
    question = induction.Question("rmap40", ("vmas_are_sorted_and_disjoint",), (), "munmap", 1, 65536, 1)
    answer = induction.ask(question)
    assert answer.failure is None
    assert answer.gave_up == "Z3 did not answer in time"
    same = equivalence.Question("rmap40", "rmap40", "vma_merge", "mmap", 0, 65536, 1)
    assert equivalence.ask(same).gave_up == "Z3 did not answer in time"
    found = search("rmap40", "adjacent_vmas_share_anon_vma", Scope(pages=4), 1, 1)
    assert found.open == "Z3 did not answer in time"


def test_no_answer_is_exit_code_3(monkeypatch):
    answer = induction.Answer(1, 1, gave_up="Z3 did not answer in time")
    monkeypatch.setattr(prove, "in_order", lambda _pool, _ask, questions: [(questions[0], answer)])
    code, out, _ = vmacheck("prove", "rmap40", "vmas_are_sorted_and_disjoint", "--vmas", "1")
    assert code == 3
    assert "incomplete (mmap with 0 vmas: Z3 did not answer in time)" in out


# ---- programs of any size ------------------------------------------------------------------------


def test_no_program_of_three_calls_of_any_size_breaks_the_seeds_claim():
    code, data = vmacheck_json("prove", "rmap40", "adjacent_vmas_share_anon_vma", "--depth", "3")
    assert (code, data["verdict"], data["rows"]) == (0, "proved", [1, 2, 13, 97])


@pytest.mark.proofs
def test_no_program_of_four_calls_does():
    code, data = vmacheck_json("prove", "rmap40", "adjacent_vmas_share_anon_vma", "--depth", "4")
    assert (code, data["verdict"]) == (0, "proved")
    assert data["rows"] == [1, 2, 13, 97, 766]


@pytest.mark.proofs
def test_a_program_of_five_calls_does():
    code, data = vmacheck_json("prove", "rmap40", "adjacent_vmas_share_anon_vma", "--depth", "5")
    assert (code, data["verdict"]) == (1, "refuted")
    assert data["counterexample"]["length"] == 5


@pytest.mark.proofs
def test_refuted_at_the_depth_of_the_shortest_program():
    code, data = vmacheck_json("prove", "rmap40", "rmap_finds_every_page", "--depth", "4", "--ops", ",".join(FOUR))
    assert (code, data["verdict"]) == (1, "refuted")
    assert data["counterexample"]["length"] == 4


# ---- equivalence ---------------------------------------------------------------------------------


def same(name, vmas):
    """The rewrite, or the rewrite with one of its parts replaced."""
    files = dict.fromkeys([REWRITES / "vma_merge.py", REWRITES / f"{name}.py"])
    kernel = "+".join(["rmap40", *(str(path) for path in files)])
    return vmacheck("prove", "--equivalent", "rmap40", kernel, "vma_merge", "--vmas", str(vmas))


@pytest.mark.parametrize("vmas", SIZES)
def test_a_rewrite_of_vma_merge_is_the_same(vmas):
    code, out, _ = same("vma_merge", vmas)
    assert code == 0
    assert "vma_merge.py: EQUAL" in out


DIFFERENCES = {
    "case_3_pgoff": ("mmap(0,1,RW)", "before", ["offset 1"]),
    "case_8_survivor": ("mprotect(0,1,RW)", "before", ["structs: vma 1", "structs: vma 2"]),
    "case_1_compatibility": ("mmap(1,1,RW)", "A .|B", ["A A|B", "BUG: the kernel stops here"]),
}


@pytest.mark.parametrize("name", rest(pytest.mark.proofs, DIFFERENCES))
def test_a_wrong_rewrite_differs(name):
    call, before, ends = DIFFERENCES[name]
    code, out, _ = same(name, 2)
    assert code == 1
    assert f"vma_merge differs in {call}, from a state of" in out
    assert before in out
    for end in ends:
        assert end in out


def test_a_function_that_no_call_comes_to_is_not_compared():
    code, out, _ = vmacheck("prove", "--equivalent", "rmap40", "rmap40", "sys_brk", "--vmas", "1")
    assert code == 4
    assert "vacuous (no call comes to sys_brk)" in out


# ---- what would be followed wrongly is refused ---------------------------------------------------

REFUSED = {
    "a page of several": (
        "    if mm.page[start].mapcount != mm.page[start + 1].mapcount:\n        BUG(mm)\n",
        "a page other than the one that the call is about is looked at",
    ),
    "a slot that there is for more vmas": (
        "    if mm.vma[9].vm_start == 1:\n        BUG(mm)\n",
        "a slot is looked at that there is for more vmas only",
    ),
    "a loop whose variable is used after it": (
        "    address = start\n    for address in range(start, end):\n        if mm.page[address].mapcount != 0:\n"
        "            page_remove_rmap(mm, address)\n    mm.brk = address\n",
        "a page other than the one that the call is about is looked at",
    ),
    "a loop that counts pages": (
        "    for address in range(start, end):\n        mm.brk = mm.brk + 1\n    mm.brk = 0\n",
        "a loop over pages that changes more than pages, again and again",
    ),
    "a loop that looks at the page above": (
        "    for address in range(start, end):\n        mm.page[address].mapcount = mm.page[address + 1].mapcount\n",
        "a page other than the one that the call is about is looked at",
    ),
    "a large number": ("    mm.brk = (end - start) * 100000\n    mm.brk = 0\n", "a number that may be too large"),
    "a larger one": ("    mm.brk = (end - start) * 1000000000\n", "a number that may have more than 64 bits"),
    "a truth value as a number": ("    mm.brk = mm.brk + (start == 0)\n", "a number combined with a truth value"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_followed_leaves_the_proof_open(name, tmp_path):
    lines, why = REFUSED[name]
    patch = tmp_path / "patch.py"
    patch.write_text(f"def unmap_region(mm, start, end):\n    zap_page_range(mm, start, end)\n{lines}")
    words = ("vmas_are_sorted_and_disjoint", "--vmas", "1", "--ops", "mmap,munmap")
    code, out, _ = vmacheck("prove", f"linux-2.6.8+{patch}", *words)
    assert code == 3
    assert f"incomplete (mmap with 1 vmas: {why}" in out


def test_a_loop_that_makes_pages_is_followed_at_any_page(tmp_path):
    patch = tmp_path / "patch.py"
    patch.write_text(
        "def unmap_region(mm, start, end):\n    for address in range(start, end):\n        mm.page[address].mapcount = 1\n"
    )
    words = ("--vmas", "1", "--ops", "mmap,munmap")
    assert vmacheck("prove", f"linux-2.6.8+{patch}", "vmas_are_sorted_and_disjoint", *words)[0] == 0
    assert vmacheck("prove", f"linux-2.6.8+{patch}", "rmap_finds_every_page", *words)[0] == 1


DEEPER = {
    "a page that was just written": (
        "def do_anonymous_page(mm, vma, address, write_access):\n    anon_vma_prepare(mm, vma)\n"
        "    page_add_anon_rmap(mm, vma, address)\n    if mm.page[address].mapcount == 1:\n"
        "        mm.vma[1].vm_end = mm.vma[1].vm_start\n    return 0\n",
        1,
    ),
    "the heap": (
        "def zap_page_range(mm, start, end):\n    if mm.brk == 1:\n"
        "        mm.vma[1].vm_end = mm.vma[1].vm_start\n    mm.brk = 1\n",
        3,
    ),
}


@pytest.mark.parametrize("name", DEEPER)
def test_rows_keep_what_a_patch_looks_at_or_say_that_they_do_not(name, tmp_path):
    text, expected = DEEPER[name]
    patch = tmp_path / "patch.py"
    patch.write_text(text)
    words = ("vmas_are_sorted_and_disjoint", "--depth", "2", "--prot", "RW")
    assert vmacheck("prove", f"linux-2.6.8+{patch}", *words)[0] == expected


def test_slots_that_are_in_no_use_are_compared_as_well(tmp_path):
    patch = tmp_path / "patch.py"
    patch.write_text("def kmem_cache_alloc_vma(mm):\n    return VMA_NEW\n")
    words = ("--equivalent", "linux-2.6.8", f"linux-2.6.8+{patch}", "kmem_cache_alloc_vma", "--vmas", "1")
    assert vmacheck("prove", *words)[0] == 1


def test_how_many_slots_there_are_cannot_be_asked(tmp_path):
    patch = tmp_path / "patch.py"
    patch.write_text("def unmap_region(mm, start, end):\n    if NR_VMAS > 9:\n        BUG(mm)\n")
    code, _, err = vmacheck("prove", f"linux-2.6.8+{patch}", "kernel_bug_is_never_hit")
    assert (code, err.count("\n")) == (2, 1)
    assert "patch.py:2: NR_VMAS is not known where the size is not" in err


# ---- bad input -----------------------------------------------------------------------------------

BAD = [
    (["prove", "rmap40"], "prove takes KERNEL PROPERTY"),
    (["prove", "--equivalent", "rmap40", "rmap39"], "prove --equivalent takes KERNEL_A KERNEL_B FUNCTION"),
    (["prove", "rmap4", "vmas_are_sorted_and_disjoint"], "unknown kernel 'rmap4'; did you mean rmap40?"),
    (["prove", "rmap40", "two_vmas_exist"], "two_vmas_exist is what must happen sometimes"),
    (["prove", "rmap40", "sorted"], "unknown property 'sorted'"),
    (["prove", "rmap40", "page_index_is_linear", "--ops", "mremap"], "prove does not follow mremap"),
    (["prove", "rmap40", "page_index_is_linear", "--vmas", "99"], "--vmas is 99; it can be 0 to 8"),
    (["prove", "rmap40", "page_index_is_linear", "--vmas", "-1"], "--vmas is -1"),
    (["prove", "rmap40", "page_index_is_linear", "--prot", "R"], "--prot goes with --depth"),
    (["prove", "rmap40", "page_index_is_linear", "--depth", "2", "--vmas", "2"], "--depth is about programs"),
    (["prove", "rmap40", "page_index_is_linear", "--depth", "2", "--ops", "brk"], "does not follow brk"),
    (["prove", "--equivalent", "rmap40", "rmap39", "vma_merg"], "unknown function 'vma_merg'; did you mean vma_merge?"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "why"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line(words, why):
    code, out, err = vmacheck(*words)
    assert (code, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1
