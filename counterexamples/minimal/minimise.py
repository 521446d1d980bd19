# SPDX-License-Identifier: GPL-2.0-only
"""From a program that shows a violation to the least one, with proofs about it.

First the program is shrunk, whatever its length. Then a search, and Z3 for address spaces of any size, look for one
with fewer calls. Then Z3 finds the least with as many calls, and the condition on its addresses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.compare import compare_kernels
from vmacheck.checker.kernels.scope import MAX_PAGES, Scope
from vmacheck.checker.proofs import any_size
from vmacheck.checker.proofs.any_size import Violation
from vmacheck.checker.proofs.bounded import search
from vmacheck.checker.proofs.least import Cost, Least, cost_of, least_program
from vmacheck.checker.proofs.oracle import Oracle
from vmacheck.checker.proofs.weakest_condition import General, general
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import check
from vmacheck.checker.symbolic.pool import workers
from vmacheck.checker.symbolic.values import NOT_FOLLOWED, why_not_followed
from vmacheck.counterexamples.minimal.shrink import Shrink
from vmacheck.counterexamples.pictures.words import count
from vmacheck.model.calls.operations import (
    ADVICE_PAIRS,
    DONTUNMAP,
    EVERY_OPERATION,
    FIXED,
    NAMES,
    PROTECTIONS,
    Call,
    TraceError,
)
from vmacheck.model.common.mm import MAP_NORESERVE
from vmacheck.model.common.unistd import NR_madvise, NR_mmap, NR_mremap
from vmacheck.model.linux.mm import MAP_POPULATE

DEEPEST_ANY_SIZE = 4  # calls up to which Z3 looks for a shorter program of any size
LARGEST_LEAST = 6  # calls up to which the least program is looked for
Report = Callable[[str], None]


@dataclass
class Minimised:
    """The least program, with proofs about it.

    given: number of calls of the given program; shrunk: its number after shrinking; both None if none was given.
    shorter: the reason that no program has fewer calls. least: the reason that no lesser one has as many, or that
    this is open. complete: are both proved?
    """

    violation: Violation
    scope: Scope
    given: int | None
    shrunk: int | None
    calls: tuple[Call, ...]
    shorter: list[str]
    least: list[str]
    complete: bool
    general: General | None

    @property
    def cost(self) -> Cost:
        """The program's place in the order."""
        return cost_of(self.calls)


class NotViolated(TraceError):
    """The program does not show the violation."""


def minimise(
    violation: Violation,
    calls: Sequence[Call] | None,
    scope: Scope,
    milliseconds: int,
    report: Report = lambda _: None,
) -> Minimised:
    """The least program that shows the violation, starting from `calls` or, if None, from a search of the scope.

    Raises NotViolated, and whatever building and searching the kernels raises.
    """
    given = None if calls is None else len(calls)
    if calls is None:
        report("searching")
        best = _searched(violation, scope, None)
        if best is None:
            raise NotViolated(f"{_what(violation)} in this scope: there is nothing to minimise")
    else:
        report("shrinking")
        best = _shrunk(violation, calls, scope)
    shrunk = None if calls is None else len(best)
    scope = _scope_with(scope, best)
    if calls is not None and len(best) > 1:
        best = _searched(violation, scope, len(best) - 1) or best
    told = [f"search: none of fewer calls in an address space of {scope.pages} pages"] if len(best) > 1 else []
    report("asking Z3")
    with workers() as pool:
        everywhere = pool.submit(_any_size, violation, scope, len(best) - 1, milliseconds)
        least = pool.submit(_least, violation, scope, best, milliseconds)
        found, proof, is_proved = everywhere.result()
        best, least_told, least_proved = least.result()
        where = general(pool, violation, best, milliseconds) if violation.property and found is None else None
    if found is not None:
        return minimise(violation, found, scope, milliseconds, report)
    return Minimised(
        violation, scope, given, shrunk, best, [*told, proof], least_told, is_proved and least_proved, where
    )


def _what(violation: Violation) -> str:
    if violation.property:
        return f"{violation.property} is not violated on {violation.kernels[0]}"
    return f"{violation.kernels[0]} is not worse than {violation.kernels[1]} by {violation.worse}"


def _shrunk(violation: Violation, calls: Sequence[Call], scope: Scope) -> tuple[Call, ...]:
    pages = max(call.room for call in calls)
    if pages > MAX_PAGES:
        raise TraceError(f"the trace needs {pages} pages; there can be {MAX_PAGES}")
    oracle = Oracle(violation, pages)
    first = oracle.first_at(calls)
    if first is None:
        raise NotViolated(f"{_what(violation)} by a program of {count(len(calls), 'call')}")
    protections = [PROTECTIONS[name] for name in scope.protections]
    return Shrink(calls[:first], oracle.shows, protections).run()


def _scope_with(scope: Scope, calls: Sequence[Call]) -> Scope:
    """The scope, extended by the kinds of calls and the protections of the program."""
    operations = {*scope.operations, *(_operation(call) for call in calls)}
    protections = {
        *scope.protections,
        *(
            name
            for name, bits in PROTECTIONS.items()
            if any(bits == c.prot for c in calls if ",P" in EVERY_OPERATION[_operation(c)].form)
        ),
    }
    return Scope(
        pages=scope.pages,
        protections=tuple(name for name in PROTECTIONS if name in protections),
        operations=tuple(name for name in EVERY_OPERATION if name in operations),
        noreserve=scope.noreserve or any(call.flags & MAP_NORESERVE for call in calls if call.nr == NR_mmap),
        max_map_count=scope.max_map_count,
        highest_pgoff=scope.highest_pgoff,
    )


def _operation(call: Call) -> str:
    """The word of a scope for such calls. Raises TraceError for calls without one."""
    if call.nr == NR_mremap:
        if call.flags == DONTUNMAP:
            return "dontunmap"
        return "move" if call.flags == FIXED and call.len == call.new_len else "mremap"
    if call.nr == NR_madvise:
        return next((word for word, pair in ADVICE_PAIRS.items() if call.behavior in pair.values()), "madvise")
    if call.nr == NR_mmap:
        if call.flags & ~(MAP_NORESERVE | MAP_POPULATE):
            raise TraceError(f"'{call}': of mmap's flags, minimise knows NORESERVE and POPULATE")
        return "populate" if call.flags & MAP_POPULATE else "file" if call.file else "mmap"
    return NAMES[call.nr]


def _searched(violation: Violation, scope: Scope, depth: int | None) -> tuple[Call, ...] | None:
    """A shortest program of the scope, of up to `depth` calls."""
    limits = Limits(depth=depth)
    if violation.property:
        system = one_process.build(violation.kernels[0], scope, [violation.property])
        return check(system, [violation.property], limits).results[0].calls
    compared = compare_kernels(violation.kernels[0], violation.kernels[1], violation.worse, scope, limits)
    return compared.found.a_worse


# ---- what Z3 says, each in a process of its own --------------------------------------------------


def _any_size(
    violation: Violation, scope: Scope, depth: int, milliseconds: int
) -> tuple[tuple[Call, ...] | None, str, bool]:
    """A program of up to `depth` calls and any size, or None with a statement on that; and whether it was proved."""
    if depth < 1:
        return None, "no program is shorter than one call", True
    missing = [name for name in scope.operations if name not in any_size.FOLLOWED]
    if missing or not violation.property or depth > DEEPEST_ANY_SIZE:
        why = (
            f"{missing[0]} is not followed"
            if missing
            else f"more than {DEEPEST_ANY_SIZE} calls are not followed"
            if violation.property
            else "comparisons are not followed"
        )
        return None, f"Z3, any size: not known ({why})", False
    found = search(violation.kernels[0], violation.property, scope, depth, milliseconds)
    if found.program is not None:
        return found.program, "", False
    if found.open is not None:
        return None, f"Z3, any size: not known ({found.open})", False
    return None, f"Z3: none of fewer calls in an address space of any size ({sum(found.levels):,} rows of cells)", True


def _not_known(why: str) -> str:
    return f"Z3: whether a lesser one of as many calls exists is not known ({why})"


def _least(
    violation: Violation, scope: Scope, best: tuple[Call, ...], milliseconds: int
) -> tuple[tuple[Call, ...], list[str], bool]:
    """The least program of as many calls, the statements about it, and whether all is proved."""
    missing = [name for name in scope.operations if name not in any_size.FOLLOWED_IN_UNITS]
    if missing or len(best) > LARGEST_LEAST:
        why = f"{missing[0]} is not followed" if missing else f"more than {LARGEST_LEAST} calls are not followed"
        return best, [_not_known(why)], False
    templates, calls, told = any_size.templates(scope), len(best), []
    found: Least | None = None
    cost = cost_of(best)
    longest = calls * (2 if "move" in scope.operations else 1)
    for pages in range(1, cost.pages + 1):
        for length in [pages * longest] if pages < cost.pages else range(calls, cost.length + 1):
            try:
                found = least_program(violation, templates, calls, pages, length, milliseconds)
            except NOT_FOLLOWED as error:
                return best, [_not_known(why_not_followed(error))], False
            if found.open is not None:
                return best, [_not_known(found.open)], False
            if found.program is not None:
                break
        if found is not None and found.program is not None:
            break
        if pages < cost.pages:
            told.append(f"Z3: none of {count(calls, 'call')} is about fewer than {pages + 1} pages")
    assert found is not None
    if found.program is None:
        return best, ["Z3: neither the program was found again nor a lesser one; one of the two is wrong"], False
    cost = cost_of(found.program)
    told = told[-1:]
    told.append(f"Z3: of those about {count(cost.pages, 'page')}, none has a total length below {cost.length}")
    told.append(f"Z3: of those of length {cost.length}, none has simpler protections, or the same and lower addresses")
    return found.program, told, True
