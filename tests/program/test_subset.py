# SPDX-License-Identifier: GPL-2.0-only
"""The model's subset of Python: refused and allowed constructs, and the compliance of every kernel."""

import ast
import inspect

import pytest

from tests.support.helpers import ROOT
from vmacheck.checker.compiled import loops, record
from vmacheck.checker.kernels import programs
from vmacheck.checker.program import subset
from vmacheck.checker.program.link import LinkError, link
from vmacheck.checker.program.reserved import RESERVED
from vmacheck.model.kernels import LINUX_2_6
from vmacheck.model.states import linux_2_6
from vmacheck.properties import FILES


def test_every_function_of_every_kernel_keeps_to_the_subset():
    bounds = linux_2_6.bounds(4, (), (), 65536, 3).constants()
    for kernel in LINUX_2_6.kernels.values():
        link(LINUX_2_6.files(kernel.patches), bounds).check_all()
    for name, patch in LINUX_2_6.patches.items():
        for base in patch.over or LINUX_2_6.kernels:
            link(LINUX_2_6.files((*LINUX_2_6.kernels[base].patches, name)), bounds).check_all()


def test_a_fault_names_line_and_reason(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("def step(mm, call):\n    x = 1\n    x = {}\n    return x\n")
    with pytest.raises(LinkError, match=r"model.py:3: step: not allowed: dictionaries"):
        link([path], {}).check_all()


FAULTS = [
    ("x = [1]", "not allowed: lists"),
    ("x = (1, 2)", "not allowed: tuples"),
    ("x = {1}", "not allowed: sets"),
    ("x = 1.5", "not allowed: floats"),
    ("x = f'{a}'", "not allowed: strings"),
    ("x = lambda: 1", "not allowed: lambdas"),
    ("x = a % 2", "not allowed: division"),
    ("x = a // 2", "not allowed: division"),
    ("x = a ** 2", "not allowed: powers"),
    ("x = a is 1", "not allowed: 'is' (compare with ==)"),
    ("x = a in 1", "not allowed: 'in'"),
    ("x = y = 1", "only one target can be assigned to"),
    ("x: int = 1", "not allowed: AnnAssign"),
    ("x = (y := 1)", "not allowed: assignments inside expressions"),
    ("global z", "not allowed: global variables"),
    ("raise a", "not allowed: exceptions"),
    ("assert a", "not allowed: assertions (call BUG)"),
    ("del a", "not allowed: deletions"),
    ("with a: pass", "not allowed: with statements"),
    ("a + 1", "an expression that does nothing"),
    ("def g(): pass", "not allowed: functions inside functions"),
    ("class C: pass", "not allowed: classes"),
    ("for i in a: pass", "only 'for name in range(...)' is allowed"),
    ("for i in range(2): pass\n    else: pass", "only 'for name in range(...)' is allowed"),
    ("for i in range(0, 9, 2): pass", "range takes one or two numbers, or three, of which the last is 1 or -1"),
    ("while a: pass\n    else: pass", "'else' of a loop is not allowed"),
    ("x = a[0]", "only the arrays of a state can be indexed, one slot at a time"),
    ("x = mm.vma[0:1]", "only the arrays of a state can be indexed, one slot at a time"),
    ("x = mm.f()", "only functions of the model can be called"),
    ("x = print(a)", "unknown name 'print'"),
    ("x = other(a, a)", "other takes 1 arguments, not 2"),
    ("x = other(b=a)", "other is called with more than plain arguments"),
    ("x = LIMIT(a)", "LIMIT is a constant and cannot be called"),
    ("LIMIT = 3", "'LIMIT' is a global name and cannot be a local one"),
    ("x = nothing(a)", "nothing returns nothing"),
    ("if a: x = 1\n    y = x", "'x' may have no value here"),
    ("while a: x = 1\n    y = x", "'x' may have no value here"),
    ("for i in range(a): x = 1\n    y = i", "'i' may have no value here"),
    ("x += 1", "'x' may have no value here"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "why"), FAULTS, ids=[line for line, _ in FAULTS])
def test_subset_refuses(line, why):
    assert (True, why) in [(number > 1 or "global" in reason, reason) for number, reason in faults_of(line)]


def faults_of(line):
    other, nothing = (ast.parse(f"def f(x):\n    {text}").body[0] for text in ("return x", "pass"))
    known = {"LIMIT": None, "other": other, "nothing": nothing}
    return subset.faults(ast.parse(f"def f(mm, a):\n    {line}\n").body[0], known)


@pytest.mark.parametrize(
    "line",
    [
        "x = 1 if a else 2",
        "x = mm.vma[a].f",
        "mm.vma[a] = mm.vma[a + 1]",
        "mm.n += 1",
        "x = (a << 3 | ~a) ^ -a",
        "x = not a and a <= 2 < 3",
        "for i in range(3, 0, -1): continue",
        "while a: break",
        "other(a)",
        "nothing(a)",
        "if a: x = 1\n    else: return\n    y = x",
        "if a: return",
    ],
)
def test_subset_allows(line):
    assert faults_of(line) == []


def test_the_search_loop_counts_the_arguments_that_it_is_called_with():
    assert all(inspect.signature(getattr(loops, name)).parameters for name in loops.ENTRIES)


def test_reserved_names_are_those_of_the_search_loops():
    defined = set()
    for module in (loops, record):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.FunctionDef):
                defined.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                defined |= {part.id for one in targets for part in ast.walk(one) if isinstance(part, ast.Name)}
    assert defined - {"ENTRIES", "begin", "step", "canonicalise"} == RESERVED


def test_properties_know_their_files():
    marked = {path for path in FILES if "@always" in path.read_text() or "@step" in path.read_text()}
    helpers = {
        ROOT / "properties" / f"{name}.py"
        for name in ("neighbours", "flat_2_6/pages", "flat_2_6/ranges", "flat_2_6/mremap", "situations")
    }
    assert marked | helpers == set(FILES)
    assert len(programs.property_names()) == 15
