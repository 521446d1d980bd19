# SPDX-License-Identifier: GPL-2.0-only
"""Proofs, refutations and differences as text. prove_data.py has them as data."""

from collections.abc import Sequence
from typing import Literal

from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.layout import OutOfBounds
from vmacheck.checker.proofs.any_state import Numbers
from vmacheck.checker.proofs.bounded import Found
from vmacheck.checker.proofs.confirm import load, system_for
from vmacheck.checker.proofs.equivalence import Difference
from vmacheck.checker.proofs.equivalence import Verdict as Equivalent
from vmacheck.checker.proofs.induction import RANGES, STRUCTURE
from vmacheck.checker.proofs.prove import Proof
from vmacheck.checker.proofs.trees import kind_of
from vmacheck.counterexamples.minimal.minimise import Minimised
from vmacheck.counterexamples.pictures.films import film
from vmacheck.counterexamples.pictures.text import LEGEND, picture
from vmacheck.counterexamples.pictures.words import count, listing
from vmacheck.counterexamples.replay.one_process import Page, Step, Vma, pages_in, replay, vmas_of
from vmacheck.model.calls.operations import POLICIES, Call, name_of, protection_text
from vmacheck.model.common.mm import MAX_MAP_COUNT
from vmacheck.model.states.linux_2_6 import PROTECTION


def steps_of(kernel: str, calls: Sequence[Call], max_map_count: int = MAX_MAP_COUNT) -> list[Step]:
    """The steps of a program; with more pages than it needs if a wrong kernel has more vmas than pages."""
    pages = max(call.room for call in calls)
    try:
        return replay(one_process.build(kernel, Scope(pages=pages, max_map_count=max_map_count), calls=calls), calls)
    except OutOfBounds:
        scope = Scope(pages=pages + len(calls), max_map_count=max_map_count)
        return replay(one_process.build(kernel, scope, calls=calls), calls)


def film_of(kernel: str, calls: Sequence[Call], max_map_count: int = MAX_MAP_COUNT) -> list[str]:
    """A program, drawn."""
    return film(steps_of(kernel, calls, max_map_count), max(call.room for call in calls))


# ---- states --------------------------------------------------------------------------------------


def shown(kernel: str, numbers: Numbers) -> tuple[tuple[Vma, ...], tuple[Page, ...]]:
    """A state in numbers as its vmas and its pages."""
    machine = Machine(system_for(kernel, numbers.pages, MAX_MAP_COUNT, ()))
    state = load(machine, numbers)
    return vmas_of(state), pages_in(state, numbers.pages)


def particulars(vmas: Sequence[Vma], pages: Sequence[Page]) -> str:
    """The facts on a state that a picture lacks, in a line; may be empty."""
    words = []
    for vma in vmas:
        extra = [flag for flag in vma.flags if flag != "ACCOUNT"]
        if "W" in vma.prot and "ACCOUNT" not in vma.flags:
            extra.append("NORESERVE")
        if vma.prot not in ("R", "RW"):
            extra.insert(0, vma.prot)
        if vma.file is not None:
            extra.append(f"file {vma.file}")
        if vma.policy is not None:
            extra.append(vma.policy)
        if vma.pgoff != vma.start:
            extra.append(f"offset {vma.pgoff}")
        if extra:
            words.append(f"[{vma.start},{vma.end}): {' '.join(extra)}")
    for page in pages:
        freed = "freed " if page.freed else ""
        words.append(f"page {page.page} hangs from {freed}{page.anon_vma or 'nothing'} at index {page.index}")
    return "; ".join(words)


def _state_lines(title: str, vmas: Sequence[Vma], pages: Sequence[Page], size: int, width: int) -> list[str]:
    more = particulars(vmas, pages)
    return [f"     {title:{width}}   {picture(vmas, size)}", *([f"     {'':{width}}   ({more})"] if more else [])]


# ---- prove ---------------------------------------------------------------------------------------

VERDICTS = {
    "proved": "PROVED",
    "refuted": "REFUTED",
    "unproved": "not proved",
    "incomplete": "incomplete",
    "vacuous": "vacuous",
    "equal": "EQUAL",
    "different": "DIFFERENT",
}


def proof_text(proof: Proof, max_map_count: int) -> list[str]:
    """The answer of `vmacheck prove KERNEL PROPERTY`."""
    lines = []
    if proof.failure is not None and proof.tried is not None:
        lines += [*_failure_lines(proof), ""]
    if proof.program is not None:
        lines += ["a program that does it, from the empty address space:", ""]
        lines += [*film_of(proof.kernel, proof.program, max_map_count), ""]
    lines = [LEGEND, "", *lines] if lines else lines
    reason = f" ({proof.reason})" if proof.reason else ""
    lines += [f"{proof.property} on {proof.kernel}: {VERDICTS[proof.verdict]}{reason}"]
    if proof.verdict in ("proved", "vacuous"):
        flags = ", with the flags that these calls give" if kind_of(proof.kernel).populates else ""
        lines.append(f"no {listing(proof.operations, 'or')} breaks it, {_any_state(proof.vmas)}{flags}")
    lemmas = [name for name in (*STRUCTURE, *proof.lemmas) if name != proof.property]
    lines.append(f"together with it: {', '.join([*lemmas, RANGES])}")
    lines.append(_effort(proof.paths, proof.checks if proof.verdict == "proved" else None))
    return lines


def _any_state(vmas: int) -> str:
    return f"from any state of up to {count(vmas, 'vma')}, of any size and at any address"


def _effort(paths: int, checks: int | None, compared: int | None = None) -> str:
    """The amount of work. The questions spent on finding small numbers depend on Z3, and are left out."""
    words = [f"{paths:,} paths"]
    words += [f"{compared:,} comparisons"] if compared is not None else []
    words += [f"{checks:,} questions to Z3"] if checks is not None else []
    return ", ".join(words)


def _failure_lines(proof: Proof) -> list[str]:
    failure, tried = proof.failure, proof.tried
    assert failure is not None
    assert tried is not None
    size, call = failure.before.pages, str(failure.call)
    width = max(len(call), len("before"))
    lines = [
        f"a state of {count(len(failure.before.vmas), 'vma')}, and a call that breaks {listing(failure.broken)}:",
        "",
    ]
    for title, state in (("before", tried.before), (call, tried.after)):
        lines += _state_lines(title, vmas_of(state), pages_in(state, size), size, width)
    lines += ["", f"     {_reached_text(proof)}"]
    return lines


def _reached_text(proof: Proof) -> str:
    reached = proof.reached
    assert reached is not None
    if reached.scope is None:
        return "whether a program leads to this state was not searched: it has too many pages"
    if reached.calls is not None:
        return f"a program of {count(len(reached.calls), 'call')} leads to this state"
    if reached.closed:
        states = f"{reached.states:,} states with {count(reached.scope.pages, 'page')}"
        return f"no program leads to this state (none of all {states}), and no property that holds rules it out"
    return f"no program was found that leads to this state ({reached.states:,} states)"


# ---- prove --depth -------------------------------------------------------------------------------


DepthVerdict = Literal["proved", "refuted", "incomplete"]


def depth_verdict(found: Found) -> DepthVerdict:
    """The verdict: refuted, incomplete, or proved up to the depth."""
    return "refuted" if found.program is not None else "incomplete" if found.open is not None else "proved"


def depth_text(kernel: str, name: str, scope: Scope, depth: int, found: Found) -> list[str]:
    """The answer of `vmacheck prove KERNEL PROPERTY --depth D`."""
    lines = []
    if found.program is not None:
        calls = count(len(found.program), "call")
        lines = [LEGEND, "", f"{name} is violated on {kernel} after {calls}", ""]
        lines += [*film_of(kernel, found.program, scope.max_map_count), ""]
        lines += [f"{name} on {kernel}: REFUTED by {calls}; no shorter program of any size does it"]
    elif found.open is not None:
        lines = [f"{name} on {kernel}: incomplete ({found.open})"]
    else:
        lines = [f"{name} on {kernel}: PROVED for programs of up to {count(depth, 'call')}, of any size"]
    levels = ", ".join(f"{number:,}" for number in found.levels)
    lines.append(f"protections {','.join(scope.protections)}, calls {','.join(scope.operations)}")
    return [*lines, f"rows of cells by number of calls: {levels}; {found.transitions:,} transitions"]


# ---- prove --equivalent --------------------------------------------------------------------------


def equivalent_text(found: Equivalent) -> list[str]:
    """The answer of `vmacheck prove --equivalent A B FUNCTION`."""
    lines = []
    if found.difference is not None:
        lines = [LEGEND, "", *_difference_lines(found, found.difference), ""]
    reason = f" ({found.reason})" if found.reason else ""
    lines.append(f"{found.function} of {found.a} and of {found.b}: {VERDICTS[found.verdict]}{reason}")
    if found.verdict == "equal":
        lines.append(f"wherever {listing(found.operations, 'or')} calls it, {_any_state(found.vmas)}")
        if kind_of(found.a).leaves_out_locked(found.operations):
            lines.append("locked memory is left out, but for what is locked on fault; --ops with mlock takes it in")
    lines.append(_effort(found.paths, found.checks if found.verdict == "equal" else None, found.compared))
    return lines


def _difference_lines(found: Equivalent, difference: Difference) -> list[str]:
    size = difference.before.pages
    arguments = ", ".join(f"{name}={_argument(name, value)}" for name, value in difference.arguments.items())
    rows = [("before", difference.before), (f"at {found.function}", difference.entry)]
    outcomes = [(found.a, *difference.a), (found.b, *difference.b)]
    width = max(len(title) for title in (*(row[0] for row in rows), found.a, found.b))
    lines = [
        f"{found.function} differs in {difference.call}, from a state of {count(len(difference.before.vmas), 'vma')}:",
        "",
    ]
    for title, numbers in rows:
        if numbers is not None:
            lines += _state_lines(title, *shown(found.a, numbers), size, width)
    lines += ["", f"     {found.function}({arguments})", ""]
    if difference.left is not None:
        name, a, b = difference.left
        lines += [f"     mm.{name}, which is looked at later, is {a} in the first and {b} in the second", ""]
    for kernel, result, numbers in outcomes:
        ends = "BUG: the kernel stops here" if result is None else f"returns {result}"
        if numbers is not None and result is not None:
            lines += _state_lines(kernel, *shown(kernel, numbers), size, width)
            structs = ", ".join(_struct(vma) for vma in numbers.vmas)
            ends += f"; structs: {structs}" if structs else ""
            lines.append(f"     {'':{width}}   {ends}")
        else:
            lines.append(f"     {kernel:{width}}   {ends}")
    return lines


def _struct(vma: dict[str, int]) -> str:
    return f"vma {vma['was']}" if vma["was"] else "a new one"


def _argument(name: str, value: int) -> str:
    if name.endswith("flags"):
        rest = value & ~PROTECTION
        return protection_text(value & PROTECTION) + (f"|{rest:#x}" if rest else "")
    if name == "policy":
        return name_of(value, POLICIES)
    return str(value)


# ---- minimise ------------------------------------------------------------------------------------


def minimised_text(found: Minimised) -> list[str]:
    """The answer of `vmacheck minimise`."""
    violation, cost = found.violation, found.cost
    what = violation.property or f"{violation.kernels[0]} is worse than {violation.kernels[1]} by {violation.worse}"
    lines = [LEGEND, ""]
    if found.given is not None and found.shrunk is not None:
        lines += [f"{count(found.given, 'call')} given, shrunk to {found.shrunk}, the least has {cost.calls}", ""]
    head = f"{what} is violated on {violation.kernels[0]}" if violation.property else what
    lines += [
        f"{head} after {count(cost.calls, 'call')}, about {count(cost.pages, 'page')}, of length {cost.length} in all",
        "",
    ]
    for kernel in violation.kernels:
        lines += [
            *([kernel] if len(violation.kernels) > 1 else []),
            *film_of(kernel, found.calls, violation.max_map_count),
            "",
        ]
    if found.general is not None:
        lines += [
            f"the same for any {found.general.condition}",
            "",
            *(f"     {call}" for call in found.general.calls),
            "",
        ]
    lines += [*found.shorter, *found.least]
    lines.append(f"protections {','.join(found.scope.protections)}, calls {','.join(found.scope.operations)}")
    return [*lines, f"the least there is: {'PROVED' if found.complete else 'not proved'}"]
