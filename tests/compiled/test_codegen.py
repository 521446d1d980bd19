# SPDX-License-Identifier: GPL-2.0-only
"""The compiler against Python itself: random functions of the subset, stepped by both runs. No VM in sight."""

import ast
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmacheck.checker.compiled import module
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import Function, LinkError, Program
from vmacheck.checker.program.system import OOPS, Claim, System
from vmacheck.checker.search import explore, rounds


class Call(NamedTuple):
    nr: int
    x: int
    y: int


LAYOUT = [("n", 255), ("cell", 1, 3, 1, {"f": 255, "g": ("bits", 0b1011_0110), "s": None}), ("scratch", None)]
CALLS = [Call(1, 0, 1), Call(1, 3, 2), Call(1, -2, 70), Call(1, 255, 0)]


def system_of(text, claims=(), calls=CALLS, layout=LAYOUT):
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    functions = {node.name: Function(node, "<test>") for node in nodes}
    program = Program(functions, {"NULL": 0, "SEVEN": 7})
    program.check()
    return System(name="test", program=program, layout=Layout.of(layout), calls=calls, kinds={1: "call"}, claims=claims)


# ---- random functions ------------------------------------------------------------------------------

NAMES = ("a", "b", "c")
numbers = st.sampled_from(["0", "1", "2", "3", "7", "-1", "255", "SEVEN", "NULL", "True"])
slots = st.sampled_from(["1", "2", "3", "4", "a", "b", "c & 3", "(a & 1) + 1"])
leaves = st.one_of(
    numbers,
    st.sampled_from([*NAMES, "call.x", "call.y", "mm.n", "mm.scratch"]),
    st.builds("mm.cell[{}].{}".format, slots, st.sampled_from(["f", "g", "s"])),
    st.builds("twice({})".format, st.sampled_from(NAMES)),
)


def deeper(inner):
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "&", "|", "^"]), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["<<", ">>"]), st.integers(0, 31)),
        st.builds("({} {} {})".format, inner, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner),
        st.builds("({} < {} <= {})".format, inner, inner, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({}{})".format, st.sampled_from(["-", "~", "not "]), inner),
    )


expressions = st.recursive(leaves, deeper, max_leaves=6)
small = st.builds("({}) & 1023".format, expressions)
simple = st.one_of(
    st.builds("{} = {}".format, st.sampled_from(NAMES), small),
    st.builds("{} += {}".format, st.sampled_from(NAMES), numbers),
    st.builds("mm.n = ({}) & 255".format, expressions),
    st.builds("mm.cell[{}].f = ({}) & 255".format, slots, expressions),
    st.builds("mm.cell[{}].g = ({}) & 182".format, slots, expressions),
    st.builds("mm.cell[{}].g |= 4".format, slots),
    st.builds("mm.cell[{}] = mm.cell[{}]".format, slots, slots),
    st.builds("bump(mm, {})".format, small),
)


def indent(lines):
    return [f"    {line}" for line in lines]


@st.composite
def blocks(draw, depth=2):
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["simple", "simple", "if", "for", "while", "return"])) if depth else "simple"
        if kind == "simple":
            lines.append(draw(simple))
        elif kind == "if":
            lines += [f"if {draw(expressions)}:", *indent(draw(blocks(depth - 1)))]
            if draw(st.booleans()):
                lines += ["else:", *indent(draw(blocks(depth - 1)))]
        elif kind == "for":
            bounds = draw(st.sampled_from(["4", "1, 4", "3, 0, -1", "a & 3", "b & 3, 5"]))
            lines += [f"for c in range({bounds}):", *indent(draw(blocks(depth - 1)))]
            lines += draw(st.sampled_from([[], indent(["break"]), indent(["if a > b:", "    continue", "a = b"])]))
        elif kind == "while":
            lines += [f"while {draw(expressions)}:", *indent(draw(blocks(depth - 1)))]
        else:
            lines += [f"if {draw(expressions)}:", *indent([f"return {draw(small)}"])]
    return lines


HELPERS = """
def twice(x):
    return (x + x) & 255
def bump(mm, x):
    mm.n = (mm.n + x) & 255
def begin(mm):
    mm.scratch = 5
def canonicalise(mm):
    if mm.n > 200:
        mm.n = 200
"""


@given(blocks(), st.lists(st.sampled_from(CALLS), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_both_runs_do_the_same(block, calls):
    text = "\n".join(
        ["def step(mm, call):", "    a = call.x", "    b = mm.n", "    c = 0", *indent(block), "    return a & 7"]
    )
    system = system_of(text + HELPERS)
    machine, stepper = Machine(system), module.Stepper(system)
    before, after = machine.new(), machine.new()
    for call in calls:
        result = machine.step(before, call, after)
        key = machine.key(after)
        assert stepper.step(call) == (result, key)
        if result == OOPS:
            break
        before, after = after, before


# ---- what a pointer can do wrong --------------------------------------------------------------------


@pytest.mark.parametrize("slot", ["0", "NULL", "5", "-1", "call.y", "mm.n - 4", "1000000", "-1000000"])
def test_a_bad_slot_stops_the_kernel_in_both_runs(slot):
    text = f"def step(mm, call):\n    mm.n = 9\n    mm.cell[{slot}].f = 1\n    return mm.n\n"
    for body in (text, text.replace("mm.cell", "x = mm.cell").replace(".f = 1", ".f")):
        system = system_of(body + HELPERS, calls=[Call(1, 0, 70)])
        one, two = explore.explore(system), rounds.explore(system)
        assert one.coverage == two.coverage
        assert one.coverage.results == {1: {OOPS: 1}}
        assert one.levels == two.levels == [1, 1]


def test_a_loop_without_end_stops_the_kernel_in_both_runs():
    system = system_of("def step(mm, call):\n    while True:\n        mm.n = 1\n    return 0\n" + HELPERS)
    one, two = explore.explore(system), rounds.explore(system)
    assert one.coverage.results == two.coverage.results == {1: {OOPS: len(CALLS)}}


# ---- a model that has nothing to do with memory -----------------------------------------------------

COUNTER = """
def begin(s):
    pass
def canonicalise(s):
    pass
def step(s, call):
    if s.n + call.x > 20:
        return -1
    s.n = s.n + call.x
    return 0
def below_seven_or_even(s):
    return s.n < 7 or (s.n & 1) == 0
def never_by_three(before, call, after):
    return after.n != 9 or call.x != 3
"""


def test_any_model_can_be_searched():
    claims = (Claim("below_seven_or_even"), Claim("never_by_three", on_step=True))
    system = system_of(COUNTER, claims, [Call(1, 2, 0), Call(1, 3, 0)], [("n", 20)])
    for search in (explore.explore(system), rounds.explore(system)):
        assert search.closed
        assert search.states == 20  # 0 to 20 without 1
        assert [call.x for call in search.hits["below_seven_or_even"].calls] == [2, 2, 3]
        assert [call.x for call in search.hits["never_by_three"].calls] == [3, 3, 3]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("return mm.missing", "no field missing"),
        ("return mm.cell[1].missing", "a slot of cell has no field missing"),
        ("return mm.cells[1].f", "no array cells"),
        ("return mm", "mm is a struct and has no value of its own"),
        ("return twice(mm)", "struct"),
    ],
)
def test_what_only_shows_when_compiled_is_one_clear_line(line, why):
    system = system_of(f"def step(mm, call):\n    {line}\n" + HELPERS)
    with pytest.raises(LinkError, match=why):
        rounds.explore(system)
