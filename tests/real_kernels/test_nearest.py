# SPDX-License-Identifier: GPL-2.0-only
"""The model kernel for a real one, by made-up releases and configurations, and the messages of the commands."""

import pytest

from tests.support.helpers import vmacheck, vmacheck_json
from vmacheck.checker.kernels import auto
from vmacheck.checker.kernels.auto import NEEDED, STICKY, Real, choose
from vmacheck.checker.kernels.btf import KernelError
from vmacheck.checker.kernels.one_process import build
from vmacheck.checker.kernels.scope import Scope
from vmacheck.counterexamples.real_kernels import nearest

EVERY = frozenset(NEEDED)
RELEASES = [
    ("2.6.8", {}, "linux-2.6.8", ""),
    ("2.6.8.1", {}, "linux-2.6.8", ""),
    ("2.6.24-x", {}, "linux-2.6.8", "of those only 2.6.8 is modelled"),
    ("2.6.34", {}, "linux-6.12", "none before 6.12 is modelled"),
    ("6.1.0-56-cloud-amd64", {}, "linux-6.12", "none before 6.12 is modelled"),
    ("6.12.117+deb12", {}, "linux-6.12", ""),
    ("6.13.1", {}, "linux-6.12+guard-regions", "came with 6.15; it was never compared"),
    ("6.15", {}, "linux-6.12+guard-regions", "it was never compared"),
    ("6.16.3", {}, "linux-6.16", "it was never compared"),
    ("6.17.0", {}, "linux-6.16+mremap-many", "it was never compared"),
    ("6.18.3", {"has_maybe_guard": False}, "linux-6.16+mremap-many", ""),
    ("6.18.3", {"has_maybe_guard": False, "has_fix": True}, "linux-6.18", ""),
    ("6.18.20", {"has_maybe_guard": False}, "linux-6.18", "it is not known if 6.18.20 has the fix"),
    ("6.18.20", {"has_maybe_guard": True, "has_fix": True}, STICKY, ""),
    ("6.18.20", {"has_maybe_guard": True, "has_fix": False}, "linux-6.16+mremap-many", "with the fix only"),
    ("6.18.40", {}, "linux-6.18", "it was not asked if it has VM_MAYBE_GUARD"),
    ("6.18.40", {"has_maybe_guard": False}, "linux-6.18", ""),
    ("6.19.0", {"has_maybe_guard": True}, STICKY, "6.18 is the newest"),
    ("7.0.0", {"has_maybe_guard": False}, "linux-6.18", "6.18 is the newest"),
    ("10.3", {}, STICKY, "6.18 is the newest"),
    ("6.12.1", {"config": EVERY}, "linux-6.12", ""),
    ("6.12.1", {"config": EVERY - {"CONFIG_KSM"}}, "linux-6.12", "CONFIG_KSM is not set, so it refuses madvise MERGE"),
    ("6.12.1", {"never_overcommits": True}, "linux-6.12", "/proc/sys/vm/overcommit_memory is 2"),
]


@pytest.mark.parametrize(("release", "more", "kernel", "but"), RELEASES, ids=range(len(RELEASES)))
def test_releases(release, more, kernel, but):
    chosen = choose(Real(release, **more))
    assert chosen.kernel == kernel
    assert but in "; ".join(chosen.but)
    assert bool(but) == bool(chosen.but)
    assert len(chosen.lines()) == 1 + bool(but)
    build(kernel, Scope(pages=1))


def test_what_is_no_release():
    with pytest.raises(KernelError, match="'bzImage' is no release of Linux: name the model kernel"):
        choose(Real("bzImage"))


def pretend(monkeypatch, release, **more):
    monkeypatch.setattr(auto, "running", lambda: Real(release, **more))


def test_the_commands_choose_and_say_why(monkeypatch):
    pretend(monkeypatch, "6.16.1")
    said = "model kernel: linux-6.16, for Linux 6.16.1: the same release\nonly the nearest that there is: it was never"
    for words in (("conform", "--pages", "1", "--depth", "1"), ("conform", "auto", "--pages", "1", "--depth", "1")):
        code, out, err = vmacheck(*words)
        assert (code, err) == (0, "")
        assert out.startswith(said)
    code, out, err = vmacheck("replay", "mmap(0,1,RW)", "--against", "auto")
    assert (code, err) == (0, "")
    assert out.startswith(said)
    code, data = vmacheck_json("conform", "--pages", "1", "--depth", "1")
    assert (code, data["kernel"]) == (0, "linux-6.16")
    assert vmacheck("conform", "--pages", "1", "--depth", "1", "--format", "json")[2].startswith(said)


def test_reproduce_chooses(monkeypatch, tmp_path):
    pretend(monkeypatch, "6.12.3")
    words = ("reproduce", "mmap(0,1,RW); write(0)", "--expect", "auto")
    code, out, err = vmacheck(*words, "-o", str(tmp_path / "x.c"))
    assert (code, err) == (0, "")
    assert out.startswith("model kernel: linux-6.12, for Linux 6.12.3: the same release\n")
    assert "on the model kernel linux-6.12:" in " ".join((tmp_path / "x.c").read_text().split())
    code, out, err = vmacheck(*words)
    assert out.startswith("// SPDX")
    assert err.startswith("model kernel: linux-6.12")


NAMED = [
    ("linux-6.12", "6.12.3", ""),
    ("linux-6.12+./mine.py", "6.12.3", ""),
    ("linux-6.12", "6.18.40", "linux-6.12 is not the model of Linux 6.18.40; the nearest to it is linux-6.18"),
    ("linux-6.18", "6.12.3", "linux-6.18 is not the model of Linux 6.12.3; that is linux-6.12"),
    ("rmap40", "6.12.3", "rmap40 is not the model of Linux 6.12.3, but a 2.6 kernel; that is linux-6.12"),
    ("linux-6.16", "6.16.1", "linux-6.16 is only the nearest to Linux 6.16.1: it was never compared with a real one"),
    ("linux-6.16", "bzImage", ""),
]


@pytest.mark.parametrize(("model", "release", "said"), NAMED)
def test_a_named_one_that_does_not_match_is_said(monkeypatch, tmp_path, model, release, said):
    pretend(monkeypatch, release)
    (tmp_path / "mine.py").write_text("def merges_with_source(flags):\n    return True\n")
    monkeypatch.chdir(tmp_path)
    expected = f"vmacheck: warning: {said}\n" if said else ""
    assert vmacheck("conform", model, "--pages", "1", "--depth", "1")[2] == expected
    assert vmacheck("replay", "mmap(0,1,RW)", "--against", model)[2] == expected
    assert vmacheck("reproduce", "mmap(0,1,RW)", "--expect", model, "-o", "x.c")[2] == expected


def test_what_is_not_named_is_no_reason_to_warn(tmp_path):
    assert vmacheck("replay", "mmap(0,1,RW)")[2] == ""
    assert vmacheck("reproduce", "mmap(0,1,RW)", "-o", str(tmp_path / "x.c"))[2] == ""


def test_bad_input_is_one_line(monkeypatch):
    code, out, err = vmacheck("conform", "--kernel", "/nowhere")
    assert (code, out, err) == (2, "", "vmacheck: there is no kernel image /nowhere\n")
    pretend(monkeypatch, "bzImage")
    code, out, err = vmacheck("conform")
    assert (code, out, err) == (2, "", "vmacheck: 'bzImage' is no release of Linux: name the model kernel\n")


def test_the_running_kernel_is_known():
    known = nearest.known_of("live")
    assert choose(known).kernel
    if known.release.startswith("6.18.44"):
        assert (known.has_fix, known.has_maybe_guard) in ((True, True), (None, True))
