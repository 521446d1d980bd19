# SPDX-License-Identifier: GPL-2.0-only
"""One patch, one scope, some properties: the answers of every run, and where two of them contradict each other."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutate import Patch
from vmacheck.checker.files.errors import InputError
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.programs import property_names
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.wide import RANGE
from vmacheck.checker.proofs import bounded
from vmacheck.checker.proofs.any_size import Violation
from vmacheck.checker.proofs.equivalence import equivalent
from vmacheck.checker.proofs.oracle import Oracle
from vmacheck.checker.proofs.prove import prove
from vmacheck.checker.search.crew import Means
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import Checked, check
from vmacheck.counterexamples.minimal.minimise import minimise
from vmacheck.model.calls.operations import Call

BUG = "kernel_bug_is_never_hit"
OPERATIONS = (
    ("mmap", "munmap"),
    ("mmap", "munmap", "write"),
    ("mmap", "munmap", "mprotect"),
    ("mmap", "mprotect", "write"),
    ("mmap", "munmap", "mprotect", "write"),
)
MOST_STATES, FEW_STATES = 20_000, 120
MILLISECONDS = 4_000
DEPTH = 2


@dataclass
class Asked:
    """What was asked of a patch: the answers per run, contradictions, and whether an answer differs from the base's."""

    patch: Patch
    scope: Scope
    names: tuple[str, ...]
    answers: Counter[str] = field(default_factory=Counter)
    contradictions: list[str] = field(default_factory=list)
    changed: bool = False
    refused: str = ""


def question(draw: Random) -> tuple[Scope, tuple[str, ...]]:
    """A random scope, and properties to ask about."""
    pages = draw.choice((1, 2, 2, 3))
    protections = draw.choice((("RW",), ("R", "RW")))
    scope = Scope(pages=pages, protections=protections, operations=draw.choice(OPERATIONS))
    others = [name for name in property_names() if name != BUG]
    return scope, (BUG, *draw.sample(others, 2))


@cache
def reached(base: str, scope: Scope) -> frozenset[str]:
    """The functions of the kernel that the scope's calls can reach."""
    program = one_process.build(base, scope).program
    return frozenset(function.name for function in program.reachable(["step"]))


def ask(patch: Patch, scope: Scope, names: tuple[str, ...], folder: Path, is_full: bool) -> Asked:
    """Ask every run; of a full question, also those that take long."""
    path = folder / "patch.py"
    path.write_text(patch.text)
    asked = Asked(patch, scope, names)
    kernel = f"{patch.base}+{path}"
    try:
        found = searched(kernel, scope, names)
    except InputError as error:
        asked.refused = str(error)
        return asked
    asked.answers["compiled"] += 1
    asked.changed = figures(found) != of_base(patch.base, scope, names)
    if asked.changed:
        for run in (_interpreted, _workers, _any_size, *((_every_size, _induction, _least, _same_function) * is_full)):
            for said in run(asked, kernel, found):
                asked.contradictions.append(f"{run.__name__.strip('_')}: {said}")
    return asked


def searched(kernel: str, scope: Scope, names: Sequence[str], **more: Any) -> Checked:
    """A search of the kernel."""
    limits = more.pop("limits", Limits(max_states=MOST_STATES))
    return check(one_process.build(kernel, scope, names), list(names), limits, **more)


def figures(found: Checked) -> Any:
    """What a search says."""
    search = found.search
    return (
        [(one.claim.name, one.verdict, one.calls, one.reason) for one in found.results],
        (search.states, search.transitions, search.depth, search.closed, search.stopped),
    )


@cache
def of_base(base: str, scope: Scope, names: tuple[str, ...]) -> Any:
    """What a search of the kernel without the patch says."""
    return figures(searched(base, scope, names))


def lengths(found: Checked) -> dict[str, int]:
    """By property, the calls of the shortest program that violates it."""
    return {one.claim.name: len(one.calls or ()) for one in found.results if one.verdict == "violated"}


# ---- the runs: each says what it contradicts -----------------------------------------------------


def _interpreted(asked: Asked, kernel: str, _found: Checked) -> Iterator[str]:
    limits = Limits(max_states=FEW_STATES)
    one = searched(kernel, asked.scope, asked.names, limits=limits)
    other = searched(kernel, asked.scope, asked.names, limits=limits, run="interpreted")
    asked.answers["interpreted"] += 1
    if figures(one) != figures(other):
        yield f"{figures(one)}, interpreted {figures(other)}"


def _workers(asked: Asked, kernel: str, found: Checked) -> Iterator[str]:
    other = searched(kernel, asked.scope, asked.names, means=Means(lambda: 3))
    asked.answers["three workers"] += 1
    if figures(found) != figures(other):
        yield f"{figures(found)}, with three workers {figures(other)}"
    depth = max([1, *(length - 1 for length in lengths(found).values())])
    shallow = lengths(searched(kernel, asked.scope, asked.names, limits=Limits(depth=depth)))
    asked.answers["limited depth"] += 1
    if shallow != {name: length for name, length in lengths(found).items() if length <= depth}:
        yield f"{lengths(found)}, of up to {depth} calls {shallow}"


def _any_size(asked: Asked, kernel: str, found: Checked) -> Iterator[str]:
    name = min(lengths(found), key=lambda name: lengths(found)[name], default=BUG)
    if name != RANGE:
        yield from _of_depth(asked, kernel, name, DEPTH, {asked.scope.pages: found})


def _of_depth(asked: Asked, kernel: str, name: str, depth: int, searches: dict[int, Checked]) -> Iterator[str]:
    """prove --depth against searches in pages."""
    answer = bounded.search(kernel, name, asked.scope, depth, MILLISECONDS)
    if answer.program is None and answer.open is not None:
        asked.answers["prove --depth, open"] += 1
        if "disagree" in answer.open:
            yield f"{name}: {answer.open}"
        return
    asked.answers["prove --depth"] += 1
    least = depth + 1 if answer.program is None else len(answer.program)
    for pages, found in searches.items():
        if lengths(found).get(name, least) < least:
            yield f"{name} in {pages} pages by {lengths(found)[name]}, of any size not by fewer than {least}"
    if answer.program is not None:
        yield from _is_shown(asked, kernel, name, answer.program)


def _is_shown(asked: Asked, kernel: str, name: str, program: Sequence[Call]) -> Iterator[str]:
    room = max(call.room for call in program)
    if not Oracle(Violation((kernel,), name), room).first_at(program):
        yield f"{name}: {'; '.join(map(str, program))} does not show it"
    if room <= 5:
        other = searched(kernel, replace(asked.scope, pages=room), (name,), limits=Limits(len(program)))
        if lengths(other).get(name, len(program) + 1) != len(program):
            yield f"{name}: {'; '.join(map(str, program))}, a search of {room} pages says {lengths(other)}"


# ---- those that take long ------------------------------------------------------------------------


def _every_size(asked: Asked, kernel: str, _found: Checked) -> Iterator[str]:
    scopes = {pages: replace(asked.scope, pages=pages) for pages in (1, 2, 3, 4)}
    found = {pages: searched(kernel, scope, asked.names) for pages, scope in scopes.items()}
    asked.answers["pages 1 to 4"] += 1
    for name in asked.names:
        yield from _of_depth(asked, kernel, name, DEPTH + 1 if name == BUG else DEPTH, found)


def _induction(asked: Asked, kernel: str, found: Checked) -> Iterator[str]:
    for name in asked.names[:2]:
        answer = prove(kernel, name, asked.scope.operations, 1, 65536, MILLISECONDS)
        asked.answers[f"prove, {answer.verdict}"] += 1
        wide = searched(kernel, replace(asked.scope, pages=4), (name,))
        if answer.verdict == "proved" and name in {**lengths(found), **lengths(wide)}:
            yield f"{name}: proved, and violated by {lengths(found)}, in 4 pages {lengths(wide)}"
        if answer.verdict == "refuted" and answer.program is not None:
            if not Oracle(Violation((kernel,), name), max(call.room for call in answer.program)).first_at(
                answer.program
            ):
                yield f"{name}: refuted by {'; '.join(map(str, answer.program))}, which does not show it"
        if answer.verdict == "incomplete" and "wrong" in (answer.reason or ""):
            yield f"{name}: {answer.reason}"


def _least(asked: Asked, kernel: str, found: Checked) -> Iterator[str]:
    for name, length in lengths(found).items():
        if name == RANGE or length > 3:
            continue
        answer = minimise(Violation((kernel,), name), None, asked.scope, MILLISECONDS)
        asked.answers["minimise" if answer.complete else "minimise, open"] += 1
        if answer.complete and len(answer.calls) > length:
            yield f"{name}: by {length}, and the least there is by {len(answer.calls)}"


def _same_function(asked: Asked, kernel: str, found: Checked) -> Iterator[str]:
    if len(asked.patch.functions) != 1:
        return
    function = asked.patch.functions[0].split("(")[0].removeprefix("def ")
    answer = equivalent(asked.patch.base, kernel, function, asked.scope.operations, 2, 65536, MILLISECONDS)
    asked.answers[f"--equivalent, {answer.verdict}"] += 1
    if answer.verdict == "equal" and asked.scope.pages <= 2:
        if figures(found) != of_base(asked.patch.base, asked.scope, asked.names):
            yield f"{function}: equal, and searches differ: {figures(found)}"
