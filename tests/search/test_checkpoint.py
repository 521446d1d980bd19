# SPDX-License-Identifier: GPL-2.0-only
"""Checkpoints: a search killed anywhere goes on as if uninterrupted; invalid checkpoints are refused."""

import fcntl
import gc
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from tests.support.helpers import rest, vmacheck
from vmacheck.checker.search import checkpoint, rounds

# whether the lock is closed has a test of its own
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
ROOT = Path(__file__).parent.parent.parent
# a checkpoint after every round, of which there are many; a round takes a moment if that is asked for
DRIVER = """
import sys, time
from vmacheck.checker.commands import main
from vmacheck.checker.search import checkpoint, rounds
checkpoint.Checkpoint.is_due = lambda self: True
rounds.BLOCK = rounds.SMALLEST = 2000
go, pause = rounds.Explorer._round, float(sys.argv[1])
rounds.Explorer._round = lambda *words: time.sleep(pause) or go(*words)
raise SystemExit(main.main(sys.argv[2:]))
"""
PLAIN = "adjacent_vmas_share_anon_vma"
ONE = ("check", "linux-2.6.8", "--pages", "3", "--workers", "1")
ROWS = ("keys", "parents", "via")


@pytest.fixture
def often(monkeypatch):
    """Checkpoints after every round, of which there are many."""
    monkeypatch.setattr(checkpoint.Checkpoint, "is_due", lambda self: True)
    monkeypatch.setattr(rounds, "BLOCK", 500)
    monkeypatch.setattr(rounds, "SMALLEST", 500)


@pytest.fixture(scope="module")
def first_half(tmp_path_factory):
    """The folder of a search that was cut short, made once."""
    folder = tmp_path_factory.mktemp("half") / "half"
    with (
        mock.patch.object(checkpoint.Checkpoint, "is_due", return_value=True),
        mock.patch.multiple(rounds, BLOCK=500, SMALLEST=500),
    ):
        assert saved(folder, *ONE, "--max-states", "300")[0] == 3
    return folder


@pytest.fixture
def half(often, first_half, tmp_path):
    """A copy of it, to damage and to go on from."""
    return shutil.copytree(first_half, tmp_path / "half")


def saved(folder, *words):
    result = vmacheck(*words, "--checkpoint", str(folder))
    gc.collect()
    return result


def plain(out):
    """JSON without the parts that differ from run to run."""
    data = json.loads(out)
    for result in data["results"]:
        del result["seconds"]
    return data


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder, *words):
    """One line, exit code 2, and nothing touched; the line."""
    before = files(folder) if folder.is_dir() else None
    code, out, err = saved(folder, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("vmacheck: ")
    assert "Traceback" not in err
    if before is not None:
        assert {k: v for k, v in files(folder).items() if k.name != "lock"} == {
            k: v for k, v in before.items() if k.name != "lock"
        }
    return err


# ---- killed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seed", [pytest.param(0, marks=pytest.mark.large), 1, pytest.param(2, marks=pytest.mark.large)]
)
def test_killed_at_random_moments(seed, tmp_path):
    chance = random.Random(seed)
    words = ["check", "rmap40", "linux-2.6.8", "anonmm", "--pages", "3"]
    words += [[], ["-p", PLAIN], ["--format", "json"]][seed]
    code, whole, _ = vmacheck(*words)

    def begin(pause):
        ours = [*words, "--checkpoint", str(tmp_path / "job"), "--workers", str(chance.randint(1, 4))]
        command = [sys.executable, "-c", DRIVER, pause, *ours]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    for _ in range(3):
        with begin("0.02") as process:
            try:
                process.communicate(timeout=0.5 + chance.random())
            except subprocess.TimeoutExpired:
                process.kill()
    for _ in range(2):  # to the end, and once more when it is complete
        with begin("0") as process:
            out, err = process.communicate()
        assert (process.returncode, err) == (code, b"")
        assert (plain(out) == plain(whole)) if seed == 2 else (out.decode() == whole)


@pytest.mark.large
def test_seven_pages_killed_at_ten_random_moments(tmp_path):
    chance, folder, kills = random.Random(7), tmp_path / "job", 0
    words = ["check", "linux-2.6.8", "-p", "kernel_bug_is_never_hit", "--pages", "7", "--max-states", "6000000"]
    code, whole, _ = vmacheck(*words)
    assert "cut by --max-states" in whole
    while kills < 10 or folder.exists():
        ours = [*words, "--checkpoint", str(folder), "--workers", str(chance.randint(1, 4))]
        command = [sys.executable, "-m", "vmacheck", *ours]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(timeout=chance.uniform(1, 15) if kills < 10 else None)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
                continue
        assert (process.returncode, out.decode(), err) == (code, whole, b"")
        shutil.rmtree(folder)


class Killed(BaseException):
    """A stand-in for a kill where no process is killed."""


def killed_at(monkeypatch, number, folder, words):
    """Run until the number-th time that something is to reach the disk. Was it killed?"""
    left = [number]

    def counted(act):
        def or_die(*arguments):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return act(*arguments)

        return or_die

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.os, "fsync", counted(os.fsync))
        patch.setattr(checkpoint.os, "replace", counted(os.replace))
        try:
            saved(folder, *words)
            return False
        except Killed:
            pass
    gc.collect()  # the lock is in the traceback
    return True


@pytest.mark.large
def test_killed_between_any_two_writes(often, monkeypatch, tmp_path):
    words = ("check", "linux-2.6.8", "--pages", "2", "-p", "two_vmas_exist", "-p", PLAIN, "--workers", "1")
    whole, number = vmacheck(*words), 4  # the first three are of job.json
    while killed_at(monkeypatch, number, tmp_path / f"{number}", words):
        assert saved(tmp_path / f"{number}", *words) == whole
        number += 1 if number < 16 else 7  # a checkpoint has six: each of them, then each in another
    assert number > 20


@pytest.mark.parametrize("number", [1, 2, 3])
def test_killed_when_the_job_begins(often, monkeypatch, tmp_path, number):
    words = ("check", "linux-2.6.8", "--pages", "2", "-p", PLAIN)
    assert killed_at(monkeypatch, number, tmp_path / "job", words)
    assert saved(tmp_path / "job", *words) == vmacheck(*words)


def test_killed_after_the_rows_were_written(half, monkeypatch):
    def fail(path, data):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "replace", fail)
        with pytest.raises(Killed):
            saved(half, *ONE)
    gc.collect()
    assert saved(half, *ONE) == vmacheck(*ONE)


# ---- going on ----------------------------------------------------------------------------------------


def test_a_complete_search_is_not_made_again(often, monkeypatch, tmp_path):
    whole = saved(tmp_path / "job", *ONE)
    monkeypatch.setattr(rounds.Explorer, "_round", None)
    assert saved(tmp_path / "job", *ONE) == whole


@pytest.mark.parametrize("workers", rest(pytest.mark.slow, ["2", "1", "5"]))
def test_it_goes_on_with_larger_limits(half, workers):
    for more in (("--max-states", "500"), ("--depth", "9"), ()):
        words = (*ONE[:-1], workers, *more)
        assert saved(half, *words) == vmacheck(*words)


def test_smaller_limits_are_refused(half):
    assert "beyond this one's limits" in refused(half, *ONE, "--max-states", "100")
    assert "beyond this one's limits" in refused(half, *ONE, "--depth", "2")


@pytest.mark.parametrize("first", [("--depth", "5"), ("--max-states", "300"), ()], ids=str)
@pytest.mark.parametrize("depth", rest(pytest.mark.slow, [5, 12, 2, 11], 2))
def test_another_depth_is_kept_to_or_refused(often, tmp_path, first, depth):
    """The depth may also be one that the checkpoint has passed within a level."""
    words = (
        "check",
        "rmap40" if first else "linux-2.6.8",
        "--pages",
        "3",
        "-p",
        PLAIN,
        "-p",
        "kernel_bug_is_never_hit",
    )
    saved(tmp_path / "job", *words, *first)
    code, out, err = saved(tmp_path / "job", *words, "--depth", str(depth))
    assert code == 2 or (code, out, err) == vmacheck(*words, "--depth", str(depth))


# ---- refused -----------------------------------------------------------------------------------------


def flip(content, where):
    where %= len(content)
    return content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :]


DAMAGES = {
    "truncated": lambda content: content[:-1],
    "halved": lambda content: content[: len(content) // 2],
    "first byte": lambda content: flip(content, 0),
    "a byte": lambda content: flip(content, len(content) // 3),
    "last byte": lambda content: flip(content, -1),
    "emptied": lambda content: b"",
    "removed": None,
}


def every_damage():
    """Each file and each damage, but not each with each."""
    for name in ("job.json", "0/search.json", *(f"0/{name}" for name in ROWS)):
        for damage in DAMAGES:
            mark = () if name == "job.json" or damage in ("a byte", "removed") else pytest.mark.slow
            yield pytest.param(name, damage, marks=mark, id=f"{name}-{damage}")


@pytest.mark.parametrize(("name", "damage"), list(every_damage()))
def test_what_is_damaged_is_refused(half, name, damage):
    change = DAMAGES[damage]
    if change is not None:
        (half / name).write_bytes(change((half / name).read_bytes()))
        assert name in refused(half, *ONE)
        return
    (half / name).unlink()
    if name == "0/search.json":  # as if nothing had been written down yet
        assert saved(half, *ONE) == vmacheck(*ONE)
    else:
        refused(half, *ONE)


@pytest.mark.parametrize("name", ["job.json", "0/search.json", "0/keys", "lock"])
def test_a_folder_instead_of_a_file_is_refused(half, name):
    (half / name).unlink()
    (half / name).mkdir()
    refused(half, *ONE)


def test_what_is_behind_the_rows_does_not_count(half):
    for name in ROWS:
        with (half / "0" / name).open("ab") as file:
            file.write(b"x" * 1000)
    assert saved(half, *ONE) == vmacheck(*ONE)


OTHERS = [
    ("kernels", ("check", "rmap40", "--pages", "3")),
    ("kernels", ("check", "linux-2.6.8", "rmap40", "--pages", "3")),
    ("scope", ("check", "linux-2.6.8", "--pages", "2")),
    ("scope", ("check", "linux-2.6.8", "--pages", "3", "--noreserve")),
    ("properties", ("check", "linux-2.6.8", "--pages", "3", "-p", PLAIN)),
]


@pytest.mark.parametrize(("what", "words"), OTHERS, ids=str)
def test_a_checkpoint_of_another_check_is_refused(half, what, words):
    assert f"its {what} is not the same" in refused(half, *words)


def test_a_search_of_another_kernel_is_refused(often, tmp_path):
    """Of the same check, too: each is whole, but in the other's place."""
    words, folder = ("check", "rmap40", "linux-2.6.8", "--pages", "3", "-p", PLAIN), tmp_path / "job"
    saved(folder, *words)
    for name, place in (("0", "kept"), ("1", "0"), ("kept", "1")):
        (folder / name).rename(folder / place)
    assert "0 is a checkpoint of another search" in refused(folder, *words)


def test_a_changed_patch_is_refused(often, tmp_path):
    patch = tmp_path / "mine.py"
    patch.write_text("def find_mergeable_anon_vma(mm, vma):\n    return NULL\n")
    words = ("check", f"rmap40+{patch}", "--pages", "2")
    saved(tmp_path / "job", *words)
    patch.write_text("def find_mergeable_anon_vma(mm, vma):\n    return mm.vma[1].anon_vma\n")
    assert "its code is not the same" in refused(tmp_path / "job", *words)


def test_what_is_no_checkpoint_is_refused(tmp_path, half):
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("mine")
    assert "is not a checkpoint" in refused(full, *ONE)
    assert refused(full / "mine", *ONE)
    for place in ("/proc/nowhere", "/dev/null/job", "/dev/null"):
        assert place in refused(Path(place), *ONE)
    shutil.rmtree(half / "0")
    (half / "0").write_text("a file")
    assert refused(half, *ONE)


def test_a_folder_in_use_is_refused(half):
    with (half / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "in use" in refused(half, *ONE)
    assert saved(half, *ONE) == vmacheck(*ONE)


def test_the_lock_is_let_go(tmp_path):
    words = [
        sys.executable,
        "-W",
        "error::ResourceWarning",
        "-c",
        DRIVER,
        "0",
        *ONE,
        "--checkpoint",
        str(tmp_path / "job"),
    ]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).stderr == b""


def test_only_the_compiled_run_has_them(tmp_path):
    assert "compiled run" in refused(tmp_path / "job", *ONE, "--run", "interpreted")
    assert not (tmp_path / "job").exists()
