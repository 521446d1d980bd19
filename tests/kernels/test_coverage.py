# SPDX-License-Identifier: GPL-2.0-only
"""The branches that a scope reaches, counted, and those that it does not, listed."""

import pytest

from tests.support.helpers import checked, vmacheck, vmacheck_json
from vmacheck.checker.kernels.coverage import branches_of
from vmacheck.checker.kernels.scope import Scope
from vmacheck.counterexamples.reports.coverage import branches_data

BETWEEN = "if fits_next and is_mergeable_anon_vma(mm.vma[prev].anon_vma, mm.vma[next].anon_vma):"
PATCH = """\
def is_mergeable_anon_vma(anon_vma1, anon_vma2):
    if anon_vma1 < 0 or \\
       anon_vma2 < 0:
        return lonely(anon_vma1)
    return True if anon_vma1 == NULL or anon_vma2 == NULL else not (anon_vma1 != anon_vma2 and anon_vma1 > 0)


def lonely(anon_vma):
    return anon_vma == NULL
"""


def unreached(kernel, pages, **scope):
    """Arms that are not reached, as (function, what, source)."""
    data = branches_data(branches_of(kernel, Scope(pages=pages, **scope)))
    return {(one["function"], one["what"], one["source"]): one["inside"] for one in data["unreached"]}


def test_counts_at_2_pages():
    data = branches_data(branches_of("rmap40", Scope(pages=2)))
    assert (data["states"], data["transitions"], data["depth"], data["closed"]) == (54, 918, 4, True)
    assert data["functions"] == {"total": 75, "reached": 52}
    assert data["arms"] == {"total": 496, "reached": 194}
    assert len(data["never_called"]) == 23
    everything = sum(one["inside"] + 1 for one in data["unreached"]) + sum(one["arms"] for one in data["never_called"])
    assert everything == 496 - 194


@pytest.mark.parametrize(("kernel", "pages"), [("rmap40", 3), ("linux-2.6.8", 2), ("rmap39+importer", 2)])
def test_the_states_are_those_of_the_compiled_search(kernel, pages):
    walk = branches_of(kernel, Scope(pages=pages)).walk
    search = checked(kernel, "kernel_bug_is_never_hit", pages=pages).search
    assert (walk.states, walk.transitions, walk.depth, walk.closed) == (
        search.states,
        search.transitions,
        search.depth,
        search.closed,
    )


def test_an_arm_that_takes_3_pages():
    arm = ("vma_merge", "never true", BETWEEN)
    assert unreached("rmap40", 2)[arm] == 2
    assert arm not in unreached("rmap40", 3)


def test_a_call_of_the_scope_is_reached():
    with_mlock = branches_data(branches_of("rmap40", Scope(pages=2, operations=("mmap", "mlock"))))
    never = [one["function"] for one in with_mlock["never_called"]]
    assert "do_mlock" not in never
    assert "sys_mprotect" in never


def test_a_dead_branch_of_a_patch_is_reported(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PATCH)
    data = branches_data(branches_of(f"rmap40+{path}", Scope(pages=2)))
    mine = [one for one in data["unreached"] if one["file"] == str(path)]
    assert [(one["line"], one["what"], one["source"], one["inside"]) for one in mine] == [
        # everything that hangs on it is inside, but for the function that is never called
        (2, "never true", "if anon_vma1 < 0 or \\", 2),
        (5, "operand 2 of 2 never false", PATCH.splitlines()[4].strip(), 0),
        (5, "never true as a whole", PATCH.splitlines()[4].strip(), 0),
    ]
    assert {"file": str(path), "line": 8, "function": "lonely", "arms": 0} in data["never_called"]


@pytest.mark.parametrize("threads", [0, 1])
def test_constants_of_a_patch(tmp_path, threads):
    path = tmp_path / "mine.py"
    path.write_text("FEW = 1\nLESS = FEW - 1\n\n\ndef mpol_equal(a, b):\n    return a == b or FEW < LESS\n")
    branches = branches_of(f"rmap40+{path}", Scope(pages=2, operations=("mmap", "write"), threads=threads))
    never = [(arm.line, arm.what) for arm, _ in branches.unreached() if arm.file == str(path)]
    assert never == [(6, "operand 2 of 2 never true"), (6, "never false as a whole")]


def test_operands_where_they_are_a_value():
    found = unreached("rmap40", 2)
    source = "return anon_vma1 == NULL or anon_vma2 == NULL or anon_vma1 == anon_vma2"
    assert found["is_mergeable_anon_vma", "never false as a whole", source] == 0
    assert not [what for function, what, _ in found if function == "is_mergeable_anon_vma" and "operand" in what]


def test_what_is_run_is_not_changed_by_counting():
    # a second walk finds the counters of its own only
    first, second = (branches_of("rmap39", Scope(pages=2)) for _ in range(2))
    assert first.arms == second.arms
    assert first.walk.keys == second.walk.keys


def test_threads():
    branches = branches_of("rmap40", Scope(pages=2, operations=("mmap", "write"), threads=1))
    assert (branches.walk.states, branches.walk.closed) == (25, True)
    assert next(arm for arm in branches.functions if arm.function == "anon_vma_prepare").file.startswith("model/")


def test_text():
    code, out, err = vmacheck("coverage", "rmap40", "--pages", "2")
    assert (code, err) == (0, "")
    assert f"  model/linux_2_6/mmap.py:116: vma_merge: never true (and 2 branches inside): {BETWEEN}\n" in out
    assert "  model/linux_2_6/mlock.py:43: do_mlock (19 branches)\n" in out
    assert out.endswith(
        "rmap40: 54 states, 918 transitions, depth 4, closed\n"
        "functions: 52 of 75 called\n"
        "branches: 194 of 496 reached, 194 of 284 in functions that are called\n"
    )


@pytest.mark.parametrize(("option", "value"), [("--max-states", "9"), ("--depth", "2")])
def test_a_walk_that_was_cut_says_so(option, value):
    code, data = vmacheck_json("coverage", "rmap40", "--pages", "2", option, value)
    assert (code, data["closed"]) == (3, False)
    assert data["reason"].endswith(f"than {option} allows")
    assert data["states"] == (9 if option == "--max-states" else 18)
    code, out, _ = vmacheck("coverage", "rmap40", "--pages", "2", option, value)
    assert out.splitlines()[-1] == f"incomplete ({data['reason']}): other programs may reach more"


@pytest.mark.large
def test_offsets_that_are_not_followed():
    _, data = vmacheck_json("coverage", "rmap40", "--pages", "3", "--ops", "mmap,write,mremap", "--max-pgoff", "2")
    assert data["reason"] == "offsets beyond --max-pgoff were not followed"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["rmap41"], "unknown kernel 'rmap41'; did you mean rmap40?"),
        (["rmap40+./none.py"], "none.py: No such file or directory"),
        (["rmap40", "--pages", "0"], "--pages is 0; it can be 1 to 256"),
        (["anonmm", "--threads", "1"], "--threads is about anon_vma_prepare, which anonmm does not have"),
        ([], "the following arguments are required: KERNEL"),
    ],
)
def test_bad_input(words, why):
    assert vmacheck("coverage", *words) == (2, "", f"vmacheck: {why}\n")
