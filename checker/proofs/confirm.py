# SPDX-License-Identifier: GPL-2.0-only
"""Findings of Z3 tried out: a state in numbers, run by the interpreted run, and searched for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.programs import claims_for, program_of, with_properties
from vmacheck.checker.kernels.scope import PAGES, Scope
from vmacheck.checker.program.interpreted import CallRecord, Machine
from vmacheck.checker.program.layout import Broken, Layout, OutOfBounds
from vmacheck.checker.program.link import Function, Program, read
from vmacheck.checker.program.system import LARGEST_RESULT, OOPS, Claim, System
from vmacheck.checker.proofs.any_state import VMA_FIELDS, Numbers
from vmacheck.checker.proofs.trees import kind_of
from vmacheck.checker.search import rounds
from vmacheck.checker.search.outcome import Limits
from vmacheck.model.calls.operations import EVERY_OPERATION, NAMES, PROTECTIONS, Call
from vmacheck.model.states import linux_2_6 as state
from vmacheck.properties import PROPERTIES

MAX_PAGES_SEARCHED = 4
MAX_STATES_SEARCHED = 3_000_000


@dataclass(frozen=True)
class Tried:
    """A call run in a state: the states before and after, the result (OOPS: the kernel stopped)."""

    before: Any
    after: Any
    result: int
    said_before: dict[str, bool]
    said_after: dict[str, bool]


def system_for(kernel: str, pages: int, max_map_count: int, claims: Sequence[str]) -> System:
    """The kernel with room for any state of `pages` pages."""
    kind = kind_of(kernel)
    bounds = kind.bounds(pages, max_map_count, LARGEST_RESULT, more_anon_vmas=4)
    program = with_properties(kernel, program_of(kernel, bounds.constants()))
    layout = Layout.of(kind.layout(bounds))
    return System(
        name=kernel,
        program=program,
        layout=layout,
        calls=[Call(0, 0)],
        kinds=NAMES,
        claims=claims_for(claims),
        world=PAGES,
    )


def load(machine: Machine, numbers: Numbers) -> Any:
    """A state of the machine with these numbers."""
    one = machine.new()
    one.map_count, one.brk = len(numbers.vmas), numbers.brk
    for number, fields in enumerate(numbers.vmas, 1):
        for name, value in fields.items():
            setattr(one.vma[number], name, value)
    for address, fields in numbers.mapped.items():
        for name, value in fields.items():
            setattr(one.page[address], name, value)
    for number, life in enumerate(numbers.lives, 1):
        one.anon_vma[number].life = life
    return one


def try_out(kernel: str, numbers: Numbers, call: Call, max_map_count: int, claims: Sequence[str]) -> Tried:
    """Run the call in the state, and ask the claims before and after."""
    machine = Machine(system_for(kernel, numbers.pages, max_map_count, claims))
    before, after = load(machine, numbers), machine.new()
    result = machine.step(before, call, after)
    said_before = {name: _said(machine, name, before) for name in claims if not PROPERTIES[name].on_step}
    said_after = {name: is_said(machine, name, before, call, result, after) for name in claims}
    return Tried(before, after, result, said_before, said_after)


def is_said(machine: Machine, name: str, before: Any, call: Call, result: int, after: Any) -> bool:
    """Is a claim true of the state after a call, or of the call? Of a call that stopped the kernel, all is true."""
    if not PROPERTIES[name].on_step:
        return _said(machine, name, after)
    return result == OOPS or _said(machine, name, before, CallRecord(call, result), after)


def _said(machine: Machine, name: str, *arguments: Any) -> bool:
    try:
        return bool(machine.evaluate(name, *arguments))
    except Broken:
        return False


# ---- is it reachable? ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Reached:
    """The outcome of a search for a state. calls: a shortest program that reaches it; None: not among the states found.

    scope is None if the state has too many pages to search for.
    """

    scope: Scope | None
    closed: bool
    states: int
    calls: tuple[Call, ...] | None


def reach(kernel: str, numbers: Numbers, operations: Sequence[str], max_map_count: int) -> Reached:
    """Search for a program that leads to the state."""
    if numbers.pages > MAX_PAGES_SEARCHED:
        return Reached(None, False, 0, None)
    scope = Scope(
        pages=numbers.pages,
        protections=_protections(numbers),
        operations=tuple(name for name in EVERY_OPERATION if name in operations),
        noreserve="mmap" in operations,
        max_map_count=max_map_count,
    )
    system = one_process.build(kernel, scope)
    machine = Machine(system_for(kernel, numbers.pages, max_map_count, ()))
    one = load(machine, numbers)
    machine.evaluate("canonicalise", one)
    claim = _is_the_state(one, numbers, kind_of(kernel).page_fields)
    program = Program({**system.program.functions, claim.name: claim}, system.program.constants)
    target = Claim(claim.name, sometimes=True)
    system = replace(system, program=program, claims=(target,))
    try:
        search = rounds.explore(system, [claim.name], Limits(max_states=MAX_STATES_SEARCHED))
    except OutOfBounds:
        return Reached(scope, False, 0, None)
    hit = search.hits.get(claim.name)
    return Reached(scope, search.closed, search.states, hit.calls if hit else None)


def _protections(numbers: Numbers) -> tuple[str, ...]:
    """R and RW, and those that the state's vmas have."""
    wanted = {vma["vm_flags"] & state.PROTECTION for vma in numbers.vmas}
    return tuple(name for name, bits in PROTECTIONS.items() if name in ("R", "RW") or bits in wanted)


def _is_the_state(one: Any, numbers: Numbers, page_fields: Sequence[str]) -> Function:
    """A claim that is true of this state only, whatever the pages that were not looked at."""
    tests = [f"mm.map_count == {one.map_count}", f"mm.brk == {one.brk}", "mm.bug == 0"]
    for vma in range(1, one.map_count + 1):
        for name in VMA_FIELDS:
            if name != "was":
                tests.append(f"mm.vma[{vma}].{name} == {getattr(one.vma[vma], name)}")
    for page in numbers.mapped:
        for name in page_fields:
            tests.append(f"mm.page[{page}].{name} == {getattr(one.page[page], name)}")
        mapping = one.page[page].mapping
        tests.append(f"mm.anon_vma[{mapping}].life == {one.anon_vma[mapping].life}" if mapping else "mm.bug == 0")
    body = "".join(f"    if not ({test}):\n        return False\n" for test in tests)
    functions, _ = read(Path("<state>"), f"def is_the_state(mm):\n{body}    return True\n", {})
    return functions["is_the_state"]
