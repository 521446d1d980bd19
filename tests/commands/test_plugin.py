# SPDX-License-Identifier: GPL-2.0-only
"""assert_holds and assert_violated, as functions and as fixtures of pytest's."""

import re
import subprocess
import sys

import pytest

from tests.support.helpers import MUTANTS
from vmacheck.checker.kernels.names import UnknownName
from vmacheck.checker.kernels.scope import ScopeError
from vmacheck.checker.program.link import LinkError
from vmacheck.checker.testing import assert_holds, assert_violated

pytest_plugins = ["pytester"]
SHARE = "adjacent_vmas_share_anon_vma"
BUG = "kernel_bug_is_never_hit"


def failure(check, *words, **options):
    with pytest.raises(AssertionError) as error:
        check(*words, **options)
    return str(error.value)


def test_holds():
    assert_holds("rmap40", BUG, pages=3)
    assert_holds("linux-2.6.8", BUG, pages=2, prot="R,RW,RWX", ops="mmap,write", noreserve=True, run="interpreted")


def test_a_failure_has_the_counterexample():
    text = failure(assert_holds, "rmap39", SHARE, pages=2)
    assert text.startswith(f"{SHARE} is violated on rmap39 by 5 calls\n\none cell a page: ")
    assert "\n  5  write(1)          a|B\n" in text
    assert "scope: 2 pages, protections R,RW, calls mmap,munmap,mprotect,write\n" in text


def test_violated():
    assert_violated("rmap39", SHARE, pages=2)
    assert_violated("rmap39", SHARE, 5, pages=2)
    assert failure(assert_violated, "rmap39", SHARE, 4, pages=2).startswith(
        f"not by 4 calls: {SHARE} is violated on rmap39 by 5 calls\n"
    )
    assert failure(assert_violated, "rmap40", BUG, pages=2).startswith(f"{BUG} holds on rmap40\n")


def test_an_open_question_is_no_answer():
    for check in (assert_holds, assert_violated):
        text = failure(check, "rmap40", BUG, pages=3, max_states=50)
        head = f"{BUG} is incomplete, and so does not hold on rmap40 (more states than --max-states allows)\n"
        assert text.startswith(head)


def test_nor_is_a_vacuous_one():
    text = failure(assert_holds, "rmap40", SHARE, pages=1)
    assert text.startswith(f"{SHARE} is vacuous, and so does not hold on rmap40 (never happens: neighbours_")


def test_any_size_and_threads():
    assert_holds("rmap40", BUG, segments=2)
    assert_violated("linux-2.6.8", "faults_share_with_their_neighbours", pages=2, threads=2,
                    ops=["mmap", "write"], prot=("RW", "RWX"))  # fmt: skip


def test_two_processes():
    assert_holds("linux-6.18", "what_is_written_is_ones_own", pages=1, processes=2, prot="RW", run="interpreted")
    with pytest.raises(ScopeError, match="--processes is about current kernels"):
        assert_holds("rmap40", "kernel_bug_is_never_hit", pages=1, processes=2)


def test_a_users_own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        'from properties import always\n\n\n@always()\ndef one_vma(mm):\n    """One at most."""\n'
        "    return mm.map_count < 2\n"
    )
    assert_violated("rmap40", f"{path}:one_vma", 2, pages=2)
    assert_violated(f"rmap40+{MUTANTS / 'kernel_bug_is_never_hit.py'}", BUG, pages=3)


@pytest.mark.parametrize(
    ("words", "options", "error", "why"),
    [
        (("rmap41", BUG), {}, UnknownName, "did you mean rmap40"),
        (("rmap40", "bug"), {}, UnknownName, "unknown property 'bug'"),
        (("rmap40+./none.py", BUG), {}, LinkError, "No such file"),
        (("rmap40", BUG), {"pages": 0}, ScopeError, "it can be 1 to 256"),
        (("rmap40", BUG), {"prot": "Q"}, ScopeError, "unknown protection 'Q'"),
        (("rmap40", BUG), {"pages": 2, "segments": 2}, ScopeError, "segments is about any number of pages"),
        (("rmap40", BUG), {"page": 2}, TypeError, "there is no option page; there are pages, "),
        (("rmap40", BUG), {"run": "walked"}, ScopeError, "it can be compiled or interpreted"),
    ],
)
def test_bad_input(words, options, error, why):
    with pytest.raises(error, match=why):
        assert_holds(*words, **options)


# ---- in pytest -----------------------------------------------------------------------------------

TESTS = f"""\
def test_good(assert_holds, assert_violated):
    assert_holds("rmap40", "{BUG}", pages=2)
    assert_violated("rmap39", "{SHARE}", 5, pages=2)


def test_bad(assert_holds):
    assert_holds("rmap39", "{SHARE}", pages=2)


def test_wrong(assert_holds):
    assert_holds("rmap40", "{BUG}", ops="fly")
"""


def test_fixtures(pytester):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            f'>       assert_holds("rmap39", "{SHARE}", pages=2)',
            f"E       AssertionError: {SHARE} is violated on rmap39 by 5 calls",
            "E         * write(0) * A *",
            "test_fixtures.py:7: AssertionError",
            "E       vmacheck.checker.kernels.scope.ScopeError: --ops: unknown operation 'fly'; there are *",
        ]
    )
    # where in the checker it was raised is of no use to who reads it
    assert not re.search(r"(testing|scope|options)\.py:", result.stdout.str())


def test_fixtures_are_listed(pytester):
    result = pytester.runpytest("--fixtures")
    result.stdout.fnmatch_lines(["assert_holds*", "    assert_holds(kernel, property, pages=4, ...)*"])


def test_the_plugin_is_light():
    # what every run of pytest loads where vmacheck is installed: nothing but pytest, which is there already
    text = (
        "import sys, pytest; before = set(sys.modules); import vmacheck.checker.plugin;"
        "print(*sorted(name for name in set(sys.modules) - before))"
    )
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["vmacheck", "vmacheck.checker", "vmacheck.checker.plugin"]
