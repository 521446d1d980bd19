# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck prove on current kernels: claims that hold are proved, wrong rules found, and limits reported."""

import pytest

from tests.support.helpers import MUTANTS, rest, vmacheck, vmacheck_json
from tests.support.wrong_rules import DIFFERS, REFUTED, WRONG
from vmacheck.checker.proofs import equivalence
from vmacheck.checker.proofs.induction import RANGES, STRUCTURE

REWRITES = MUTANTS.parent / "rewrites"
EXISTING = "vma_merge_existing_range"
HOLD = tuple(REFUTED)
BREAK = ("adjacent_vmas_share_anon_vma", "equal_neighbours_are_not_kept_apart")
# one of each kind that differs, and the one that does not
FEW_RULES = ("lower half keeps its end", "nothing is shared", "the anon_vma is replaced", "never accounted")
SIZES = [1, pytest.param(2, marks=pytest.mark.proofs)]


@pytest.fixture
def wrong(tmp_path):
    """A function that makes a kernel of a wrong rule."""

    def kernel(name, base="linux-6.18"):
        path = tmp_path / "wrong.py"
        path.write_text(WRONG[name])
        return f"{base}+{path}"

    return kernel


@pytest.mark.parametrize("vmas", SIZES)
@pytest.mark.parametrize("name", rest(pytest.mark.proofs, HOLD, 2))
def test_what_holds_is_proved(name, vmas):
    code, data = vmacheck_json("prove", "linux-6.18", name, "--vmas", str(vmas))
    assert (code, data["verdict"], data["reason"], data["vmas"]) == (0, "proved", None, vmas)
    assert set(data["lemmas"]) <= {*STRUCTURE, RANGES, "rmap_finds_every_page"}


@pytest.mark.proofs
@pytest.mark.parametrize("name", ["vmas_are_sorted_and_disjoint", "calls_miss_no_merge"])
def test_with_three_vmas(name):
    code, data = vmacheck_json("prove", "linux-6.18", name)
    assert (code, data["verdict"], data["vmas"]) == (0, "proved", 3)


@pytest.mark.parametrize("kernel", rest(pytest.mark.proofs, ["linux-6.12", "linux-6.16", "linux-6.18+sticky"]))
def test_the_other_kernels(kernel):
    code, data = vmacheck_json("prove", kernel, "page_index_is_linear", "--vmas", "1")
    assert (code, data["verdict"]) == (0, "proved")


@pytest.mark.parametrize(
    "words",
    rest(pytest.mark.proofs, ["guard", "mlock2,munlock", "mseal", "mbind", "dontfork,mergeable", "hugepage", "brk"], 2),
)
def test_other_calls_are_followed(words):
    ops = f"mmap,write,{words}"
    code, data = vmacheck_json("prove", "linux-6.18+sticky", "rmap_finds_every_page", "--vmas", "1", "--ops", ops)
    assert (code, data["verdict"]) == (0, "proved")
    assert set(data["ops"]) == set(ops.split(","))


@pytest.mark.parametrize(
    "name",
    rest(
        pytest.mark.proofs,
        [pytest.param(name, marks=[pytest.mark.proofs] * (vmas > 1)) for name, (_, vmas) in REFUTED.items()],
        2,
    ),
)
def test_refuted_on_a_wrong_rule_with_a_state_drawn(name, wrong):
    rule, vmas = REFUTED[name]
    code, out, _ = vmacheck("prove", wrong(rule), name, "--vmas", str(vmas))
    assert code == 1
    assert "REFUTED" in out
    assert "     before " in out
    assert "a program that does it, from the empty address space:" in out


@pytest.mark.parametrize("name", rest(pytest.mark.proofs, BREAK))
def test_what_does_not_hold_is_refuted(name):
    code, data = vmacheck_json("prove", "linux-6.18", name, "--vmas", "1")
    assert (code, data["verdict"]) == (1, "refuted")
    assert data["counterexample"]["length"] == 5


# ---- the same function, in two versions ----------------------------------------------------------


@pytest.mark.parametrize(
    "rule", rest(pytest.mark.proofs, sorted(DIFFERS, key=lambda rule: rule not in FEW_RULES), len(FEW_RULES))
)
def test_a_wrong_rule_differs(rule, wrong):
    """A wrong rule differs by the function and call in the table, unless no call of the first kernel can show it."""
    function, operation, vmas = DIFFERS[rule]
    question = equivalence.Question("linux-6.18", wrong(rule), function, operation, vmas, 65536, 60_000)
    answer = equivalence.Equivalence(question).answer()
    assert answer.gave_up is None
    # where linux-6.18 calls dup_anon_vma, there are never two anon_vmas: the rule is only wrong together with the other
    assert (answer.difference is None) == (rule == "the anon_vma is replaced")


@pytest.mark.parametrize("vmas", SIZES)
def test_a_rewrite_is_equal(vmas):
    kernel = f"linux-6.18+{REWRITES / EXISTING}.py"
    code, data = vmacheck_json(
        "prove", "--equivalent", "linux-6.18", kernel, EXISTING, "--vmas", str(vmas), "--ops", "mprotect"
    )
    assert (code, data["verdict"]) == (0, "equal")
    assert data["comparisons"] > 0


def rewritten(tmp_path, old, new):
    text = (REWRITES / f"{EXISTING}.py").read_text()
    assert text.count(old) == 1
    (tmp_path / "mine.py").write_text(text.replace(old, new))
    words = ("linux-6.18", f"linux-6.18+{tmp_path / 'mine.py'}", EXISTING, "--vmas", "2", "--ops", "mprotect")
    return vmacheck("prove", "--equivalent", *words)


def test_a_wrong_rewrite_is_shown_by_its_first_difference(tmp_path):
    code, out, _ = rewritten(tmp_path, "middle, can_vma_merge_left(mm))", "middle, False)")
    assert code == 1
    assert f"{EXISTING} differs in mprotect(" in out
    assert "DIFFERENT" in out


def test_what_a_merge_leaves_behind_makes_no_difference(tmp_path):
    code, out, _ = rewritten(
        tmp_path, "    middle = mm.vmg_middle\n", "    middle = mm.vmg_middle\n    mm.vmg_target = 1\n"
    )
    assert (code, "EQUAL" in out) == (0, True)


def test_what_is_looked_at_later_does(tmp_path):
    """vmg_of_vma sets the area to merge, which is read only by the merge."""
    path = tmp_path / "mine.py"
    path.write_text(
        "def vmg_of_vma(mm, vma, start, end, vm_flags, pgoff):\n    vmg_init(mm, start, end, vm_flags, pgoff + 1, "
        "mm.vma[vma].vm_file, mm.vma[vma].vm_policy, mm.vma[vma].anon_vma)\n"
    )
    words = ("--equivalent", "linux-6.18", f"linux-6.18+{path}", "vmg_of_vma", "--vmas", "2", "--ops", "mprotect")
    code, out, _ = vmacheck("prove", *words)
    assert code == 1
    assert "mm.vmg_pgoff, which is looked at later, is" in out
    code, data = vmacheck_json("prove", *words)
    assert (code, data["difference"]["left"]["field"]) == (1, "vmg_pgoff")


def test_what_an_earlier_call_left_is_not_followed(wrong):
    rule = "what an earlier merge was about is not forgotten"
    words = ("--equivalent", "linux-6.18", wrong(rule), "vmg_init", "--vmas", "1", "--ops", "mmap")
    code, out, _ = vmacheck("prove", *words)
    assert code == 3
    assert "mm.vmg_copied_from is looked at, which only one of the versions sets" in out
    code, out, _ = vmacheck("prove", wrong(rule), "rmap_finds_every_page", "--vmas", "1", "--ops", "mmap,write")
    assert code == 3
    assert "mm.vmg_copied_from is looked at as an earlier call left it" in out


def test_the_rule_of_2025_differs():
    words = ("linux-6.12", "linux-6.16", "is_mergeable_anon_vma", "--vmas", "2", "--ops", "mprotect")
    code, data = vmacheck_json("prove", "--equivalent", *words)
    assert (code, data["verdict"]) == (1, "different")


# ---- loops over pages ----------------------------------------------------------------------------


def test_a_loop_over_pages_that_goes_on_changing_other_things_is_not_followed(tmp_path):
    (tmp_path / "patch.py").write_text(
        "def madvise_guard_remove(mm, vma, start, end):\n    for page in range(start, end):\n"
        "        mm.brk = mm.brk + 1\n    return vma\n"
    )
    words = ("vmas_are_sorted_and_disjoint", "--vmas", "1", "--ops", "mmap,guard")
    code, out, _ = vmacheck("prove", f"linux-6.18+{tmp_path / 'patch.py'}", *words)
    assert code == 3
    assert "a loop over pages that changes more than pages, again and again" in out


def test_a_loop_that_faults_in_nothing_but_what_nobody_listed_is_found_out(tmp_path):
    """The loop's fault takes the anon_vma off its list, for any page, also one that no claim is about."""
    (tmp_path / "patch.py").write_text(
        "def do_no_page(mm, vma, address, write_access):\n    anon_vma_prepare(mm, vma)\n    mm.vma[vma].anon_vma_node = NULL\n"
        "    return 0\n"
    )
    words = ("faulted_vmas_are_on_their_list", "--vmas", "1", "--ops", "mmap,mlock")
    code, out, _ = vmacheck("prove", f"linux-6.18+{tmp_path / 'patch.py'}", *words)
    assert code == 1
    assert "REFUTED" in out


# ---- jobs ----------------------------------------------------------------------------------------


@pytest.mark.proofs
def test_vmacheck_ci_proves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vmacheck.toml").write_text(
        '[job.today]\nkernel = "linux-6.18"\nprove = "vmas_are_sorted_and_disjoint"\nvmas = 1\nops = ["mmap", "mseal"]\n'
        '[job.same]\nequivalent = ["linux-6.18", "linux-6.18", "vma_modify"]\nvmas = 1\nops = ["mprotect"]\n'
        '[job.deep]\nkernel = "linux-6.18"\nprove = "adjacent_vmas_share_anon_vma"\ndepth = 2\n'
    )
    code, out, _ = vmacheck("ci", "--no-cache")
    assert code == 0
    assert "3 jobs, 3 verdicts: every verdict is as expected\n" in out


# ---- bad input -----------------------------------------------------------------------------------

BAD = [
    (["linux-6.18", "page_index_is_linear", "--max-map-count", "3"], "--max-map-count is about 2.6 kernels"),
    (["linux-6.18", "page_index_is_linear", "--ops", "mmap,move"], "prove does not follow move; it follows mmap,"),
    (["rmap40", "page_index_is_linear", "--ops", "mmap,mseal"], "mseal is not known to rmap40"),
    (["--equivalent", "rmap40", "linux-6.18", "find_vma"], "rmap40 and linux-6.18 have different states"),
    (["--equivalent", "linux-6.18", "linux-6.16", "vma_expand", "--max-map-count", "3"], "--max-map-count is about"),
    (["linux-6.18", "page_index_is_linear", "--depth", "2", "--ops", "mmap,guard"], "does not follow guard"),
    (["--equivalent", "linux-6.18", "linux-6.16", "vma_merge"], "unknown function 'vma_merge'"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "why"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_input_is_one_line(words, why):
    code, out, err = vmacheck("prove", *words)
    assert (code, out) == (2, "")
    assert why in err
    assert err.count("\n") == 1
