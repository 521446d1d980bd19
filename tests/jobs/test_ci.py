# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck ci: job files and their errors, outcomes, re-runs, and the changes by --update."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.helpers import vmacheck
from vmacheck.checker.jobs import run as ci
from vmacheck.checker.jobs.answers import digest
from vmacheck.checker.jobs.job_file import Expectation, JobError, read_jobs
from vmacheck.checker.jobs.run import Runner, surprise_of
from vmacheck.checker.jobs.toml_lines import lines_of

ROOT = Path(__file__).parent.parent.parent
SMALL = """# what is checked
[defaults]
pages = 2                       # small

[job.seed]
kernel = "rmap40"
properties = ["rmap_finds_every_page", "page_index_is_linear"]

[job.mine]
what = "a rule of one's own"
kernel = "linux-2.6.8+mine.py"  # a file beside this one
properties = ["first_write_takes_neighbours_anon_vma"]
"""
MINE = """def find_mergeable_anon_vma(mm, vma):
    near = vma_next(mm, vma)
    if near != NULL and mm.vma[vma].vm_end == mm.vma[near].vm_start:
        return mm.vma[near].anon_vma
    near = find_vma_prev(mm, mm.vma[vma].vm_start)
    if near != NULL and mm.vma[near].vm_end == mm.vma[vma].vm_start:
        return mm.vma[near].anon_vma
    return NULL
"""
NEVER = "def find_mergeable_anon_vma(mm, vma):\n    return NULL\n"


class InProcess:
    """A stand-in for a job's process: the command line, called in process, which is faster and equivalent."""

    def __init__(self, words, **_):
        assert words[:4] == [sys.executable, "-P", "-m", "vmacheck"]
        self.returncode, self.out, self.err = vmacheck(*words[4:])

    def communicate(self):
        return self.out, self.err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The command's folder, with a job file and a patch, and a fresh cache."""
    # of the jobs only: searches may begin processes, too, which make better builds
    instead = SimpleNamespace(Popen=InProcess, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(ci, "subprocess", instead)
    monkeypatch.setattr(
        "vmacheck.checker.commands.ci.os.sched_getaffinity", lambda _: {0}
    )  # output is caught in one thread
    (tmp_path / "vmacheck.toml").write_text(SMALL)
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VMACHECK_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def processes(folder, monkeypatch):
    """The folder, with jobs in several processes."""
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VMACHECK_CACHE", str(folder / "cache"))
    return folder


def run(*words):
    """The exit code, the outcomes by job and name, and the jobs that were answered from the cache."""
    code, out, err = vmacheck("ci", *words, "--json", "answer.json")
    assert err == ""
    jobs = json.loads(Path("answer.json").read_text())["jobs"]
    found = {(job["name"], one["name"]): one["outcome"] for job in jobs for one in job["outcomes"]}
    return code, found, {job["name"] for job in jobs if job["cached"]}, out


def test_outcomes_and_the_cache(processes):
    code, found, cached, out = run()
    assert code == 0
    assert set(found.values()) == {"as expected"}
    assert cached == set()
    assert out.splitlines()[-1] == "2 jobs, 3 verdicts: every verdict is as expected"
    again = run()
    assert again[:3] == (0, found, {"seed", "mine"})
    assert out == again[3].replace("answered from the cache: 2 of 2 (--no-cache to force)\n", "")
    assert run("--no-cache")[:3] == (0, found, set())
    assert run("--job", "mine")[1].keys() == {("mine", "first_write_takes_neighbours_anon_vma")}


def test_what_changed_is_carried_out_again_and_nothing_else(folder):
    run()
    (folder / "mine.py").write_text(f"# a remark\n\n{MINE}")
    assert run()[2] == {"seed", "mine"}
    (folder / "mine.py").write_text(NEVER)
    code, found, cached, out = run()
    assert (code, cached) == (1, {"seed"})
    assert found["mine", "first_write_takes_neighbours_anon_vma"] == "newly violated"
    assert "mine: newly violated: first_write_takes_neighbours_anon_vma is violated 5, not holds\n" in out
    assert "  5  write(1)          a|B\n" in out
    (folder / "vmacheck.toml").write_text(SMALL.replace("pages = 2", "pages = 3"))
    assert run()[2] == set()


def test_a_damaged_answer_is_no_answer(folder):
    run()
    for path in (folder / "cache" / "answers").iterdir():
        path.write_text(path.read_text().replace('"holds"', '"violated"'))
    assert run()[:3] == (0, dict.fromkeys(run()[1], "as expected"), set())


def test_the_cache_cannot_be_written(folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv("VMACHECK_CACHE", str(folder / "file" / "below"))
    assert run()[::2] == (0, set())
    assert run()[::2] == (0, set())


def test_update_writes_what_was_found_and_leaves_the_rest(folder):
    (folder / "mine.py").write_text(NEVER)
    text = SMALL + '\n[job.seed.expect]\npage_index_is_linear = { verdict = "vacuous" }\n'
    (folder / "vmacheck.toml").write_text(text.replace("[job.mine]", "[job.mine]\nstates = 1"))
    code, found, *_ = run()
    assert (code, found["seed", "page_index_is_linear"]) == (1, "newly fixed")
    code, out, _ = vmacheck("ci", "--update")
    assert (code, out.splitlines()) == (
        0,
        [
            "vmacheck.toml:5: seed: page_index_is_linear: holds, was vacuous",
            "vmacheck.toml:9: mine: first_write_takes_neighbours_anon_vma: violated 5, was holds",
            "vmacheck.toml:9: mine: 55 states, not 1",
        ],
    )
    written = (folder / "vmacheck.toml").read_text()
    assert 'first_write_takes_neighbours_anon_vma = {verdict = "violated", length = 5}' in written
    assert written.startswith("# what is checked\n[defaults]\npages = 2                       # small\n")
    assert "# a file beside this one\n" in written
    assert run()[0] == 0
    assert vmacheck("ci", "--update")[1] == "every expectation is met: nothing to update\n"


def test_reasons_stay_with_their_verdict(folder):
    expect = (
        '\n[job.mine.expect.first_write_takes_neighbours_anon_vma]\nverdict = "violated"\nlength = 9\nreason = "why"\n'
    )
    (folder / "vmacheck.toml").write_text(SMALL + expect)
    (folder / "mine.py").write_text(NEVER)
    assert run()[1]["mine", "first_write_takes_neighbours_anon_vma"] == "drifted"
    vmacheck("ci", "--update")
    assert read_jobs(folder / "vmacheck.toml")[1].expected == {
        "first_write_takes_neighbours_anon_vma": Expectation("violated", {"length": 5}, "why")
    }
    (folder / "mine.py").write_text(MINE)
    code, found, _, out = run()
    assert (code, found["mine", "first_write_takes_neighbours_anon_vma"]) == (1, "newly fixed")
    assert "     it was expected because: why\n" in out
    vmacheck("ci", "--update")
    assert read_jobs(folder / "vmacheck.toml")[1].expected == {}


@pytest.mark.parametrize(
    ("verdict", "lengths", "expected", "surprise"),
    [
        ("holds", {}, Expectation("holds"), "as expected"),
        ("violated", {"length": 4}, Expectation("violated"), "as expected"),
        ("violated", {"length": 4}, Expectation("violated", {"length": 4}), "as expected"),
        ("violated", {"length": 4}, Expectation("violated", {"length": 5}), "drifted"),
        ("violated", {"length": 4}, Expectation("holds"), "newly violated"),
        ("violated", {"length": 4}, Expectation("vacuous"), "newly violated"),
        ("violated", {"length": 4}, Expectation("incomplete"), "newly violated"),
        ("holds", {}, Expectation("violated", {"length": 4}), "newly fixed"),
        ("holds", {}, Expectation("vacuous"), "newly fixed"),
        ("incomplete", {}, Expectation("holds"), "incomplete"),
        ("incomplete", {}, Expectation("violated"), "incomplete"),
        ("vacuous", {}, Expectation("holds"), "vacuous"),
        ("unproved", {}, Expectation("proved"), "incomplete"),
        ("refuted", {"length": 3}, Expectation("proved"), "newly violated"),
        ("a_worse", {"a_worse": 6}, Expectation("equal"), "newly violated"),
        ("equal", {}, Expectation("a_worse"), "newly fixed"),
        ("b_worse", {"b_worse": 6}, Expectation("a_worse"), "changed"),
        ("incomparable", {"a_worse": 6, "b_worse": 7}, Expectation("incomparable", {"b_worse": 7}), "as expected"),
        ("holds within bound", {}, Expectation("holds"), "changed"),
    ],
)
def test_surprises(verdict, lengths, expected, surprise):
    assert surprise_of(verdict, lengths, expected) == surprise


@pytest.mark.parametrize(
    ("more", "expect", "code"),
    [
        ("depth = 1", "", 3),
        ('depth = 1\nexpect.rmap_finds_every_page = { verdict = "incomplete" }', "", 0),
        ('ops = ["mmap", "munmap"]', "", 4),
        ("states = 7", "", 1),
    ],
)
def test_exit_codes(folder, more, expect, code):
    text = f'[job.one]\nkernel = "linux-2.6.8"\npages = 2\nproperties = ["rmap_finds_every_page"]\n{more}\n'
    (folder / "vmacheck.toml").write_text(text)
    assert run()[0] == code


def test_every_kind_of_job(folder):
    (folder / "vmacheck.toml").write_text("""
[job.compare]
compare = ["rmap39", "rmap40"]
pages = 2
states = 66
expect = { verdict = "a_worse", a_worse = 6 }
[job.claims]
claims = ["C15"]
expect.C15 = { verdict = "refuted", length = 3 }
[job.prove]
prove = "vmas_are_sorted_and_disjoint"
kernel = "rmap40"
vmas = 1
ops = ["mmap"]
[job.bounded]
prove = "adjacent_vmas_share_anon_vma"
kernel = "rmap40"
depth = 1
[job.same]
equivalent = ["rmap40", "linux-2.6.8", "find_mergeable_anon_vma"]
vmas = 1
[job.threads]
kernel = "linux-2.6.8"
threads = 1
pages = 2
properties = ["locks_are_free_in_the_end"]
[job.segments]
kernel = "linux-2.6.8"
segments = 2
properties = ["anon_vma_is_write_once"]
""")
    code, found, *_ = run()
    wrong = {name: outcome for name, outcome in found.items() if outcome != "as expected"}
    assert (code, wrong) == (0, {})


def test_a_process_that_dies_is_no_verdict(processes, monkeypatch):
    real = ci.subprocess.Popen

    def killed(words, **how):
        child = real([sys.executable, "-c", "import time; time.sleep(60)"], **how)
        child.send_signal(signal.SIGKILL)
        return child

    monkeypatch.setattr(ci.subprocess, "Popen", killed)
    code, out, _ = vmacheck("ci", "--job", "seed")
    assert code == 1
    assert "seed: no answer: its process was ended by signal 9\n" in out
    assert not (processes / "cache" / "answers").exists()


def test_memory_is_shared(monkeypatch):
    budget = ci.Budget(100)
    budget.take(1000)  # nothing else runs
    assert budget.free == -900
    budget.give_back(1000)
    budget.take(60)
    budget.take(40)
    assert (budget.free, budget.running) == (0, 2)
    assert ci.available_memory() > 1 << 20


# ---- job files -----------------------------------------------------------------------------------

FAULTS = [
    ("", "vmacheck.toml: there are no jobs in it"),
    ("[job", "vmacheck.toml:1: Expected ']' at the end of a table declaration"),
    ("x = 1", "vmacheck.toml:1: unknown key 'x'; there are include, defaults, job"),
    ("[jobs.a]\n", "vmacheck.toml:1: unknown key 'jobs'; did you mean job?"),
    ("job = 3", "vmacheck.toml:1: job is not a table"),
    ("[job]\na = 3", "vmacheck.toml:2: job 'a': it is not a table"),
    ("[job.a]\n", "vmacheck.toml:1: job 'a': it says nothing to do: give kernel, compare, claims, prove or equivalent"),
    ('[job.a]\nkernel = "rmap40"\npagse = 3', "vmacheck.toml:3: job 'a': unknown key 'pagse'; did you mean pages?"),
    ('[job.a]\nkernel = "rmap41"', "vmacheck.toml:2: job 'a': unknown kernel 'rmap41'; did you mean rmap40?"),
    ('[job.a]\nkernel = 3', "vmacheck.toml:2: job 'a': kernel is not a name"),
    ('[job.a]\nkernel = "rmap40"\n\npages = 300', "vmacheck.toml:4: job 'a': --pages is 300; it can be 1 to 256"),
    ('[job.a]\nkernel = "rmap40"\npages = "3"', "vmacheck.toml:3: job 'a': pages is not a number"),
    ('[job.a]\nkernel = "rmap40"\npages = true', "vmacheck.toml:3: job 'a': pages is not a number"),
    ('[job.a]\nkernel = "rmap40"\nprot = ["RQ"]', "vmacheck.toml:3: job 'a': --prot: unknown protection 'RQ'"),
    ('[job.a]\nkernel = "rmap40"\nprot = "RW"', "vmacheck.toml:3: job 'a': prot is not a list of words"),
    ('[job.a]\nkernel = "rmap40"\nops = ["fork"]', "vmacheck.toml:3: job 'a': --ops: fork is for --threads"),
    ('[job.a]\nkernel = "rmap40"\nmemory = "4X"', "vmacheck.toml:3: job 'a': memory is not a size"),
    ('[job.a]\nkernel = "rmap40"\nmemory = "4M"', "vmacheck.toml:3: job 'a': memory is less than the"),
    ('[job.a]\nkernel = "rmap40"\ndepth = 0', "vmacheck.toml:3: job 'a': depth is 0; it has to be at least 1"),
    ('[job.a]\nkernel = "rmap40"\nvmas = 3', "vmacheck.toml:3: job 'a': vmas does not go with kernel"),
    ('[job.a]\nkernel = "rmap40"\nproperties = ["layuot"]', "vmacheck.toml:3: job 'a': unknown property 'layuot'"),
    ('[job.a]\nkernel = "rmap40"\nsegments = 3\npages = 3', "vmacheck.toml:3: job 'a': segments and pages do not go together"),
    ('[job.a]\ncompare = ["rmap40"]', "vmacheck.toml:2: job 'a': compare is not a list of two kernels"),
    ('[job.a]\ncompare = ["rmap40", "x"]', "vmacheck.toml:2: job 'a': unknown kernel 'x'"),
    ('[job.a]\ncompare = ["rmap40", "rmap39"]\nby = "size"', "vmacheck.toml:3: job 'a': by is not one of vmas, layout"),
    ('[job.a]\nclaims = ["C99"]', "vmacheck.toml:2: job 'a': unknown claim 'C99'"),
    ('[job.a]\nclaims = []', "vmacheck.toml:2: job 'a': claims is not \"all\" or a list of claims"),
    ('[job.a]\nprove = "rmap_finds_every_page"', "vmacheck.toml:2: job 'a': prove needs a kernel"),
    ('[job.a]\nkernel = "rmap40"\nprove = "x"', "vmacheck.toml:3: job 'a': unknown property 'x'"),
    (
        '[job.a]\nkernel = "rmap40"\nprove = "rmap_finds_every_page"\nops = ["mremap"]',
        "vmacheck.toml:4: job 'a': prove does not follow mremap; it follows mmap",
    ),
    (
        '[job.a]\nkernel = "rmap40"\n[job.a.expect]\nlayout = { verdict = "holds" }',
        "vmacheck.toml:4: job 'a': expects something of 'layout', which is no property of it",
    ),
    (
        '[job.a]\nkernel = "rmap40"\n[job.a.expect]\npage_index_is_linear = { verdict = "fails" }',
        "vmacheck.toml:4: job 'a': 'fails' is no verdict; there are holds, violated, incomplete, vacuous",
    ),
    (
        '[job.a]\nkernel = "rmap40"\n[job.a.expect]\npage_index_is_linear = { verdict = "holds", length = 3 }',
        "vmacheck.toml:4: job 'a': length goes with no verdict 'holds'",
    ),
    (
        '[job.a]\nkernel = "rmap40"\n[job.a.expect.page_index_is_linear]\nreason = "x"',
        "vmacheck.toml:3: job 'a': no verdict is given",
    ),
    (
        '[job.a]\ncompare = ["rmap40", "rmap39"]\nexpect = { verdict = "a_worse", b_worse = 3 }',
        "vmacheck.toml:3: job 'a': b_worse goes with no verdict 'a_worse'",
    ),
    ('include = ["vmacheck.toml"]', "vmacheck.toml:1: vmacheck.toml includes itself"),
    ('include = ["other.toml"]', "vmacheck.toml:1: there is no file other.toml"),
    ('include = "other.toml"', "vmacheck.toml:1: include is not a list of file names"),
    ('[defaults]\nkernel = "rmap40"', "vmacheck.toml:2: unknown key 'kernel'"),
    ('[defaults]\npages = -1\n[job.a]\nkernel = "rmap40"', "vmacheck.toml:2: pages is not a number"),
    ('[job.a]\nkernel = "rmap40"\nprocesses = 2', "vmacheck.toml:1: job 'a': --processes is about current kernels"),
    ('[job.a]\nkernel = "linux-6.18"\nprocesses = 3', "vmacheck.toml:3: job 'a': --processes is 3; it can be 1 or 2"),
    ('[job.a]\nkernel = "rmap40"\nthreads = 0', "vmacheck.toml:3: job 'a': threads is 0; it has to be at least 1"),
    ('[job.a]\nkernel = "rmap40+syntax.py"', "vmacheck.toml:1: job 'a': syntax.py:1: '(' was never closed"),
    ('[defaults]\nops = ["x"]\n[job.a]\nkernel = "rmap40"', "vmacheck.toml:2: job 'a': --ops: unknown operation 'x'"),
    ('include = ["a\\u0000b"]', "vmacheck.toml:1: include has a name that cannot be shown"),
    ('[job.a]\rkernel = "rmap40"\r', "vmacheck.toml:1: Expected newline or end of document after a statement"),
    ('[job.a]\nkernel = "rmap40+gone.py"', "vmacheck.toml:1: job 'a': gone.py: No such file or directory"),
    ('[job.a]\nkernel = "rmap40+bad.py"', "vmacheck.toml:1: job 'a': bad.py:2: find_vma: not allowed: lists"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_faults_of_job_files(folder, text, message):
    (folder / "vmacheck.toml").write_bytes(text.encode())
    (folder / "syntax.py").write_text("def find_vma(mm, addr:\n")
    (folder / "bad.py").write_text("def find_vma(mm, addr):\n    return [1]\n")
    code, out, err = vmacheck("ci")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"vmacheck: {message}")


def test_other_faults(folder):
    assert vmacheck("ci", "nowhere.toml")[::2] == (2, "vmacheck: nowhere.toml: No such file or directory\n")
    assert vmacheck("ci", "--job", "mien")[::2] == (2, "vmacheck: unknown job 'mien'; did you mean mine?\n")
    (folder / "vmacheck.toml").write_bytes(b"\xff\xfe")
    assert vmacheck("ci")[::2] == (2, "vmacheck: vmacheck.toml: not UTF-8 text\n")
    assert vmacheck("ci", "--html", "/nowhere/x.html")[0] == 2


def test_included_files(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "jobs.toml").write_text('[job.theirs]\nkernel = "linux-2.6.8+../mine.py"\npages = 3\n')
    (folder / "vmacheck.toml").write_text(f'include = ["sub/jobs.toml"]\n{SMALL}')
    jobs = read_jobs(Path("vmacheck.toml"))
    assert [job.name for job in jobs] == ["theirs", "seed", "mine"]
    assert jobs[0].values["kernel"] == "linux-2.6.8+sub/../mine.py"
    assert digest(jobs[0])
    (folder / "sub" / "jobs.toml").write_text('[job.mine]\nkernel = "rmap40"\n')
    with pytest.raises(JobError, match=r"vmacheck.toml:10: job 'mine': there is a job of that name in sub/jobs.toml:1"):
        read_jobs(Path("vmacheck.toml"))
    (folder / "sub" / "jobs.toml").write_text('include = ["../vmacheck.toml"]\n')
    with pytest.raises(JobError, match="includes itself"):
        read_jobs(Path("vmacheck.toml"))


def test_lines_of_keys():
    text = '# x\n[job."a b"] # c\n  pages = 3\n"quoted.key" = 1\ndotted . key = 2\n[ job . c ]\nx = { y = 1 }\n'
    assert lines_of(text) == {
        ("job",): 2,
        ("job", "a b"): 2,
        ("job", "a b", "pages"): 3,
        ("job", "a b", "quoted.key"): 4,
        ("job", "a b", "dotted"): 5,
        ("job", "a b", "dotted", "key"): 5,
        ("job", "c"): 6,
        ("job", "c", "x"): 7,
    }


def test_the_same_bytes_with_any_number_of_processors(processes, monkeypatch):
    (processes / "mine.py").write_text(NEVER)
    texts = set()
    for processors in ({0}, {0, 1, 2}):
        monkeypatch.setattr("vmacheck.checker.commands.ci.os.sched_getaffinity", lambda _, found=processors: found)
        texts.add(vmacheck("ci", "--no-cache")[1])
    assert len(texts) == 1


def test_the_jobs_of_the_repository():
    """The repository's jobs begin with the default ones, and give a reason for each expected verdict."""
    jobs = read_jobs(ROOT / "vmacheck.toml")
    seed = read_jobs(ROOT / "checker" / "jobs" / "default.toml")
    assert [job.name for job in jobs[: len(seed)]] == [job.name for job in seed]
    assert all(expected.reason for job in jobs for expected in job.expected.values())
    assert re.search(r"^check: .*\n\t@\$\(BIN\)/vmacheck ci$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_a_runner_takes_no_more_than_there_is():
    jobs = read_jobs(ROOT / "vmacheck.toml")
    keys = {digest(job) for job in jobs}
    assert len(keys) == len(jobs)
    assert Runner(2, True, lambda _: None).budget.free > 0
