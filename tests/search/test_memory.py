# SPDX-License-Identifier: GPL-2.0-only
"""--memory: the point where a search stops, its message, and the peak of the process, which stays below."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.helpers import rest, vmacheck, vmacheck_json
from vmacheck.checker.search import rounds

ROOT = Path(__file__).parent.parent.parent
MB = 1 << 20
ROOM = (1 << 15) + 500 * (2 * 8 + 6)  # the least table, and 500 states of three pages
# the peak of this process image: unlike ru_maxrss, it does not begin with that of whoever started it
PEAK = """
import sys
from pathlib import Path
def peak():
    text = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    print("peak", int(text.split()[0]), file=sys.stderr)
"""
# a tree of states with wide keys: memory is full in a second. A checkpoint after some rounds, if one is asked for.
WIDE = """
from tests.compiled.test_codegen import system_of, Call
from vmacheck.checker.search import checkpoint, rounds
from vmacheck.checker.search.crew import Means
from vmacheck.checker.search.outcome import Limits
memory, workers, folder, wanted = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
text = '''
def begin(s):
    pass
def canonicalise(s):
    pass
def step(s, call):
    if s.n > 1 << 28:
        return -1
    s.n = s.n + s.n + call.x
    return 0
'''
pads = [(f"p{i}", (1 << 31) - 1) for i in range(24)]
system = system_of(text, (), [Call(1, 1, 0), Call(1, 2, 0)], [("n", 1 << 30), *pads])
number = 0
def due(self):
    global number
    number += 1
    return number == wanted or wanted < 0
checkpoint.Checkpoint.is_due = due
job = checkpoint.Job(Path(folder), {}) if folder else None
means = Means(lambda: workers, False, job and job.of(0))
search = rounds.explore(system, (), Limits(memory=memory), None, means)
print(search.states, search.stopped)
peak()
"""
CLI = """
from vmacheck.checker.commands.main import main
code = main(sys.argv[1:])
peak()
raise SystemExit(code)
"""


def peak_of(program, *words):
    """The exit code, what was printed, and the peak in bytes."""
    command = [sys.executable, "-c", PEAK + program, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("peak "), done.stderr
    return done.returncode, done.stdout, int(done.stderr.split()[1]) << 10


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_it_stops_and_says_why(monkeypatch, workers):
    monkeypatch.setattr(rounds, "BESIDE", 384 * MB - ROOM)
    words = ("check", "rmap40", "-p", "kernel_bug_is_never_hit", "--pages", "3", "--memory", "384M")
    code, out, err = vmacheck(*words, "--workers", str(workers))
    assert (code, err) == (3, "")
    assert "kernel_bug_is_never_hit: incomplete (more states than fit into --memory)" in out
    assert "500 states" in out
    assert "cut by --memory" in out
    data = vmacheck_json(*words, "--workers", str(workers))[1]
    (result,) = data["results"]
    assert (result["verdict"], result["closed"], result["states"]) == ("incomplete", False, 500)
    assert "--memory" in result["reason"]


def test_a_violation_before_memory_is_full_counts(monkeypatch):
    monkeypatch.setattr(rounds, "BESIDE", 384 * MB - ROOM)
    words = ("check", "rmap40", "-p", "adjacent_vmas_share_anon_vma", "--pages", "3")
    assert vmacheck(*words, "--memory", "384M") == vmacheck(*words)


@pytest.mark.parametrize("size", ["384M", "393216K", "1G", "1T", "999999999T"])
def test_what_fits_is_not_cut(size):
    words = ("check", "linux-2.6.8", "anonmm", "--pages", "3")
    assert vmacheck(*words, "--memory", size) == vmacheck(*words)


BAD = ["", "0", "1", "1k", "-1G", "+1G", "1.5G", "1GB", " 1G", "1G ", "1 G", "0G", "383M", "393215K", "1e9", "G", "1g"]


@pytest.mark.parametrize("size", [*BAD, "9999999999M", "\u0661G", "1G\n"], ids=repr)
def test_a_bad_size_is_one_line(size):
    code, out, err = vmacheck("check", "rmap40", f"--memory={size}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("vmacheck: argument --memory: ")


def test_only_the_compiled_run_has_it():
    code, out, err = vmacheck("check", "rmap40", "--memory", "1G", "--run", "interpreted")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--memory" in err


@pytest.mark.parametrize(
    ("size", "workers"), rest(pytest.mark.slow, [(384, 5), (640, 2), (384, 1), (384, 2), (640, 1), (640, 5)], 2)
)
def test_the_process_stays_below(size, workers):
    code, out, peak = peak_of(WIDE, size * MB, workers, "", 0)
    assert (code, out) == (0, "571950 memory\n" if size == 384 else "2897882 memory\n")
    assert peak < size * MB


def test_the_process_stays_below_when_much_is_written_down_at_once(tmp_path):
    code, out, peak = peak_of(WIDE, 640 * MB, 1, tmp_path / "job", 36)
    assert (code, out) == (0, "2897882 memory\n")
    assert peak < 640 * MB


@pytest.mark.parametrize(("size", "states"), rest(pytest.mark.slow, [(384, 571_950), (640, 2_897_882)]))
def test_the_process_stays_below_when_it_goes_on(tmp_path, size, states):
    peak_of(WIDE, size * MB, 1, tmp_path / "job", -1)
    code, out, peak = peak_of(WIDE, size * MB, 1, tmp_path / "job", 0)
    assert (code, out) == (0, f"{states} memory\n")
    assert peak < size * MB


@pytest.mark.large
@pytest.mark.parametrize("pages", [6, 7])
def test_a_large_search_stays_below(pages):
    words = ("check", "rmap40", "-p", "kernel_bug_is_never_hit", "--pages", pages, "--memory", "1G")
    code, out, peak = peak_of(CLI, *words)
    assert code == 3
    assert "incomplete (more states than fit into --memory)" in out
    assert peak < 1 << 30
