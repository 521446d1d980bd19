# SPDX-License-Identifier: GPL-2.0-only
"""The installed package: one name next to a user's own, working also in a project with files of our rooms' names."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.helpers import ROOT

OURS = ("model", "checker", "properties", "counterexamples")
RULES = '''from vmacheck.properties import always


@always()
def one_vma(mm):
    """There is one vma at most."""
    return mm.map_count < 2
'''
TESTS = """import model
from hypothesis import given, settings

from vmacheck import assert_violated
from vmacheck.checker.strategies import operations


def test_own():
    assert model.MINE
    assert_violated("linux-6.18", "rules.py:one_vma", length=2, pages=2)


def test_fixture(assert_holds):
    assert_holds("linux-6.18+./mine.py", "kernel_bug_is_never_hit", pages=1)


@settings(max_examples=3, database=None)
@given(operations(pages=2))
def test_strategy(operation):
    assert operation.room <= 2
"""
PATCH = """from vmacheck.model.common.mm import NULL


def find_mergeable_anon_vma(mm, vma):
    return NULL
"""
JOBS = '[job.mine]\nkernel = "linux-6.18+./mine.py"\npages = 1\nproperties = ["kernel_bug_is_never_hit"]\n'


@pytest.fixture(scope="module", name="wheel")
def _wheel(tmp_path_factory):
    """The wheel of a copy of the tree, so that nothing is left in it."""
    folder = tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "tree" / name).write_bytes((ROOT / name).read_bytes())
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", ".", "./tree"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module", name="site")
def _site(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(folder)
    return folder


@pytest.fixture(name="project")
def _project(tmp_path):
    """A user's project, with files of our rooms' names; its packages report when they are imported."""
    (tmp_path / "model.py").write_text("MINE = True\n")
    for name in ("checker", "properties", "counterexamples"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise ImportError('{name} is the user\\'s own')\n")
    (tmp_path / "rules.py").write_text(RULES)
    (tmp_path / "test_mine.py").write_text(TESTS)
    (tmp_path / "mine.py").write_text(PATCH)
    (tmp_path / "vmacheck.toml").write_text(JOBS)
    return tmp_path


def run(words, project, site, path=""):
    where = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{path}" if path else str(site), "PYTHONSAFEPATH": ""}
    return subprocess.run([sys.executable, *words], cwd=project, env=where, capture_output=True, text=True, check=False)


def test_nothing_else_is_installed(wheel):
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
    assert {name.split("/")[0] for name in names} == {"vmacheck", "vmacheck-0.1.0.dist-info"}
    sources = {path.relative_to(ROOT).as_posix() for room in OURS for path in (ROOT / room).rglob("*.py")}
    assert {name.removeprefix("vmacheck/") for name in names} >= sources
    for name in ("docs/reference.md", "docs/schema.json", "model/DEPARTURES.md", "checker/jobs/default.toml"):
        assert f"vmacheck/{name}" in names
    for name in ("real_kernels/runner.c", "reproducer/program.c", "job_reports/page.css"):
        assert f"vmacheck/counterexamples/{name}" in names


def test_it_is_the_installed_one_that_runs(project, site):
    found = run(["-c", "import vmacheck.model, vmacheck; print(vmacheck.model.__file__)"], project, site)
    assert Path(found.stdout.strip()).is_relative_to(site), found.stderr


def test_a_project_with_the_same_names(project, site):
    for words in (["-m", "vmacheck", "--version"], ["-m", "vmacheck", "ci"]):
        found = run(words, project, site)
        assert found.returncode == 0, found.stdout + found.stderr
    found = run(["-m", "pytest", "-q", "-p", "no:cacheprovider"], project, site)
    assert "3 passed" in found.stdout, found.stdout + found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "."])
def test_pytest_however_it_is_started(project, site, path):
    script = [str(Path(sys.executable).with_name("pytest")), "-q", "-p", "no:cacheprovider"]
    found = run(script, project, site, path)
    assert "3 passed" in found.stdout, found.stdout + found.stderr


@pytest.mark.slow
def test_workers_of_a_cluster(project, site):
    pytest.importorskip("ray")
    found = run(["-m", "vmacheck", "check", "rmap39", "--pages", "2", "--ray", "local"], project, site)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "equal_neighbours_are_not_kept_apart" in found.stdout
