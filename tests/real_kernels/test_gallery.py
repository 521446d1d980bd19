# SPDX-License-Identifier: GPL-2.0-only
"""The gallery: every file is up to date, every program compiles and runs, with the outcome in the index."""

import json
import platform
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest

from tests.support.helpers import steps, vmacheck
from vmacheck.counterexamples.gallery.distance import KERNEL, PARTS, TABLE
from vmacheck.counterexamples.gallery.make import (
    GALLERY,
    REAL,
    anon_vmas_as_on,
    files,
    findings,
    in_words,
    program,
    short,
)
from vmacheck.counterexamples.pictures.film import film_svg
from vmacheck.counterexamples.real_kernels.live import runner
from vmacheck.counterexamples.real_kernels.random_sequences import Comparison
from vmacheck.counterexamples.real_kernels.views import BPF, best_view
from vmacheck.counterexamples.reproducer.write import OUTCOMES, c_text, try_out
from vmacheck.model.calls.traces import parse_trace

SHOWN = [finding for finding in findings() if not finding.is_threaded]
KNOWN = json.loads(REAL.read_text())


def test_every_file_is_what_is_generated():
    written = files()
    others = {"findings.toml", "real.json", "distance.md", "merged.md"}
    found = [path for path in GALLERY.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert {str(path.relative_to(GALLERY)) for path in found} == written.keys() | others
    for name, text in written.items():
        assert (GALLERY / name).read_text() == text, f"{name}: run `make readme`"


@pytest.mark.parametrize("cc", [name for name in ("gcc", "clang") if shutil.which(name)])
def test_every_program_compiles_and_runs(cc):
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda one: try_out((GALLERY / f"{one.path}.c").read_text(), "program.c", cc=cc), SHOWN))
    known = KNOWN.get(short(platform.release()), {})
    known = known["programs"] if known.get("release") == platform.release() else {}
    wrong = {}
    for finding, (status, text) in zip(SHOWN, said, strict=True):
        outcome = OUTCOMES[status]
        possible = {"reproduced", "not reproduced", *(["skipped"] if finding.is_current else [])}
        possible &= {known.get(finding.name, outcome)}
        if outcome not in possible or not text.splitlines()[-1].startswith(outcome):
            wrong[finding.name] = text
    assert wrong == {}


def test_sharing_is_reproduced_everywhere():
    assert {"6.1", "6.12"} <= KNOWN.keys()
    for outcomes in (one["programs"] for one in KNOWN.values()):
        assert outcomes.keys() == {finding.name for finding in SHOWN}
        assert outcomes["sharing"] == outcomes["apart-for-good"] == "reproduced"


def test_candidates_have_evidence_and_are_seen_on_a_real_kernel():
    candidates = [finding for finding in SHOWN if finding.status == "candidate"]
    assert len(candidates) == 3
    for finding in candidates:
        assert len(finding.evidence) > 100
        assert KNOWN["6.18"]["programs"][finding.name] == "reproduced"
    assert {finding.status for finding in SHOWN if finding.status.startswith("fixed")} == {"fixed in 6.16"}


def test_what_is_in_words_only_says_all_but_the_calls():
    assert [one.name for one in in_words()] == ["mremap-without-an-anon-vma", "more-vmas-than-the-limit"]
    for one in in_words():
        assert all(re.search(what, text) for what, text in ((r"6\.1\d", one.kernels), (r"\d calls", one.length)))
        assert len(one.says) > 100
        assert len(one.fixed) > 100


def test_real_kernels_have_the_anon_vmas_of_their_models():
    known = KNOWN["6.18"]["anon_vmas"]
    assert known.keys() == {finding.name for finding in SHOWN if finding.is_current}
    assert all("linux-6.18+sticky" in models for models in known.values())
    assert known["mremap-many"] == ["linux-6.18", "linux-6.18+sticky"]
    assert "linux-6.12" not in known["fix-of-2025"]
    if KNOWN["6.18"]["release"] == platform.release() and best_view()[0] is BPF:
        for finding in SHOWN:
            if finding.name in ("mremap-many", "fork-child-grows"):
                assert anon_vmas_as_on(finding) == known[finding.name]


def test_a_program_goes_on_in_the_child(tmp_path):
    trace = "mmap(0,1,RW); write(0); fork(); p1: mmap(1,1,RW)"
    code, *_ = vmacheck("reproduce", trace, "--expect", "linux-6.18", "-o", str(tmp_path / "child.c"))
    text = (tmp_path / "child.c").read_text()
    assert code == 0 or not platform.release().startswith("6.18.")
    assert 'STEP(become_child(), 0, "0-1:rw-");' in text
    assert "The control is the same without the fork, which ends as A A." in " ".join(text.replace("\n *", "").split())
    wrong = text.replace('1, "0-1:rw- 1-2:rw-"', '1, "0-2:rw-"').replace(
        "reproduced = vmas() == 2", "reproduced = vmas() == 1"
    )
    assert wrong != text
    assert try_out(wrong, "program.c")[0] == 1


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        (
            "fork(); write(0)",
            "operation 2, 'write(0)': a program follows one process, and after one fork() its child, p1",
        ),
        ("fork(); p1: exit()", "operation 2, 'p1: exit()': a program follows one process"),
        ("fork(); p1: fork()", "operation 2, 'p1: fork()': a program follows one process"),
        ("fork(); p2: write(0)", "operation 2, 'p2: write(0)': there are p0 and p1"),
    ],
)
def test_a_program_follows_one_process(trace, said):
    code, out, err = vmacheck("reproduce", trace, "--expect", "linux-6.18")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"vmacheck: {said}")


def test_a_control_that_is_no_cause_is_not_reproduced():
    """A control that ends like the trace makes the program say that it does not show the cause."""
    (finding,) = (finding for finding in SHOWN if finding.name == "sharing")
    text = c_text(program(finding))
    body = text[text.index("static void trace(void)\n") : text.index("static void control(void)")]
    trace = body.split("{\n")[1].split("}")[0]
    control = text[text.index("static void control(void)\n{\n") + len("static void control(void)\n{\n") :].split("}")[0]
    assert try_out(text.replace(control, trace), "program.c")[0] == 1


@pytest.mark.parametrize("name", ["linux_2_6/sharing", "linux_2_6/c16-mlock-keeps-two-anon-vmas", "linux/accounting"])
def test_pictures_are_xml_that_needs_nothing(name):
    text = (GALLERY / f"{name}.svg").read_text()
    tree = ElementTree.fromstring(text)
    assert tree.tag.endswith("svg")
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_a_picture_has_a_box_for_each_vma_and_a_dot_for_each_page():
    film = steps("rmap40", "mmap(0,1,RW); write(0); mmap(2,1,R); write(2)", 4)
    text = film_svg("<a & b>", film, 4)
    assert text.count('rx="5"') == sum(len(step.vmas) for step in film) == 6
    assert text.count("<circle") == sum(len(step.pages) for step in film) == 3
    assert "<title>&lt;a &amp; b&gt;</title>" in text
    assert ">EFAULT</text>" in text
    assert text.count("url(#h0)") == 3


def test_the_distance_is_still_what_was_written():
    """Each sequence of the table still differs in its way, on the kernel that it was written for."""
    text = TABLE.read_text()
    parts = text.split("\n## ")[1:]
    assert [part.splitlines()[0] for part in parts] == [part.about for part in PARTS]
    ways = 0
    for part, written in zip(PARTS, parts, strict=True):
        assert f"$ {part.command}\n" in written
        comparison = Comparison(KERNEL, part.scope, runner())
        for what, trace in re.findall(r"times: (.*)\n    (\S.*)\n", written):
            ways += 1
            if text.splitlines()[0].endswith(platform.release()):
                way = comparison.difference([comparison.model.calls.index(call) for call in parse_trace(trace)])
                assert (way.what, "; ".join(map(str, way.calls))) == (what, trace)
    assert ways >= 15
    assert sum(int(n.replace(",", "")) for n in re.findall("([0-9,]+) sequences compared", text)) > 100_000
