# SPDX-License-Identifier: GPL-2.0-only
"""The store of results between runs: whole entries only, each under its own name, and within its limit."""

import os
import subprocess
import sys

import pytest

from tests.support.helpers import vmacheck
from vmacheck.checker.files import kept as store
from vmacheck.checker.files.errors import InputError
from vmacheck.checker.files.kept import keep, kept


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VMACHECK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_kept_is_found_again():
    assert kept("builds", "a") is None
    keep("builds", "a", b"\x00one\ntwo\n")
    keep("answers", "a", b"")
    assert (kept("builds", "a"), kept("answers", "a")) == (b"\x00one\ntwo\n", b"")
    keep("builds", "a", b"other")
    assert kept("builds", "a") == b"other"


@pytest.mark.parametrize(
    "change", [lambda old: old[:-1], lambda old: old + b"x", lambda _: b"", lambda old: b"\n" + old]
)
def test_what_is_damaged_is_none(folder, change):
    keep("builds", "a", b"content")
    path = folder / "builds" / "a"
    path.write_bytes(change(path.read_bytes()))
    assert kept("builds", "a") is None


def test_what_is_in_anothers_place_is_none(folder):
    keep("builds", "a", b"content")
    (folder / "builds" / "a").rename(folder / "builds" / "b")
    assert kept("builds", "b") is None


def test_the_limit_is_kept_and_what_was_used_last_stays(folder, monkeypatch):
    monkeypatch.setenv("VMACHECK_CACHE_MB", "1")
    for number in range(4):
        keep("builds" if number % 2 else "answers", str(number), bytes(300_000))
        os.utime(folder / ("builds" if number % 2 else "answers") / str(number), ns=(number, number))
    assert kept("answers", "0") is None  # four are more than a megabyte
    assert kept("builds", "1") is not None  # and now was used last
    keep("builds", "4", bytes(300_000))
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"1", "3", "4"}
    keep("builds", "5", bytes(2_000_000))  # larger than all that may be kept: it is there until the next
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"5"}
    keep("builds", "6", b"")
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"6"}


def test_without_a_limit_that_is_enforced_it_would_grow(folder, monkeypatch):
    """The control: the test above fails where nothing is removed."""
    monkeypatch.setenv("VMACHECK_CACHE_MB", "1")
    monkeypatch.setattr(store, "_shrink", lambda *_: None)
    for number in range(5):
        keep("builds", str(number), bytes(300_000))
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) > 1 << 20


def test_where_nothing_can_be_kept_nothing_is(monkeypatch):
    monkeypatch.setenv("VMACHECK_CACHE", "/proc/nowhere")
    keep("builds", "a", b"content")
    assert kept("builds", "a") is None


def test_a_limit_that_is_no_number(monkeypatch):
    monkeypatch.setenv("VMACHECK_CACHE_MB", "1G")
    with pytest.raises(InputError, match="VMACHECK_CACHE_MB is '1G', which is no number of megabytes"):
        keep("builds", "a", b"")
    code, out, err = vmacheck("check", "rmap39", "--pages", "1", "-p", "kernel_bug_is_never_hit", "--max-pgoff", "9")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_two_processes_may_keep_the_same():
    text = "from vmacheck.checker.files.kept import keep\nfor n in range(200): keep('builds', 'a', bytes(10_000))"
    children = [subprocess.Popen([sys.executable, "-c", text]) for _ in range(2)]
    seen = 0
    while any(child.poll() is None for child in children):
        content = kept("builds", "a")
        assert content in (None, bytes(10_000))
        seen += content is not None
    assert [child.returncode for child in children] == [0, 0]
    assert kept("builds", "a") == bytes(10_000)
