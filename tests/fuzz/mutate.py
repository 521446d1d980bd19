# SPDX-License-Identifier: GPL-2.0-only
"""Random patches within the language: functions of a model with something in them changed, forgotten or added."""

import ast
import copy
from collections.abc import Callable, Collection, Iterator
from functools import cache
from random import Random
from typing import Any, NamedTuple

from vmacheck.checker.kernels.programs import program_of
from vmacheck.checker.program.link import Function
from vmacheck.model.kernels import HERE, tree_of

LEFT_ALONE = {"begin", "canonicalise", "step", "BUG", "NO_ROOM", "count_vm_event", "canonical_name", "name_anon_vmas"}
KERNELS = ("rmap39", "rmap40", "linux-2.6.8", "linux-6.12", "linux-6.16", "linux-6.18", "linux-6.18+sticky")
NEAR = {
    ast.Lt: (ast.LtE, ast.Gt, ast.Eq, ast.GtE),
    ast.LtE: (ast.Lt, ast.GtE, ast.Eq),
    ast.Gt: (ast.GtE, ast.Lt, ast.NotEq),
    ast.GtE: (ast.Gt, ast.LtE, ast.NotEq),
    ast.Eq: (ast.NotEq, ast.LtE, ast.GtE),
    ast.NotEq: (ast.Eq, ast.Lt, ast.Gt),
}
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
FLAGS = ("VM_READ", "VM_WRITE", "VM_EXEC", "VM_ACCOUNT", "VM_SHARED", "VM_LOCKED")
# what a rule might ask before it stops the kernel; of a vma, a page, an address, a number
ASKED = (
    "mm.vma[{vma}].vm_end - mm.vma[{vma}].vm_start > {n}",
    "mm.vma[{vma}].vm_end == mm.vma[{vma}].vm_start + {n}",
    "mm.vma[{vma}].vm_pgoff != mm.vma[{vma}].vm_start",
    "mm.vma[{vma}].anon_vma == mm.vma[{other}].anon_vma",
    "mm.vma[{vma}].anon_vma > mm.vma[{other}].anon_vma",
    "mm.vma[{vma}].anon_vma != mm.vma[{other}].anon_vma and mm.vma[{vma}].anon_vma != NULL",
    "mm.vma[{vma}].vm_flags & {flag} != 0",
    "(~mm.vma[{vma}].vm_flags & ((1 << {shift}) << 2)) != 0",
    "(mm.vma[{vma}].vm_flags + {n}) * 2147483647 * 2147483647 < 0",
    "mm.vma[{vma}].vm_end * 2147483647 * 2147483647 > {n}",
    "page_visits(mm, {page}) > 0",
    "page_visits(mm, {page}) > 0 and page_visits(mm, {page} + 1) == 0",
    "mm.page[{page}].mapcount != 0",
    "mm.page[{page}].mapcount != mm.page[{page} + 1].mapcount",
    "mm.map_count == {n}",
    "mm.map_count > {n}",
    "find_vma(mm, {page}) == {n}",
    "find_vma(mm, {page} + {n}) != NULL",
)


class Patch(NamedTuple):
    """A patch over a kernel: its functions, each as text, and what was done to them."""

    base: str
    functions: tuple[str, ...]
    what: tuple[str, ...]

    @property
    def text(self) -> str:
        """The file."""
        return "\n\n\n".join(self.functions) + "\n"


@cache
def candidates(base: str) -> list[Function]:
    """The functions of the kernel that a patch may change."""
    tree = tree_of(base.split("+", maxsplit=1)[0])
    folders = (str(HERE / "common"), str(tree.patches_at.parent))
    functions = program_of(base, {}).functions.values()
    return [one for one in functions if one.file.startswith(folders) and one.name not in LEFT_ALONE]


def patch(draw: Random, base: str, reached: Collection[str]) -> Patch:
    """A random patch, of one function or two of those that are reached."""
    functions, what = [], []
    ours = [function for function in candidates(base) if function.name in reached]
    for function in draw.sample(ours, draw.choice((1, 1, 1, 2))):
        node = copy.deepcopy(function.node)
        for _ in range(draw.choice((1, 1, 2))):
            what.append(f"{function.name}: {_change(node, draw)}")
        functions.append(ast.unparse(ast.fix_missing_locations(node)))
    return Patch(base, tuple(functions), tuple(what))


def shrunk(found: Patch, still: Callable[[Patch], bool]) -> Patch:
    """The patch with as few functions and statements as still show it."""
    for name in range(len(found.functions)):
        fewer = found._replace(functions=found.functions[:name] + found.functions[name + 1 :])
        if fewer.functions and still(fewer):
            return shrunk(fewer, still)
    for number, text in enumerate(found.functions):
        for smaller in _smaller(text):
            functions = (*found.functions[:number], smaller, *found.functions[number + 1 :])
            if still(found._replace(functions=functions)):
                return shrunk(found._replace(functions=functions), still)
    return found


def _smaller(text: str) -> Iterator[str]:
    """The function without one of its statements."""
    count = sum(1 for block in _blocks(ast.parse(text)) for _ in block)
    for number in range(count):
        tree = ast.parse(text)
        place = number
        for block in _blocks(tree):
            if place < len(block):
                if len(block) > 1:
                    del block[place]
                    yield ast.unparse(tree)
                elif isinstance(block[0], ast.If):
                    block[:] = block[0].body
                    yield ast.unparse(tree)
                break
            place -= len(block)


def _blocks(tree: ast.AST) -> list[list[ast.stmt]]:
    nodes = [node for node in ast.walk(tree) if not isinstance(node, ast.Module | ast.IfExp)]
    blocks = [getattr(node, name, None) for node in nodes for name in ("body", "orelse")]
    return [block for block in blocks if isinstance(block, list) and block]


def _change(node: ast.FunctionDef, draw: Random) -> str:
    """Change something in the function; what."""
    ways = [*_changes(node, draw)]
    if not ways:
        return "as it is"
    kinds = sorted({kind for kind, _, _ in ways})
    kind = draw.choice(kinds)
    _, what, change = draw.choice([way for way in ways if way[0] == kind])
    change()
    ast.fix_missing_locations(node)
    return what


def _changes(node: ast.FunctionDef, draw: Random) -> Iterator[tuple[str, str, Callable[[], None]]]:
    for part in ast.walk(node):
        if isinstance(part, ast.Compare):
            for number, operator in enumerate(part.ops):
                if other := NEAR.get(type(operator)):
                    yield (
                        "compare",
                        f"line {part.lineno}: another comparison",
                        _setter(part.ops, number, draw.choice(other)()),
                    )
        elif isinstance(part, ast.BinOp) and type(part.op) in ARITHMETIC:
            yield (
                "arithmetic",
                f"line {part.lineno}: another operator",
                _attribute(part, "op", ARITHMETIC[type(part.op)]()),
            )
        elif isinstance(part, ast.Name) and part.id in FLAGS and isinstance(part.ctx, ast.Load):
            yield "flag", f"line {part.lineno}: another flag", _attribute(part, "id", draw.choice(FLAGS))
        elif isinstance(part, ast.If):
            yield (
                "condition",
                f"line {part.lineno}: a condition turned",
                _attribute(part, "test", ast.UnaryOp(ast.Not(), part.test)),
            )
        elif isinstance(part, ast.BoolOp):
            yield (
                "part",
                f"line {part.lineno}: a part of a condition forgotten",
                _shorter(part, draw.randrange(len(part.values))),
            )
        elif isinstance(part, ast.Assign | ast.AugAssign) and not isinstance(part.value, ast.Call):
            more = ast.BinOp(part.value, draw.choice((ast.Add, ast.Sub))(), ast.Constant(1))
            yield "off by one", f"line {part.lineno}: one more or less", _attribute(part, "value", more)
        elif isinstance(part, ast.Call) and part.args and isinstance(part.func, ast.Name) and part.func.id != "range":
            number = draw.randrange(len(part.args))
            if number and not isinstance(part.args[number], ast.Constant):
                more = ast.BinOp(part.args[number], draw.choice((ast.Add, ast.Sub))(), ast.Constant(1))
                yield "argument", f"line {part.lineno}: an argument one more or less", _setter(part.args, number, more)
    for block in _blocks(node):
        for number, statement in enumerate(block):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                yield "forgotten", f"line {statement.lineno}: a call forgotten", _setter(block, number, ast.Pass())
            elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Attribute):
                yield (
                    "forgotten",
                    f"line {statement.lineno}: an assignment forgotten",
                    _setter(block, number, ast.Pass()),
                )
    if node.args.args and node.args.args[0].arg == "mm":
        test = asked(draw, [argument.arg for argument in node.args.args[1:]])
        place = 1 if ast.get_docstring(node) and len(node.body) > 1 else 0
        stop = ast.parse(f"if {test}:\n    BUG(mm)").body[0]
        yield "stop", f"BUG if {test}", lambda: node.body.insert(place, stop)


def asked(draw: Random, names: list[str]) -> str:
    """A random question about the state, with the names of a function's parameters."""
    vma = [name for name in names if name in ("vma", "prev", "next", "area", "src", "dst")] or ["1"]
    page = [name for name in names if name in ("start", "end", "addr", "address", "old_addr", "new_addr")] or ["0", "1"]
    return draw.choice(ASKED).format(
        vma=draw.choice(vma),
        other=draw.choice(("1", "2", f"{draw.choice(vma)} - 1")),
        page=draw.choice(page),
        n=draw.choice((0, 1, 2, 3)),
        flag=draw.choice(FLAGS[:4]),
        shift=draw.choice((3, 29, 30, 31)),
    )


def _setter(values: list[Any], number: int, value: object) -> Callable[[], None]:
    def change() -> None:
        values[number] = value

    return change


def _attribute(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, value)


def _shorter(node: ast.BoolOp, number: int) -> Callable[[], None]:
    def change() -> None:
        if len(node.values) > 1:
            del node.values[number]
        if len(node.values) == 1:
            node.values.append(ast.Constant(isinstance(node.op, ast.And)))

    return change
