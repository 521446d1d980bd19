# SPDX-License-Identifier: GPL-2.0-only
"""The gallery: every file is what is generated, every program compiles and runs, and says what the index says."""

import json
import platform
import shutil
from xml.etree import ElementTree

import pytest

from counterexamples.findings import GALLERY, REAL, files, findings, program, short
from counterexamples.reproduce import OUTCOMES, c_text, try_out
from counterexamples.svg import film_svg
from tests.helpers import steps

SHOWN = [finding for finding in findings() if not finding.is_threaded]
KNOWN = json.loads(REAL.read_text())


def test_every_file_is_what_is_generated():
    written = files()
    others = {"findings.toml", "real.json"}
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
