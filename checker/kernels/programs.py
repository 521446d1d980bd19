# SPDX-License-Identifier: GPL-2.0-only
"""A kernel's functions, by its name, linked; with the properties, the claims and the goals of a search."""

import ast
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from vmacheck.checker.kernels import user_properties
from vmacheck.checker.kernels.names import UnknownName, split_name, tree_of, unknown
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.link import Program, link, linked_over, linked_with, read, read_text
from vmacheck.checker.program.system import Claim, Goal
from vmacheck.model import kernels
from vmacheck.model.calls.operations import (
    Call,
)
from vmacheck.model.common import unistd
from vmacheck.model.kernels import GOALS, Tree, every_kernel
from vmacheck.properties import FILES, PROPERTIES, Property, file_of, rules_of

SLOT_COUNTS = ("NR_VMAS", "NR_ANON_VMAS")


def program_of(name: str, constants: dict[str, int], more: Sequence[Path] = (), under: Sequence[Path] = ()) -> Program:
    """The functions of a kernel, linked, with more files over it, or between its base and its patches.

    Raises UnknownName, or LinkError for a user's file.
    """
    base, patches, paths = split_name(name)
    tree = tree_of(name)
    own = tree.kernels[base].patches
    repeated = [patch for patch in patches if patch in own or patches.count(patch) > 1]
    if repeated:
        raise UnknownName(f"{name}: {repeated[0]} is in it twice")
    for patch in patches:
        over = tree.patches[patch].over
        if over and base not in over:
            raise UnknownName(f"{name}: {patch} is a change to {' and '.join(over)}")
    _check_that_patches_add_up(name, patches, tree)
    over_base = map(tree.patch_file, (*own, *patches))
    program = link([*tree.base, *under, *over_base, *more], constants)
    for path in paths:
        program = linked_over(program, path)
    return program


def _check_that_patches_add_up(name: str, patches: list[str], tree: Tree) -> None:
    """Raise UnknownName if two patches replace the same function: only the last would count."""
    replaced: dict[str, str] = {}
    for patch in patches:
        path = tree.patch_file(patch)
        for function in read(path, read_text(path), {})[0]:
            if replaced.setdefault(function, patch) != patch:
                raise UnknownName(f"{name}: {replaced[function]} and {patch} both replace {function}")


def check_bounds_are_not_named(name: str) -> None:
    """Raise UnknownName if a user's file names the number of slots: a proof for any size has no such number."""
    _, _, paths = split_name(name)
    for path in paths:
        for function in read(path, read_text(path), {})[0].values():
            for node in ast.walk(function.node):
                if isinstance(node, ast.Name) and node.id in SLOT_COUNTS:
                    raise UnknownName(f"{path}:{node.lineno}: {node.id} is not known where the size is not")


@cache
def property_names() -> list[str]:
    """The claims that a check looks at by default: all but the "sometimes" ones."""
    return [name for name, prop in PROPERTIES.items() if prop.kind != "sometimes"]


def claims_for(names: Sequence[str], known: Mapping[str, Property] = PROPERTIES) -> tuple[Claim, ...]:
    """The claims with these names, and their premises; FILE.py:NAME is one of a user's file.

    Raises UnknownName, and LinkError for such a file.
    """
    found: dict[str, Claim] = {}
    for word in names:
        name = word
        if user_properties.split(word)[0] is not None:
            name, mine = user_properties.named(word)
            known = {**known, **mine}
        if name not in known:
            raise unknown("property", name, known)
        prop = known[name]
        found[name] = Claim(name, prop.kind == "sometimes", prop.on_step, prop.premise)
        if prop.premise is not None:
            found.setdefault(prop.premise, Claim(prop.premise, True, known[prop.premise].on_step))
    return tuple(found.values())


def program_with_claims(name: str) -> Program:
    """A kernel and the properties, linked, for uses without the bounds of a scope. Raises as program_of does."""
    return with_properties(name, program_of(name, {}))


def with_properties(name: str, program: Program, more: Sequence[Path] = (), over: Sequence[Path] = ()) -> Program:
    """The program of a kernel with the properties for that kernel; more files are added, and files linked over them."""
    tree, (base, patches, _) = tree_of(name), split_name(name)
    replacing = [*map(file_of, tree.properties_over), *rules_of((*tree.kernels[base].patches, *patches))]
    return linked_with(program, [*FILES, *map(file_of, tree.properties), *more], [*replacing, *over])


def goals_for(kernel: str, scope: Scope) -> tuple[Goal, ...]:
    """The events that a search of this scope must see: each merge case that fits into it, and that the kernel has."""
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
    """The names of the call numbers that these calls do not use."""
    present = {call.nr for call in calls}
    return [name for name, nr in vars(unistd).items() if name.startswith("NR_") and nr not in present]


@cache
def shown_path(file: str) -> str:
    """The name of a file for readers: of ours, relative to the root of the repository."""
    path, root = Path(file), kernels.HERE.parent
    return str(path.relative_to(root)) if path.is_relative_to(root) and path.is_absolute() else file
