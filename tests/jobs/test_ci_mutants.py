# SPDX-License-Identifier: GPL-2.0-only
"""One broken function of the model at a time: vmacheck ci turns exactly the dependent jobs red."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.helpers import rest

ROOT = Path(__file__).parent.parent.parent
MUTANTS = ROOT / "tests" / "support" / "mutants"
KERNELS = ("anonmm", "rmap39", "andrea-aa", "rmap40", "linux-2.6.8")
RULES: tuple[str, ...] = (
    "pages_match_flat_reference",
    "calls_miss_no_merge",
    "first_write_takes_neighbours_anon_vma",
    "kernel_bug_is_never_hit",
    "rmap_finds_every_page",
    "page_index_is_linear",
    "anon_vma_is_write_once",
    "anon_vmas_are_freed_with_their_last_vma",
    "nothing_refers_to_a_freed_anon_vma",
)
ALL = set(KERNELS) | {"moves", "locks"}
REFERENCE, MERGE, SHARE, _, RMAP, INDEX, _, FREED, STALE = RULES

# where the function is, what takes its place, and which properties are newly violated on which jobs
BROKEN = {
    "sharing asks the next vma only": (
        "model/linux_2_6/patches/rmap40.py", "first_write_takes_neighbours_anon_vma.py",
        {name: {SHARE} for name in ("rmap40", "linux-2.6.8", "moves", "locks")},
    ),
    "the importer fix is lost": (  # which takes three pages to be seen
        "model/linux_2_6/patches/importer.py", "pages_hang_from_their_vmas_anon_vma.py",
        {"linux-2.6.8": {RMAP, STALE}},
    ),
    "nobody frees an anon_vma": (
        "model/linux_2_6/rmap.py", "anon_vmas_are_freed_with_their_last_vma.py",
        {name: {FREED} for name in ALL - {"anonmm"}},
    ),
    "munmap leaves pages behind": (  # that pages are not found is expected of three jobs as it is
        "model/linux_2_6/mmap.py", "pages_match_flat_reference.contents.py",
        {
            "anonmm": {REFERENCE},
            **{name: {REFERENCE, INDEX} for name in ("rmap39", "andrea-aa", "rmap40")},
            **{name: {REFERENCE, INDEX, RMAP, STALE} for name in ("linux-2.6.8", "moves", "locks")},
        },
    ),
    "mprotect does not tell of a hole": (
        "model/linux_2_6/mprotect.py", "pages_match_flat_reference.result.py",
        {name: {REFERENCE} for name in ALL - {"andrea-aa"}},
    ),
    "vma_merge forgets cases 3 and 8": (  # andrea-aa misses merges as it is, now by another program
        "model/linux_2_6/mmap.py", "calls_miss_no_merge.mmap.py",
        {**{name: {MERGE} for name in ALL - {"andrea-aa"}}, "andrea-aa": set()},
    ),
    "a page's index is its place in the vma": (
        "model/linux_2_6/rmap.py", "page_index_is_linear.py",
        {
            **{name: {INDEX} for name in ("rmap39", "andrea-aa", "rmap40")},
            **{name: {INDEX, RMAP} for name in ("linux-2.6.8", "moves", "locks")},
        },
    ),
    "mremap forgets to unmap its source": (
        "model/linux_2_6/mremap.py",
        "def move_vma(mm, vma, old_addr, old_len, new_len, new_addr):\n    return new_addr\n",
        {"moves": {REFERENCE}},
    ),
    "mlock tells of no hole": (
        "model/linux_2_6/mlock.py",
        "def do_mlock(mm, start, len, on):\n    return 0\n",
        {"locks": {REFERENCE}},
    ),
    "anonmm keeps vmas apart that were written": (
        "model/linux_2_6/patches/anonmm.py", "equal_neighbours_are_not_kept_apart.py",
        {"anonmm": {SHARE}},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree, with jobs that expect the results found there."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "vmacheck", folder / "vmacheck")
    for name in ("model", "properties", "checker", "counterexamples"):
        shutil.copytree(
            ROOT / name, folder / "vmacheck" / name, ignore=shutil.ignore_patterns("gallery", "__pycache__")
        )
    rules = json.dumps(RULES)
    jobs = [f'[job."{kernel}"]\nkernel = "{kernel}"\nproperties = {rules}\n' for kernel in KERNELS]
    ops = '["mmap", "munmap", "mprotect", "write", "{}"]'
    jobs.append(f'[job.moves]\nkernel = "linux-2.6.8+copy-vma-import"\npages = 2\nops = {ops.format("move")}\n')
    jobs.append(f'[job.locks]\nkernel = "rmap40"\npages = 2\nops = {ops.format("mlock")}\n')
    jobs[-2] += f"properties = {rules}\n"
    jobs[-1] += f"properties = {rules}\n"
    (folder / "vmacheck.toml").write_text("[defaults]\npages = 3\n" + "\n".join(jobs))
    assert ci(folder, "--update")[0] == 0
    assert ci(folder)[:2] == (0, {})
    return folder


def ci(folder, *words):
    """The exit code, and by job the properties that are newly violated, each with its counterexample."""
    where = {**os.environ, "PYTHONPATH": str(folder), "VMACHECK_CACHE": str(folder / "cache")}
    command = [sys.executable, "-P", "-m", "vmacheck", "ci", *(words or ("--json", "out.json"))]
    done = subprocess.run(command, check=False, cwd=folder, env=where, capture_output=True, text=True)
    assert done.stderr == ""
    if words:
        return done.returncode, {}, done.stdout
    data = json.loads((folder / "out.json").read_text())
    red = {job["name"]: job for job in data["jobs"] if not job["as_expected"]}
    return done.returncode, red, done.stdout


@pytest.mark.parametrize("name", rest(pytest.mark.slow, BROKEN, 2))
def test_exactly_the_right_jobs_turn_red(tree, name):
    file, mutant, expected = BROKEN[name]
    path = tree / "vmacheck" / file
    whole = path.read_text()
    text = mutant if "\n" in mutant else (MUTANTS / mutant).read_text()
    try:
        path.write_text(f"{whole}\n\n{text}")
        code, red, out = ci(tree)
    finally:
        path.write_text(whole)
    newly = {
        job: {one["name"] for one in data["outcomes"] if one["outcome"] == "newly violated"}
        for job, data in red.items()
    }
    assert (code, newly) == (1, expected)
    for job, data in red.items():
        shown = {one["property"]: one["counterexample"] for one in data["answer"]["results"]}
        assert any(shown[one["name"]] for one in data["outcomes"] if one["outcome"] != "as expected")
        for name in newly[job]:
            assert shown[name]["length"] == len(shown[name]["steps"]) == len(shown[name]["operations"])
            assert f"{job}: newly violated: {name} is violated {shown[name]['length']}, not " in out
