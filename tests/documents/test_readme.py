# SPDX-License-Identifier: GPL-2.0-only
"""What README.md shows is what the commands print, and what it tells the reader to do works."""

import re

import pytest

from tests.documents.readme import BLOCK, README, output
from tests.support.helpers import vmacheck

BLOCKS = [match.groups()[1:4] for match in BLOCK.finditer(README.read_text(encoding="utf-8"))]


def test_there_are_blocks():
    assert len(BLOCKS) == 33


def as_test(block):
    marks = [pytest.mark.proofs] if block[1].split()[:1] in (["prove"], ["minimise"]) else []
    return pytest.param(*block, id=f"vmacheck{block[1]}", marks=marks)


# test_claims.py and test_today.py, which have decided the claims, have the blocks about them
CLAIMS = (" claims", " claims --kernels today")


@pytest.mark.parametrize(("kind", "command", "shown"), [as_test(block) for block in BLOCKS if block[1] not in CLAIMS])
def test_output_is_current(kind, command, shown):
    assert output(kind, command) == shown, "run `make readme`"


def test_lines_of_files_are_there():
    text = README.read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- lines of: (.*) -->\n```c\n(.*?)```\n", text, re.DOTALL)
    assert shown[1] in (README.parent / shown[0]).read_text()
    for path in re.findall(r"\]\(([^:)]+)\)", text):
        assert (README.parent / path).is_file()


def test_a_counterexample_becomes_a_program_as_it_says(tmp_path):
    """The two commands, with a scope that may have been checked before."""
    code, out, _ = vmacheck("check", "rmap40", "--pages", "3", "-p", "adjacent_vmas_share_anon_vma", "--format", "json")
    (tmp_path / "result.json").write_text(out)
    words = ("reproduce", "--from", str(tmp_path / "result.json"), "-o", str(tmp_path / "sharing.c"))
    assert (code, vmacheck(*words)[0]) == (1, 0)
    shown = re.findall(r"```c\n(.*?)```\n", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert shown in (tmp_path / "sharing.c").read_text()


def test_the_patch_in_it_works(tmp_path, monkeypatch):
    text = README.read_text(encoding="utf-8")
    (patch,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "mine.py").write_text(patch)
    monkeypatch.chdir(tmp_path)
    trace = re.findall(r"vmacheck run (\S+) '(.*)'", text)
    code, out, _ = vmacheck("check", "linux-2.6.8+./mine.py", "--pages", "3")
    assert code == 1
    assert "first_write_takes_neighbours_anon_vma: VIOLATED" in out
    assert trace == [("linux-2.6.8+./mine.py", "mmap(0,2,RW); mprotect(1,1,R); write(0); mprotect(0,1,R)")]
    assert vmacheck("run", *trace[0])[0] == 0


def test_the_job_in_it_is_as_expected(tmp_path, monkeypatch):
    text = README.read_text(encoding="utf-8")
    (tmp_path / "mine.py").write_text(*re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    (tmp_path / "vmacheck.toml").write_text(*re.findall(r"```toml\n(.*?)```", text, re.DOTALL))
    monkeypatch.chdir(tmp_path)
    code, out, _ = vmacheck("ci", "--no-cache")
    assert (code, out.splitlines()[-1]) == (0, "1 job, 2 verdicts: every verdict is as expected")
