# SPDX-License-Identifier: GPL-2.0-only
"""Classes of merges in which two kernels part: all of them, each with a shortest program that shows it when run."""

import re

import pytest

from tests.support.helpers import vmacheck, vmacheck_json
from vmacheck.checker.claims.parts import states_after
from vmacheck.counterexamples.gallery.make import GALLERY
from vmacheck.counterexamples.gallery.merged import PARTS, text_of
from vmacheck.model.calls.traces import parse_trace

WORDS = ("compare", "linux-6.12", "linux-6.18", "--classes", "--pages", "3")
MPROTECT = {
    # left, area, right, cases, length
    ("-", "written", "unwritten", None, 4, 5),
    ("-", "written", "unwritten", None, 8, 5),
    ("same anon_vma", "written", "unwritten", 7, 6, 5),
    ("unwritten", "written", "-", None, 5, 5),
    ("unwritten", "written", "-", None, 7, 5),
    ("unwritten", "written", "same anon_vma", 8, 6, 5),
    ("unwritten", "written", "unwritten", None, 6, 6),
}


def test_the_classes_of_mprotect():
    code, data = vmacheck_json(*WORDS)
    assert (code, data["closed"]) == (1, True)
    found = [tuple(one[w] for w in ("left", "area", "right", "case_a", "case_b", "length")) for one in data["classes"]]
    assert {one["call"] for one in data["classes"]} == {"mprotect"}
    assert len(found) == len(MPROTECT)
    assert set(found) == MPROTECT


def test_both_ways_are_the_same_classes():
    _, data = vmacheck_json("compare", "linux-6.18", "linux-6.12", *WORDS[3:])
    found = {tuple(one[w] for w in ("left", "area", "right", "case_b", "case_a", "length")) for one in data["classes"]}
    assert found == MPROTECT


def test_a_kernel_and_itself_do_not_part():
    code, out, err = vmacheck("compare", "linux-6.18", "linux-6.18+sticky", *WORDS[3:])
    assert (code, err) == (0, "")
    assert "\n0 classes; these are all\n" in out


def test_a_search_that_was_cut_says_so():
    code, out, _ = vmacheck(*WORDS, "--depth", "4")
    assert (code, "0 classes; there may be more" in out) == (3, True)
    code, out, _ = vmacheck(*WORDS, "--depth", "5")
    assert (code, "6 classes; there may be more" in out) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("compare", "rmap39", "rmap40", "--classes"), "--classes is about current kernels, and rmap39 is none"),
        (
            ("compare", "linux-6.12", "linux-6.18", "--classes", "--by", "layout"),
            "--classes and --by do not go together",
        ),
    ],
)
def test_bad_input_is_one_line(words, said):
    assert vmacheck(*words) == (2, "", f"vmacheck: {said}\n")


# ---- the gallery's page --------------------------------------------------------------------------

PAGE = (GALLERY / "merged.md").read_text()


def test_every_program_of_the_page_parts_at_its_last_call():
    programs = 0
    for section, part in zip(PAGE.split("\n## ")[1:], PARTS, strict=True):
        for trace in re.findall(r"^\S.*  (mmap\(.*)$", section, re.MULTILINE):
            calls, pages = parse_trace(trace), part.scope.pages
            old, new = (states_after(kernel, calls, pages) for kernel in (part.a, "linux-6.18"))
            layouts = [
                [(vma.vm_start, vma.vm_end) for vma in mm.vma[1 : mm.map_count + 1]] for mm in (old[-1], new[-1])
            ]
            assert layouts[0] != layouts[1], trace
            assert [mm.map_count for mm in old[:-1]] == [mm.map_count for mm in new[:-1]], trace
            programs += 1
    assert programs > 40


def test_what_is_unsafe_on_a_released_kernel_has_its_length_only():
    assert PAGE.count("  5 calls, unsafe on linux-6.16\n") == 8


@pytest.mark.parametrize("part", [PARTS[0], PARTS[5], PARTS[6], PARTS[-1]], ids=lambda part: part.about)
def test_the_page_is_current(part):
    assert text_of(part) in PAGE, "run `python -m vmacheck.counterexamples.gallery.merged`"
