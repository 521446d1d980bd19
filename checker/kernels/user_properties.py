# SPDX-License-Identifier: GPL-2.0-only
"""Properties in a user's own file: FILE.py:NAME names one.

The file is written like those of properties/, and read as text, so that none of it is run.
"""

import ast
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from vmacheck.checker.files.errors import instead_of
from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import LinkError, Program, linked_with, parsed, read, read_text
from vmacheck.checker.program.reserved import RESERVED
from vmacheck.properties import PROPERTIES, Property

SPARE_SLOTS = {"VMA_NEW"}  # of slots for what a call has in hand
ARGUMENTS = {"always": (1,), "step": (3,), "sometimes": (1, 3)}


def split(word: str) -> tuple[Path | None, str]:
    """The file, if it is one of the user's, and the name of a property."""
    path, colon, name = word.rpartition(":")
    return (Path(path), name) if colon and path.endswith(".py") else (None, word)


def paths_of(words: Iterable[str]) -> list[Path]:
    """The files of properties, each once."""
    return list(dict.fromkeys(path for path, _ in map(split, words) if path is not None))


def named(word: str) -> tuple[str, dict[str, Property]]:
    """The name of a user's property, and all properties of its file. Raises LinkError for an unknown name."""
    path, name = split(word)
    assert path is not None
    found = own_properties(path)
    if name not in found:
        raise LinkError(f"{path}: there is no property {name}; {instead_of(name, found)}")
    return name, found


def own_properties(path: Path) -> dict[str, Property]:
    """The properties of a file by name. Raises LinkError with the line at fault."""
    found: dict[str, Property] = {}
    for node in parsed(read_text(path), path).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            if len(node.decorator_list) > 1:
                raise LinkError(f"{path}:{node.lineno}: {node.name}: has more than one decorator")
            kind, premise = _decorator(path, node, node.decorator_list[0])
            if premise is not None and getattr({**PROPERTIES, **found}.get(premise), "kind", "") != "sometimes":
                raise LinkError(f"{path}:{node.lineno}: {node.name}: its premise {premise} is no @sometimes property")
            count = len(node.args.args)
            if count not in ARGUMENTS[kind]:
                takes = " or ".join("(before, call, after)" if n == 3 else "(mm)" for n in ARGUMENTS[kind])
                raise LinkError(f"{path}:{node.lineno}: {node.name}: @{kind} takes {takes}")
            if node.name in PROPERTIES:
                raise LinkError(f"{path}:{node.lineno}: {node.name} is a property that comes with vmacheck")
            found[node.name] = Property(node.name, kind, count == 3, premise, ast.get_docstring(node) or "")
    return found


def _decorator(path: Path, node: ast.FunctionDef, decorator: ast.expr) -> tuple[str, str | None]:
    """The kind of property that a decorator makes, and its premise."""
    if isinstance(decorator, ast.Name) and decorator.id == "sometimes":
        return "sometimes", None
    if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name):
        kind, given = decorator.func.id, [*decorator.args, *(word.value for word in decorator.keywords)]
        is_premise = all(word.arg == "premise" for word in decorator.keywords) and len(given) <= 1
        if kind in ("always", "step") and is_premise and all(isinstance(one, ast.Name) for one in given):
            return kind, next((one.id for one in given if isinstance(one, ast.Name)), None)
    forms = "@always(), @step(), either with premise=NAME, and @sometimes"
    raise LinkError(f"{path}:{node.lineno}: {node.name}: the decorators are {forms}")


def linked(program: Program, path: Path) -> Program:
    """The program with the file's functions added to its own. Raises LinkError with the line at fault."""
    functions, constants = read(path, read_text(path), program.constants, strict=True, decorated=True)
    for name, function in functions.items():
        if name in RESERVED or name.startswith("__"):
            raise LinkError(f"{function}: {name} is a name of the checker's own")
    for name in constants:
        if name in RESERVED or name in program.constants:
            raise LinkError(f"{path}: {name} is a name that is taken")
    more = linked_with(program, [path])
    for name in functions:
        more.functions[name] = replace(more.functions[name], trusted=False)
    more.check()
    more.reachable(functions)
    return more


def check_looks_at_the_state_only(program: Program, files: Iterable[Path], layout: Layout) -> None:
    """Raise LinkError if a property of these files looks at what is no part of a state: what a call leaves behind."""
    scratch = {field.name for field in layout.numbers if field.scratch}
    scratch |= {field.name for array in layout.arrays for field in array.fields if field.scratch}
    scratch -= {place.field.name for place in layout.key_fields()}
    own = {str(path) for path in files}
    for function in program.reachable([name for name, one in program.functions.items() if one.file in own]):
        for node in ast.walk(function.node):
            if isinstance(node, ast.Attribute) and node.attr in scratch:
                raise LinkError(f"{function.file}:{node.lineno}: {function.name}: {node.attr} is no part of a state")
            if isinstance(node, ast.Name) and node.id in SPARE_SLOTS:
                raise LinkError(f"{function.file}:{node.lineno}: {function.name}: {node.id} is a slot of no state")
