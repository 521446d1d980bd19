# SPDX-License-Identifier: GPL-2.0-only
"""A search on a Ray cluster, here of several processes: the same as on one machine, also when some of them die."""

import contextlib
import io
import os
import signal

import pytest

from benchmarks.common.system import system as common
from tests.support.helpers import system, vmacheck
from vmacheck.checker.commands.main import main
from vmacheck.checker.search import rounds
from vmacheck.checker.search.crew import Means
from vmacheck.checker.search.outcome import Limits

ray = pytest.importorskip("ray", reason="ray is not there for this Python")
from vmacheck.checker.search import cluster  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def connected():
    cluster.connect("local")
    yield
    ray.shutdown()


def found(explorer):
    search, count = explorer.search, explorer.count
    rows = [array[:count].tobytes() for array in (explorer.keys, explorer.parents, explorer.via)]
    return search.levels, search.transitions, search.coverage, search.hits, search.stopped, search.closed, rows


def on_one(searched, targets, limits):
    with rounds.Explorer(searched, targets, limits) as explorer:
        explorer.run()
        return found(explorer)


def on_cluster(searched, targets, limits, many, report=None):
    with cluster.ClusterExplorer(searched, targets, limits, Means(), many) as explorer:
        explorer.run(report)
        return found(explorer)


@pytest.mark.parametrize(
    ("searched", "targets", "limits", "many"),
    [
        (common(5), (), Limits(), 3),
        (common(4, "shared"), ("shared",), Limits(), 2),
        (common(5), (), Limits(max_states=777), 2),
        (common(5), (), Limits(depth=4), 2),
        (system("rmap40", 3, ("adjacent_vmas_share_anon_vma",)), (), Limits(), 2),
        (system("rmap40", 2, operations=("mmap", "write", "mremap")), (), Limits(depth=4), 2),
    ],
    ids=["closed", "target", "max-states", "depth", "kernel", "beyond"],
)
def test_the_same_as_on_one_machine(searched, targets, limits, many):
    assert on_cluster(searched, targets, limits, many) == on_one(searched, targets, limits)


def test_shards_that_die_are_made_anew():
    dead = set()
    searched = common(5)

    with cluster.ClusterExplorer(searched, (), Limits(), Means(), 2) as explorer:

        def kill_one(now):
            if now.depth in {2, 5, 9} and now.depth not in dead:
                dead.add(now.depth)
                shard = explorer.shards[now.depth % 2]
                os.kill(ray.get(shard.process.remote()), signal.SIGKILL)

        explorer.run(kill_one)
        assert dead == {2, 5, 9}
        assert found(explorer) == on_one(searched, (), Limits())


def test_a_cluster_that_fails_again_and_again_is_given_up(monkeypatch):
    monkeypatch.setattr(cluster, "ATTEMPTS", 2)
    with cluster.ClusterExplorer(common(3), (), Limits(), Means(), 2) as explorer:

        def fail(_blocks):
            raise ray.exceptions.RayActorError

        monkeypatch.setattr(explorer, "_ask", fail)
        with pytest.raises(cluster.ClusterError, match="failed 2 times in a row"):
            explorer.run()


def test_the_command_prints_the_same():
    words = ("check", "rmap40", "andrea", "--pages", "2")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "connect", lambda address: None)
        code = main([*words, "--ray", "auto", "--workers", "2"])
    assert (code, out.getvalue()) == vmacheck(*words)[:2]


@pytest.mark.large
@pytest.mark.parametrize("words", [("--workers", "1"), ("--workers", "2"), ("--workers", "4"), ("--ray", "auto")])
def test_the_seeds_counterexample_twenty_times(words, monkeypatch):
    monkeypatch.setattr(cluster, "connect", lambda address: None)
    seed = ("check", "rmap40", "-p", "adjacent_vmas_share_anon_vma")
    first = vmacheck(*seed)
    assert "is violated on rmap40 after 5 calls" in first[1]
    assert [vmacheck(*seed, *words) for _ in range(20)] == [first] * 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--run", "interpreted"), "--memory, --checkpoint and --ray are for the compiled run"),
        (("--memory", "1G"), "--memory is for the memory of one process, and --ray for many"),
    ],
)
def test_what_a_cluster_is_not_for(words, message):
    assert vmacheck("check", "rmap40", "--ray", "auto", *words) == (2, "", f"vmacheck: {message}\n")


def test_no_cluster_is_one_line(monkeypatch):
    def refuse(*_args, **_more):
        raise ConnectionError("nobody there\nand more")

    monkeypatch.setattr(ray, "init", refuse)
    assert vmacheck("check", "rmap40", "--ray", "auto") == (2, "", "vmacheck: --ray auto: nobody there\n")
