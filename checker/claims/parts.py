# SPDX-License-Identifier: GPL-2.0-only
"""Claims about kernels as data: sentences made of parts, each decided by a search or a run."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal, Protocol

from vmacheck.checker.kernels import one_process, threads
from vmacheck.checker.kernels.compare import BY, Graphs, compare_kernels
from vmacheck.checker.kernels.names import tree_of
from vmacheck.checker.kernels.scope import DEFAULT_OPERATIONS, Scope, in_order
from vmacheck.checker.kernels.world import world_of
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.link import AST_LOCK
from vmacheck.checker.program.system import System
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import check
from vmacheck.model.calls import interleaving
from vmacheck.model.calls.operations import EVERY_OPERATION, NAMES, PROTECTIONS, Call, result_text
from vmacheck.model.calls.traces import parse_trace
from vmacheck.model.common.mm import EINVAL
from vmacheck.model.common.unistd import NR_exit, NR_fork
from vmacheck.properties import PROCESS_PROPERTIES, PROPERTIES, THREAD_PROPERTIES

KNOWN = {**PROPERTIES, **PROCESS_PROPERTIES, **THREAD_PROPERTIES}
LONGEST_PROGRAM = 16  # calls, per kind of call
Verdict = Literal["holds", "holds within bound", "refuted", "open", "not checked here"]
HOLDS: Final = "holds"
BOUNDED: Final = "holds within bound"
REFUTED: Final = "refuted"
OPEN: Final = "open"
UNCHECKED: Final = "not checked here"


@dataclass(frozen=True)
class Witness:
    """A program that shows a finding, and the kernels to run it on."""

    kernels: tuple[str, ...]
    calls: tuple[Any, ...]
    pages: int


@dataclass(frozen=True)
class Finding:
    """The finding about a part: the verdict, the number of states (or pairs of states), the witness, and figures."""

    verdict: Verdict
    states: int = 0
    witness: Witness | None = None
    figures: str = ""


class Part(Protocol):
    """A sentence that can be decided."""

    @property
    def says(self) -> str:
        """The sentence."""

    @property
    def where(self) -> str:
        """The scope in which it is decided."""

    @property
    def is_claim(self) -> bool:
        """Does the claim stand or fall with it? Otherwise it is a remark."""

    def decide(self) -> Finding:
        """Decide it."""


@dataclass(frozen=True)
class Claim:
    """A claim: its source, its words, their meaning as a theorem, and its parts."""

    id: str
    quote: str
    theorem: str
    parts: tuple[Part, ...]
    expected: str
    source: str = "rmap 40"


@dataclass(frozen=True)
class Decided:
    """A claim with the finding about each part."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the parts that the claim stands or falls with."""
        verdicts = {f.verdict for part, f in zip(self.claim.parts, self.findings, strict=True) if part.is_claim}
        order: tuple[Verdict, ...] = (REFUTED, OPEN, BOUNDED, UNCHECKED, HOLDS)
        return next(verdict for verdict in order if verdict in verdicts)

    @property
    def states(self) -> int:
        """The number of states, or pairs of states, that were searched."""
        return sum(finding.states for finding in self.findings)


def decide(claim: Claim) -> Decided:
    """Decide every part of a claim."""
    return Decided(claim, tuple(part.decide() for part in claim.parts))


@lru_cache(maxsize=1)
def decide_all(claims: tuple[Claim, ...]) -> tuple[Decided, ...]:
    """Decide claims, several at a time. The last answer is cached."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return tuple(pool.map(decide, claims))


GRAPHS = Graphs()


def scope(
    pages: int = 3, prot: str = "R,RW", more: str = "", *, noreserve: bool = False, many: int = 0, forks: bool = False
) -> Scope:
    """A scope of the usual calls and some more; with `many` threads, if faults are in steps; or of two processes."""
    known = [*EVERY_OPERATION, *interleaving.ONLY_OF_THREADS]
    operations = in_order((*DEFAULT_OPERATIONS, *filter(None, more.split(","))), known)
    protections = in_order(prot.split(","), PROTECTIONS)
    return Scope(
        pages=pages,
        protections=protections,
        operations=operations,
        noreserve=noreserve,
        threads=many,
        processes=2 if forks else 1,
    )


def system_of(kernel: str, scope: Scope, properties: Sequence[str]) -> System:
    """The kernel as the kind of system that the scope asks for."""
    with AST_LOCK:
        return world_of(scope).build(kernel, scope, properties)


def without_a_witness(wants: bool, closed: bool) -> Verdict:
    """The verdict where a search found no witness, by whether one was wanted."""
    if wants:
        return REFUTED if closed else OPEN
    return HOLDS if closed else BOUNDED


# ---- parts: two kernels --------------------------------------------------------------------------


@dataclass(frozen=True)
class Can:
    """Kernel a can be worse than kernel b. no_mremap_before: only the last call of the program may be mremap.

    depth: the most calls of a program.
    """

    a: str
    b: str
    by: str
    scope: Scope
    is_claim: bool = True
    no_mremap_before: bool = False
    wants: bool = True
    depth: int | None = None

    @property
    def says(self) -> str:
        verb = "can" if self.wants else "cannot"
        first = ", with no mremap before the last call" if self.no_mremap_before else ""
        return f"{self.a} {verb} {BY[self.by].what.format(self.b)}{first}"

    @property
    def where(self) -> str:
        return str(self.scope) + ("" if self.depth is None else f", up to {self.depth} calls")

    def decide(self) -> Finding:
        limits = Limits(depth=self.depth)
        last_only = tuple(nr for nr, name in NAMES.items() if name == "mremap") if self.no_mremap_before else ()
        found = compare_kernels(self.a, self.b, self.by, self.scope, limits, None, last_only, GRAPHS.of, True).found
        if found.a_worse is not None:
            witness = Witness((self.a, self.b), found.a_worse, self.scope.pages)
            return Finding(HOLDS if self.wants else REFUTED, found.pairs_before["a_worse"], witness)
        return Finding(without_a_witness(self.wants, found.closed), found.pairs)


def cannot(a: str, b: str, by: str, scope: Scope, is_claim: bool = True, no_mremap_before: bool = False) -> Can:
    """Kernel a is never worse than kernel b."""
    return Can(a, b, by, scope, is_claim, no_mremap_before, wants=False)


# ---- parts: one kernel ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Always:
    """Properties hold on a kernel."""

    kernel: str
    properties: tuple[str, ...]
    scope: Scope
    is_claim: bool = True

    @property
    def says(self) -> str:
        return f"on {self.kernel}: {' '.join(KNOWN[name].claim for name in self.properties)}"

    @property
    def where(self) -> str:
        return str(self.scope)

    def decide(self) -> Finding:
        checked = check(system_of(self.kernel, self.scope, self.properties), self.properties, Limits())
        violated = [result for result in checked.results if result.calls is not None]
        if violated:
            least = min(violated, key=lambda result: len(result.calls or ()))
            return Finding(REFUTED, least.states, Witness((self.kernel,), least.calls or (), self.scope.pages))
        verdicts = {result.verdict for result in checked.results}
        verdict: Verdict = HOLDS if verdicts == {"holds"} else BOUNDED if verdicts == {"incomplete"} else OPEN
        return Finding(verdict, checked.search.states)


@dataclass(frozen=True)
class Breaks:
    """A property does not always hold on a kernel."""

    kernel: str
    name: str
    scope: Scope
    is_claim: bool = True

    @property
    def says(self) -> str:
        return f"on {self.kernel} this can fail: {KNOWN[self.name].claim}"

    @property
    def where(self) -> str:
        return str(self.scope)

    def decide(self) -> Finding:
        names = (self.name,)
        result = check(system_of(self.kernel, self.scope, names), names, Limits()).results[0]
        if result.calls is not None:
            return Finding(HOLDS, result.states, Witness((self.kernel,), result.calls, self.scope.pages))
        return Finding(without_a_witness(True, result.closed), result.states)


@dataclass(frozen=True)
class Happens:
    """A "sometimes" property is true at some time on a kernel; or, if not wanted, never."""

    kernel: str
    name: str
    scope: Scope
    is_claim: bool = True
    wants: bool = True

    @property
    def says(self) -> str:
        claim = KNOWN[self.name].claim
        return f"on {self.kernel} this {'happens' if self.wants else 'never happens'}: {claim}"

    @property
    def where(self) -> str:
        return str(self.scope)

    def decide(self) -> Finding:
        names = (self.name,)
        result = check(system_of(self.kernel, self.scope, names), names, Limits()).results[0]
        if result.calls is not None:
            witness = Witness((self.kernel,), result.calls, self.scope.pages)
            return Finding(HOLDS if self.wants else REFUTED, result.states, witness)
        return Finding(without_a_witness(self.wants, result.closed), result.states)


def never(kernel: str, name: str, scope: Scope, is_claim: bool = True) -> Happens:
    """A "sometimes" property is never true."""
    return Happens(kernel, name, scope, is_claim, wants=False)


# ---- parts: given programs -----------------------------------------------------------------------


@lru_cache(maxsize=64)
def _machine(kernel: str, pages: int) -> Machine:
    """A kernel to step through any calls, with room for LONGEST_PROGRAM per kind."""
    known = [Call(nr, 0) for nr in NAMES if nr not in (NR_fork, NR_exit)]
    every_kind = [call for call in known if tree_of(kernel).lacks(call) is None]
    with AST_LOCK:
        system = one_process.build(kernel, Scope(pages=pages), calls=every_kind)
    return Machine(one_process.without_renaming(system, every_kind * LONGEST_PROGRAM))


def states_after(kernel: str, calls: Sequence[Call], pages: int) -> list[Any]:
    """The state after each of the calls in the interpreted run, with the events of the call."""
    assert len(calls) <= LONGEST_PROGRAM * len(NAMES)
    machine = _machine(kernel, pages)
    states = [machine.new()]
    for call in calls:
        after = machine.new()
        machine.step(states[-1], call, after)
        states.append(after)
    return states[1:]


def vmas_after(kernel: str, calls: Sequence[Call], pages: int) -> int:
    """The number of vmas after the calls."""
    return int(states_after(kernel, calls, pages)[-1].map_count)


@dataclass(frozen=True)
class Ends:
    """A given program ends with given numbers of vmas on some kernels."""

    program: str
    pages: int
    vmas: tuple[tuple[str, int], ...]
    is_claim: bool = True
    name: str = ""

    @property
    def says(self) -> str:
        ends = ", ".join(f"{vmas} on {kernel}" for kernel, vmas in self.vmas)
        return f"{self.name or 'this program'} ends with so many vmas: {ends}"

    @property
    def where(self) -> str:
        return f"this program, {self.pages} pages"

    def decide(self) -> Finding:
        calls = tuple(parse_trace(self.program))
        right = all(vmas_after(kernel, calls, self.pages) == vmas for kernel, vmas in self.vmas)
        witness = Witness(tuple(kernel for kernel, _ in self.vmas), calls, self.pages)
        return Finding(HOLDS if right else REFUTED, 0, witness)


@dataclass(frozen=True)
class Returns:
    """The last call of a given program returns a given result on some kernels: 0, a page, or the name of an errno."""

    program: str
    pages: int
    results: tuple[tuple[str, int | str], ...]
    is_claim: bool = True

    @property
    def says(self) -> str:
        results = ", ".join(f"{result} on {kernel}" for kernel, result in self.results)
        return f"the last call of this program returns {results}"

    @property
    def where(self) -> str:
        return f"this program, {self.pages} pages"

    def decide(self) -> Finding:
        calls = tuple(parse_trace(self.program))
        right = all(self.returned(kernel, calls) == result for kernel, result in self.results)
        witness = Witness(tuple(kernel for kernel, _ in self.results), calls, self.pages)
        return Finding(HOLDS if right else REFUTED, 0, witness)

    def returned(self, kernel: str, calls: Sequence[Call]) -> int | str:
        """The result of the last call on a kernel."""
        machine = _machine(kernel, self.pages)
        before = states_after(kernel, calls[:-1], self.pages)[-1]
        return result_text(calls[-1], machine.step(before, calls[-1], machine.new()))


@dataclass(frozen=True)
class EndsInThreads:
    """A given interleaving ends with a given number of vmas on a kernel."""

    program: str
    kernel: str
    pages: int
    vmas: int
    is_claim: bool = True

    @property
    def says(self) -> str:
        return f"on {self.kernel} this interleaving ends with so many vmas: {self.vmas}"

    @property
    def where(self) -> str:
        return f"this interleaving, {self.pages} pages"

    def decide(self) -> Finding:
        calls = tuple(interleaving.parse_interleaving(self.program))
        many = max(call.thread for call in calls)
        system = system_of(self.kernel, Scope(pages=self.pages, threads=many), ())
        machine = Machine(threads.without_renaming(system, calls))
        mm, after = machine.new(), machine.new()
        for call in calls:
            if machine.step(mm, call, after) == -EINVAL:
                raise ValueError(f"{call} is not what the thread does next")
            mm, after = after, mm
        right = mm.map_count == self.vmas
        return Finding(HOLDS if right else REFUTED, 0, Witness((self.kernel,), calls, self.pages))


@dataclass(frozen=True)
class Grows:
    """Programs for growing n end with the numbers that formulas give, one per kernel."""

    name: str
    program: Callable[[int], str]
    number: Callable[[str, Sequence[Call], int], int]
    what: str
    formulas: tuple[tuple[str, str, Callable[[int], int]], ...]
    sizes: tuple[int, ...] = (4, 6, 8, 10)
    is_claim: bool = True

    @property
    def says(self) -> str:
        formulas = ", ".join(f"{formula} on {kernel}" for kernel, formula, _ in self.formulas)
        return f"{self.name}: {self.what} is {formulas}"

    @property
    def where(self) -> str:
        return f"n = {', '.join(map(str, self.sizes))}"

    def decide(self) -> Finding:
        for size in self.sizes:
            calls = tuple(parse_trace(self.program(size)))
            pages = max(call.end for call in calls)
            for kernel, _, formula in self.formulas:
                if self.number(kernel, calls, pages) != formula(size):
                    return Finding(REFUTED, 0, Witness((kernel,), calls, pages))
        calls = tuple(parse_trace(self.program(self.sizes[0])))
        kernels = tuple(kernel for kernel, _, _ in self.formulas)
        verdict: Verdict = BOUNDED if len(self.sizes) > 1 else HOLDS
        return Finding(verdict, 0, Witness(kernels, calls, max(call.end for call in calls)))


@dataclass(frozen=True)
class NotChecked:
    """A sentence that this model cannot decide, and the reason."""

    says: str
    why: str
    is_claim: bool = True
    where: str = field(default="")

    def decide(self) -> Finding:
        return Finding(UNCHECKED, figures=self.why)
