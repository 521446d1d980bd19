# SPDX-License-Identifier: GPL-2.0-only
"""Searches over address spaces of every size: kernels linked with model/worlds/segments.py; findings in pages."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vmacheck.checker.kernels import one_process, user_properties
from vmacheck.checker.kernels.names import check_known, check_max_map_count, split_name, tree_of
from vmacheck.checker.kernels.programs import (
    absent_numbers,
    claims_for,
    goals_for,
    program_of,
    program_with_claims,
    with_properties,
)
from vmacheck.checker.kernels.scope import SEGMENTS, Scope, ScopeError
from vmacheck.checker.program.interpreted import CallRecord, Machine
from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import Program as Linked
from vmacheck.checker.program.prune import without_kinds
from vmacheck.checker.program.system import OOPS, Claim, System
from vmacheck.checker.search import rounds
from vmacheck.checker.search.outcome import Hit, Limits
from vmacheck.checker.search.verdict import Checked, judge
from vmacheck.model.calls.operations import NAMES, Call, result_text, segment_calls
from vmacheck.model.common.unistd import NR_read, NR_write
from vmacheck.model.kernels import COUNTING_PAGES, HERE, every_kernel
from vmacheck.model.worlds.segments import LONG

Program = tuple[Call, ...]
MODEL = HERE / "worlds" / "segments.py"
ABOUT_SEVERAL_PAGES = ("two_written_vmas_become_one",)  # "sometimes" claims about more written pages than one
KEPT = "of the pages that were written, one is kept"
NOT_IN_PAGES = "what the search found in segments was not found in pages"
FEW_PAGES = 4
FEW_STATES = 100_000


def build(name: str, scope: Scope, properties: Sequence[str]) -> System:
    """The kernel as a system whose states are segments. Raises UnknownName, and ScopeError."""
    check_known(name, scope, ())
    for path in (*split_name(name)[2], *user_properties.paths_of(properties)):
        raise ScopeError(f"--segments: whether pages are alike to {path} is not known; give --pages")
    if counts_pages(name):
        raise ScopeError(f"--segments: {name} decides by how many pages there are; give --pages")
    return in_segments(name, scope, properties)


def counts_pages(name: str) -> bool:
    """Does the kernel tell pages apart?"""
    base, patches, _ = split_name(name)
    return bool(set(COUNTING_PAGES) & {*every_kernel()[base].patches, *patches})


def in_segments(name: str, scope: Scope, properties: Sequence[str]) -> System:
    """The same, unchecked: the kernel must not tell pages apart. One is kept only if a property looks at pages."""
    assert scope.segments is not None
    claims = claims_for(properties)
    keeps_page = looks_at_pages(program_with_claims(name), claims) or reads_what_is_written(scope)
    # below, above and inside each segment; the hole above all; the kept page, if any, and above it
    pages = LONG * (scope.segments + 1) + (LONG + 1 if keeps_page else 0)
    operations = scope.checked(segment_calls(pages, scope.protections, scope.operations, scope.noreserve, keeps_page))
    check_max_map_count(name, scope.max_map_count)
    states = tree_of(name).states
    bounds = states.segment_bounds(scope.segments, pages, scope.operations, operations, scope.max_map_count)
    program = with_properties(name, program_of(name, bounds.constants(), [MODEL]))
    program = without_kinds(program, "nr", absent_numbers(operations))
    return System(
        name=name,
        program=program,
        layout=Layout.of(states.layout(bounds)),
        calls=operations,
        kinds=NAMES,
        claims=claims,
        goals=goals_for(name, replace(scope, pages=scope.segments)),
        result_text=result_text,
        world=SEGMENTS,
        beyond=("segments",),
    )


def reads_what_is_written(scope: Scope) -> bool:
    """Can only a page that is already there be read?"""
    readable = any(set("RX") & set(protection) for protection in scope.protections)
    return {"read", "write"} <= set(scope.operations) and not readable


def looks_at_pages(program: Linked, claims: Sequence[Claim]) -> bool:
    """Does one of the claims look at what is mapped at an address?"""
    functions = program.reachable([claim.name for claim in claims])
    nodes = (node for function in functions for node in ast.walk(function.node))
    return any(isinstance(node, ast.Attribute) and node.attr == "page" for node in nodes)


# ---- verdicts ------------------------------------------------------------------------------------


def in_pages(checked: Checked, scope: Scope) -> Checked:
    """The verdicts of a search over segments, with programs in pages.

    The search may take a vma merged from two for one of a single page, so a finding may need more calls in pages; if no
    program is found there, the question is open. So is a "sometimes" claim about several written pages, since the
    search keeps one: it is looked for in a few pages, too.
    """
    system, search = checked.system, checked.search
    sometimes = [claim.name for claim in system.claims if claim.sometimes]
    unseen = [name for name in sometimes if search.closed and name not in search.hits]
    found = search.hits
    lengths = {name: len(hit.calls) for name, hit in found.items()}
    few = in_few_pages(system.name, scope, {**lengths, **dict.fromkeys(unseen)})
    shown: dict[str, tuple[System, Program]] = {}
    for name in found:
        program = shown_in_pages(name, checked, scope, few.get(name))
        if program is not None:
            shown[name] = program
    search.hits = {name: found[name] for name in shown} | {name: few[name][1] for name in unseen if name in few}
    results = []
    for before in checked.results:
        name, premise = before.claim.name, before.claim.premise
        if name in found and name not in shown:
            result = replace(before, verdict="incomplete", closed=False, calls=None, reason=NOT_IN_PAGES)
        else:
            result = judge(system, before.claim, search, before.seconds)
        if name in shown:
            result = replace(result, system=shown[name][0], calls=shown[name][1], any_size=lengths[name])
        elif result.calls is not None:
            result = replace(result, system=few[name][0])
        elif result.verdict == "vacuous" and name in ABOUT_SEVERAL_PAGES:
            result = replace(result, verdict="incomplete", reason=KEPT)
        elif result.verdict == "vacuous" and premise in ABOUT_SEVERAL_PAGES and premise not in search.hits:
            result = replace(result, verdict="incomplete", reason=f"{premise} was not seen, but {KEPT}")
        results.append(result)
    return Checked(system, search, results)


def shown_in_pages(
    name: str, checked: Checked, scope: Scope, few: tuple[System, Hit] | None
) -> tuple[System, Program] | None:
    """A program in pages for the search's hit: as short as its own, if possible."""
    own = checked.search.hits[name].calls
    if few is None or len(few[1].calls) > len(own):
        calls, pages = program_in_pages(checked.system, own)
        small = one_process.build(checked.system.name, replace(scope, segments=None, pages=pages), [name])
        (claim,) = (claim for claim in small.claims if claim.name == name)
        if hits(small, claim, calls):
            return small, calls
    return None if few is None else (few[0], few[1].calls)


def in_few_pages(name: str, scope: Scope, wanted: Mapping[str, int | None]) -> dict[str, tuple[System, Hit]]:
    """First hits of the claims, in the fewest pages where one has at most the wanted number of calls (None: any).

    If no hit in a few pages is so short, or the search is too large, the hit may be longer, or missing.
    """
    shown: dict[str, tuple[System, Hit]] = {}
    for pages in range(1, min(scope.segments or 0, FEW_PAGES) + 1):
        left = [
            claim
            for claim, least in wanted.items()
            if claim not in shown or (least is not None and len(shown[claim][1].calls) > least)
        ]
        if left:
            system = one_process.build(name, replace(scope, segments=None, pages=pages), left)
            for claim, hit in rounds.explore(system, left, Limits(max_states=FEW_STATES)).hits.items():
                if claim in left and (claim not in shown or len(hit.calls) < len(shown[claim][1].calls)):
                    shown[claim] = (system, hit)
    return shown


def hits(system: System, claim: Claim, calls: Sequence[Call]) -> bool:
    """Does the last of the calls, or the state that they lead to, hit the claim?"""
    machine = Machine(system)
    before, after = machine.new(), machine.new()
    machine.key(after)
    is_hit = not claim.on_step and machine.evaluate(claim.name, after) == claim.sometimes
    for call in calls:
        before, after = after, before
        result = machine.step(before, call, after)
        if claim.on_step:
            said = machine.evaluate(claim.name, before, CallRecord(call, result), after)
            is_hit = result != OOPS and said == claim.sometimes
        machine.key(after)
        if not claim.on_step:
            is_hit = machine.evaluate(claim.name, after) == claim.sometimes
    return bool(is_hit)


# ---- from segments to pages ----------------------------------------------------------------------


@dataclass
class Move:
    """A call on segments: where pieces start before it and after it, and where it could tell pages apart."""

    call: Call
    before: list[int]
    after: list[int]
    single: set[int]  # starts of pieces of one page
    pieces: list[int]

    def least(self, needed: Sequence[int]) -> list[int]:
        """The least pages of each piece, so that what starts at self.after[i] has needed[i] pages."""
        sizes = [1] * (len(self.pieces) - 1) + [0]
        for start, end, pages in zip(self.after, [*self.after[1:], None], needed, strict=True):
            self.enlarge(sizes, start, end, pages)
        return sizes

    def enlarge(self, sizes: list[int], start: int, end: int | None, pages: int) -> None:
        """Make the pieces from start to end at least `pages` pages, by the last piece that may have more than one."""
        inside = [i for i, at in enumerate(self.pieces) if start <= at and (end is None or at < end)]
        free = [i for i in inside if self.pieces[i] not in self.single] or inside
        sizes[free[-1]] += max(0, pages - sum(sizes[i] for i in inside))

    def sums(self, sizes: Sequence[int], starts: Sequence[int]) -> list[int]:
        """The number of pages from each of the starts to the next."""
        ends = [*starts[1:], None]
        return [
            sum(size for at, size in zip(self.pieces, sizes, strict=True) if start <= at and (end is None or at < end))
            for start, end in zip(starts, ends, strict=True)
        ]


def program_in_pages(system: System, calls: Sequence[Call]) -> tuple[Program, int]:
    """A program of as many calls, in an address space of as few pages as possible, and the number of pages."""
    moves = moves_of(system, calls)
    needed = [1] * len(moves[-1].after[1:]) + [0] if moves else [1]
    least: list[list[int]] = []
    for move in reversed(moves):
        least.append(move.least(needed))
        needed = move.sums(least[-1], move.before)
    pages, found = max(1, sum(needed)), []
    have = needed
    for move, sizes in zip(moves, reversed(least), strict=True):
        for start, end, size in zip(move.before, [*move.before[1:], None], have, strict=True):
            move.enlarge(sizes, start, end, size)
        found.append(call_in_pages(move, sizes))
        have = move.sums(sizes, move.after)
    return tuple(found), pages


def call_in_pages(move: Move, sizes: Sequence[int]) -> Call:
    """The call, with pieces of these sizes."""

    def address(place: int) -> int:
        return sum(size for at, size in zip(move.pieces, sizes, strict=True) if at < place)

    call, start = move.call, address(move.call.addr)
    if call.nr in (NR_write, NR_read):
        return Call(call.nr, start)
    return call._replace(addr=start, len=address(call.addr + call.len) - start)


def moves_of(system: System, calls: Sequence[Call]) -> list[Move]:
    """The calls as moves, with the pieces that they cut."""
    machine = Machine(system)
    before, after = machine.new(), machine.new()
    machine.key(after)
    pages = system.program.constants["TASK_SIZE"]
    moves = []
    for number, call in enumerate(calls):
        before, after = after, before
        machine.step(before, call, after)
        starts, ends = starts_of(before, pages), starts_of(after, pages)
        is_access = call.nr in (NR_write, NR_read)
        own = {call.addr} if is_access else {call.addr, call.addr + call.len}
        single = set()
        if number == len(calls) - 1:
            single = {before.kept_start, after.kept_start}
        moves.append(Move(call, starts, ends, single, sorted({*starts, *ends, *own})))
        machine.key(after)
    return moves


def starts_of(mm: Any, pages: int) -> list[int]:
    """The starts of pieces: a vma, a hole, the kept page, or what is above it."""
    vmas = [mm.vma[number] for number in range(1, mm.map_count + 1)]
    starts = {0, *(vma.vm_start for vma in vmas), *(vma.vm_end for vma in vmas)}
    if mm.kept_start < pages and mm.page[mm.kept_start].mapcount != 0:
        starts |= {mm.kept_start, mm.kept_end}
    return sorted(starts)
