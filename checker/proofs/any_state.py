# SPDX-License-Identifier: GPL-2.0-only
"""Any state, and any call: unknown numbers for all that a kernel's functions look at, and the facts about them.

A state is well formed here if its fields are within bounds, the vmas follow each other, each is on the list of its
anon_vma, and an anon_vma is alive exactly if it has a vma. Proofs include that calls keep states well formed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from vmacheck.checker.kernels.programs import absent_numbers
from vmacheck.checker.program.interpreted import CallRecord
from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import Program
from vmacheck.checker.program.prune import without_kinds
from vmacheck.checker.program.system import OOPS
from vmacheck.checker.proofs.trees import Kind
from vmacheck.checker.symbolic.machine import SymbolicMachine
from vmacheck.checker.symbolic.solver import Model, Solver, least
from vmacheck.checker.symbolic.terms import Evaluator
from vmacheck.checker.symbolic.values import (
    Formula,
    at_most,
    both,
    either,
    equal,
    formula_of,
    less,
    negation,
    truth,
    unknown,
    unknown_bits,
)
from vmacheck.model.calls.operations import POLICIES, PROTECTIONS, Call
from vmacheck.model.common import mm
from vmacheck.model.common.unistd import NR_read, NR_write
from vmacheck.model.linux.mm import MLOCK_ONFAULT, VM_LOCKED_MASK, VM_MAYBE_GUARD, VM_NORESERVE
from vmacheck.model.states import linux_2_6 as state
from vmacheck.properties import PROPERTIES

VMA_FIELDS = ("vm_start", "vm_end", "vm_flags", "vm_pgoff", "vm_file", "vm_policy", "anon_vma", "anon_vma_node", "was")
SPARE_VMAS = 3  # vmas that a call can add for a while
TASK_SIZE = unknown("TASK_SIZE")
PAGE = unknown("page")  # any page
PLAIN_FLAGS = (PROTECTIONS["RW"] | mm.VM_ACCOUNT, PROTECTIONS["R"])


@dataclass(frozen=True)
class Numbers:
    """A state in numbers: the fields of its vmas, of the pages that matter, and of the anon_vmas."""

    pages: int
    brk: int
    vmas: tuple[dict[str, int], ...]
    mapped: dict[int, dict[str, int]]
    lives: tuple[int, ...]


class KernelMachine(SymbolicMachine):
    """A symbolic machine of a kernel. kind: the kernel's tree, as proofs see it."""

    def __init__(self, kind: Kind, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.kind = kind


def any_state(machine: KernelMachine, vmas: int, pages: list[Any], locked: bool) -> tuple[Any, list[Formula]]:
    """Any well-formed state of `vmas` vmas, and the facts about it. Pages can be looked at at the given addresses.

    locked: may memory be locked, other than on fault?
    """
    before = machine.new()
    before.map_count = vmas
    before.brk = unknown("brk")
    known: list[Formula] = [at_most(1, TASK_SIZE)]
    end: Any = 0
    for number in range(1, vmas + 1):
        known += _any_vma(before, number, end, machine.kind.vm_flags)
        end = before.vma[number].vm_end
    known.append(at_most(end, TASK_SIZE))
    if machine.kind.populates and not locked:
        flags = [before.vma[number].vm_flags & VM_LOCKED_MASK for number in range(1, vmas + 1)]
        known += [formula_of(one != mm.VM_LOCKED) for one in flags]
    known += _any_anon_vmas(before, vmas)
    for number, address in enumerate(pages):
        known += any_page(before.page.add(address), address, str(number), vmas, machine.kind)
    return before, [*known, is_any_state(before, machine.kind)]


def _any_vma(before: Any, number: int, last_end: Any, vm_flags: int) -> list[Formula]:
    vma = before.vma[number]
    vma.vm_start, vma.vm_end = unknown(f"start{number}"), unknown(f"end{number}")
    vma.vm_flags = unknown_bits(f"flags{number}", vm_flags)
    vma.vm_pgoff, vma.vm_file = unknown(f"pgoff{number}"), unknown(f"file{number}")
    vma.vm_policy, vma.anon_vma = unknown(f"policy{number}"), unknown(f"anon_vma{number}")
    vma.anon_vma_node = vma.anon_vma
    names = [before.vma[other].anon_vma for other in range(1, number)]
    return [
        at_most(last_end, vma.vm_start),
        less(vma.vm_start, vma.vm_end),
        at_most(0, vma.anon_vma),
        # anon_vmas are numbered in order of appearance: another numbering is the same state
        either([at_most(vma.anon_vma, 1), *(at_most(vma.anon_vma, name + 1) for name in names)]),
    ]


def _any_anon_vmas(before: Any, vmas: int) -> list[Formula]:
    """Make anon_vmas alive with a vma, and unused without; one that only a page still refers to may have been freed."""
    known = []
    for number in range(1, vmas + 1):
        life = unknown(f"life{number}")
        before.anon_vma[number].life = life
        listed = either(equal(before.vma[vma].anon_vma, number) for vma in range(1, vmas + 1))
        known.append(either([both([listed, equal(life, mm.LIVE)]), both([negation(listed), equal(life, mm.UNUSED)])]))
    life = unknown(f"life{vmas + 1}")
    before.anon_vma[vmas + 1].life = life
    return [*known, _one_of(life, [mm.UNUSED, mm.FREED])]


def any_page(page: Any, address: Any, name: str, vmas: int, kind: Kind) -> list[Formula]:
    """Make the page any page, with unknowns whose names end so. Returns the facts about them and its address."""
    for field in kind.page_fields:
        setattr(page, field, unknown(f"{field}{name}"))
    return [
        at_most(0, address),
        less(address, TASK_SIZE),
        at_most(0, page.mapping),
        at_most(page.mapping, vmas + 1),
    ]


class Start:
    """The start of a question: any state of a number of vmas, and any call of a kind.

    The state has a page that a claim may look at, and the page of the call, which may be the same: befores has a state
    for either case.
    """

    def __init__(self, machine: KernelMachine, operation: str, vmas: int, locked: bool) -> None:
        self.call, self.known = any_call(operation, machine.kind)
        self._kind = machine.kind
        about_a_page = self.call.nr in (NR_read, NR_write)
        self._same = equal(PAGE, self.call.addr) if about_a_page else True
        self.befores = []
        listings: list[list[Any]] = [[PAGE], [PAGE, self.call.addr]] if about_a_page else [[PAGE]]
        for pages in listings:
            before, known = any_state(machine, vmas, pages, locked)
            if about_a_page and len(pages) == 1:
                before.page.also = self.call.addr
            self.befores.append(before)
            self.known = [*self.known, *known]

    def solver(self, milliseconds: int, within: "Within") -> Solver:
        """A solver that assumes the known facts, and the limits of `within`."""
        solver = Solver(milliseconds)
        for formula in (*self.known, *within.formulas(self)):
            solver.add(formula)
        return solver

    def before(self) -> Any:
        """The state that the path starts from."""
        return self.befores[0] if truth(self._same) else self.befores[-1]


def any_call(operation: str, kind: Kind) -> tuple[Call, list[Formula]]:
    """Any call of a kind that fits into the address space, and the facts about it."""
    nr, form = kind.operations[operation].nr, kind.operations[operation].form
    addr = unknown("addr")
    call = Call(nr, addr)
    known = [at_most(0, addr), at_most(addr + 1, TASK_SIZE)]
    if operation == "brk":
        return call, [at_most(0, addr), at_most(addr, TASK_SIZE)]
    if form.startswith("a,n"):
        call = call._replace(len=unknown("len"))
        known += [at_most(0, call.len), at_most(addr + call.len, TASK_SIZE)]
    if ",P" in form:
        call = call._replace(prot=unknown_bits("prot", state.PROTECTION))
        known.append(either(formula_of(call.prot == bits) for bits in PROTECTIONS.values()))
    if "NORESERVE" in form:
        call = call._replace(flags=unknown_bits("map_flags", mm.MAP_NORESERVE))
    if "ADVICE" in form:
        call = call._replace(behavior=unknown("behavior"))
        known.append(_one_of(call.behavior, kind.advice[operation].values()))
    if "POLICY" in form:
        call = call._replace(policy=unknown("policy"))
        known.append(_one_of(call.policy, POLICIES.values()))
    if operation == "mlock2":
        call = call._replace(flags=MLOCK_ONFAULT)
    if operation == "file":
        call = call._replace(file=1, pgoff=unknown("offset"))
        known.append(at_most(0, call.pgoff))
    return call, known


def _one_of(value: Any, values: Any) -> Formula:
    return either(equal(value, one) for one in values)


# ---- in numbers ----------------------------------------------------------------------------------


def numbers_of(before: Any, model: Model, kind: Kind) -> Numbers:
    """The state in the numbers of a model."""
    vmas = tuple(
        {name: model.value(getattr(before.vma[vma], name)) for name in VMA_FIELDS}
        for vma in range(1, before.map_count + 1)
    )
    mapped = {}
    for address, page in before.page.entries:
        fields = {name: model.value(getattr(page, name)) for name in kind.page_fields}
        if any(fields.values()):
            mapped[model.value(address)] = fields
    lives = tuple(model.value(before.anon_vma[number].life) for number in range(1, before.map_count + 2))
    return Numbers(model.value(TASK_SIZE), model.value(before.brk), vmas, mapped, lives)


def plainest(solver: Solver, before: Any, call: Call) -> Model | bool:
    """Numbers that make the state and the call as plain as the solver's assumptions allow; see Solver.find.

    No file, no policy, anonymous offsets, R and RW: each wish is granted if the earlier ones leave it possible.
    """
    for wish in _wishes(before, call):
        if isinstance(solver.find(wish), Model):
            solver.add(wish)
    return solver.find()


def _wishes(before: Any, call: Call) -> Iterator[Formula]:
    vmas = [before.vma[vma] for vma in range(1, before.map_count + 1)]
    for vma in vmas:
        yield both([equal(vma.vm_file, 0), equal(vma.vm_policy, 0)])
    for vma in vmas:
        yield equal(vma.vm_pgoff, vma.vm_start)
        yield equal(vma.vm_pgoff, 0)
    for vma in vmas:
        yield from (formula_of(vma.vm_flags == flags) for flags in PLAIN_FLAGS)
    yield equal(before.brk, 0)
    for _, page in before.page.entries:
        yield equal(page.mapcount, 0)
        yield equal(getattr(page, "guard", 0), 0)
        yield from (equal(page.index, vma.vm_pgoff) for vma in vmas)
    yield formula_of(call.flags == 0)
    yield from (formula_of(call.prot == prot) for prot in (PROTECTIONS["RW"], PROTECTIONS["R"]))
    yield equal(call.len, 1)
    yield equal(call.addr, 0)


class Within(NamedTuple):
    """Limits of a state and a call: the most pages, the longest call in pages, and whether plain; None: any."""

    pages: int | None = None
    length: int | None = None
    plain: bool = False

    def formulas(self, start: Start) -> Iterator[Formula]:
        """The limits as formulas."""
        if self.pages is not None:
            yield at_most(TASK_SIZE, self.pages)
        if self.length is not None:
            yield at_most(start.call.len, self.length)
        if self.plain:
            yield from (is_plain(before, start.call) for before in start.befores)


def is_any_state(one: Any, kind: Kind) -> Formula:
    """Is it one of the states of any_state, in all that the claims of STRUCTURE leave open?"""
    parts = [at_most(0, one.brk), at_most(one.brk, TASK_SIZE), equal(one.leaked, 0)]
    for number in range(1, one.map_count + 1):
        vma = one.vma[number]
        parts.append(formula_of((vma.vm_flags & ~kind.vm_flags) == 0))
        if kind.accounts:
            parts.append(_is_accounted(vma.vm_flags))
        parts += [at_most(0, vma.vm_pgoff), _one_of(vma.vm_file, [0, 1]), _one_of(vma.vm_policy, POLICIES.values())]
    return both([*parts, *(is_any_page(page, kind) for _, page in one.page.entries)])


def _is_accounted(flags: Any) -> Formula:
    """Writable memory is accounted, unless accounting is waived; then none is."""
    waived, accounted = (
        negation(formula_of((flags & VM_NORESERVE) == 0)),
        negation(formula_of((flags & mm.VM_ACCOUNT) == 0)),
    )
    return either(
        [
            both([waived, negation(accounted)]),
            both([negation(waived), either([accounted, formula_of((flags & mm.VM_WRITE) == 0)])]),
        ]
    )


def is_any_page(page: Any, kind: Kind) -> Formula:
    """Is the page one of those of any_page?"""
    absent = both([equal(page.mapcount, 0), equal(page.mapping, 0), equal(page.index, 0)])
    guard = []
    if "guard" in kind.page_fields:
        guard = [_one_of(page.guard, [0, 1] if kind.vm_flags & VM_MAYBE_GUARD else [0])]
    return both([either([absent, equal(page.mapcount, 1)]), at_most(0, page.index), *guard])


def is_plain(before: Any, call: Call) -> Formula:
    """Can mmap and mprotect with R and RW alone make it of anonymous memory?"""
    parts = [formula_of(call.flags == 0)]
    for number in range(1, before.map_count + 1):
        vma = before.vma[number]
        parts += [equal(vma.vm_file, 0), equal(vma.vm_policy, 0), equal(vma.vm_pgoff, vma.vm_start)]
        parts.append(either(formula_of(vma.vm_flags == flags) for flags in PLAIN_FLAGS))
    return both(parts)


# ---- machines and claims -------------------------------------------------------------------------


def machine_with(
    program: Program,
    kind: Kind,
    slots: int,
    roots: Sequence[str],
    max_map_count: int,
    anon_vmas: int | None = None,
    **more: Any,
) -> KernelMachine:
    """A machine with room for `slots` vmas, and for the anon_vmas that they, and as many pages, can name."""
    bounds = kind.bounds(slots, max_map_count, 0)
    names = bounds.constants() | {"TASK_SIZE": TASK_SIZE}
    names |= {} if anon_vmas is None else {"NR_ANON_VMAS": anon_vmas}
    return KernelMachine(kind, program, Layout.of(kind.layout(bounds)), roots, names, **more)


def machine_for(
    program: Program, kind: Kind, operation: str, vmas: int, roots: Sequence[str], max_map_count: int
) -> KernelMachine:
    """A machine for a call of a kind from states of `vmas` vmas, with room for Start's unknowns."""
    program = without_kinds(program, "nr", absent_numbers([any_call(operation, kind)[0]]))

    def other(page: Any, address: Any, name: str) -> list[Formula]:
        return [*any_page(page, address, name, vmas, kind), is_any_page(page, kind)]

    return machine_with(program, kind, vmas + SPARE_VMAS, roots, max_map_count, anon_vmas=vmas + 2, other=other)


def said_of(evaluator: Evaluator, name: str, before: Any, call: Call, result: Any, after: Any) -> Formula:
    """The formula of a claim about the state after a call, or about the call; True if the call stopped the kernel."""
    if not PROPERTIES[name].on_step:
        return evaluator.formula(name, after)
    return result is OOPS or evaluator.formula(name, before, CallRecord(call, result), after)


# ---- few and plain numbers -----------------------------------------------------------------------


def smallest(solver: Solver, before: Any, call: Call, formula: Formula) -> Model | None:
    """Numbers for which the formula is true: the smallest address space, and then the plainest. None: no answer."""
    solver.push()
    solver.add(formula)
    size = least(solver, TASK_SIZE, 1)
    found = plainest(solver, before, call)
    solver.pop()
    if size is not None and isinstance(found, Model):
        return found
    solver.gave_up = True
    return None


class Shown(Protocol):
    """A state before a call, and the call, as an answer shows them."""

    @property
    def before(self) -> Numbers: ...  # noqa: D102
    @property
    def call(self) -> Call: ...  # noqa: D102


Answered = TypeVar("Answered")


def fewest(
    answer: Answered, ask: Callable[[Within], Answered], shown: Callable[[Answered], Shown | None], within: Within
) -> Answered:
    """An answer that shows something, in the fewest pages and then by the shortest call."""
    best = shown(answer)
    while best is not None and best.before.pages > 1:
        smaller = ask(within._replace(pages=best.before.pages - 1))
        if (one := shown(smaller)) is None:
            break
        answer, best = smaller, one
    while best is not None and best.call.len > 1:
        shorter = ask(within._replace(pages=best.before.pages, length=best.call.len - 1))
        if (one := shown(shorter)) is None:
            break
        answer, best = shorter, one
    return answer
