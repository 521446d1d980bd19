# SPDX-License-Identifier: GPL-2.0-only
"""The house: allowed imports between rooms and of packages, sizes, and the installed files.

Each test lists all faults that it finds.
"""

import ast
import graphlib
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
INSTALLED = ("model", "properties", "checker", "counterexamples")
SOURCES = [
    path for folder in (*INSTALLED, "vmacheck", "tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))
]
LONGEST_FILE, LONGEST_FUNCTION, MOST_FILES = 500, 60, 16

MODEL = ("model",)
RULES = ("model", "properties")
MACHINES = ("checker/files", "checker/program", "checker/compiled", "checker/symbolic", "checker/search")
KERNELS = (*RULES, *MACHINES, "checker/kernels")
JOBS = (*KERNELS, "checker/proofs", "checker/claims", "checker/jobs")
REPLAY = (*JOBS, "counterexamples/replay")
PICTURES = (*REPLAY, "counterexamples/pictures")
REAL = (*PICTURES, "counterexamples/real_kernels", "counterexamples/minimal")
REPORTS = (*REAL, "counterexamples/reports", "counterexamples/reproducer")
EVERYTHING = (*INSTALLED, "vmacheck")
# what each room, or file, may import besides itself; those that are not named here may import nothing
MAY_IMPORT = {
    "model/common": (),
    "model/linux_2_6": ("model/common",),
    "model/linux": ("model/common", "model/linux_2_6"),
    "model/worlds": ("model/common", "model/linux_2_6", "model/linux"),
    "model/calls": ("model/common", "model/linux_2_6", "model/linux", "model/worlds"),
    "model/states": ("model/common", "model/linux_2_6", "model/linux", "model/worlds", "model/calls"),
    "model/kernels.py": MODEL,
    "properties": MODEL,
    "properties/flat_2_6": RULES,
    "properties/flat_linux": RULES,
    "checker/files": (),
    "checker/program": ("checker/files",),
    "checker/compiled": ("checker/files", "checker/program"),
    "checker/symbolic": ("checker/files", "checker/program"),
    "checker/search": MACHINES,
    "checker/kernels": KERNELS,
    "checker/proofs": KERNELS,
    "checker/claims": KERNELS,
    "checker/jobs": JOBS,
    "counterexamples/replay": REPLAY,
    "counterexamples/pictures": PICTURES,
    "counterexamples/real_kernels": PICTURES,
    "counterexamples/minimal": PICTURES,
    "counterexamples/reports": REAL,
    "counterexamples/reproducer": REAL,
    "counterexamples/graphs": REPORTS,
    "counterexamples/job_reports": (*REPORTS, "counterexamples/graphs"),
    "counterexamples/gallery": ("counterexamples", *JOBS),
    "checker": EVERYTHING,  # testing.py, strategies.py and plugin.py
    "checker/commands": EVERYTHING,
    "vmacheck": EVERYTHING,
    "benchmarks": EVERYTHING,
    "tests": (*EVERYTHING, "benchmarks"),
}
# the top floor: imported by its like alone
FACES = ("checker/commands", "checker/testing.py", "checker/strategies.py", "checker/plugin.py", "vmacheck")
TOP = (
    "checker/commands",
    "checker/testing.py",
    "checker/strategies.py",
    "checker/plugin.py",
    "vmacheck",
    "tests",
    "benchmarks",
)
ONLY_IN = {
    "llvmlite": ("checker/compiled/native.py",),
    "networkx": ("checker/claims/growth.py", "counterexamples/graphs/graph.py", "tests"),
    "hypothesis": ("checker/strategies.py", "counterexamples/real_kernels/random_sequences.py", "tests"),
    "z3": ("checker/symbolic/solver.py", "tests/symbolic/test_solver.py"),
    "numpy": ("checker/compiled/module.py", "checker/search"),
    "ray": ("checker/search/cluster.py", "tests/search/test_ray.py"),
    "rich": ("checker/commands/support/progress.py", "counterexamples/pictures/terminal.py"),
    "jinja2": ("counterexamples/job_reports/page.py",),
    "shtab": ("checker/commands/support/completion.py",),
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it; for `from package import module`, also the module."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@cache
def place_of(module: str) -> str | None:
    """The path of one of our modules; None for others, and for names in modules."""
    words = module.split(".")
    if words[0] == "vmacheck" and len(words) > 1 and words[1] in INSTALLED:
        words = words[1:]
    elif words[0] not in ("vmacheck", "tests", "benchmarks"):
        return None
    path = Path(*words)
    for one in (path.with_suffix(".py"), path / "__init__.py"):
        if (ROOT / one).is_file():
            return one.as_posix()
    return None


def is_in(file: str, place: str) -> bool:
    return file == place or file.startswith(f"{place}/")


@cache
def room_of(file: str) -> str:
    """The innermost place that MAY_IMPORT names."""
    return max((place for place in MAY_IMPORT if is_in(file, place)), key=len, default="")


def faults_of_direction(file: str, places: set[str]) -> Iterator[str]:
    """The forbidden imports of a file."""
    room = room_of(file)
    for place in sorted(places):
        other = room_of(place)
        is_package = place.endswith("/__init__.py")
        allowed = MAY_IMPORT.get(room, ())
        if other != room and not any(is_in(place, one) for one in allowed):
            if not (is_package and file.startswith(place.removesuffix("__init__.py"))):
                yield f"{file} imports {place}"
        if any(is_in(place, face) for face in FACES) and not any(is_in(file, top) for top in TOP):
            yield f"{file} imports {place}, which is the top floor"


@cache
def imports_of_ours() -> dict[str, set[str]]:
    return {
        name_of(path): {place for module in imported(path) if (place := place_of(module))} - {name_of(path)}
        for path in SOURCES
    }


def test_directions():
    ours = imports_of_ours()
    faults = [fault for file, places in ours.items() for fault in faults_of_direction(file, places)]
    assert not faults, "\n".join(faults)


def test_a_wrong_direction_is_noticed():
    below, above = "checker/program/link.py", "checker/search/rounds.py"
    assert list(faults_of_direction(below, {above})) == [f"{below} imports {above}"]
    assert list(faults_of_direction(above, {below})) == []
    for file in ("model/common/mm.py", "properties/rmap.py", "checker/files/written.py", "checker/search/graph.py"):
        assert list(faults_of_direction(file, {"checker/kernels/scope.py"}))
    assert len(list(faults_of_direction("counterexamples/reports/check.py", {"checker/commands/check.py"}))) == 2


def test_no_circle():
    ours = {
        file: {place for place in places if not place.endswith("__init__.py")}
        for file, places in imports_of_ours().items()
    }
    graphlib.TopologicalSorter(ours).prepare()


def test_packages_are_imported_in_one_place():
    faults = [
        f"{file} imports {package}"
        for file, path in ((name_of(path), path) for path in SOURCES)
        for package in {module.split(".")[0] for module in imported(path)} & set(ONLY_IN)
        if not any(is_in(file, home) for home in ONLY_IN[package])
    ]
    assert not faults, "\n".join(faults)


def test_sizes_and_licence():
    faults = []
    for path in SOURCES:
        file, text = name_of(path), path.read_text(encoding="utf-8")
        if not text.startswith("# SPDX-License-Identifier: GPL-2.0-only\n"):
            faults.append(f"{file} has no licence line")
        if text.count("\n") > LONGEST_FILE:
            faults.append(f"{file} has more than {LONGEST_FILE} lines")
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno > LONGEST_FUNCTION:
                faults.append(f"{file}:{node.lineno}: {node.name} has more than {LONGEST_FUNCTION} lines")
    assert not faults, "\n".join(faults)


def rooms() -> list[Path]:
    folders = {path.parent for path in SOURCES if name_of(path).split("/")[0] in INSTALLED}
    return sorted(folders)


def test_every_room_says_what_it_is_for():
    faults = []
    for room in rooms():
        path = room / "__init__.py"
        doc = ast.get_docstring(parsed(path)) if path.is_file() else None
        if doc is None:
            faults.append(f"{name_of(room)} has no docstring")
        elif room.name != "patches" and name_of(room) != "properties" and "Read " not in doc:
            faults.append(f"{name_of(room)}/__init__.py does not say what to read first")
    assert not faults, "\n".join(faults)


def test_rooms_are_small():
    many = {name_of(room): len(list(room.glob("*.py"))) - 1 for room in rooms()}
    assert not {room: number for room, number in many.items() if number > MOST_FILES}


def test_every_room_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {"vmacheck", "vmacheck.docs", *(f"vmacheck.{name_of(room).replace('/', '.')}" for room in rooms())}
    assert set(project["tool"]["setuptools"]["packages"]) == wanted
