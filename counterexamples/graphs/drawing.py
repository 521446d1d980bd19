# SPDX-License-Identifier: GPL-2.0-only
"""A small state graph, drawn: a column for each number of calls, a box a state, a curve for calls between them."""

from collections.abc import Sequence
from html import escape

from vmacheck.checker.kernels.scope import ScopeError
from vmacheck.counterexamples.graphs.graph import Edge, Node, StateGraph
from vmacheck.counterexamples.pictures.film import colour_of, hatches, text_at
from vmacheck.counterexamples.pictures.text import cell_of
from vmacheck.counterexamples.replay.one_process import Vma

MOST_DRAWN = 150
CELL, BOX, ROW, GAP, MARGIN, TOP = 26, 24, 38, 150, 24, 58
LETTER = 7.0  # width of a letter in the lines of text below boxes
SWEEPS = 6
NOTES = (
    "A box is a state, in the column of the fewest calls that lead to it. In it are its vmas: o writable,",
    "- not writable; a letter and its colour are an anon_vma, and a small letter is not writable. States that",
    "look the same differ in their pages or lists. A curve is one call, or several, from a state to another:",
    "thick, the first way that leads there; dashed, back or across. Point at a box or a curve to read more.",
)
FAILING = "A second border, red, with ! marks states, and a thick red curve calls, at which a property fails."
STYLE = (
    ".state-graph .e path{fill:none}.state-graph .e .near{stroke:transparent;stroke-width:7}"
    ".state-graph .e:hover path{stroke:#C00000;stroke-width:2.5;stroke-opacity:1}"
    ".state-graph .e:hover .near{stroke:transparent}.state-graph .n:hover .box{stroke-width:3}"
)


def graph_svg(graph: StateGraph, prefix: str = "graph") -> str:
    """The drawing, self-contained. prefix: of the names in it, where a page has several drawings.

    Raises ScopeError for more states than can be told apart.
    """
    if len(graph.nodes) > MOST_DRAWN:
        raise ScopeError(
            f"the state graph of {graph.kernel} has {len(graph.nodes):,} states, and a drawing room for {MOST_DRAWN}"
        )
    places = _Places(graph)
    width, height = places.width, places.height
    title = f"{graph.kernel}: {graph.scope}" + (f" ({graph.reason})" if graph.reason else "")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' viewBox="0 0 {width:g} {height:g}" font-family="monospace" font-size="13" class="state-graph">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        *hatches((vma.anon_vma for node in graph.nodes for vma in node.vmas), prefix),
        f'<defs><marker id="{prefix}-end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' markerUnits="userSpaceOnUse" orient="auto"><path d="M0 1L8 4L0 7z" fill="#555"/></marker></defs>',
        f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
        text_at(MARGIN, 22, title),
        *places.heads(),
        *_curves(graph, places, prefix),
        *(_box(node, places, _back(graph, node), prefix) for node in graph.nodes),
    ]
    notes = list(NOTES)
    if any(node.fails or node.stopped for node in graph.nodes) or any(edge.fails for edge in graph.edges):
        notes.append(FAILING)
    for number, note in enumerate(reversed(notes)):
        parts.append(text_at(MARGIN, height - 14 - 17 * number, note, size=11))
    return "\n".join([*parts, "</svg>", ""])


# ---- where things are ----------------------------------------------------------------------------


class _Places:
    """The place of each state: x by depth, y so that curves between neighbouring columns cross little."""

    def __init__(self, graph: StateGraph) -> None:
        self.graph = graph
        self.columns: list[list[int]] = [[] for _ in range(max(node.depth for node in graph.nodes) + 1)]
        for node in graph.nodes:
            self.columns[node.depth].append(node.number)
        self.extra = max((len(_below(node)) for node in graph.nodes), default=0)
        self.row = ROW + (16 if self.extra else 0)
        self.box = max(graph.pages * CELL, self.extra * LETTER)
        self._untangle()
        tallest = max(len(column) for column in self.columns)
        self.height = TOP + tallest * self.row + 96
        longest = max(len(note) for note in NOTES) * 6.7
        self.width = max(2 * MARGIN + len(self.columns) * (self.box + GAP) - GAP, longest + 2 * MARGIN)
        self.y: dict[int, float] = {}
        for column in self.columns:
            first = TOP + (tallest - len(column)) * self.row / 2
            self.y.update({number: first + place * self.row for place, number in enumerate(column)})

    def _untangle(self) -> None:
        """Sweep to and fro, putting each state near the middle of those that it is joined to in the next column."""
        near: dict[int, list[int]] = {node.number: [] for node in self.graph.nodes}
        for source, target in self.graph.between():
            if abs(self.graph.nodes[source].depth - self.graph.nodes[target].depth) == 1:
                near[source].append(target)
                near[target].append(source)
        for sweep in range(SWEEPS):
            order = range(1, len(self.columns)) if sweep % 2 == 0 else range(len(self.columns) - 2, -1, -1)
            for depth in order:
                other = self.columns[depth - 1 if sweep % 2 == 0 else depth + 1]
                place = {number: (n + 0.5) / len(other) for n, number in enumerate(other)}
                own = {number: (n + 0.5) / len(self.columns[depth]) for n, number in enumerate(self.columns[depth])}

                def middle(number: int, place: dict[int, float] = place, own: dict[int, float] = own) -> float:
                    found = [place[one] for one in near[number] if one in place]
                    return sum(found) / len(found) if found else own[number]

                self.columns[depth].sort(key=middle)

    def x(self, number: int) -> float:
        """The left end of a state."""
        return MARGIN + self.graph.nodes[number].depth * (self.box + GAP)

    def heads(self) -> list[str]:
        """The heading of each column."""
        words = ["no call", "1 call", *(f"{n} calls" for n in range(2, len(self.columns)))]
        return [
            text_at(MARGIN + depth * (self.box + GAP) + self.box / 2, TOP - 12, words[depth], "middle", "#555")
            for depth in range(len(self.columns))
        ]


def _below(node: Node) -> str:
    """The text below the box: other processes, threads."""
    return "; ".join(filter(None, (node.picture.partition("  ")[2].strip(), node.tasks)))


# ---- states --------------------------------------------------------------------------------------


def _back(graph: StateGraph, node: Node) -> list[str]:
    return [edge.text for edge in graph.between().get((node.number, node.number), [])]


def _box(node: Node, places: _Places, back: Sequence[str], prefix: str) -> str:
    x, y = places.x(node.number), places.y[node.number]
    width = places.graph.pages * CELL
    bad = bool(node.fails or node.stopped)
    words = [f"state {node.number}: {node.picture}", *([node.tasks] if node.tasks else [])]
    words += [_words(vma) for vma in node.vmas]
    words += [f"page {page.page} hangs from {page.anon_vma or 'the process'}" for page in node.pages]
    words += [f"fails: {name}" for name in node.fails] + [f"happens: {name}" for name in node.happens]
    words += ["the kernel stops here"] if node.stopped else []
    words += [] if node.followed else ["what follows was left out"]
    words += [f"back to here: {'; '.join(back)}"] if back else []
    parts = [f'<g class="n"><title>{escape(chr(10).join(words))}</title>']
    if bad:
        parts.append(
            f'<rect x="{x - 4:g}" y="{y - 4:g}" width="{width + 8}" height="{BOX + 8}" rx="6" fill="white"'
            ' stroke="#B00000" stroke-width="2"/>'
        )
        parts.append(text_at(x + width + 7, y + 3, "!", fill="#B00000"))
    dashes = "" if node.followed else ' stroke-dasharray="4 3"'
    parts.append(
        f'<rect class="box" x="{x:g}" y="{y:g}" width="{width}" height="{BOX}" rx="3" fill="white"'
        f' stroke="{"#B00000" if bad else "#555"}"{dashes}/>'
    )
    taken = {page for vma in node.vmas for page in range(vma.start, vma.end)}
    parts += [
        text_at(x + (page + 0.5) * CELL, y + 15, ".", "middle", "#777")
        for page in range(places.graph.pages)
        if page not in taken
    ]
    for vma in node.vmas:
        parts += _vma(vma, x, y, prefix)
    if _below(node):
        parts.append(text_at(x, y + BOX + 14, _below(node), size=11))
    return "".join([*parts, "</g>"])


def _words(vma: Vma) -> str:
    more = " ".join(vma.flags)
    offset = f" offset {vma.pgoff}" if vma.pgoff != vma.start else ""
    anon_vma = f" anon_vma {vma.anon_vma}" if vma.anon_vma else ""
    others = "".join(f" {what}" for what in (vma.file, vma.policy) if what)
    return f"vma {vma.start}-{vma.end} {vma.prot}{' ' * bool(more)}{more}{offset}{anon_vma}{others}"


def _vma(vma: Vma, x: float, y: float, prefix: str) -> list[str]:
    number, cells = colour_of(vma.anon_vma), vma.end - vma.start
    fill = "#EEEEEE" if number is None else f"url(#{prefix}h{number})"
    letter = cell_of(vma)
    left, width = x + vma.start * CELL + 2, cells * CELL - 4
    parts = [
        f'<rect x="{left:g}" y="{y + 2:g}" width="{width}" height="{BOX - 4}" rx="3" fill="{fill}" stroke="black"/>'
    ]
    for page in range(cells):
        middle, half = left - 2 + (page + 0.5) * CELL, 3 + 4 * len(letter)
        if number is not None:
            place = f'x="{middle - half:g}" y="{y + 5:g}" width="{2 * half}" height="{BOX - 10}"'
            parts.append(f'<rect {place} rx="2" fill="white"/>')
        parts.append(text_at(middle, y + 16, letter, "middle"))
    return parts


# ---- calls ---------------------------------------------------------------------------------------


def _curves(graph: StateGraph, places: _Places, prefix: str) -> list[str]:
    """The curves, those that matter most on top."""
    first: set[tuple[int, int]] = set()
    seen = {0}
    for edge in graph.edges:
        if edge.target not in seen:
            seen.add(edge.target)
            first.add((edge.source, edge.target))
    drawn: list[tuple[int, str]] = []
    for (source, target), edges in graph.between().items():
        if source != target:
            forward = graph.nodes[target].depth > graph.nodes[source].depth
            rank = 2 if (source, target) in first else 1 if forward else 0
            rank = 3 if any(edge.fails for edge in edges) else rank
            drawn.append((rank, _curve(graph, places, edges, rank, prefix)))
    return [text for _, text in sorted(drawn, key=lambda one: one[0])]


def _curve(graph: StateGraph, places: _Places, edges: Sequence[Edge], rank: int, prefix: str) -> str:
    source, target = edges[0].source, edges[0].target
    width = graph.pages * CELL
    x1, y1 = places.x(source), places.y[source] + BOX / 2
    x2, y2 = places.x(target), places.y[target] + BOX / 2
    if x2 > x1:
        x1, bend1, bend2 = x1 + width, 1, -1
    elif x2 < x1:
        x2, bend1, bend2 = x2 + width, -1, 1
    else:
        x1, x2, bend1, bend2 = x1 + width, x2 + width, 1, 1
    reach = max(GAP / 2, abs(x2 - x1) / 2) if x1 != x2 else 18 + abs(y2 - y1) / 8
    path = f"M{x1:g} {y1:g}C{x1 + bend1 * reach:g} {y1:g} {x2 + bend2 * reach:g} {y2:g} {x2:g} {y2:g}"
    style = (
        'stroke="#777" stroke-width="0.7" stroke-opacity="0.45" stroke-dasharray="3 3"',
        'stroke="#888" stroke-width="0.8"',
        'stroke="#222" stroke-width="1.6"',
        'stroke="#B00000" stroke-width="2.2"',
    )[rank]
    words = [f"state {source} to state {target}:", *(edge.text for edge in edges)]
    end = f' marker-end="url(#{prefix}-end)"' if rank else ""
    return (
        f'<g class="e"><title>{escape(chr(10).join(words))}</title><path class="near" d="{path}"/>'
        f'<path d="{path}" {style}{end}/></g>'
    )
