# SPDX-License-Identifier: GPL-2.0-only
"""The state graph of a kernel in a scope, as DOT, GraphML and data: one node per state, one edge per call in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict

from vmacheck.checker.files.json_types import Natural
from vmacheck.checker.kernels import user_properties
from vmacheck.checker.kernels.scope import THREADS, Scope, ScopeError, SearchScopeData
from vmacheck.checker.kernels.world import world_of
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.system import OOPS, System
from vmacheck.checker.search.outcome import Limits, Report
from vmacheck.checker.search.verdict import REASONS
from vmacheck.checker.search.walk import Transition, walk
from vmacheck.counterexamples.pictures.text import LEGEND, picture
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.counterexamples.replay.one_process import STOPPED, Page, Vma, pages_in, pages_of, vmas_of
from vmacheck.counterexamples.replay.threads import processes_in
from vmacheck.counterexamples.reports.check_data import StateData, state_data
from vmacheck.model.calls.interleaving import NAMES_OF_POINTS

MOST_STATES = 5000


@dataclass(frozen=True)
class Node:
    """A state: its picture, the fewest calls to it, and the properties that fail in it ("sometimes" ones: happen).

    vmas and pages are those of p0; tasks says where threads are. stopped: the kernel stopped, and no call follows.
    followed: was every call tried there?
    """

    number: int
    depth: int
    picture: str
    vmas: tuple[Vma, ...]
    pages: tuple[Page, ...]
    tasks: str
    fails: tuple[str, ...]
    happens: tuple[str, ...]
    stopped: bool
    followed: bool


@dataclass(frozen=True)
class Edge:
    """A call in a state, the state after it, what it returned, and the properties that the step fails."""

    source: int
    target: int
    operation: str
    result: int | str
    fails: tuple[str, ...]
    happens: tuple[str, ...]

    @property
    def text(self) -> str:
        """The call, and the result if it is not plain success."""
        failed = f" = {self.result}" if isinstance(self.result, str) else ""
        return f"{self.operation}{failed}" + "".join(f" fails {name}" for name in self.fails)


@dataclass(frozen=True)
class StateGraph:
    """Every state of the scope, numbered in the order of discovery, breadth first. reason: why it is not closed, if so.

    beyond: the number of calls to states that were not followed.
    """

    kernel: str
    scope: Scope
    limits: Limits
    properties: tuple[str, ...]
    pages: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    reason: str | None = None
    beyond: int = 0

    def between(self) -> dict[tuple[int, int], list[Edge]]:
        """The edges by the pair of states that they join."""
        found: dict[tuple[int, int], list[Edge]] = {}
        for edge in self.edges:
            found.setdefault((edge.source, edge.target), []).append(edge)
        return found


def graph_of(
    kernel: str,
    scope: Scope,
    properties: Sequence[str] = (),
    limits: Limits | None = None,
    report: Report | None = None,
) -> StateGraph:
    """The graph. Raises as one_process.build does, OutOfBounds, and ScopeError for more states than the limit.

    The default limit is MOST_STATES.
    """
    if scope.segments is not None:
        raise ScopeError("a state graph is about pages; give --pages")
    limits = limits or Limits()
    limits = replace(limits, max_states=limits.max_states or MOST_STATES)
    system = world_of(scope).build(kernel, scope, properties)
    names = tuple(user_properties.split(word)[1] for word in properties)
    system = replace(system, claims=tuple(claim for claim in system.claims if claim.name in names))
    maker = _Maker(system)
    walked = walk(system, limits, report, maker.visit, maker.machine)
    if walked.stopped == "max-states":
        least = f"more than {limits.max_states:,} states"
        raise ScopeError(f"the state graph of {kernel} has {least}: give fewer --pages or --ops, or --max-states N")
    nodes = [
        maker.node(number, key, walked.depths[number], walked.hits[number], number < walked.expanded)
        for number, key in enumerate(walked.keys)
    ]
    reason = None if walked.closed else REASONS[walked.stopped or ""]
    return StateGraph(
        kernel, scope, limits, names, pages_of(system), tuple(nodes), tuple(maker.edges), reason, maker.beyond
    )


@dataclass
class _Maker:
    system: System
    edges: list[Edge] = field(default_factory=list)
    beyond: int = 0

    def __post_init__(self) -> None:
        self.machine = Machine(self.system)
        self.state = self.machine.new()
        self.sometimes = {claim.name for claim in self.system.claims if claim.sometimes}

    def _split(self, hits: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The properties that fail, and those that happen."""
        sometimes = self.sometimes
        return tuple(n for n in hits if n not in sometimes), tuple(n for n in hits if n in sometimes)

    def visit(self, step: Transition) -> None:
        """Record a transition."""
        if step.to is None:
            self.beyond += 1
            return
        call, result = self.system.calls[step.call], step.result
        if result == OOPS:
            shown: int | str = STOPPED
        else:
            shown = self.system.result_text(call, result)
        self.edges.append(Edge(step.state, step.to, str(call), shown, *self._split(step.hits)))

    def node(self, number: int, key: tuple[int, ...], depth: int, hits: Sequence[str], followed: bool) -> Node:
        """A state, by its key."""
        state, pages = self.state, pages_of(self.system)
        self.machine.load(state, key)
        drawn, tasks = picture(vmas_of(state), pages), ""
        if self.system.world == THREADS:
            for process in processes_in(state, pages)[1:]:
                drawn += f"  {process.name}: {picture(process.vmas, pages)}"
            tasks = ", ".join(
                f"t{thread} at @{NAMES_OF_POINTS[state.task[thread].at]}"
                for thread in range(1, self.system.program.constants["NR_THREADS"] + 1)
                if state.task[thread].at in NAMES_OF_POINTS
            )
        fails, happens = self._split(hits)
        shown = vmas_of(state), pages_in(state, pages), tasks
        return Node(number, depth, drawn, *shown, fails, happens, bool(state.bug), followed)


# ---- data ----------------------------------------------------------------------------------------


class _TasksData(TypedDict, total=False):
    threads: str


class NodeData(StateData, _TasksData):
    """A state, with what fails and what happens in it. threads: what each thread does next, in words.

    stopped: the kernel stops here. followed: the calls from here are part of the graph.
    """

    id: Natural
    depth: Natural
    picture: str
    fails: list[str]
    happens: list[str]
    stopped: bool
    followed: bool


class EdgeData(TypedDict):
    """A call from one state to another."""

    source: Natural
    target: Natural
    operation: str
    result: int | str
    fails: list[str]
    happens: list[str]


class GraphData(TypedDict):
    """The answer of `vmacheck graph`. closed: these are all states of the scope; if not, reason says why."""

    schema: Literal[1]
    kernel: str
    scope: SearchScopeData
    properties: list[str]
    closed: bool
    reason: str | None
    nodes: list[NodeData]
    edges: list[EdgeData]


def graph_data(graph: StateGraph) -> GraphData:
    """The graph as JSON has it."""
    return {
        "schema": SCHEMA,
        "kernel": graph.kernel,
        "scope": {**graph.scope.as_data(), "depth": graph.limits.depth, "max_states": graph.limits.max_states},
        "properties": list(graph.properties),
        "closed": graph.reason is None,
        "reason": graph.reason,
        "nodes": [_node_data(node, bool(graph.scope.threads)) for node in graph.nodes],
        "edges": [_edge_data(edge) for edge in graph.edges],
    }


def _node_data(node: Node, is_threaded: bool) -> NodeData:
    tasks: _TasksData = {"threads": node.tasks} if is_threaded else {}
    return {
        "id": node.number,
        "depth": node.depth,
        "picture": node.picture,
        **state_data(node.vmas, node.pages),
        **tasks,
        "fails": list(node.fails),
        "happens": list(node.happens),
        "stopped": node.stopped,
        "followed": node.followed,
    }


def _edge_data(edge: Edge) -> EdgeData:
    return {
        "source": edge.source,
        "target": edge.target,
        "operation": edge.operation,
        "result": edge.result,
        "fails": list(edge.fails),
        "happens": list(edge.happens),
    }


# ---- GraphML -------------------------------------------------------------------------------------


def networkx_graph(graph: StateGraph) -> Any:
    """The graph as a directed graph of networkx, with one edge per call."""
    import networkx  # noqa: PLC0415  (slow to import)

    made = networkx.MultiDiGraph(
        kernel=graph.kernel,
        scope=str(graph.scope),
        properties=" ".join(graph.properties),
        closed=graph.reason is None,
        reason=graph.reason or "",
    )
    for node in graph.nodes:
        made.add_node(
            f"s{node.number}",
            depth=node.depth,
            picture=node.picture,
            threads=node.tasks,
            fails=" ".join(node.fails),
            happens=" ".join(node.happens),
            stopped=node.stopped,
            followed=node.followed,
        )
    for edge in graph.edges:
        made.add_edge(
            f"s{edge.source}",
            f"s{edge.target}",
            operation=edge.operation,
            result=str(edge.result),
            fails=" ".join(edge.fails),
            happens=" ".join(edge.happens),
        )
    return made


def graphml_text(graph: StateGraph) -> str:
    """The graph as GraphML."""
    import networkx  # noqa: PLC0415

    head = "<?xml version='1.0' encoding='utf-8'?>\n"
    return head + "\n".join(networkx.generate_graphml(networkx_graph(graph))) + "\n"


# ---- DOT -----------------------------------------------------------------------------------------


def dot_text(graph: StateGraph) -> str:
    """The graph for Graphviz, one column per depth. Calls with the same two states are one edge."""
    title = f"{graph.kernel}: {graph.scope}" + (f" ({graph.reason})" if graph.reason else "")
    return "\n".join([f"digraph {_quoted(graph.kernel)} {{", *_dot_lines(graph, title), "}", ""])


def _dot_lines(graph: StateGraph, title: str) -> Iterator[str]:
    yield f"  graph [rankdir=LR, labelloc=t, label={_quoted(title)}, tooltip={_quoted(LEGEND)}];"
    yield '  node [shape=box, fontname="monospace"];'
    yield '  edge [fontname="monospace", fontsize=9];'
    for node in graph.nodes:
        marks = [f"fails {name}" for name in node.fails] + [f"happens: {name}" for name in node.happens]
        marks += ["the kernel stops here"] if node.stopped else []
        words = [node.picture, *([node.tasks] if node.tasks else []), *marks]
        style = "rounded" if node.followed else "rounded,dashed"
        colour = ", color=red, penwidth=3" if node.fails or node.stopped else ""
        yield f'  s{node.number} [label={_quoted(*words)}, style="{style}"{colour}];'
    for depth in range(max(node.depth for node in graph.nodes) + 1):
        yield f"  {{ rank=same; {' '.join(f's{node.number};' for node in graph.nodes if node.depth == depth)} }}"
    for (source, target), edges in graph.between().items():
        words = [edge.text for edge in edges]
        style = ", color=red, penwidth=2" if any(edge.fails for edge in edges) else ""
        style += ", constraint=false" if graph.nodes[target].depth <= graph.nodes[source].depth else ""
        yield f"  s{source} -> s{target} [label={_quoted(*words)}{style}];"


def _quoted(*lines: str) -> str:
    """The lines as one string of DOT."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines)
    text = "\\n".join(escaped)
    return f'"{text}"'
