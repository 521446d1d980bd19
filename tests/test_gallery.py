# SPDX-License-Identifier: GPL-2.0-only
"""The gallery: every file is what is generated, every program compiles and runs, and says what the index says."""

import json
import platform
import re
import shutil
from xml.etree import ElementTree

import pytest

from counterexamples.distance import KERNEL, PARTS, TABLE
from counterexamples.findings import GALLERY, REAL, files, findings, program, short
from counterexamples.live import runner
from counterexamples.longer import Comparison
from counterexamples.reproduce import OUTCOMES, c_text, try_out
from counterexamples.svg import film_svg
from model.traces import parse_trace
from tests.helpers import steps

SHOWN = [finding for finding in findings() if not finding.is_threaded]
KNOWN = json.loads(REAL.read_text())


def test_every_file_is_what_is_generated():
    written = files()
    others = {"findings.toml", "real.json", "distance.md"}
    assert {path.name for path in GALLERY.iterdir()} == written.keys() | others
    for name, text in written.items():
        assert (GALLERY / name).read_text() == text, f"{name}: run `make readme`"


@pytest.mark.parametrize("cc", [name for name in ("gcc", "clang") if shutil.which(name)])
@pytest.mark.parametrize("finding", SHOWN, ids=lambda finding: finding.name)
def test_every_program_compiles_and_runs(finding, cc):
    status, said = try_out((GALLERY / f"{finding.name}.c").read_text(), "program.c", cc=cc)
    outcome = said.splitlines()[-1]
    assert OUTCOMES[status] in ("reproduced", "not reproduced")
    assert outcome.startswith(OUTCOMES[status])
    known = KNOWN.get(short(platform.release()))
    if known and known["release"] == platform.release():
        assert known["programs"][finding.name] == OUTCOMES[status]


def test_sharing_is_reproduced_everywhere():
    assert {"6.1", "6.12"} <= KNOWN.keys()
    for outcomes in (one["programs"] for one in KNOWN.values()):
        assert outcomes.keys() == {finding.name for finding in SHOWN}
        assert outcomes["sharing"] == outcomes["apart-for-good"] == "reproduced"


def test_a_control_that_is_no_cause_is_not_reproduced():
    """Where the control ends like the trace, the program says that it does not show it."""
    (finding,) = (finding for finding in SHOWN if finding.name == "sharing")
    text = c_text(program(finding))
    body = text[text.index("static void trace(void)\n") : text.index("static void control(void)")]
    trace = body.split("{\n")[1].split("}")[0]
    control = text[text.index("static void control(void)\n{\n") + len("static void control(void)\n{\n") :].split("}")[0]
    assert try_out(text.replace(control, trace), "program.c")[0] == 1


@pytest.mark.parametrize("name", ["sharing", "c16", "t-safe-3"])
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
