# SPDX-License-Identifier: GPL-2.0-only
"""First contact: help, a first job file, functions to patch, and words in any order."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import vmacheck as package
from tests.support.helpers import vmacheck, vmacheck_json
from vmacheck.checker.commands.main import COMMANDS, parser
from vmacheck.checker.kernels.programs import program_of

COMMAND_NAMES = (
    "check run compare prove minimise reproduce replay conform ci init list show graph coverage claims tradeoff".split()
)


def test_without_a_word_there_is_a_short_help():
    code, out, err = vmacheck()
    assert (code, err) == (0, "")
    assert len(re.findall(r"^  vmacheck ", out, re.MULTILINE)) == 5
    assert len(out.splitlines()) < 12


def test_the_version():
    assert vmacheck("--version") == (0, f"vmacheck {package.__version__}\n", "")
    done = subprocess.run([sys.executable, "-m", "vmacheck", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"vmacheck {package.__version__}\n"


def test_the_public_names():
    assert set(package.__all__) == {"__version__", "assert_holds", "assert_violated"}
    assert package.assert_holds.__module__ == "vmacheck.checker.testing"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_help_of_every_command(name):
    code, out, err = vmacheck(name, "--help")
    assert (code, err) == (0, "")
    assert f"usage: vmacheck {name} " in out
    assert re.search(r"\n\n[A-Z][^\n]+", out), "there is no sentence"
    assert re.search(rf"\nexample:\n  vmacheck {name}|\nexample:\n  vmacheck check .*; vmacheck {name}", out)
    assert max(map(len, out.split("\nexample:")[0].splitlines())) <= 80


def test_every_command_is_in_the_list_above():
    main = vmacheck("--help")[1]
    assert len(COMMANDS) == len(COMMAND_NAMES) - 1  # prove and minimise are in one file
    for name in COMMAND_NAMES:
        assert re.search(rf"^    {name} ", main, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--pages", "3"), "unrecognized arguments|no command is given|invalid choice"),
        (("list", "functions"), "list functions takes a KERNEL"),
        (("list", "kernels", "rmap40"), "list kernels takes no KERNEL"),
        (("show", "linux-6.18", "vma_marge"), "unknown function 'vma_marge'; did you mean"),
        (("show", "linux-6.19", "vma_merge"), "unknown kernel 'linux-6.19'"),
        (("check", "rmap40", "--kernels", "2004"), "--kernels goes without KERNEL"),
        (("check", "--kernels", "2004", "--processes", "2"), "--kernels 2004: this scope is about none of them"),
        (("ci",), "there is no vmacheck.toml here; vmacheck init writes one"),
        (("--print-completion", "fish"), "invalid choice"),
    ],
)
def test_bad_input_is_one_line(words, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = vmacheck(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(why, err), err


def test_statistics_are_printed_when_they_are_asked_for():
    words = ("check", "linux-6.18", "--pages", "1", "-p", "kernel_bug_is_never_hit")
    short, full = vmacheck(*words)[1], vmacheck(*words, "-v")[1]
    assert "vma_merge cases: " not in short
    assert set(full.splitlines()) > set(short.splitlines())
    assert re.search(r"^calls: mmap .*\nvma_merge cases: .*\nalso: ", full, re.MULTILINE)
    two = vmacheck("check", "linux-6.12", "linux-6.18", "--pages", "1", "-p", "kernel_bug_is_never_hit", "-v")[1]
    assert "linux-6.12: calls: mmap " in two
    assert vmacheck_json(*words)[1]["coverage"][0]["calls"]


def test_init_writes_a_job_file_that_is_carried_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert vmacheck("init") == (0, "vmacheck.toml is written; vmacheck ci carries it out\n", "")
    text = Path("vmacheck.toml").read_text()
    assert "auto" not in tomllib.loads(text)["job"]["sharing"]["kernel"]
    assert text.count("#") >= 6
    code, out, err = vmacheck("ci")
    assert (code, err) == (0, "")
    assert "every verdict is as expected" in out
    code, out, err = vmacheck("init")
    assert (code, out, err) == (2, "", "vmacheck: vmacheck.toml is there already\n")
    assert Path("vmacheck.toml").read_text() == text
    assert vmacheck("init", "other.toml")[0] == 0


@pytest.mark.parametrize("kernel", ["linux-6.18", "rmap40"])
def test_a_patch_can_begin_with_what_is_shown(kernel, tmp_path, monkeypatch):
    """Every listed function is shown, and its text is a patch that changes nothing."""
    monkeypatch.chdir(tmp_path)
    functions = program_of(kernel, {}).functions
    code, data = vmacheck_json("list", "functions", kernel)
    assert code == 0
    assert [one["name"].partition("(")[0] for one in data["functions"]] == list(functions)
    for name in ("find_mergeable_anon_vma", "can_vma_merge_after", list(functions)[-1]):
        code, out, err = vmacheck("show", kernel, name)
        assert (code, err) == (0, "")
        Path("mine.py").write_text(out)
        assert vmacheck("check", f"{kernel}+./mine.py", "--pages", "1", "-p", "kernel_bug_is_never_hit")[0] == 0
    code, data = vmacheck_json("show", kernel, "find_mergeable_anon_vma")
    assert (data["kernel"], data["parameters"]) == (kernel, ["mm", "vma"])
    assert data["source"].startswith('def find_mergeable_anon_vma(mm, vma):\n    """')
    assert "anon_vma_prepare" in " ".join(data["called_by"])


def test_show_finds_the_function_of_the_users_own_patch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def find_mergeable_anon_vma(mm, vma):\n    return 0\n")
    out = vmacheck("show", "linux-6.18+./mine.py", "find_mergeable_anon_vma")[1]
    assert out.startswith("# mine.py:1\n")
    assert out.endswith("    return 0\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell):
    code, out, err = vmacheck("--print-completion", shell)
    assert (code, err) == (0, "")
    for word in ("linux-6.18", "auto", "checkpoint", "rmap_finds_every_page"):
        assert word in out


def test_bash_completes_kernels(tmp_path):
    (tmp_path / "completion").write_text(vmacheck("--print-completion", "bash")[1])
    script = (
        f"source {tmp_path}/completion; COMP_WORDS=(vmacheck check linux-6.1); COMP_CWORD=2; "
        "_shtab_vmacheck vmacheck linux-6.1 check; echo ${COMPREPLY[*]}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert {"linux-6.12", "linux-6.18"} <= set(done.stdout.split()), done


def test_parsers_have_no_option_twice():
    parser()


WORDS_ANYWHERE = [
    ("run", "rmap40", "--pages", "2", "mmap(0,1,RW)"),
    ("run", "--pages", "2", "rmap40", "mmap(0,1,RW)"),
    ("run", "rmap40", "mmap(0,1,RW)", "--pages", "2"),
]


def test_words_stand_anywhere_among_options():
    assert len({vmacheck(*words) for words in WORDS_ANYWHERE}) == 1
    one = vmacheck("check", "rmap39", "--pages", "1", "rmap40", "--depth", "1")
    assert one == vmacheck("check", "rmap39", "rmap40", "--pages", "1", "--depth", "1")
    assert vmacheck("compare", "rmap39", "--pages", "1", "rmap40")[0] == 0
