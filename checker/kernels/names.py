# SPDX-License-Identifier: GPL-2.0-only
"""Kernels and properties by name: BASE[+PATCH...], and checks of what the tree of a kernel knows."""

from collections.abc import Collection, Iterable
from pathlib import Path

from vmacheck.checker.files.errors import InputError, instead_of
from vmacheck.checker.kernels.auto import resolved
from vmacheck.checker.kernels.scope import Scope, ScopeError
from vmacheck.model import kernels
from vmacheck.model.calls.operations import EVERY_OPERATION, Call, TraceError
from vmacheck.model.common.mm import MAX_MAP_COUNT
from vmacheck.model.kernels import Tree, every_kernel
from vmacheck.properties import PROPERTIES


class UnknownName(InputError):
    """Unknown name of a kernel, patch or property."""


LISTED_BY = {
    "kernel": "vmacheck list kernels",
    "patch": "vmacheck list kernels",
    "property": "vmacheck list properties",
    "claim": "vmacheck list claims",
}


def unknown(what: str, name: str, known: Collection[str], listed_by: str = "") -> UnknownName:
    """The error for an unknown name, with the names that may have been meant, or the command that lists them."""
    hint = instead_of(name, known, listed_by or LISTED_BY.get(what, ""))
    if what == "property":
        hint += "; FILE.py:NAME is one of your own"
    if what == "patch":
        file = Path(f"{name}.py")
        hint = f"did you mean ./{file}?" if file.is_file() else f"{hint}; a path that ends in .py is one of your own"
    return UnknownName(f"unknown {what} '{name}'; {hint}")


def split_name(name: str) -> tuple[str, list[str], list[Path]]:
    """BASE[+PATCH...] as the base, the built-in patches and the user's files. Files come last; they may contain '+'.

    auto is the model of the running kernel. Raises UnknownName, and KernelError.
    """
    base, *rest = resolved(name).split("+")
    if base not in every_kernel():
        raise unknown("kernel", base, every_kernel())
    built_in = kernels.tree_of(base).patches
    patches: list[str] = []
    while rest and rest[0] in built_in:
        patches.append(rest.pop(0))
    paths: list[Path] = []
    for word in _file_names(rest):
        if word in built_in:
            raise UnknownName(f"{name}: the built-in patch {word} has to come before the files")
        if not word.endswith(".py"):
            raise unknown("patch", word, built_in)
        paths.append(Path(word))
    return base, patches, paths


def _file_names(words: list[str]) -> list[str]:
    """Words between plus signs as names; a plus sign belongs to a path if the path ends in .py only with it."""
    names: list[str] = []
    for word in words:
        if names and not names[-1].endswith(".py") and "/" in names[-1]:
            names[-1] += f"+{word}"
        else:
            names.append(word)
    return names


def check_is_claim(name: str) -> None:
    """Raise UnknownName unless it is an "always" property."""
    if name not in PROPERTIES:
        raise unknown("property", name, PROPERTIES)
    if PROPERTIES[name].kind == "sometimes":
        raise UnknownName(f"{name} is what must happen sometimes, not what is true always")


def tree_of(name: str) -> Tree:
    """The tree of the kernel. Raises UnknownName."""
    return kernels.tree_of(split_name(name)[0])


def check_is_of(tree: Tree, what: str, name: str) -> None:
    """Raise ScopeError unless the kernel is of the tree that `what` is about."""
    if tree_of(name) is not tree:
        raise ScopeError(f"{what} is about {tree.word}, and {name} is none")


def check_max_map_count(name: str, max_map_count: int) -> None:
    """Raise ScopeError if the limit on vmas is not the usual one, but fixed for this kernel."""
    if max_map_count != MAX_MAP_COUNT and not tree_of(name).has_max_map_count:
        raise ScopeError(f"--max-map-count is about {kernels.LINUX_2_6.word}, and {name} is none")


def check_known(name: str, scope: Scope, calls: Iterable[Call]) -> None:
    """Raise ScopeError or TraceError for an operation, or a part of a call, unknown to the kernel's tree."""
    tree = tree_of(name)
    knowing = ", ".join(kernels.LINUX.kernels)
    for word in scope.operations:
        if word not in tree.operations and word in EVERY_OPERATION:
            raise ScopeError(f"--ops: {word} is not known to {name}; {knowing} know it")
    for call in calls:
        if (what := tree.lacks(call)) is not None:
            raise TraceError(f"'{call}': {what} is not known to {name}; {knowing} know it")
