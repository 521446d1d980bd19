# SPDX-License-Identifier: GPL-2.0-only
"""Traces in the Informal Trace Format, held against its description (Apalache's ADR-015)."""

import json

import pytest

from tests.support.helpers import checked, steps, vmacheck
from vmacheck.counterexamples.reports.itf import itf_data, write_itf

SHARE = "adjacent_vmas_share_anon_vma"
TRACE = "mmap(0,2,RW); write(0); mprotect(0,3,R)"
RACE = "mmap(0,2,RW); t1: write(0); t1: @page_table_lock; fork(); munmap(0,1)"


def check_expression(value):
    """Strings, booleans, small integers, {"#bigint"}, lists, records, {"#tup"}, {"#set"} and {"#map"}."""
    if isinstance(value, str | bool):
        return
    if isinstance(value, int):
        assert abs(value) < 2**53
        return
    if isinstance(value, list):
        for one in value:
            check_expression(one)
        return
    assert isinstance(value, dict), f"no expression: {value!r}"
    if not any(name.startswith("#") for name in value):
        for one in value.values():
            check_expression(one)
        return
    assert len(value) == 1
    ((form, inside),) = value.items()
    if form == "#bigint":
        assert str(int(inside)) == inside
        return
    assert form in ("#tup", "#set", "#map")
    if form == "#map":
        assert all(len(pair) == 2 for pair in inside)
        assert len({json.dumps(key) for key, _ in inside}) == len(inside)
    check_expression(inside)


def check_trace(data):
    """A trace object, and its states."""
    assert set(data) <= {"#meta", "params", "vars", "states", "loop"}
    assert all(isinstance(name, str) for name in (*data["params"], *data["vars"]))
    for index, state in enumerate(data["states"]):
        assert state["#meta"] == {"index": index}
        values = {name: value for name, value in state.items() if name != "#meta"}
        assert set(data["vars"]) <= set(values) <= {*data["vars"], *data["params"]}
        check_expression(values)
    for name in data["vars"]:
        # a checker with types gives a variable one
        assert len({type(state[name]) for state in data["states"]}) == 1


def run(*words):
    code, out, _ = vmacheck("run", *words, "--format", "itf")
    assert code == 0
    data = json.loads(out)
    check_trace(data)
    return data


def test_a_trace():
    data = run("rmap40", TRACE)
    assert data["vars"] == ["operation", "result", "error", "vmas", "pages"]
    assert data["#meta"]["format"] == "ITF"
    assert "property" not in data["#meta"]
    first, _, third, last = data["states"]
    assert first == {"#meta": {"index": 0}, "operation": "", "result": 0, "error": "", "vmas": [], "pages": []}
    assert third["vmas"] == [
        {
            "start": 0,
            "end": 2,
            "prot": "RW",
            "flags": {"#set": ["ACCOUNT"]},
            "pgoff": 0,
            "anon_vma": "A",
            "file": "",
            "policy": "",
        }
    ]
    assert third["pages"] == [{"page": 0, "anon_vma": "A", "freed": False, "index": 0}]
    assert (last["operation"], last["result"], last["error"]) == ("mprotect(0,3,R)", 0, "ENOMEM")


def test_threads_and_processes():
    data = run("rmap40", RACE)
    assert data["vars"][-1] == "threads"
    points = [dict(state["threads"]["#map"])["t1"] for state in data["states"]]
    assert points[0] == points[-1] == ""
    assert any(points)
    assert {vma["process"] for vma in data["states"][-1]["vmas"]} == {"p0", "p1"}


def test_a_large_number():
    (step,) = steps("rmap40", "mmap(0,1,R)")
    data = itf_data("rmap40", None, [type(step)(step.call, 2**53, step.vmas, step.pages)])
    check_trace({**data, "states": data["states"][:1]})
    assert data["states"][1]["result"] == {"#bigint": "9007199254740992"}


def test_a_file_for_each_counterexample(tmp_path):
    folder = tmp_path / "deep" / "traces"
    names = [SHARE, "kernel_bug_is_never_hit", "two_written_vmas_become_one"]
    options = [word for name in names for word in ("-p", name)]
    code, out, _ = vmacheck("check", "rmap39", "rmap40", "--pages", "3", *options, "--itf", str(folder))
    assert (code, "is violated on rmap39" in out) == (1, True)
    # two_written_vmas_become_one is what happens sometimes: no counterexample
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{name}.{SHARE}.itf.json" for name in ("rmap39", "rmap40")
    ]
    data = json.loads((folder / f"rmap39.{SHARE}.itf.json").read_text())
    check_trace(data)
    assert (data["#meta"]["property"], data["#meta"]["kernel"]) == (SHARE, "rmap39")
    calls = [state["operation"] for state in data["states"][1:]]
    assert len(calls) == 5
    assert data["states"] == run("rmap39", "; ".join(calls), "--pages", "3")["states"]


def test_counterexamples_of_threads(tmp_path):
    scope = ["--pages", "2", "--threads", "2", "--ops", "mmap,write", "--prot", "RW,RWX"]
    assert vmacheck("check", "linux-2.6.8", *scope, "--itf", str(tmp_path))[0] == 1
    (path,) = tmp_path.iterdir()
    data = json.loads(path.read_text())
    check_trace(data)
    assert data["#meta"]["property"] in path.name
    last = data["states"][-1]
    assert last["operation"] == "t2: @page_table_lock"
    assert last["threads"] == {"#map": [["t1", ""], ["t2", ""]]}
    assert {vma["anon_vma"] for vma in last["vmas"]} == {"A", "B"}


def test_names_that_a_file_system_allows(tmp_path):
    paths = [tmp_path / name / "own.py" for name in ("a b", "a:b")]
    results = []
    for path in paths:
        path.parent.mkdir()
        path.write_text("def find_mergeable_anon_vma(mm, vma):\n    return NULL\n")
        results += checked(f"rmap40+{path}", SHARE, pages=2).results
    written = write_itf(tmp_path / "out", results)
    assert len({path.name.lower() for path in written}) == 2
    assert written[1].name.endswith("own.py.adjacent_vmas_share_anon_vma-2.itf.json")
    assert all(
        set(path.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-") for path in written
    )
    assert not any(path.name.startswith((".", "-")) for path in written)


def test_a_patch_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def find_mergeable_anon_vma(mm, vma):\n    return NULL\n")
    (path,) = write_itf(tmp_path / "out", checked("linux-2.6.8+./mine.py", SHARE, pages=2).results)
    assert path.name == f"linux-2.6.8+mine.py.{SHARE}.itf.json"


def test_bad_input(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    code, out, err = vmacheck("check", "rmap39", "--pages", "1", "-p", SHARE, "--itf", str(file))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "File exists" in err


@pytest.mark.parametrize("trace", ["mmap(0,1,", ""])
def test_bad_traces(trace):
    code, out, err = vmacheck("run", "rmap40", trace, "--format", "itf")
    assert (code, out, err.count("\n")) == (2, "", 1)
