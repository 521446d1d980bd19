# SPDX-License-Identifier: GPL-2.0-only
"""The state graph: every state and call of a scope, as data, GraphML, DOT and a drawing."""

import hashlib
import re
import xml.etree.ElementTree as ET
from collections import Counter

import networkx
import pytest

from tests.support.helpers import MUTANTS, checked, drawn, vmacheck, vmacheck_json
from vmacheck.checker.kernels.scope import Scope, ScopeError
from vmacheck.checker.search.outcome import Limits
from vmacheck.counterexamples.graphs import graph as graphs
from vmacheck.counterexamples.graphs.drawing import graph_svg
from vmacheck.counterexamples.graphs.graph import (
    StateGraph,
    dot_text,
    graph_data,
    graph_of,
    graphml_text,
    networkx_graph,
)

SHARE = "adjacent_vmas_share_anon_vma"
STEP = "calls_miss_no_merge"


def test_nodes_are_the_states_of_the_search():
    graph = graph_of("rmap40", Scope(pages=2))
    search = checked("rmap40", "kernel_bug_is_never_hit", pages=2).search
    assert (len(graph.nodes), len(graph.edges)) == (search.states, search.transitions) == (54, 918)
    assert list(Counter(node.depth for node in graph.nodes).values()) == search.levels
    assert graph.reason is None
    assert graph.beyond == 0


def test_a_path_is_a_program():
    graph = graph_of("linux-2.6.8", Scope(pages=3))
    trace = ["mmap(0,1,RW)", "mmap(2,1,R)", "write(0)", "mprotect(0,3,R)"]
    at = graph.nodes[0]
    for operation in trace:
        (edge,) = (edge for edge in graph.edges if edge.source == at.number and edge.operation == operation)
        at = graph.nodes[edge.target]
    assert edge.result == "ENOMEM"
    assert edge.text == "mprotect(0,3,R) = ENOMEM"
    assert f"{at.picture} ENOMEM" == drawn("linux-2.6.8", "; ".join(trace), 3) == "a .|- ENOMEM"


def test_where_a_property_fails():
    graph = graph_of("rmap39", Scope(pages=2), [SHARE, "kernel_bug_is_never_hit"])
    failing = [node for node in graph.nodes if node.fails]
    assert failing[0].depth == 5  # the length of the counterexample
    assert {node.fails for node in failing} == {(SHARE,)}
    assert all("b" in node.picture.lower() for node in failing)
    assert not any(edge.fails for edge in graph.edges)


def test_steps_at_which_a_property_fails():
    graph = graph_of(f"rmap40+{MUTANTS / 'calls_miss_no_merge.mmap.py'}", Scope(pages=2), [STEP])
    assert any(edge.fails == (STEP,) for edge in graph.edges)
    assert not any(node.fails for node in graph.nodes)
    assert f"fails {STEP}" in dot_text(graph)
    assert "property fails" in graph_svg(graph)


def test_a_property_of_a_users_own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        'from properties import always\n\n\n@always()\ndef one_vma(mm):\n    """There is one vma at most."""\n    return mm.map_count < 2\n'
    )
    code, out, _ = vmacheck("graph", "rmap40", "--pages", "2", "-p", f"{path}:one_vma")
    assert code == 0
    assert '[label="-|o\\nfails one_vma", style="rounded", color=red, penwidth=3];' in out


def test_a_kernel_that_stops():
    graph = graph_of(
        f"rmap40+{MUTANTS / 'kernel_bug_is_never_hit.null.py'}", Scope(pages=2), ["kernel_bug_is_never_hit"]
    )
    stopped = [node for node in graph.nodes if node.stopped]
    assert stopped
    assert all(node.fails == ("kernel_bug_is_never_hit",) for node in stopped)
    assert all(edge.result == "BUG" for edge in graph.edges if graph.nodes[edge.target].stopped)
    assert not any(edge.source == node.number for edge in graph.edges for node in stopped)
    assert "the kernel stops here" in dot_text(graph)


def test_what_happens_sometimes():
    graph = graph_of("rmap40", Scope(pages=2), ["two_written_vmas_become_one"])
    assert any(one.happens for one in (*graph.nodes, *graph.edges))
    assert not any(one.fails for one in (*graph.nodes, *graph.edges))


def test_threads():
    graph = graph_of("rmap40", Scope(pages=2, operations=("mmap", "write"), threads=1))
    assert len(graph.nodes) == 25
    assert "t1 at @page_table_lock" in {node.tasks for node in graph.nodes}
    assert "t1 at @page_table_lock" in graph_svg(graph)
    forked = graph_of("rmap40", Scope(pages=1, protections=("RW",), operations=("mmap", "write", "fork"), threads=1))
    assert any("p1: A" in node.picture for node in forked.nodes)


# ---- formats -------------------------------------------------------------------------------------


def test_json():
    code, data = vmacheck_json("graph", "rmap40", "--pages", "2", "-p", SHARE)
    assert (code, data["schema"], data["closed"], data["reason"]) == (0, 1, True, None)
    assert data["properties"] == [SHARE]
    first, *_ = data["nodes"]
    assert (first["id"], first["depth"], first["picture"], first["vmas"], first["fails"]) == (0, 0, ". .", [], [])
    assert data["edges"][0] == {
        "source": 0,
        "target": 1,
        "operation": "mmap(0,1,R)",
        "result": 0,
        "fails": [],
        "happens": [],
    }


def test_graphml_is_read_back(tmp_path):
    path = tmp_path / "graph.graphml"
    assert vmacheck("graph", "rmap39", "--pages", "2", "-p", SHARE, "--format", "graphml", "-o", str(path))[0] == 0
    read = networkx.read_graphml(path, force_multigraph=True)
    made = networkx_graph(graph_of("rmap39", Scope(pages=2), [SHARE]))
    assert dict(read.nodes(data=True)) == dict(made.nodes(data=True))
    assert Counter((a, b, data["operation"], data["result"]) for a, b, data in read.edges(data=True)) == Counter(
        (a, b, data["operation"], data["result"]) for a, b, data in made.edges(data=True)
    )
    lengths = networkx.single_source_shortest_path_length(read, "s0")
    assert all(read.nodes[node]["depth"] == length for node, length in lengths.items())


def test_dot():
    text = dot_text(graph_of("rmap40", Scope(pages=2)))
    assert text.startswith('digraph "rmap40" {\n')
    assert '  s1 [label="- .", style="rounded"];' in text
    assert '  s0 -> s1 [label="mmap(0,1,R)"];' in text
    ends = re.findall(r"^  s(\d+) -> s(\d+) ", text, re.MULTILINE)
    assert len(ends) == len(set(ends))
    assert text.count("{ rank=same;") == 5


def test_dot_is_escaped():
    odd = StateGraph('a"b\\c\nd', Scope(pages=2), Limits(), (), 2, graph_of("rmap40", Scope(pages=1)).nodes[:1], ())
    assert dot_text(odd).startswith('digraph "a\\"b\\\\c d" {\n')


def test_formats_are_the_same_bytes_every_time():
    def digests():
        graph = graph_of("linux-2.6.8", Scope(pages=2), [SHARE])
        texts = [dot_text(graph), graphml_text(graph), graph_svg(graph), str(graph_data(graph))]
        return [hashlib.sha256(text.encode()).hexdigest() for text in texts]

    assert digests() == digests()


def test_drawing():
    graph = graph_of("rmap39", Scope(pages=2), [SHARE])
    root = ET.fromstring(graph_svg(graph, "x"))
    names = {"s": "http://www.w3.org/2000/svg"}
    boxes, curves = root.findall("s:g[@class='n']", names), root.findall("s:g[@class='e']", names)
    assert len(boxes) == len(graph.nodes)
    assert len(curves) == sum(source != target for source, target in graph.between())
    assert curves[0].find("s:title", names).text.startswith("state ")
    assert boxes[0].find("s:title", names).text.startswith("state 0: . .\nback to here: ")
    defined = {one.get("id") for one in root.iter() if one.get("id")}
    used = set(re.findall(r"url\(#(.+?)\)", graph_svg(graph, "x")))
    assert defined == used == {"xh0", "xh1", "x-end"}
    # what stands for what was found in black and white, too
    assert sum(one.text == "!" for one in root.iter()) == sum(bool(node.fails) for node in graph.nodes)


def test_no_two_boxes_touch():
    root = ET.fromstring(graph_svg(graph_of("rmap40", Scope(pages=2))))
    boxes = [(float(one.get("x")), float(one.get("y"))) for one in root.iter() if one.get("class") == "box"]
    assert all(
        abs(x - other_x) > 60 or abs(y - other_y) > 30
        for n, (x, y) in enumerate(boxes)
        for other_x, other_y in boxes[:n]
    )


# ---- limits --------------------------------------------------------------------------------------


def test_too_many_states_are_refused(monkeypatch):
    assert graphs.MOST_STATES == 5_000
    monkeypatch.setattr(graphs, "MOST_STATES", 1_000)
    for words, most in (([], "1,000"), (["--max-states", "60"], "60")):
        why = f"more than {most} states: give fewer --pages or --ops, or --max-states N"
        code = vmacheck("graph", "rmap40", "--pages", "3", *words)
        assert code == (2, "", f"vmacheck: the state graph of rmap40 has {why}\n")


def test_too_many_states_to_draw():
    with pytest.raises(ScopeError, match="the state graph of rmap40 has 1,046 states, and a drawing room for 150"):
        graph_svg(graph_of("rmap40", Scope(pages=3)))


def test_a_part_says_so():
    code, out, err = vmacheck("graph", "rmap40", "--pages", "3", "--depth", "1")
    assert (code, err) == (3, "vmacheck: this is a part of the graph (more calls than --depth allows)\n")
    assert out.count('style="rounded,dashed"') == 12
    code, data = vmacheck_json("graph", "rmap40", "--pages", "3", "--depth", "1")
    assert [node["followed"] for node in data["nodes"]] == [True] + [False] * 12


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["rmap41"], "unknown kernel 'rmap41'; did you mean rmap40?"),
        (["rmap40", "--format", "png"], "argument --format: invalid choice: 'png'; there are dot, graphml, json, svg"),
        (["rmap40", "-p", "adjacent"], "unknown property 'adjacent'"),
        (["rmap40", "--pages", "1", "-o", "/nowhere/file"], "-o: /nowhere/file: there is no folder /nowhere"),
        ([], "the following arguments are required: KERNEL"),
    ],
)
def test_bad_input(words, why):
    code, out, err = vmacheck("graph", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"vmacheck: {why}")
