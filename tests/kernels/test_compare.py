# SPDX-License-Identifier: GPL-2.0-only
"""Comparisons against a walk that shares no code with them, and their reports."""

import itertools
import json

import pytest

from tests.support.helpers import rest, system, vmacheck, vmacheck_json
from vmacheck.checker.kernels.compare import BY, compare_kernels, graph_of
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.product import most_above

MOVES = ("mmap", "munmap", "mprotect", "write", "move")


def number_of(mm, by):
    vmas = [mm.vma[vma] for vma in range(1, mm.map_count + 1)]
    if by == "vmas":
        return len(vmas)
    if by == "layout":
        return {one.vm_end for one, two in itertools.pairwise(vmas) if one.vm_end == two.vm_start}
    return sum(
        sum(vma.anon_vma_node == page.mapping for vma in vmas)
        for page in mm.page
        if getattr(page, "mapcount", 0) and page.mapping
    )


def is_worse(one, two):
    return bool(one - two) if isinstance(one, set) else one > two


def by_hand(a, b, by, scope):
    """(pairs, transitions, length of the shortest a_worse, of b_worse, divergences), by the dumbest loop."""
    systems = [system(kernel, **scope) for kernel in (a, b)]
    machines = [Machine(one) for one in systems]
    views = {}

    def measured(machine, key):
        if (machine, key) not in views:
            mm = machine.new()
            machine.load(mm, key)
            mm.page = [mm.page[page] for page in range(scope["pages"])]
            views[machine, key] = number_of(mm, by)
        return views[machine, key]

    def after(machine, key, call):
        before, then = machine.new(), machine.new()
        machine.load(before, key)
        result = machine.step(before, call, then)
        return result, machine.key(then)

    first = tuple(machine.key(machine.new()) for machine in machines)
    depth, border, transitions, divergences = {first: 0}, [first], 0, 0
    shortest = {0: None, 1: None}
    known = {}
    while border:
        pair = border.pop(0)
        for side in (0, 1):
            one, two = measured(machines[side], pair[side]), measured(machines[1 - side], pair[1 - side])
            if shortest[side] is None and is_worse(one, two):
                shortest[side] = depth[pair]
        for call in systems[0].calls:
            steps = []
            for machine, key in zip(machines, pair, strict=True):
                if (machine, key, call) not in known:
                    known[machine, key, call] = after(machine, key, call)
                steps.append(known[machine, key, call])
            transitions += 1
            if steps[0][0] != steps[1][0]:
                divergences += 1
                continue
            then = (steps[0][1], steps[1][1])
            if then not in depth:
                depth[then] = depth[pair] + 1
                border.append(then)
    return len(depth), transitions, shortest[0], shortest[1], divergences


CASES = [
    ("anonmm", "one-per-mm", "layout", {"pages": 2, "operations": (*MOVES, "mlock")}),
    ("anonmm", "rmap39", "vmas", {"pages": 2, "operations": ("mmap", "write", "madvise", "mprotect")}),
    ("andrea+importer", "rmap40+importer", "walk", {"pages": 3, "protections": ("RW", "RWX")}),
    ("rmap39+importer", "rmap40+importer", "vmas", {"pages": 3}),
    ("anonmm", "rmap40", "layout", {"pages": 3}),
]


@pytest.mark.parametrize(("a", "b", "by", "scope"), rest(pytest.mark.slow, CASES, 3), ids=str)
def test_a_walk_by_hand_finds_the_same(a, b, by, scope):
    found = compare_kernels(a, b, by, Scope(**scope), Limits()).found
    lengths = [None if calls is None else len(calls) for calls in (found.a_worse, found.b_worse)]
    assert found.closed
    assert (found.pairs, found.transitions, *lengths, found.divergences) == by_hand(a, b, by, scope)


def worse(a, b, by="vmas", **scope):
    found = compare_kernels(a, b, by, Scope(**{"pages": 3, **scope}), Limits()).found
    return found.verdict, *(None if calls is None else len(calls) for calls in (found.a_worse, found.b_worse))


# lengths of the shortest witnesses: pinned
PINNED = [
    ("andrea+importer", "rmap40+importer", "vmas", {}, ("incomparable", 6, 6)),
    ("andrea+importer", "rmap40+importer", "vmas", {"protections": ("RW", "RWX")}, ("incomparable", 5, 6)),
    ("rmap39+importer", "rmap40+importer", "layout", {}, ("a_worse", 6, None)),
    *rest(pytest.mark.slow, [("rmap39+importer", "rmap40+importer", "layout", {"pages": 4}, ("a_worse", 6, None))], 0),
    ("rmap39+importer", "rmap40+importer", "layout", {"protections": ("RW", "RWX")}, ("a_worse", 5, None)),
    *rest(
        pytest.mark.slow,
        [("rmap39+importer", "rmap40+importer", "layout", {"operations": MOVES}, ("a_worse", 6, None))],
        0,
    ),
    ("rmap39", "rmap40", "vmas", {}, ("incomparable", 6, 12)),
    ("rmap39", "rmap40", "layout", {}, ("incomparable", 6, 11)),
    ("rmap39+importer", "rmap40+importer", "find_vma_prev", {}, ("b_worse", None, 2)),
    ("rmap39+importer", "rmap40+importer", "result", {}, ("equal", None, None)),
    ("anonmm", "rmap40+importer", "layout", {"operations": MOVES}, ("b_worse", None, 3)),
    ("rmap40+importer", "rmap40+importer+prev-first", "vmas", {}, ("incomparable", 8, 8)),
]


@pytest.mark.parametrize(("a", "b", "by", "scope", "outcome"), PINNED, ids=str)
def test_pinned(a, b, by, scope, outcome):
    assert worse(a, b, by, **scope) == outcome


@pytest.mark.parametrize("by", BY)
def test_a_kernel_is_equal_to_itself_and_sides_can_be_exchanged(by):
    assert worse("rmap40", "rmap40", by) == ("equal", None, None)
    _, one, two = worse("rmap39", "rmap40", by)
    assert worse("rmap40", "rmap39", by)[1:] == (two, one)


def test_results_that_differ_are_reported_and_not_followed(tmp_path):
    never = tmp_path / "never.py"
    never.write_text("def do_munmap(mm, start, len):\n    return -ENOMEM\n")
    code, data = vmacheck_json("compare", "rmap40", f"rmap40+{never}", "--pages", "2", "--by", "result")
    assert (code, data["verdict"], data["a_worse"]) == (1, "b_worse", None)
    assert data["b_worse"]["operations"] == ["munmap(0,1)"]
    assert data["divergence"]["results"] == [0, "ENOMEM"]
    assert data["divergences"] > 1
    text = vmacheck("compare", "rmap40", f"rmap40+{never}", "--pages", "2")[1]
    assert "results differ after 1 call" in text


def test_a_kernel_that_stops_is_a_different_result(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def do_munmap(mm, start, len):\n    BUG(mm)\n    return 0\n")
    _, data = vmacheck_json("compare", "rmap40", f"rmap40+{bad}", "--pages", "2", "--by", "result")
    assert data["divergence"]["results"] == [0, "BUG"]
    assert data["b_worse"]["steps_b"][-1]["result"] == "BUG"


def test_a_cut_comparison_says_never_only_what_it_knows():
    code, data = vmacheck_json("compare", "rmap39+importer", "rmap40+importer", "--pages", "3", "--depth", "4")
    assert (code, data["verdict"], data["closed"]) == (3, "incomplete", False)
    code, data = vmacheck_json("compare", "rmap39+importer", "rmap40+importer", "--pages", "3", "--depth", "6")
    assert (code, data["verdict"], data["closed"]) == (3, "incomplete", False)
    assert data["a_worse"]["length"] == 6
    code, out, _ = vmacheck("compare", "rmap39+importer", "rmap40+importer", "--pages", "3", "--max-states", "300")
    assert code == 3
    assert "not found, and not decided" in out


def test_offsets_beyond_the_limit_leave_a_comparison_open():
    scope = Scope(pages=2, operations=("mmap", "write", "mremap"))
    found = compare_kernels("rmap39", "rmap40", "vmas", scope, Limits()).found
    assert not found.closed


def test_text_and_data_say_the_same():
    words = ("compare", "andrea+importer", "rmap40+importer", "--pages", "3")
    code, out, err = vmacheck(*words)
    assert (code, err) == (1, "")
    data = json.loads(vmacheck(*words, "--format", "json")[1])
    for side in ("a_worse", "b_worse"):
        for operation in data[side]["operations"]:
            assert operation in out
        assert len(data[side]["steps"]) == len(data[side]["steps_b"]) == data[side]["length"]
        ends = [len(data[side][steps][-1]["vmas"]) for steps in ("steps", "steps_b")]
        assert (ends[0] > ends[1]) == (side == "a_worse")
    assert vmacheck(*words)[1] == out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("rmap40", "rmap41"), "unknown kernel 'rmap41'"),
        (("rmap40", "rmap39", "--by", "size"), "invalid choice"),
        (("rmap40", "rmap39", "--by", "layout", "--pages", "63"), "--by layout goes up to 62 pages"),
        (("rmap40", "rmap39+prev-first"), "prev-first is a change to rmap40 and linux-2.6.8"),
        ((), "KERNEL_B"),
    ],
)
def test_bad_input_is_one_line(words, why):
    code, out, err = vmacheck("compare", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert why in err


def test_a_cut_by_depth_leaves_witnesses_shortest():
    words = ("compare", "rmap39", "rmap40", "--pages", "3", "--by", "layout")
    assert vmacheck_json(*words)[1]["b_worse"]["length"] == 11
    code, data = vmacheck_json(*words, "--depth", "10")
    assert (code, data["depth"], data["a_worse"]["length"], data["b_worse"]) == (3, 10, 6, None)
    assert vmacheck_json(*words, "--depth", "11")[1]["b_worse"]["length"] == 11
    assert (
        vmacheck_json("compare", "andrea+importer", "rmap40+importer", "--pages", "3", "--depth", "5")[1]["a_worse"]
        is None
    )


def test_what_follows_different_results_is_not_claimed(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def anon_vma_prepare(mm, vma):\n    BUG(mm)\n    return 0\n")
    code, data = vmacheck_json("compare", f"rmap40+{bad}", "anonmm", "--pages", "3")
    assert (code, data["verdict"], data["closed"]) == (3, "incomplete", False)
    assert data["divergences"] == 48
    code, out, _ = vmacheck("tradeoff", f"rmap40+{bad}", "--pages", "2")
    assert code == 3
    assert "(not closed)" in out


def test_most_above():
    one, two = (graph_of(kernel, Scope(pages=4), Limits()) for kernel in ("rmap40+importer", "anonmm"))
    assert most_above(one, two, "number_of_vmas") == (2, True)
    assert most_above(two, one, "number_of_vmas") == (0, True)


def test_tradeoff_is_a_table_and_a_plot(tmp_path):
    svg = tmp_path / "plot.svg"
    code, out, err = vmacheck("tradeoff", "anonmm", "rmap40+importer", "--pages", "3", "--svg", str(svg))
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:3]}
    assert rows == {"anonmm": ["0", "0", "3", "0", "216"], "rmap40+importer": ["1", "3", "9", "6", "628"]}
    assert svg.read_text().count("<circle") == 2
    assert vmacheck_json("tradeoff", "anonmm", "--pages", "2")[1]["kernels"][0]["kernel"] == "anonmm"
