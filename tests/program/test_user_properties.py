# SPDX-License-Identifier: GPL-2.0-only
"""Properties in a user's own file."""

import pytest

from tests.support.helpers import vmacheck
from vmacheck.checker.jobs.job_file import read_jobs
from vmacheck.checker.kernels.one_process import build
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import check

RULES = '''"""Rules of one's own."""
from model.mm import NULL
from properties import always, sometimes, step

MOST = 2


@sometimes
def many_vmas(mm):
    """There are more vmas than pages."""
    return mm.map_count > NR_VMAS


@sometimes
def two_vmas(mm):
    """There are two vmas."""
    return mm.map_count == 2


def count_of(mm):
    count = 0
    for vma in range(1, mm.map_count + 1):
        if mm.vma[vma].vm_end > mm.vma[vma].vm_start:
            count = count + 1
    return count


@always(premise=two_vmas)
def few_vmas(mm):
    """There are at most two vmas."""
    return count_of(mm) <= MOST


@always(premise=two_vmas)
def vmas_have_pages(mm):
    """No vma is empty."""
    return count_of(mm) == mm.map_count


@always(many_vmas)
def says_nothing(mm):
    """Its premise never happens."""
    return True


@step()
def nothing_vanishes(before, call, after):
    """No call leaves fewer vmas, but munmap."""
    return call.nr == NR_munmap or after.map_count >= before.map_count
'''
NAMES = ("few_vmas", "vmas_have_pages", "says_nothing", "nothing_vanishes", "two_vmas")


@pytest.fixture
def rules(tmp_path, monkeypatch):
    (tmp_path / "rules.py").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("run", ["compiled", "interpreted"])
def test_verdicts(rules, run):
    system = build("rmap40", Scope(pages=3), [f"rules.py:{name}" for name in NAMES])
    results = check(system, NAMES, Limits(), run).results
    assert [result.outcome for result in results] == ["violated 2", "holds", "vacuous", "violated 3", "holds"]
    assert results[2].reason == "never happens: many_vmas"


def test_the_command(rules):
    code, out, err = vmacheck("check", "linux-2.6.8", "--pages", "2", "-p", "rules.py:vmas_have_pages")
    assert (code, err) == (0, "")
    assert "vmas_have_pages: holds for programs of any length\n" in out
    both = ("check", "rmap40", "--pages", "3", "-p", "rules.py:few_vmas", "-p", "rmap_finds_every_page")
    code, out, _ = vmacheck(*both)
    assert (code, "few_vmas is violated on rmap40 after 2 calls" in out) == (1, True)


def test_in_a_job(rules):
    (rules / "jobs").mkdir()
    text = '[job.a]\nkernel = "rmap40"\npages = 2\nproperties = ["../rules.py:two_vmas", "../rules.py:few_vmas"]\n'
    (rules / "jobs" / "vmacheck.toml").write_text(text)
    code, out, err = vmacheck("ci", "jobs/vmacheck.toml", "--no-cache")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "a (check rmap40): 2 holds"
    (job,) = read_jobs(rules / "jobs" / "vmacheck.toml")
    assert "-p" in job.command()
    (rules / "rules.py").write_text(RULES.replace("MOST = 2", "MOST = 1"))
    code, out, err = vmacheck("ci", "jobs/vmacheck.toml")
    assert (code, "a: newly violated: few_vmas is violated 2, not holds" in out) == (1, True)
    (rules / "rules.py").write_text(RULES.replace("def few_vmas", "def fewer_vmas"))
    code, out, err = vmacheck("ci", "jobs/vmacheck.toml")
    message = "vmacheck: jobs/vmacheck.toml:1: job 'a': jobs/../rules.py: there is no property few_vmas; did you mean"
    assert (code, out, err.startswith(message)) == (2, "", True)


HEAD = "from vmacheck.properties import always, sometimes, step\n"
FAULTS = [
    ("", "rules.py: there is no property mine; there are none"),
    ("def mine(mm):\n    return True\n", "rules.py: there is no property mine; there are none"),
    ("x = [", "rules.py:2: '[' was never closed"),
    ("import os\n@always()\ndef mine(mm):\n    return True\n", "rules.py:2: only functions, integer constants and"),
    ("@always\ndef mine(mm):\n    return True\n", "rules.py:3: mine: the decorators are @always(), @step(), either"),
    ("@never()\ndef mine(mm):\n    return True\n", "rules.py:3: mine: the decorators are @always(), @step(), either"),
    ("@always()\n@step()\ndef mine(mm):\n    return True\n", "rules.py:4: mine: has more than one decorator"),
    ("@always()\ndef mine(mm, x):\n    return True\n", "rules.py:3: mine: @always takes (mm)"),
    ("@step()\ndef mine(mm):\n    return True\n", "rules.py:3: mine: @step takes (before, call, after)"),
    ("@always(other)\ndef mine(mm):\n    return True\n", "rules.py:3: mine: its premise other is no @sometimes property"),
    ("@always()\ndef mine(mm):\n    return [1]\n", "rules.py:4: mine: not allowed: lists"),
    ("@always()\ndef mine(mm):\n    return gone(mm)\n", "rules.py:4: mine: "),
    ("@always()\ndef mine(mm):\n    mm.map_count = 1\n    return True\n", "rules.py:4: mine: changes the state"),
    ("@always()\ndef mine(mm):\n    return mm.size == 1\n", "rules.py:4: mine: "),
    ("@always()\ndef mine(mm):\n    return find_vma(mm)\n", "rules.py:4: mine: "),
    ("@always()\ndef rmap_finds_every_page(mm):\n    return True\n", "rules.py:3: rmap_finds_every_page is a property that"),
    ("@always()\ndef mine(mm):\n    return mine(mm)\n", "rules.py:3: mine calls itself"),
    ("def find_vma(mm, addr):\n    return 1\n@always()\ndef mine(mm):\n    return True\n", "model/common/lookup.py"),
    ("def step(mm, call):\n    return 1\n@always()\ndef mine(mm):\n    return True\n", "step is also the name of a property's function (rules.py:2)"),
    ("NULL = 4\n@always()\ndef mine(mm):\n    return True\n", "rules.py: NULL is a name that is taken"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_faults(rules, text, message):
    (rules / "rules.py").write_text(HEAD + text)
    code, out, err = vmacheck("check", "rmap40", "-p", "rules.py:mine")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err, err


def test_other_faults(rules):
    words = ("check", "rmap40", "-p", "rules.py:few_vmas")
    assert vmacheck(*words, "--segments", "3")[0] == 2
    assert vmacheck(*words, "--threads", "1")[0] == 2
    assert vmacheck("check", "rmap40", "-p", "gone.py:x")[2] == "vmacheck: gone.py: No such file or directory\n"
    (rules / "more.py").write_text(RULES)
    code, _, err = vmacheck(*words, "-p", "more.py:few_vmas")
    assert code == 2
    assert err == "vmacheck: two properties have the same name, few_vmas: rules.py:few_vmas and more.py:few_vmas\n"
    assert vmacheck(*words, "-p", "more.py:vmas_have_pages")[0] == 2
