# SPDX-License-Identifier: GPL-2.0-only
"""Attempts to make vmacheck ci give wrong answers, lose data, or leave files behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.commands.test_schema import validator
from tests.jobs.test_ci import MINE, NEVER, folder, processes, run  # noqa: F401  (two are fixtures)
from tests.support.helpers import vmacheck
from vmacheck.checker.files.kept import cache_folder
from vmacheck.checker.files.written import OutputError, check_outputs, write_at_once
from vmacheck.checker.jobs import answers
from vmacheck.checker.jobs import run as ci
from vmacheck.checker.jobs.answers import branches_digest, digest
from vmacheck.checker.jobs.job_file import read_jobs
from vmacheck.checker.jobs.toml_lines import lines_of
from vmacheck.counterexamples.job_reports.github import as_no_command
from vmacheck.properties import EVERY_PROPERTY

ONE = '[job.one]\nkernel = "rmap40"\npages = 1\nproperties = ["page_index_is_linear"]\n'


def only(text):
    Path("vmacheck.toml").write_text(text)
    return read_jobs(Path("vmacheck.toml"))[0]


PROCESSES = """[job.two]
kernel = "linux-6.18+mine.py"
processes = 2
pages = 1
prot = ["RW"]
properties = ["what_is_written_is_ones_own", "kernel_bug_is_never_hit"]
"""
NO_COPY = """def handle_mm_fault(mm, vma, address, write_access):
    if mm.page[address].mapcount == 0:
        return do_no_page(mm, vma, address, write_access)
    return 0
"""


def test_two_processes_in_every_report(processes):  # noqa: F811
    Path("vmacheck.toml").write_text(PROCESSES)
    Path("mine.py").write_text(NO_COPY)
    words = [word for name in ("json", "junit", "sarif", "html") for word in (f"--{name}", f"out.{name}")]
    code, out, err = vmacheck("ci", *words, "--itf", "itf")
    assert (code, err) == (1, "")
    assert "  4  write(0)       p0: A  p1: B\n" in out
    (result,) = json.loads(Path("out.sarif").read_text())["runs"][0]["results"]
    assert len(result["codeFlows"][0]["threadFlows"][0]["locations"]) == 4
    (rule,) = json.loads(Path("out.sarif").read_text())["runs"][0]["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == EVERY_PROPERTY["what_is_written_is_ones_own"].claim
    validator("ci").validate(json.loads(Path("out.json").read_text()))
    (trace,) = Path("itf").iterdir()
    data = json.loads(trace.read_text())
    assert data["vars"] == ["operation", "result", "error", "vmas", "pages"]
    assert all(set(state) == {"#meta", *data["vars"]} for state in data["states"])
    assert vmacheck("check", "linux-6.18+mine.py", "--processes", "2", "--pages", "1", "--itf", "itf2",
                    "-p", "what_is_written_is_ones_own")[0] == 1  # fmt: skip
    assert json.loads(next(Path("itf2").iterdir()).read_text())["states"][4]["operation"] == "write(0)"


def test_run_of_two_processes_does_what_it_is_told_or_refuses():
    trace = "mmap(0,1,RW); fork(); p1: write(0)"
    assert json.loads(vmacheck("run", "linux-6.18", trace, "--format", "itf")[1])["states"][3]["error"] == ""
    for option, why in (
        (["--svg", os.devnull], "--svg: there are no pictures of threads, nor of two processes"),
        (["--every-step"], "--every-step is for traces of threads"),
    ):
        assert vmacheck("run", "linux-6.18", trace, *option)[::2] == (2, f"vmacheck: {why}\n")


@pytest.mark.parametrize("words", [
    "--random 2 --walks 2", "--states 2 --walks 2", "--states 2 --length 2", "--length 2", "--random 2 --see layout",
    "--random 2 --processes 2",
])  # fmt: skip
def test_conform_ignores_no_option(words):
    code, out, err = vmacheck("conform", "linux-6.18", "--pages", "1", *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)


# ---- the cache -----------------------------------------------------------------------------------


def test_every_file_counts(folder, monkeypatch):  # noqa: F811
    """Each file of the program is hashed whole, or function by function."""
    root = answers.HERE.parent
    read = set()
    monkeypatch.setattr(Path, "read_text", lambda path, **_: read.add(path) or "")
    answers.of_the_checker.__wrapped__()
    files = {path for name in answers.FOLDERS for path in (root / name).rglob("*.py")}
    assert read & files == files - answers.LINKED
    assert files >= answers.LINKED


@pytest.mark.parametrize("change", [
    ("return 1", "return 2"), ("LIMIT = 3", "LIMIT = 4"), ("@always()", "@always(premise=happens)"),
    ("    return True", "    return False"),
])  # fmt: skip
def test_a_changed_property_is_another(folder, change):  # noqa: F811
    own = (
        'LIMIT = 3\n\n\ndef helper(mm):\n    return 1\n\n\n@sometimes\ndef happens(mm):\n    """x"""\n    return True\n\n\n'
        '@always()\ndef mine(mm):\n    """Few."""\n    return mm.map_count <= LIMIT + helper(mm)\n'
    )
    text = '[job.own]\nkernel = "rmap40"\npages = 1\nproperties = ["own.py:mine", "own.py:happens"]\n'
    Path("own.py").write_text(own)
    before = digest(only(text))
    assert digest(only(text)) == before
    assert change[0] in own
    Path("own.py").write_text(own.replace(*change))
    assert digest(only(text)) != before


def test_how_protections_are_ordered_does_not_matter_and_which_does(folder):  # noqa: F811
    words = [f'{ONE}prot = ["RW", "R"]\n', f'{ONE}prot = ["R", "RW"]\n', f'{ONE}prot = ["RW"]\n']
    systems = [only(text).scope() for text in words]
    assert systems[0] == systems[1] != systems[2]
    assert digest(only(words[1])) != digest(only(words[2]))


def test_lines_count_where_an_answer_names_them(folder):  # noqa: F811
    job = read_jobs(Path("vmacheck.toml"))[1]
    key, words = digest(job), ci.coverage_command(job)
    before = branches_digest(job, key, words)
    Path("mine.py").write_text(f"# a remark\n{MINE}")
    assert digest(job) == key
    assert branches_digest(job, key, words) != before


def test_a_file_that_changes_while_its_job_runs_is_not_answered_for(folder, monkeypatch):  # noqa: F811
    real = ci.Runner._carried_out

    def edited(runner, job, words):
        Path("mine.py").write_text(NEVER)
        return real(runner, job, words)

    with monkeypatch.context() as patch:
        patch.setattr(ci.Runner, "_carried_out", edited)
        run("--job", "mine")
    Path("mine.py").write_text(MINE)
    assert run("--job", "mine")[::2] == (0, set())


def test_what_there_was_no_time_for_is_asked_again(folder):  # noqa: F811
    job = only('[job.a]\nprove = "rmap_finds_every_page"\nkernel = "rmap40"\nvmas = 1\n')
    assert not ci.is_final(job, {"verdict": "incomplete"})
    assert ci.is_final(job, {"verdict": "proved"})
    assert ci.is_final(only(ONE), {"results": []})


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\xff" + data])
def test_half_an_answer_is_none(folder, damage):  # noqa: F811
    Path("vmacheck.toml").write_text(ONE)
    run()
    (path,) = Path("cache/answers").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert run()[::2] == (0, set())
    assert run()[::2] == (0, {"one"})


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    for name in ("VMACHECK_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))
    assert cache_folder() == Path(os.devnull) / "vmacheck"


# ---- names ---------------------------------------------------------------------------------------

NAMES = ["]]>", "<script>x</script>", "%0A::error::x", "::error::x", "a/../b", "a b", "a-b", "ä", "ö", "|`x`|", "x]y"]


@pytest.mark.parametrize("name", ["a\\nb", "a\\u001b[31m", "\\u0000", "a\\u202eb", "\\uFFFE", "a\\u2028b"])
def test_names_that_cannot_be_shown_are_refused(folder, name):  # noqa: F811
    for text in (f'[job."{name}"]\nkernel = "rmap40"\n', f'[job.a]\nkernel = "rmap40+{name}.py"\n'):
        Path("vmacheck.toml").write_text(text)
        code, out, err = vmacheck("ci")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.isprintable() or err[:-1].isprintable()
        assert "has a character that cannot be shown" in err
        assert err.startswith("vmacheck: vmacheck.toml:")


@pytest.mark.large
def test_names_inject_nothing(folder, monkeypatch):  # noqa: F811
    jobs = [
        f"[job.{json.dumps(name)}]\nkernel = 'rmap40+./a %20#.py'\npages = 2\nstates = 9\nwhat = '''one\n::error::two'''\n"
        f"properties = ['first_write_takes_neighbours_anon_vma']\nexpect.first_write_takes_neighbours_anon_vma = "
        f"{{verdict = 'violated', length = 9, reason = '''why\n::error::not'''}}\n"
        for name in NAMES
    ]
    Path("vmacheck.toml").write_text("\n".join(jobs))
    Path("a %20#.py").write_text(NEVER)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    words = [word for name in ("junit", "sarif", "html") for word in (f"--{name}", f"out.{name}")]
    code, out, err = vmacheck("ci", *words, "--github")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    end = lines.index(f"::{token}::")
    commands = [line for line in lines[end + 1 :] if line]
    assert all(line.startswith("::error file=") for line in commands)
    assert len(commands) == 2 * len(NAMES)
    assert [suite.get("name") for suite in ElementTree.parse("out.junit").getroot()] == NAMES
    page = Path("out.html").read_text()
    assert "<script>x" not in page
    ids = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids))
    uris = {place["physicalLocation"]["artifactLocation"]["uri"]
            for one in json.loads(Path("out.sarif").read_text())["runs"][0]["results"] for place in one["locations"]}  # fmt: skip
    assert uris == {"a%20%2520%23.py", "vmacheck.toml"}
    rows = [line for line in Path("summary.md").read_text().splitlines() if line.startswith("| ")]
    assert {row.count("|") for row in rows} == {5}
    assert not any("<script>" in row or "\n::" in row for row in rows)


def test_text_is_left_alone_where_nothing_in_it_is_a_command():
    assert as_no_command(["a :: b"]) == ["a :: b"]
    assert as_no_command(["", "  ::x::"])[1:-1] == ["", "  ::x::"]
    assert len(as_no_command(["x ##[error]y"])) == 3


def test_text_that_no_process_should_say_is_no_xml(folder, monkeypatch):  # noqa: F811
    Path("vmacheck.toml").write_text(ONE)
    monkeypatch.setattr(ci.Runner, "_carried_out", lambda *_: "its process exited 1: \x1b[31m\x00]]>")
    assert vmacheck("ci", "--junit", "out.junit")[0] == 1
    error = ElementTree.parse("out.junit").getroot().find(".//error")
    assert error.get("message") == "its process exited 1: \ufffd[31m\ufffd]]>"


def test_lines_in_spite_of_brackets_and_texts():
    text = '[job."a]b"]\nwhat = """x\n[job.c]\npages = 3\n"""\nkernel = \'\'\'\n[x]\'\'\' # """\n["j\\"k"]\n'
    found = lines_of(text)
    assert found["job", "a]b"] == 1
    assert ("job", "c") not in found
    assert found["job", "a]b", "kernel"] == 6
    assert found[('j"k',)] == 8


# ---- reports -------------------------------------------------------------------------------------


def test_reports_are_refused_before_the_work(folder, monkeypatch):  # noqa: F811
    monkeypatch.setattr(ci.Runner, "run", lambda *_: pytest.fail("it was carried out"))
    Path("file").write_text("kept")
    bad = {
        "--html nowhere/x.html": "--html: nowhere/x.html: there is no folder",
        "--json .": "--json: .: that is a folder",
        "--sarif /proc/nothing": "--sarif: /proc/nothing: ",
        "--json out --junit ./out": "--junit: ./out: --json writes that",
        "--json vmacheck.toml": "--json: vmacheck.toml: it is vmacheck.toml, which is read",
        "--html mine.py": "--html: mine.py: it is mine.py, which is read",
        "--itf file": "--itf: file: File exists",
        "--update --json out": "--update writes the job file, and no reports: leave out --json",
        "--update --github": "--update writes the job file, and no reports: leave out --github",
    }
    for words, message in bad.items():
        code, out, err = vmacheck("ci", *words.split())
        assert (code, out, err.count("\n")) == (2, "", 1), words
        assert err.startswith(f"vmacheck: {message}")
    assert Path("file").read_text() == "kept"
    assert not Path("out").exists()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    assert vmacheck("ci", "--junit", "out")[0] == 2
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "nowhere/x")
    assert vmacheck("ci", "--github")[::2][1].startswith("vmacheck: GITHUB_STEP_SUMMARY: nowhere/x: there is no folder")


@pytest.mark.parametrize("words", [
    "check rmap40 --pages 1 --svg nowhere/x", "check rmap40 --pages 1 --itf vmacheck.toml",
    "run rmap40 mmap(0,1,RW) --svg .", "graph rmap40 --pages 1 -o nowhere/x", "tradeoff rmap40 --svg nowhere/x",
    "reproduce mmap(0,1,RW) -o nowhere/x", "replay mmap(0,1,RW) --svg nowhere/x",
    "check linux-2.6.8 --threads 1 --pages 1 --svg x", "check linux-6.18 --processes 2 --pages 1 --svg x",
])  # fmt: skip
def test_so_are_those_of_other_commands(folder, monkeypatch, words):  # noqa: F811
    for name in ("check_all", "graph_of", "worst_of"):
        command = {"check_all": "check", "graph_of": "graph", "worst_of": "tradeoff"}[name]
        monkeypatch.setattr(f"vmacheck.checker.commands.{command}.{name}", None)
    code, out, err = vmacheck(*words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_at_once(link, "new\r\n")
    assert link.is_symlink()
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new\r\n", 0o640)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_at_once(target, "half")
    assert sorted(tmp_path.iterdir()) == [link, target]
    assert target.read_bytes() == b"new\r\n"
    write_at_once(Path(os.devnull), "x")
    check_outputs({"--a": os.devnull, "--b": os.devnull}, {})
    with pytest.raises(OutputError, match="--a: it: that is a folder"):
        check_outputs({"--a": ""}, {})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_ended_leaves_nothing_behind(tmp_path, number):
    (tmp_path / "vmacheck.toml").write_text(
        '[job.a]\nkernel = "linux-2.6.8"\npages = 8\n[job.b]\nprove = "rmap_finds_every_page"\nkernel = "rmap40"\n'
    )
    environment = {**os.environ, "VMACHECK_CACHE": str(tmp_path / "cache")}
    words = [sys.executable, "-P", "-m", "vmacheck", "ci", "--html", "x.html"]
    child = subprocess.Popen(
        words,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs ignore it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while not (begun := _children(child.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert begun
    time.sleep(1)
    begun |= {below for one in _children(child.pid) for below in (one, *_children(one))}
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    words_of = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupted"}
    assert (child.returncode, out, err) == (128 + number, "", f"vmacheck: {words_of[number]}\n")
    time.sleep(0.2)
    assert [one for one in begun if _is_alive(one)] == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["vmacheck.toml"]


def _children(pid):
    found = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        return {int(word) for path in found for word in path.read_text().split()}
    except OSError:
        return set()


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
