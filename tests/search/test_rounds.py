# SPDX-License-Identifier: GPL-2.0-only
"""The search in rounds: the same, byte for byte, whoever does what, and the same as the interpreted one."""

import contextlib
import random
import subprocess
import sys
import tempfile
from functools import cache, lru_cache
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.common.system import system as common_system
from tests.compiled.test_codegen import Call, system_of
from tests.search.test_search import compiled_keys
from tests.support.helpers import KERNELS, rest, system
from vmacheck.checker.compiled import native
from vmacheck.checker.files import kept
from vmacheck.checker.kernels import programs
from vmacheck.checker.program.layout import Broken, OutOfBounds
from vmacheck.checker.program.system import Claim
from vmacheck.checker.search import explore, rounds, table
from vmacheck.checker.search.crew import Means
from vmacheck.checker.search.outcome import Limits

ROOT = Path(__file__).parent.parent.parent
WORKERS = (1, 2, 3, 5)
USUAL = {"BLOCK": rounds.BLOCK}
TINY = {"BLOCK": 1, "SMALLEST": 1, "BLOCKS": 1, "JUDGED": 1, "FIRST_TABLE": 1}
SMALL = {"BLOCK": 100, "SMALLEST": 50, "BLOCKS": 3, "JUDGED": 3, "FIRST_TABLE": 64}
SIZES = pytest.mark.parametrize("sizes", [USUAL, SMALL, TINY], ids=["usual", "small", "tiny"])
SCOPES = {
    "plain": {"pages": 3},
    "few vmas": {"pages": 3, "max_map_count": 2},
    "read": {"pages": 2, "noreserve": True, "operations": ("mmap", "munmap", "mprotect", "write", "read")},
    "all protections": {"pages": 2, "protections": ("N", "R", "W", "RW", "RX", "RWX")},
    "mremap": {"pages": 2, "operations": ("mmap", "munmap", "write", "mremap")},
}


def with_sizes(sizes):
    stack = contextlib.ExitStack()
    for name, size in sizes.items():
        stack.enter_context(mock.patch.object(table if hasattr(table, name) else rounds, name, size))
    return stack


def dealt(seed):
    """Deal tasks to workers at random, one after another: a schedule that is rare but possible."""
    chance = random.Random(seed)

    def share(self, crew, tasks, work):
        for task in tasks:
            work(chance.choice(crew), task)

    return mock.patch.object(rounds.Explorer, "_share", share)


def told(search):
    """The results of a search."""
    hits = {name: (hit.calls, hit.states, hit.transitions) for name, hit in search.hits.items()}
    coverage = ({kind: dict(codes) for kind, codes in search.coverage.results.items()}, dict(search.coverage.events))
    return (search.levels, search.transitions, hits, coverage, search.stopped, search.closed)


def rows(explorer):
    count = explorer.count
    return tuple(array[:count].tobytes() for array in (explorer.keys, explorer.parents, explorer.via))


def in_rounds(system, targets=(), limits=None, workers=1, hurry=False):
    """All results of a search in rounds, or its error."""
    try:
        means = Means(lambda: workers, hurry)
        with rounds.Explorer(system, targets, limits or Limits(), means) as explorer:
            explorer.run()
        return told(explorer.search), rows(explorer), compiled_keys(explorer)
    except (Broken, OutOfBounds) as error:
        return repr(error), None, None


def interpreted(system, targets=(), limits=None):
    """All results of the interpreted search, or its error."""
    return interpreted_once(system, tuple(targets), limits or Limits())


@lru_cache(maxsize=256)
def interpreted_once(system, targets, limits):
    try:
        explorer = explore.Explorer(system, targets, limits)
        explorer.run()
    except (Broken, OutOfBounds) as error:
        return repr(error), None, None
    count = explorer.search.states
    parents, via = explorer.parents[:count], explorer.via[:count]
    return told(explorer.search), (parents, via), explorer.keys[:count]


def agree(system, targets=(), limits=None, workers=WORKERS):
    """The results of the interpreted search, after asserting that each number of workers finds the same."""
    said, tree, keys = interpreted(system, targets, limits)
    bytes_of_one = None
    for many in workers:
        ours, arrays, ours_keys = in_rounds(system, targets, limits, many)
        assert ours == said, f"{many} workers"
        assert ours_keys == keys
        bytes_of_one = bytes_of_one or arrays
        assert arrays == bytes_of_one
        if arrays is not None:
            parents, via = (memoryview(array).cast(kind).tolist() for array, kind in zip(arrays[1:], "iH", strict=True))
            assert (parents, via) == tree
    return said


@cache
def kernel_system(kernel, scope, names=None):
    return system(kernel, properties=tuple(programs.property_names()) if names is None else names, **SCOPES[scope])


# ---- all of a search -------------------------------------------------------------------------------


@cache
def whole(kernel, scope):
    return interpreted(kernel_system(kernel, scope))


def every_way():
    """Each scope and each size with one kernel, then the rest."""
    sizes = {"usual": USUAL, "small": SMALL, "tiny": TINY}
    first = {("rmap40", scope, "small") for scope in SCOPES} | {("linux-2.6.8", "few vmas", size) for size in sizes}
    for kernel in ("rmap40", "linux-2.6.8"):
        for scope in SCOPES:
            for name, size in sizes.items():
                mark = () if (kernel, scope, name) in first else pytest.mark.slow
                yield pytest.param(kernel, scope, size, marks=mark, id=f"{kernel}-{scope}-{name}")


@pytest.mark.parametrize(("kernel", "scope", "sizes"), list(every_way()))
def test_any_number_of_workers_finds_the_same(kernel, scope, sizes):
    said, tree, keys = whole(kernel, scope)
    found = set()
    with with_sizes(sizes):
        for workers in WORKERS:
            ours, arrays, ours_keys = in_rounds(kernel_system(kernel, scope), workers=workers)
            assert ours == said
            assert ours_keys == keys
            found.add(arrays)
    assert len(found) == 1
    ((_, parents, via),) = found
    assert memoryview(parents).cast("i").tolist() == tree[0]
    assert memoryview(via).cast("H").tolist() == tree[1]


def test_many_blocks_and_tables_are_many():
    rounds_made, tables = [], []
    make, go = table.Table.make, rounds.Explorer._round
    note_table = mock.patch.object(table.Table, "make", lambda s, size: tables.append(size) or make(s, size))
    note_round = mock.patch.object(
        rounds.Explorer, "_round", lambda s, crew, blocks: rounds_made.append(len(blocks)) or go(s, crew, blocks)
    )
    with with_sizes(TINY), note_table, note_round:
        in_rounds(kernel_system("rmap40", "plain"), workers=3)
    assert max(rounds_made) == 3
    assert len(rounds_made) > 300
    assert len(set(tables)) >= 8


def full_regions(*sizes):
    """Check a search with full regions; the next test runs this where an endless loop can be ended."""
    full = []
    claim = rounds.Explorer.claim

    def note(self, crew, blocks):
        done = claim(self, crew, blocks)
        full.append(not done)
        return done

    names = ("REGION", "REGIONS", "FIRST_TABLE", "BLOCK", "SMALLEST")
    with with_sizes(dict(zip(names, sizes, strict=True))), mock.patch.object(rounds.Explorer, "claim", note):
        agree(kernel_system("linux-2.6.8", "plain", ()))
        agree(kernel_system("rmap40", "plain", ()), limits=Limits(max_states=700))
    assert any(full)


@pytest.mark.parametrize(
    "sizes",
    rest(
        pytest.mark.slow,
        [pytest.param((1, 64, 1, 8, 1)), pytest.param((4, 64, 8, 200, 50)), pytest.param((64, 64, 64, 64, 64))],
    ),
    ids=str,
)
def test_full_regions_make_the_table_grow(sizes):
    words = [sys.executable, "-c", f"from tests.search.test_rounds import full_regions; full_regions{sizes}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=False, timeout=20)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_a_block_may_be_larger_than_all_candidates_of_a_round():
    """As of 256 pages: vmacheck check rmap40 --pages 256 --ops munmap -p two_vmas_exist --workers 2"""
    with with_sizes({**SMALL, "MOST_CANDIDATES": 1}):
        agree(kernel_system("rmap40", "few vmas"))


@SIZES
@pytest.mark.parametrize("claim", ["merged", "shared"])
def test_the_common_benchmark(claim, sizes):
    small = common_system(3, claim)
    with with_sizes(sizes):
        agree(small)
        levels, _, hits, *_ = agree(small, [claim])
    assert {name: len(calls) for name, (calls, *_) in hits.items()} == ({"shared": 5} if claim == "shared" else {})
    assert len(levels) >= 5


# ---- limits and targets ----------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [SMALL, TINY], ids=["small", "tiny"])
@pytest.mark.parametrize(("kernel", "scope"), rest(pytest.mark.slow, [("rmap40", "mremap"), ("rmap39", "few vmas")]))
def test_every_limit_on_states(kernel, scope, sizes):
    model = kernel_system(kernel, scope)
    with with_sizes(sizes):
        for most in range(1, 40):
            agree(model, limits=Limits(max_states=most), workers=(3,))


@SIZES
def test_limits_about_the_number_of_states_there_are(sizes):
    model = kernel_system("linux-2.6.8", "few vmas")
    states = sum(whole("linux-2.6.8", "few vmas")[0][0])
    with with_sizes(sizes):
        said = [agree(model, limits=Limits(max_states=states + more)) for more in (-1, 0, 1)]
    assert [one[4] for one in said] == ["max-states", None, None]
    assert [one[5] for one in said] == [False, True, True]


@pytest.mark.parametrize("sizes", [SMALL, TINY], ids=["small", "tiny"])
def test_every_limit_on_depth(sizes):
    model = kernel_system("linux-2.6.8", "few vmas")
    depth = len(whole("linux-2.6.8", "few vmas")[0][0]) - 1
    with with_sizes(sizes):
        for most in (0, 1, 2, 5, depth - 1, depth, depth + 1):
            *_, stopped, closed = agree(model, limits=Limits(depth=most), workers=(3,))
            assert (stopped, closed) == (("depth", False) if most <= depth else (None, True))


@SIZES
@pytest.mark.parametrize("room", rest(pytest.mark.slow, [40_000, 33_000, 50_000]))
def test_a_limit_on_memory_is_one_on_states(room, sizes):
    model, found = kernel_system("rmap40", "plain"), []
    with with_sizes({**sizes, "BESIDE": 1 << 20, "FIRST_TABLE": 1 << 13}):
        for workers in WORKERS:
            found.append(in_rounds(model, limits=Limits(memory=(1 << 20) + room), workers=workers))
    assert all(one == found[0] for one in found)
    levels, *_, stopped, closed = found[0][0]
    assert (stopped, closed) == ("memory", False)
    same, _, keys = interpreted(model, limits=Limits(max_states=sum(levels)))
    assert (*found[0][0][:4], found[0][2]) == (*same[:4], keys)


@SIZES
def test_the_smaller_limit_is_named(sizes):
    model = kernel_system("rmap40", "plain")
    with with_sizes({**sizes, "BESIDE": 1 << 20, "FIRST_TABLE": 1 << 13}):
        most = sum(in_rounds(model, limits=Limits(memory=(1 << 20) + 40_000))[0][0])
        for more, reason in ((-1, "max-states"), (0, "max-states"), (1, "memory")):
            limits = Limits(max_states=most + more, memory=(1 << 20) + 40_000)
            assert in_rounds(model, limits=limits, workers=2)[0][4] == reason


@pytest.mark.parametrize("sizes", [SMALL, TINY], ids=["small", "tiny"])
@pytest.mark.parametrize("kernel", rest(pytest.mark.slow, ["rmap40", "linux-2.6.8"]))
def test_targets_end_a_search(kernel, sizes):
    model = kernel_system(kernel, "plain")
    hits = interpreted(model, limits=Limits(depth=6))[0][2]
    with with_sizes(sizes):
        for targets in [*([name] for name in list(hits)[::2]), list(hits)]:
            *_, stopped, closed = agree(model, targets, workers=(3,))
            assert (stopped, closed) == (None, False)


@pytest.mark.parametrize("names", [(), ("two_vmas_exist",), ("rmap_finds_every_page", "adjacent_vmas_share_anon_vma")])
def test_property_sets(names):
    with with_sizes(SMALL):
        said = agree(kernel_system("rmap40", "plain", names), names)
    assert set(names) <= set(said[2])


@cache
def known(kernel, scope, targets, limits):
    return interpreted(kernel_system(kernel, scope), targets, limits)


@st.composite
def searches(draw):
    kernel, scope = draw(st.sampled_from(KERNELS)), draw(st.sampled_from(["plain", "mremap"]))
    names = [claim.name for claim in kernel_system(kernel, scope).claims]
    targets = tuple(sorted(draw(st.sets(st.sampled_from(names), max_size=3))))
    limits = Limits(draw(st.sampled_from([None, 2, 4, 5])), draw(st.integers(1, 400)))
    return kernel, scope, targets, limits


@given(
    searches(),
    st.integers(1, 6),
    st.fixed_dictionaries(
        {
            "BLOCK": st.integers(1, 3000),
            "SMALLEST": st.integers(1, 500),
            "BLOCKS": st.integers(1, 5),
            "JUDGED": st.integers(1, 50),
            "FIRST_TABLE": st.sampled_from([1, 2, 64, 1024]),
        }
    ),
    st.one_of(st.none(), st.integers(0, 1000)),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_any_search_in_any_way(asked, workers, sizes, seed):
    kernel, scope, targets, limits = asked
    with with_sizes(sizes), contextlib.nullcontext() if seed is None else dealt(seed):
        ours, _, keys = in_rounds(kernel_system(kernel, scope), targets, limits, workers)
    said, _, their_keys = known(kernel, scope, targets, limits)
    assert ours == said
    assert keys == their_keys


# ---- what goes wrong -------------------------------------------------------------------------------

BASE = "def begin(s):\n    pass\ndef canonicalise(s):\n    pass\n"
ADD = "def step(s, call):\n    s.n = s.n + call.x\n    return 0\n"
ADD_TO_9 = "def step(s, call):\n    s.n = s.n + call.x\n    if s.n > 9:\n        s.n = 9\n    return 0\n"
CELLS = ("cell", 1, 2, 1, {"f": 3})
N20, LIMITED = [("n", 20), CELLS], [("n", ("limit", 5, "max-pgoff"))]
ON_STEP, ON_STATE = "def good(b, call, s):\n", "def good(s):\n"
NOT_3_AND_WRONG_AT = "    if s.n == {}:\n        return s.cell[0].f\n    return s.n != 3\n"
SLOW = "def {}(s):\n    x = 0\n    while x < 6000:\n        x += 1\n    return s.n < 2\n"
WORDS = ("good", "a", "b")
# the functions, the calls' numbers, the layout, are the claims targets, Limits.max_states
WRONG = {
    "out of bounds": (BASE + ADD, (1, 2), N20, False, None),
    "out of bounds, far away": (BASE + ADD, (1, 7), [("n", 1000)], False, None),
    "broken claim on states": (BASE + ADD_TO_9 + ON_STATE + "    return s.cell[s.n < 8].f == 0\n", (1,), N20, False, None),
    "broken claim on steps": (BASE + ADD_TO_9 + ON_STEP + "    return s.cell[b.n < 8].f == 0\n", (1,), N20, False, None),
    "broken begin": (BASE.replace("pass", "x = s.cell[s.n < 8].f", 1) + ADD_TO_9, (1, 2), N20, False, None),
    "broken canonicalise": (BASE[::-1].replace("ssap", "f.]8 < n.s[llec.s = x", 1)[::-1] + ADD_TO_9, (1, 2), N20, False, None),
    "broken canonicalise of the first state": (BASE[::-1].replace("ssap", "f.]n.s[llec.s = x", 1)[::-1] + ADD.replace("+", "|"), (1,), N20, False, None),
    "a broken step out of bounds": (BASE + ADD + ON_STEP + "    return s.cell[s.n < 9].f == 0\n", (99,), N20, False, None),
    "after the target, in the same state": (BASE + ADD + ON_STATE + "    return s.n < 2\n", (2, 99), N20, True, None),
    "after the target, on a step in the same state": (BASE + ADD + ON_STEP + "    return s.n < 2\n", (2, 99), N20, True, None),
    "after the target, in another state": (BASE + ADD + ON_STEP + "    return s.n != 3\n", (1, 2, 18), N20, True, None),
    "after a target on states, in another state": (BASE + ADD + ON_STATE + "    return s.n != 3\n", (1, 2, 18), N20, True, None),
    "after the most states, in the same state": (BASE + ADD, (2, 99), N20, False, 1),
    "after the most states, in another state": (BASE + ADD, (1, 2, 18), N20, False, 4),
    "at the most states": (BASE + ADD + ON_STEP + "    return s.cell[s.n < 3].f == 0\n", (1, 2), N20, False, 3),
    "a step claim that was hit before": (BASE + ADD_TO_9 + ON_STEP + NOT_3_AND_WRONG_AT.format(5), (1, 2), N20, False, None),
    "a claim that was hit before": (BASE + ADD_TO_9 + ON_STATE + NOT_3_AND_WRONG_AT.format(4), (1, 2), N20, False, None),
    "claims that each take a while": (BASE + ADD_TO_9 + SLOW.format("a") + SLOW.format("b"), (5,), N20, False, None),
    "beyond a limit": (BASE + ADD, (1, 2, 9), LIMITED, False, None),
    "beyond a limit, and negative": (BASE + ADD, (1, -1, 9), LIMITED, False, None),
    "beyond a limit after the target": (BASE + ADD + ON_STEP + "    return s.n < 3\n", (1, 3, 9), LIMITED, True, None),
    "beyond a limit before the target": (BASE + ADD + ON_STEP + "    return s.n != 3\n", (9, 1, 2), LIMITED, True, None),
    "beyond a limit at the target": (BASE + ADD + ON_STEP + "    return s.n < 8\n", (1, 9, 2, 3), LIMITED, True, None),
}  # fmt: skip


@pytest.mark.parametrize("sizes", [USUAL, TINY], ids=["usual", "tiny"])
@pytest.mark.parametrize("name", WRONG)
def test_what_goes_wrong_goes_wrong_in_the_same_way(name, sizes):
    text, numbers, layout, is_target, most = WRONG[name]
    claims = tuple(Claim(word, on_step=f"{word}(b" in text) for word in WORDS if f"def {word}(" in text)
    model = system_of(text, claims, [Call(1, number, 0) for number in numbers], layout)
    targets = [claim.name for claim in claims] if is_target else []
    with with_sizes(sizes):
        said = agree(model, targets, Limits(max_states=most))
        for seed in range(5):
            with dealt(seed):
                assert in_rounds(model, targets, Limits(max_states=most), 3)[0] == said


def test_an_error_in_another_thread_is_not_lost():
    model = system_of(BASE + ADD, (), [Call(1, 1, 0)], N20)

    def wrong(self, worker, field):
        raise ZeroDivisionError

    with (
        mock.patch.object(rounds.Explorer, "_out_of_bounds", wrong),
        with_sizes(TINY),
        pytest.raises(ZeroDivisionError),
    ):
        in_rounds(model, workers=3)


# ---- machine code that gets better ---------------------------------------------------------------------


@pytest.fixture
def no_builds(tmp_path, monkeypatch, optimised):
    """An empty cache of builds, and better builds that are ready at every look."""
    monkeypatch.setenv("VMACHECK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(native, "_loaded", {})
    monkeypatch.setattr(native, "PATIENCE", 0)
    improve, seen = native.Soon.improve, []

    def improve_and_wait(self):
        improve(self)
        if self._child is not None:
            self._child.wait()
        seen.append(self.is_best)

    monkeypatch.setattr(native.Soon, "improve", improve_and_wait)
    return seen


@pytest.mark.parametrize(
    "targets",
    [pytest.param(("adjacent_vmas_share_anon_vma",), id="target"), pytest.param((), id="all", marks=pytest.mark.slow)],
)
def test_better_code_comes_in_between(no_builds, targets, tmp_path):
    model = kernel_system("rmap40", "plain")
    with with_sizes(SMALL):
        ours = in_rounds(model, targets, workers=2, hurry=True)
    assert ours[0] == interpreted(model, targets)[0]
    assert no_builds[:2] == [False, True]
    assert len(no_builds) > 10
    assert len(list((tmp_path / "cache" / "builds").iterdir())) == 1


def no_folder(*_args, **_more):
    raise OSError("no room for a temporary folder")


FAILURES = {
    "the child fails": (sys, "executable", "/bin/false"),
    "there is no Python": (sys, "executable", "/nowhere/python"),
    "there is no temporary folder": (tempfile, "TemporaryDirectory", no_folder),
    "there is no cache": (kept, "cache_folder", lambda: Path("/proc/nowhere")),
}


@pytest.mark.parametrize("why", FAILURES)
def test_better_code_is_not_needed(no_builds, monkeypatch, why):
    monkeypatch.setattr(*FAILURES[why])
    model = kernel_system("rmap40", "few vmas", ())
    with with_sizes(SMALL):
        assert in_rounds(model, workers=2, hurry=True)[0] == interpreted(model)[0]
    assert no_builds[-1] == (why == "there is no cache")


def test_a_search_that_ends_early_ends_its_child(no_builds, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/sh")
    begun = []
    popen = subprocess.Popen

    def sleeper(words, **more):
        begun.append(popen(["sleep", "100"], **more))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", sleeper)
    monkeypatch.setattr(native.Soon, "improve", native.Soon.improve.__closure__[0].cell_contents)
    with with_sizes(SMALL):
        in_rounds(kernel_system("rmap40", "few vmas", ()), hurry=True)
    assert [child.returncode for child in begun] == [-9]
