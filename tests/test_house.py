# SPDX-License-Identifier: GPL-2.0-only
"""The style that a reader relies on: what may import what, what the model is written in, and how long things are."""

import ast
import inspect
from pathlib import Path

import pytest

from vmacheck.checker.compiled import loops
from vmacheck.checker.kernels import programs
from vmacheck.checker.program import subset
from vmacheck.checker.program.link import LinkError, link
from vmacheck.model.kernels import KERNELS, PATCHES, files
from vmacheck.model.states import linux_2_6 as state
from vmacheck.properties import FILES

ROOT = Path(__file__).parent.parent
FOLDERS = ("model", "properties", "checker", "counterexamples", "tests")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
# the command line, and the file that puts the pieces together, may import everything
MAY_IMPORT = {
    "model": {"model"},
    "properties": {"model", "properties"},
    "checker": {"checker"},
    "counterexamples": {"model", "properties", "checker", "counterexamples"},
}
JOINTS = {
    "checker/main.py",
    "checker/options.py",
    "checker/coverage_command.py",
    "checker/graph_command.py",
    "checker/testing.py",
    "checker/strategies.py",
    "checker/vm.py",
    "checker/scope.py",
    "checker/segments.py",
    "checker/threads.py",
    "checker/processes.py",
    "checker/real.py",
    "checker/compare.py",
    "checker/claims.py",
    "checker/claims_command.py",
    "checker/today_claims.py",
    "checker/seed_claims.py",
    "checker/seed_programs.py",
    "checker/growth.py",
    "checker/anystate.py",
    "checker/kinds.py",
    "checker/rows.py",
    "checker/anysize.py",
    "checker/bounded.py",
    "checker/least.py",
    "checker/oracle.py",
    "checker/confirm.py",
    "checker/induction.py",
    "checker/prove.py",
    "checker/equivalence.py",
    "checker/generalise.py",
    "checker/proving.py",
    "checker/own.py",
    "checker/jobs.py",
    "checker/inputs.py",
    "checker/ci_command.py",
}
PROPERTY_TESTS = ("codegen", "modern_search", "rounds", "solver", "strategies", "symbolic", "traces")
ONLY_IN = {
    "llvmlite": {"checker/native.py"},
    "networkx": {"checker/growth.py", "counterexamples/graph.py", "tests/test_graph.py"},
    "hypothesis": {
        "checker/strategies.py",
        "counterexamples/longer.py",
        *(f"tests/test_{name}.py" for name in PROPERTY_TESTS),
    },
    "z3": {"checker/solver.py", "tests/test_solver.py"},
    "numpy": {
        f"checker/{name}.py" for name in ("cluster", "compiled", "crew", "memory", "product", "restart", "rounds")
    },
    "ray": {"checker/cluster.py", "tests/test_ray.py"},
    "rich": {"counterexamples/terminal.py"},
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file(path):
    name = str(path.relative_to(ROOT))
    text = path.read_text()
    assert text.startswith("# SPDX-License-Identifier: GPL-2.0-only\n")
    assert text.count("\n") <= 500, "too long a file"
    folder = name.split("/", maxsplit=1)[0]
    if folder in MAY_IMPORT and name not in JOINTS:
        assert not set(imports(path)) & set(FOLDERS) - MAY_IMPORT[folder], "imports against the direction"
    for package, homes in ONLY_IN.items():
        assert package not in imports(path) or name in homes
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno <= 60, f"{node.name} is too long"


def test_every_function_of_every_kernel_keeps_to_the_subset():
    bounds = state.bounds(4, (), 65536, 3).constants()
    for kernel in KERNELS.values():
        link(files(kernel.patches), bounds).check_all()
    for name, patch in PATCHES.items():
        for base in patch.over or KERNELS:
            link(files((*KERNELS[base].patches, name)), bounds).check_all()


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


def test_properties_know_their_files():
    marked = {path for path in FILES if "@always" in path.read_text() or "@step" in path.read_text()}
    helpers = {
        ROOT / "properties" / f"{name}.py"
        for name in ("neighbours", "pages", "flat_range", "flat_mremap", "seed", "today")
    }
    assert marked | helpers == set(FILES)
    assert len(programs.property_names()) == 15
