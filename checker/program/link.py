# SPDX-License-Identifier: GPL-2.0-only
"""Linking: functions from several files over one table of names, later ones in place of earlier ones.

The files are read as text and never imported, so linking somebody's patch runs none of it.
"""

import ast
import copy
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from vmacheck.checker.files.errors import InputError, instead_of
from vmacheck.checker.program import subset
from vmacheck.checker.program.layout import MACHINE_FIELDS
from vmacheck.checker.program.reserved import RESERVED

# CPython's conversion of syntax trees is not safe in several threads at once (3.11: "recursion depth mismatch").
AST_LOCK = threading.RLock()
KERNEL_NAMES = ("__anon_vma_merge", "__split_vma", "__mm_populate")  # names with two underscores that are the kernel's


class LinkError(InputError):
    """Something cannot be linked; the message names the file and the line."""


@dataclass(frozen=True)
class Function:
    """One function as it was written, and where. Not trusted: from a user's patch, so it may loop forever."""

    node: ast.FunctionDef
    file: str
    trusted: bool = True

    @property
    def name(self) -> str:
        """The name that it is defined under."""
        return self.node.name

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters."""
        return tuple(argument.arg for argument in self.node.args.args)

    @property
    def line(self) -> int:
        """The line that it begins at in its file."""
        return self.node.lineno

    @property
    def what(self) -> str:
        """The first sentence, or paragraph, of its docstring."""
        paragraph = " ".join((ast.get_docstring(self.node) or "").split("\n\n")[0].split())
        return paragraph.partition(". ")[0].removesuffix(".")

    def calls(self) -> frozenset[str]:
        """The names of what it calls."""
        return subset.calls(self.node)

    def __str__(self) -> str:
        return f"{self.file}:{self.node.lineno}"


@dataclass
class Program:
    """Functions and constants by name, in a table that all of them share."""

    functions: dict[str, Function] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)

    def known(self) -> dict[str, ast.FunctionDef | None]:
        """Every name with its function, or None for a constant."""
        return {**dict.fromkeys(self.constants), **{name: f.node for name, f in self.functions.items()}}

    def reachable(self, roots: Iterable[str]) -> list[Function]:
        """The functions that the roots can reach, callees before callers. LinkError if they call in a circle."""
        done: dict[str, Function] = {}
        path: list[str] = []

        def visit(name: str) -> None:
            if name in done:
                return
            if name in path:
                raise LinkError(f"{self.functions[name]}: {name} calls itself ({' -> '.join([*path, name])})")
            path.append(name)
            for callee in sorted(subset.calls(self.functions[name].node)):
                visit(callee)
            done[path.pop()] = self.functions[name]

        for root in roots:
            visit(root)
        return list(done.values())

    def check(self) -> None:
        """Raise LinkError for the first function that leaves the subset. Built-in ones are known to keep to it."""
        if all(function.trusted for function in self.functions.values()):
            return
        self.check_all()

    def check_all(self) -> None:
        """Raise LinkError for the first function that leaves the subset."""
        known = self.known()
        for function in self.functions.values():
            for line, why in subset.faults(function.node, known):
                raise LinkError(f"{function.file}:{line}: {function.name}: {why}")


def link(files: Iterable[Path], constants: Mapping[str, int]) -> Program:
    """The functions of the files as one program, with the given constants in place of the files' own; not checked.

    Raises LinkError.
    """
    program = Program()
    for path in files:
        functions, own = read(path, read_text(path), program.constants)
        program.functions.update(functions)
        program.constants.update(own)
    program.constants.update(constants)
    return program


def linked_with(program: Program, files: Iterable[Path], over: Iterable[Path] = ()) -> Program:
    """The program with more functions and constants besides its own, all names distinct. Not checked.

    over: files with functions in place of those of the same name in the others. Raises LinkError.
    """
    more, constants = dict(program.functions), dict(program.constants)
    for path in files:
        functions, own = read(path, read_text(path), constants)
        for name, function in functions.items():
            if name in more:
                raise LinkError(f"{more[name]}: {name} is also the name of a property's function ({function})")
            if name in constants:
                raise LinkError(f"{name} is a constant, and also the name of a property's function ({function})")
            more[name] = function
        for name in own:
            if name in constants or name in more:
                raise LinkError(f"{path}: {name} is also a name that a patch defines")
        constants.update(own)
    for path in over:
        more.update(read(path, read_text(path), constants)[0])
    return Program(more, constants)


def linked_over(program: Program, path: Path) -> Program:
    """The program with a user's file linked over it. Raises LinkError with the line at fault."""
    functions, constants = read(path, read_text(path), program.constants, strict=True)
    if not functions and not constants:
        raise LinkError(f"{path}: defines no function")
    _check_replacements(program, functions)
    _check_reserved(path, functions, constants)
    for name in constants:
        if name in program.functions:
            raise LinkError(f"{path}: {name} is a function of the kernel, not a constant")
        if name in program.constants:
            raise LinkError(f"{path}: {name} is a constant of the kernel; a patch replaces functions")
    everything = {name: replace(f, trusted=False) for name, f in {**program.functions, **functions}.items()}
    linked = Program(everything, {**program.constants, **constants})
    linked.check()
    linked.reachable(linked.functions)
    return linked


def read_text(path: Path) -> str:
    """The text of a user's file. Raises LinkError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise LinkError(f"{path}: {reason}") from None


def _check_reserved(path: Path, functions: Mapping[str, Function], constants: Mapping[str, int]) -> None:
    """A patch uses no name of the search loop's, writes no field that is the checker's, and has no huge constant."""
    for name in (*functions, *constants):
        if name in RESERVED or (name.startswith("__") and name not in KERNEL_NAMES):
            raise LinkError(f"{path}: {name} is a name of the checker's own")
    for name, value in constants.items():
        if abs(value) > subset.LARGEST:
            raise LinkError(f"{path}: {name} is {value}, beyond {subset.LARGEST}")
    machine_fields = [field[0] for field in MACHINE_FIELDS]
    for function in functions.values():
        for node in ast.walk(function.node):
            if isinstance(node, ast.Attribute) and node.attr == "result":
                raise LinkError(f"{path}:{node.lineno}: {function.name}: the result is known only after the call")
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in machine_fields:
                why = f"{node.attr} is the checker's own and cannot be set"
                raise LinkError(f"{path}:{node.lineno}: {function.name}: {why}")


def check_unchanging(program: Program, names: Iterable[str]) -> None:
    """Raise LinkError if one of the named functions, or what it calls, changes the state: a property must not."""
    for name in names:
        for function in program.reachable([name]):
            line = subset.first_change(function.node)
            if line is not None:
                where = f"{function.file}:{line}: {function.name}"
                raise LinkError(f"{where}: changes the state, and the property {name} calls it")


def _check_replacements(program: Program, functions: Mapping[str, Function]) -> None:
    """Every function of a patch replaces one with the same parameters, or is called by one that does."""
    for function in functions.values():
        original = program.functions.get(function.name)
        if original is None:
            if not any(function.name in subset.calls(other.node) for other in functions.values() if other != function):
                hint = instead_of(function.name, program.functions, "vmacheck list functions KERNEL")
                raise LinkError(f"{function}: {function.name} replaces nothing and nothing here calls it; {hint}")
        elif len(original.parameters) != len(function.parameters):
            expected, got = ", ".join(original.parameters), ", ".join(function.parameters)
            raise LinkError(f"{function}: {function.name} takes ({expected}), not ({got})")
        elif subset.gives_value(original.node) != subset.gives_value(function.node):
            what = "a value" if subset.gives_value(original.node) else "nothing"
            raise LinkError(f"{function}: {function.name} has to return {what}")
        if function.name in program.constants:
            raise LinkError(f"{function}: {function.name} is a constant of the kernel, not a function")


def parsed(text: str, path: Path) -> ast.Module:
    """The syntax tree of a file's text. Raises LinkError with the line at fault."""
    try:
        return _parsed(text, str(path))
    except MemoryError:
        raise LinkError(f"{path}: nested too deeply") from None
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise LinkError(f"{path}{line}: {reason}") from None


def read(
    path: Path, text: str, known: Mapping[str, int], strict: bool = False, decorated: bool = False
) -> tuple[dict[str, Function], dict[str, int]]:
    """The functions and the integer constants that a file defines.

    With strict, anything else at the top level but a docstring and imports from model is an error; decorated: but for
    what marks properties.
    """
    functions: dict[str, Function] = {}
    constants: dict[str, int] = {}
    for node in parsed(text, path).body:
        if isinstance(node, ast.FunctionDef):
            if strict and not decorated and node.decorator_list:
                raise LinkError(f"{path}:{node.lineno}: {node.name}: decorators are not allowed")
            if strict and node.name in functions:
                raise LinkError(f"{path}:{node.lineno}: {node.name} is defined twice")
            functions[node.name] = Function(_plain(node), str(path), trusted=not strict)
        elif (constant := _constant(node, {**known, **constants})) is not None:
            constants[constant[0]] = constant[1]
        elif strict and not _is_harmless(node, ("model", "properties") if decorated else ("model",)):
            why = "only functions, integer constants and imports from vmacheck are allowed here"
            raise LinkError(f"{path}:{node.lineno}: {why}")
    return functions, constants


@lru_cache(maxsize=4096)
def _plain(node: ast.FunctionDef) -> ast.FunctionDef:
    """The function without decorators and annotations; its body is shared with the parsed file's."""
    node, arguments = copy.copy(node), copy.copy(node.args)
    node.args, node.decorator_list, node.returns = arguments, [], None
    arguments.args = [ast.copy_location(ast.arg(argument.arg), argument) for argument in arguments.args]
    return node


@lru_cache(maxsize=256)
def _parsed(text: str, path: str) -> ast.Module:
    """The syntax tree of a file. It is shared, and nothing changes it: what does, works on a copy."""
    return ast.parse(text, path)


def _constant(node: ast.stmt, known: Mapping[str, int]) -> tuple[str, int] | None:
    """NAME = integer expression of known constants, evaluated."""
    if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
        return None
    allowed = (ast.BinOp, ast.UnaryOp, ast.Name, ast.Constant, ast.expr_context, *subset.OPERATORS)
    for part in ast.walk(node.value):
        if not isinstance(part, allowed) or (isinstance(part, ast.Constant) and type(part.value) is not int):
            return None
        if isinstance(part, ast.Name) and part.id not in known:
            return None
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.LShift | ast.RShift):
            if not (isinstance(part.right, ast.Constant) and part.right.value in range(32)):
                return None
    value = eval(compile(ast.Expression(node.value), "<constant>", "eval"), {"__builtins__": {}}, dict(known))
    return node.targets[0].id, int(value)


def _is_harmless(node: ast.stmt, packages: tuple[str, ...]) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").removeprefix("vmacheck.").split(".")[0] in packages
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
