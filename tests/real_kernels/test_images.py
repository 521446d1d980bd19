# SPDX-License-Identifier: GPL-2.0-only
"""Kernel images booted in QEMU: the gallery, many traces in one boot, and sequences compared. make test-kernels."""

import json
import random
import shutil
from pathlib import Path

import pytest

from tests.support.helpers import vmacheck, vmacheck_json
from vmacheck.checker.commands.reproduce import SEEN
from vmacheck.checker.kernels.scope import Scope
from vmacheck.counterexamples.gallery.make import REAL, outcomes, release, short
from vmacheck.counterexamples.real_kernels.live import compile_program, line_of
from vmacheck.counterexamples.real_kernels.qemu import QEMU, replay_booted
from vmacheck.counterexamples.reproducer.write import c_text, program_of
from vmacheck.model.calls.operations import EVERY_OPERATION
from vmacheck.model.calls.traces import parse_trace

pytestmark = pytest.mark.kernels
IMAGES = Path(__file__).parent.parent.parent / ".kernels"
LINES = ("6.1", "6.12")
SHARING = "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); mmap(1,1,RW)"


@pytest.fixture(params=LINES)
def image(request):
    found = sorted(IMAGES.glob(f"vmlinuz-{request.param}.*"))
    if not found or not shutil.which(QEMU):
        pytest.skip(f"there is no kernel {request.param} in .kernels, or no {QEMU}")
    assert short(release(str(found[-1]))) == request.param
    return found[-1]


def test_the_gallery(image):
    found = outcomes(str(image))
    assert found == json.loads(REAL.read_text())[short(release(str(image)))]["programs"]
    assert found["sharing"] == found["apart-for-good"] == "reproduced"


def test_thousands_of_traces_in_one_boot(image):
    """Each trace has the same result as when run alone, in any order."""
    calls = Scope(pages=3).calls()
    choice = random.Random(1)
    traces = [choice.choices(calls, k=choice.randint(1, 6)) for _ in range(5000)]
    lines = [line_of(trace, 3, True) for trace in traces]
    seen = replay_booted(image, lines)
    assert [len(steps) for steps in seen] == [len(trace) for trace in traces]
    again = replay_booted(image, lines[::-1])
    assert seen == again[::-1]


def test_replay(image):
    code, out, err = vmacheck("replay", SHARING, "--kernel", str(image), "--against", "linux-2.6.8")
    assert err.startswith("vmacheck: warning: ")
    last = out.splitlines()[5].split("   ")
    assert last[-1] in ("o o|o", "<- differs")  # 6.1 joins the page between to the neighbour above
    assert code == int(last[-1] == "<- differs") == int(short(release(str(image))) == "6.1")


@pytest.mark.parametrize("style", ["program", "kselftest"])
def test_reproduce(image, style, tmp_path):
    """The test checks every step; the program ignores which neighbour gets the page between."""
    words = ("--kernel", str(image), "--style", style, "-o", str(tmp_path / "x.c"))
    code, out, err = vmacheck("reproduce", SHARING, "--expect", "linux-2.6.8", *words)
    fails = style == "kselftest" and short(release(str(image))) == "6.1"
    assert (code, err.startswith("vmacheck: warning: ")) == (int(fails), True)
    assert out == f"{'not ' * fails}reproduced on Linux {release(str(image))}{SEEN if not fails else ''}\n"


def test_conform(image):
    code, out, _ = vmacheck("conform", "linux-2.6.8", "--kernel", str(image), "--pages", "2", "--depth", "3")
    assert "5,219 sequences compared (17 of 1, 289 of 2, 4,913 of 3)" in out
    # since 6.5 mprotect takes VM_ACCOUNT from what was never written
    assert code == int(short(release(str(image))) != "6.1")


def test_the_model_of_6_12(image):
    """Every kind of call agrees in all that smaps shows."""
    if short(release(str(image))) != "6.12":
        pytest.skip("this kernel is not 6.12")
    words = [word for word in EVERY_OPERATION if word not in ("brk", "move", "guard", "growsdown")]
    scope = ("--pages", "3", "--depth", "2", "--ops", ",".join(words))
    code, out, _ = vmacheck("conform", "linux-6.12", "--kernel", str(image), *scope)
    assert code == 0
    assert "129,240 agree with Linux 6.12." in out
    growing = (
        "--pages",
        "4",
        "--prot",
        "N,RW",
        "--depth",
        "2",
        "--ops",
        "mmap,munmap,mprotect,write,read,growsdown,memw,shared",
    )
    code, out, _ = vmacheck("conform", "linux-6.12", "--kernel", str(image), *growing)
    assert code == 0
    assert "10,506 agree with Linux 6.12." in out


def test_random_programs_on_the_model_of_6_12(image):
    if short(release(str(image))) != "6.12":
        pytest.skip("this kernel is not 6.12")
    words = [word for word in EVERY_OPERATION if word not in ("brk", "move", "guard", "growsdown")]
    scope = ("--pages", "4", "--walks", "1000", "--length", "30", "--noreserve", "--prot", "N,R,RW")
    code, out, _ = vmacheck("conform", "linux-6.12", "--kernel", str(image), *scope, "--ops", ",".join(words))
    assert code == 0
    assert "30,000 agree with Linux 6.12." in out


def test_what_the_fix_of_2025_merges_as_a_program(image, tmp_path):
    """The shortest program that separates 6.12 and 6.18: its C form shows it on 6.12."""
    if short(release(str(image))) != "6.12":
        pytest.skip("this kernel is not 6.12")
    data = vmacheck_json("compare", "linux-6.12", "linux-6.18", "--by", "vmas", "--pages", "3")[1]
    (tmp_path / "program.c").write_text(
        c_text(program_of("linux-6.12", parse_trace("; ".join(data["a_worse"]["operations"]))))
    )
    compile_program(tmp_path / "program.c", tmp_path / "program", "-static")
    assert replay_booted(image, ["!/program"], [tmp_path / "program"])[0][0].result == 0


def test_an_image_that_is_none(tmp_path):
    (tmp_path / "image").write_bytes(b"no kernel" * 1000)
    code, out, err = vmacheck("replay", SHARING, "--kernel", str(tmp_path / "image"), "--against", "linux-2.6.8")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "did not start" in err
