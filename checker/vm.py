# SPDX-License-Identifier: GPL-2.0-only
"""The Linux VM as a system: kernels by name, their patches, and the properties, put together for a scope."""

import ast
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from checker import own
from checker.codegen import check_fields
from checker.layout import Layout
from checker.link import Program, check_unchanging, link, linked_over, linked_with, read
from checker.prune import without_kinds
from checker.scope import Scope, ScopeError
from checker.system import LARGEST_RESULT, Claim, Goal, System
from model import state, unistd
from model.kernels import GOALS, MODERN, MODERN_KERNELS, Tree, every_kernel, files, patches_to
from model.mm import MAX_MAP_COUNT
from model.modern import state as modern
from model.operations import MODERN_OPERATIONS, NAMES, OPERATIONS, Call, TraceError, only_of_today, result_text
from properties import COST, FILES, PROPERTIES, Property, of_today

SLOT_COUNTS = ("NR_VMAS", "NR_ANON_VMAS")


class UnknownName(ValueError):
    """There is no kernel, patch or property of that name."""


def unknown(what: str, name: str, known: Sequence[str]) -> UnknownName:
    """The error that says so, with what it may have been meant to be."""
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return UnknownName(f"unknown {what} '{name}'; {hint}")


def split_name(name: str) -> tuple[str, list[str], list[Path]]:
    """BASE[+PATCH...] as the base, the built-in patches and the user's files. Files come last; they may contain '+'."""
    base, *rest = name.split("+")
    if base not in every_kernel():
        raise unknown("kernel", base, list(every_kernel()))
    built_in = patches_to(base)
    patches: list[str] = []
    while rest and rest[0] in built_in:
        patches.append(rest.pop(0))
    paths: list[Path] = []
    for word in _file_names(rest):
        if word in built_in:
            raise UnknownName(f"{name}: the built-in patch {word} has to come before the files")
        if not word.endswith(".py"):
            raise unknown("patch", word, [*built_in, "a path that ends in .py"])
        paths.append(Path(word))
    return base, patches, paths


def _file_names(words: list[str]) -> list[str]:
    """Words between plus signs as names, where a plus sign belongs to a path if only then the path ends in .py."""
    names: list[str] = []
    for word in words:
        if names and not names[-1].endswith(".py") and "/" in names[-1]:
            names[-1] += f"+{word}"
        else:
            names.append(word)
    return names


def program_of(name: str, constants: dict[str, int], more: Sequence[Path] = (), under: Sequence[Path] = ()) -> Program:
    """The functions of a kernel, linked, with more files over it, or between its base and its patches.

    Raises UnknownName, or LinkError for a user's file.
    """
    base, patches, paths = split_name(name)
    own, tree = every_kernel()[base].patches, every_kernel()[base].tree
    repeated = [patch for patch in patches if patch in own or patches.count(patch) > 1]
    if repeated:
        raise UnknownName(f"{name}: {repeated[0]} is in it twice")
    for patch in patches:
        over = patches_to(base)[patch].over
        if over and base not in over:
            raise UnknownName(f"{name}: {patch} is a change to {' and '.join(over)}")
    _check_that_patches_add_up(name, patches, tree)
    over_base = files((*own, *patches), tree)[len(tree.base) :]
    program = link([*tree.base, *under, *over_base, *more], constants)
    for path in paths:
        program = linked_over(program, path)
    return program


def _check_that_patches_add_up(name: str, patches: list[str], tree: Tree) -> None:
    """Raise UnknownName if two patches replace the same function: only the last would count."""
    replaced: dict[str, str] = {}
    for patch in patches:
        (path,) = files((patch,), tree)[len(tree.base) :]
        for function in read(path, path.read_text(encoding="utf-8"), {})[0]:
            if replaced.setdefault(function, patch) != patch:
                raise UnknownName(f"{name}: {replaced[function]} and {patch} both replace {function}")


def check_bounds_are_not_named(name: str) -> None:
    """Raise UnknownName if a user's file names how many slots there are: for any size, there is no such number."""
    _, _, paths = split_name(name)
    for path in paths:
        for function in read(path, path.read_text(encoding="utf-8"), {})[0].values():
            for node in ast.walk(function.node):
                if isinstance(node, ast.Name) and node.id in SLOT_COUNTS:
                    raise UnknownName(f"{path}:{node.lineno}: {node.id} is not known where the size is not")


@cache
def property_names() -> list[str]:
    """The claims that a check looks at by default: all but the sometimes ones."""
    return [name for name, prop in PROPERTIES.items() if prop.kind != "sometimes"]


def claims_for(names: Sequence[str], known: Mapping[str, Property] = PROPERTIES) -> tuple[Claim, ...]:
    """The claims with these names, and their premises; FILE.py:NAME is one of a user's file.

    Raises UnknownName, and LinkError for such a file.
    """
    found: dict[str, Claim] = {}
    for word in names:
        name = word
        if own.split(word)[0] is not None:
            name, mine = own.named(word)
            known = {**known, **mine}
        if name not in known:
            raise unknown("property", name, list(known))
        prop = known[name]
        found[name] = Claim(name, prop.kind == "sometimes", prop.on_step, prop.premise)
        if prop.premise is not None:
            found.setdefault(prop.premise, Claim(prop.premise, True, known[prop.premise].on_step))
    return tuple(found.values())


def check_is_claim(name: str) -> None:
    """Raise UnknownName unless it is a property of what is always true."""
    if name not in PROPERTIES:
        raise unknown("property", name, list(PROPERTIES))
    if PROPERTIES[name].kind == "sometimes":
        raise UnknownName(f"{name} is what must happen sometimes, not what is true always")


def program_with_claims(name: str) -> Program:
    """A kernel and the properties, linked, where the bounds of a scope do not matter. Raises as program_of does."""
    return with_properties(name, program_of(name, {}))


def with_properties(name: str, program: Program, more: Sequence[Path] = (), over: Sequence[Path] = ()) -> Program:
    """The program of a kernel with the properties, as they are for that kernel; more, and over them, are more files."""
    if not is_modern(name):
        return linked_with(program, [*FILES, *more], over)
    base, patches, _ = split_name(name)
    files, replacing = of_today((*every_kernel()[base].patches, *patches))
    return linked_with(program, [*FILES, *files, *more], [*replacing, *over])


def goals_for(kernel: str, scope: Scope) -> tuple[Goal, ...]:
    """What has to happen in a search of this scope: each merge case that it has room for, and that the kernel has."""
    never = every_kernel()[split_name(kernel)[0]].never
    return tuple(
        Goal(goal.name, goal.event)
        for goal in GOALS
        if goal.name not in never
        and goal.pages <= scope.pages
        and goal.operation in scope.operations
        and "mmap" in scope.operations
        and goal.protections <= len(scope.protections)
        and goal.max_map_count <= scope.max_map_count
    )


def absent_numbers(calls: Iterable[Call]) -> list[str]:
    """The names of the numbers of calls that are not among these."""
    present = {call.nr for call in calls}
    return [name for name, nr in vars(unistd).items() if name.startswith("NR_") and nr not in present]


def build(
    name: str,
    scope: Scope,
    properties: Sequence[str] = (),
    calls: Sequence[Call] | None = None,
    measures: Sequence[str] = (),
) -> System:
    """The kernel as a system to search, with the calls of the scope, or with others; measures are properties/cost.py's.

    Raises UnknownName, LinkError for a user's file that does not fit, and ScopeError.
    """
    calls = scope.calls() if calls is None else calls
    check_known(name, scope, calls)
    check_max_map_count(name, scope.max_map_count)
    if is_modern(name):
        bounds = modern.bounds(scope.pages, scope.operations, calls, scope.max_map_count, scope.max_pgoff)
    else:
        bounds = state.bounds(scope.pages, scope.operations, scope.max_map_count, scope.max_pgoff)
    program = program_of(name, bounds.constants())
    claims = claims_for(properties)
    if claims:
        program = with_properties(name, program)
    for path in own.paths_of(properties):
        program = own.linked(program, path)
    if measures:
        program = linked_with(program, [COST])
    program.check()
    check_unchanging(program, [*(claim.name for claim in claims), *measures])
    layout = Layout.of((modern if is_modern(name) else state).layout(bounds))
    if split_name(name)[2] or own.paths_of(properties):
        check_fields(program, layout, Call._fields)
    program = without_kinds(program, "nr", absent_numbers(calls))
    return System(name, program, layout, calls, NAMES, claims, goals_for(name, scope), result_text, tuple(measures))


def is_modern(name: str) -> bool:
    """Is the kernel one of today's?"""
    return every_kernel()[split_name(name)[0]].tree is MODERN


def check_is_of_the_seed(what: str, name: str) -> None:
    """Raise ScopeError if the kernel is one of today's, which `what` does not do."""
    if is_modern(name):
        raise ScopeError(f"{what} is about kernels of 2004, and {name} is none")


def check_max_map_count(name: str, max_map_count: int) -> None:
    """Raise ScopeError if the kernel is one of today's and the limit on vmas is not the usual one."""
    if is_modern(name) and max_map_count != MAX_MAP_COUNT:
        raise ScopeError(f"--max-map-count is about kernels of 2004, and {name} is none")


def check_known(name: str, scope: Scope, calls: Iterable[Call]) -> None:
    """Raise ScopeError or TraceError for what only today's kernels know, if this is none of them."""
    if is_modern(name):
        return
    for word in scope.operations:
        if word in MODERN_OPERATIONS:
            raise ScopeError(f"--ops: {word} is not known to {name}; {', '.join(MODERN_KERNELS)} know it")
    for call in calls:
        if (what := only_of_today(call)) is not None:
            raise TraceError(f"'{call}': {what} is not known to {name}; {', '.join(MODERN_KERNELS)} know it")


def without_renaming(system: System, calls: Sequence[Call]) -> System:
    """The same kernel, to step through calls without renaming: with room for an anon_vma of its own at each."""
    known = system.program.constants
    pages, max_map_count, more = known["TASK_SIZE"], known["MAX_MAP_COUNT"], len(calls)
    everything = [name for name in OPERATIONS if name != "mremap"]
    if is_modern(system.name):
        bounds = modern.bounds(pages, everything, calls, max_map_count, LARGEST_RESULT, more)
        layout = modern.layout(bounds)
    else:
        bounds = state.bounds(pages, everything, max_map_count, LARGEST_RESULT, more)
        layout = state.layout(bounds)
    program = Program(system.program.functions, {**known, **bounds.constants()})
    return replace(system, program=program, layout=Layout.of(layout), calls=calls, claims=())
