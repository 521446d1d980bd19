# SPDX-License-Identifier: GPL-2.0-only
"""The kernel name auto: its model on each host, the notice about it, and its use everywhere."""

import platform

import pytest

from tests.support.helpers import vmacheck, vmacheck_json
from vmacheck.checker.kernels import auto
from vmacheck.checker.kernels.auto import NEWEST, Real, chosen_for_auto, resolved
from vmacheck.checker.kernels.names import split_name
from vmacheck.checker.testing import assert_holds

BUGS = "kernel_bug_is_never_hit"


@pytest.fixture(name="host")
def _host(monkeypatch):
    """A function that sets the running kernel."""

    def host(release, system="Linux", **more):
        monkeypatch.setattr(platform, "system", lambda: system)
        monkeypatch.setattr(auto, "running", lambda: Real(release, **more))

    return host


@pytest.mark.parametrize(
    ("release", "more", "kernel", "said"),
    [
        ("6.12.117+deb12", {}, "linux-6.12", "the same release"),
        ("6.14.2", {}, "linux-6.12+guard-regions", "only the nearest"),
        ("6.18.44", {"has_fix": True, "has_maybe_guard": False}, "linux-6.18", "with the fix"),
        ("6.18.44", {"has_fix": True, "has_maybe_guard": True}, "linux-6.18+sticky", "VM_MAYBE_GUARD"),
        ("7.3.4", {}, NEWEST, "6.18 is the newest that is modelled"),
        ("6.11.9", {}, NEWEST, "6.11.9 is older than every model of a current kernel"),
        ("5.15.0-generic", {}, NEWEST, "is older than every model"),
        ("23.4.0", {"system": "Darwin"}, NEWEST, "this is not Linux"),
        ("10", {"system": "Windows"}, NEWEST, "this is not Linux"),
    ],
)
def test_which_model_it_is(host, release, more, kernel, said):
    host(release, **more)
    chosen = chosen_for_auto()
    assert chosen.kernel == kernel
    assert said in "; ".join(chosen.lines())
    assert resolved("auto") == kernel
    assert resolved("auto+./mine.py") == f"{kernel}+./mine.py"
    assert resolved("rmap40+importer") == "rmap40+importer"
    split_name(resolved("auto"))


def test_it_is_a_name_everywhere(host, tmp_path, monkeypatch):
    host("6.12.1")
    monkeypatch.chdir(tmp_path)
    code, data = vmacheck_json("check", "auto", "--pages", "1", "-p", BUGS)
    assert (code, data["results"][0]["kernel"]) == (0, "linux-6.12")
    code, data = vmacheck_json("check", "--pages", "1", "-p", BUGS)
    assert (code, data["results"][0]["kernel"]) == (0, "linux-6.12")
    assert vmacheck_json("run", "mmap(0,1,RW)")[1]["kernel"] == "linux-6.12"
    assert vmacheck_json("compare", "linux-6.18", "--pages", "1")[1]["a"] == "linux-6.12"
    assert vmacheck_json("compare", "auto+share-never", "auto", "--pages", "1")[1]["a"] == "linux-6.12+share-never"
    assert vmacheck("list", "functions", "auto")[1] == vmacheck("list", "functions", "linux-6.12")[1]
    assert vmacheck("show", "auto", "vma_merge_new_range")[1].startswith("# model/linux/vma.py:")
    assert vmacheck("graph", "auto", "--pages", "1", "--ops", "mmap")[0] == 0
    assert vmacheck("prove", "auto", "layout")[2].startswith("vmacheck: unknown property 'layout'")
    assert_holds("auto", BUGS, pages=1)


def test_a_job_may_be_about_it(host, tmp_path, monkeypatch):
    host("6.12.1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vmacheck.toml").write_text(f'[job.mine]\nkernel = "auto"\npages = 1\nproperties = ["{BUGS}"]\n')
    code, out, _ = vmacheck("ci", "--no-cache")
    assert code == 0
    assert "mine (check linux-6.12): holds" in out


def test_which_it_is_is_said_below_the_answer(host):
    host("6.12.1")
    code, out, err = vmacheck("run", "mmap(0,1,RW)")
    assert (code, err) == (0, "model kernel: linux-6.12, for Linux 6.12.1: the same release\n")
    assert vmacheck("run", "linux-6.12", "mmap(0,1,RW)") == (0, out, "")
    assert vmacheck("run", "mmap(0,")[2].count("\n") == 1  # bad input is one line


def test_a_release_that_says_nothing(host):
    host("custom")
    code, out, err = vmacheck("check", "--pages", "1")
    assert (code, out, err) == (2, "", "vmacheck: 'custom' is no release of Linux: name the model kernel\n")


def test_this_machine():
    """This machine's kernel has a model, or there is a reason why not."""
    auto.running.cache_clear()
    real = auto.running()
    assert real.release == platform.release()
    assert real.has_maybe_guard in (True, False, None)
    if platform.system() == "Linux" and auto.RELEASE.match(real.release):
        split_name(chosen_for_auto().kernel)
