# SPDX-License-Identifier: GPL-2.0-only
"""Builds on disk: reused, never stale, never trusted when damaged, and dispensable."""

import pytest

from tests.support.helpers import system
from vmacheck.checker.compiled import native
from vmacheck.checker.search import rounds

PATCH = "def find_mergeable_anon_vma(mm, vma):\n    return {}\n"


@pytest.fixture
def builds(tmp_path, monkeypatch):
    """A fresh cache: its folder, the builds made, and a function that forgets the loaded ones."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("VMACHECK_CACHE", str(folder))
    monkeypatch.setattr(native, "_loaded", {})
    made = []
    build = native._compile
    monkeypatch.setattr(native, "_compile", lambda *what: made.append(what) or build(*what))
    return folder, made, lambda: monkeypatch.setattr(native, "_loaded", {})


def states(kernel="rmap40", pages=2):
    return rounds.explore(system(kernel, pages)).states


@pytest.mark.parametrize("level", ["0", "3"])
def test_a_build_is_used_again(builds, monkeypatch, level):
    monkeypatch.setenv("VMACHECK_OPTIMISE", level)
    folder, made, forget = builds
    first = states()
    forget()
    assert states() == first
    assert len(made) == 1
    assert len(list((folder / "builds").iterdir())) == 1


def test_the_optimised_build_is_another(builds, monkeypatch):
    _, made, _ = builds
    first = states()
    monkeypatch.setenv("VMACHECK_OPTIMISE", "3")
    assert states() == first
    assert [level for _, level in made] == [0, native.BEST]


def test_a_changed_function_is_built_anew(builds, tmp_path):
    _, made, forget = builds
    patch = tmp_path / "mine.py"
    patch.write_text(PATCH.format("NULL"))
    never = states(f"rmap40+{patch}", 3)
    forget()
    patch.write_text(PATCH.format("mm.vma[1].anon_vma"))
    assert states(f"rmap40+{patch}", 3) != never
    assert len(made) == 2


def test_another_scope_is_built_anew(builds):
    _, made, _ = builds
    assert states(pages=2) != states(pages=3)
    assert len(made) == 2


@pytest.mark.parametrize(
    "damage", [lambda code: b"", lambda code: code[:-9], lambda code: code[:40] + b"x" + code[41:]]
)
def test_a_damaged_build_is_made_again(builds, damage):
    folder, made, forget = builds
    first = states()
    (path,) = (folder / "builds").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    forget()
    assert states() == first
    assert len(made) == 2


def test_no_cache_is_needed(builds, monkeypatch):
    folder, made, _ = builds
    folder.write_text("not a folder")
    assert states() > 0
    assert len(made) == 1
