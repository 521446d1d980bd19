# SPDX-License-Identifier: GPL-2.0-only
"""The interpreted run: a linked program over plain Python objects, with no start-up cost."""

import ast
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import Any

from vmacheck.checker.program.guards import with_wraps, wrapped
from vmacheck.checker.program.layout import FUEL, Array, Broken, OutOfBounds
from vmacheck.checker.program.link import AST_LOCK, Function
from vmacheck.checker.program.subset import LARGEST
from vmacheck.checker.program.system import EVENT_BITS, LARGEST_RESULT, MAX_ERRNO, OOPS, System

Key = tuple[int, ...]


class Oops(Exception):
    """The model used NULL, or a slot that does not exist, as a pointer."""


class NullSlot:
    """A slot behind NULL or outside an array: any use of it stops the kernel."""

    def __getattr__(self, name: str) -> Any:
        raise Oops(f"{name} of NULL or of a slot that does not exist")

    def __setattr__(self, name: str, value: object) -> None:
        raise Oops(f"{name} of NULL or of a slot that does not exist")


class Slots(list[Any]):
    """An array of structs. Assigning to a slot copies, as it does in C."""

    def __setitem__(self, index: Any, value: Any) -> None:
        list.__getitem__(self, index).assign(value)

    def assign(self, other: "Slots", first: int, end: int) -> None:
        """Copy the structs of slots first..end-1."""
        for index in range(first, end):
            list.__getitem__(self, index).assign(list.__getitem__(other, index))


def struct_class(name: str, fields: list[str], arrays: list[Array]) -> type:
    """A class with these fields, zero at first, and assign(other), which copies them all."""
    items = {array.name: struct_class(array.name, [field.name for field in array.fields], []) for array in arrays}
    body = [f"  s.{f} = o.{f}" for f in fields]
    body += [f"  s.{a.name}.assign(o.{a.name}, {a.first}, {a.last + a.spare + 1})" for a in arrays]
    text = f"def assign(s, o):\n{chr(10).join(body)}"
    namespace: dict[str, Any] = {}
    exec(compile(text, f"<{name}.assign>", "exec"), namespace)
    slots = (*fields, *(array.name for array in arrays))

    def zero(self: Any) -> None:
        for field in fields:
            setattr(self, field, 0)
        for array in arrays:
            setattr(self, array.name, _new_slots(array, items[array.name]))

    return type(name, (), {"__slots__": slots, "__init__": zero, "assign": namespace["assign"]})


def _new_slots(array: Array, struct: type) -> Slots:
    real = [struct() for _ in range(array.first, array.last + array.spare + 1)]
    beyond = [NullSlot()] * (2 * len(real) + 64)  # reached by indices that are too large, and by negative ones
    return Slots([NullSlot()] * array.first + real + beyond)


class Machine:
    """A system that can be stepped: makes states, runs calls on them, and knows their keys.

    code(function) compiles a function, if not as it was written.
    """

    def __init__(self, system: System, code: Callable[[Function], CodeType] | None = None) -> None:
        layout = system.layout
        self._state = struct_class(system.name, [field.name for field in layout.numbers], list(layout.arrays))
        with AST_LOCK:
            self.functions = executable(
                system.program.reachable(system.roots()), system.program.constants, code or _code
            )
        self._fields = list(layout.key_fields())
        tuple_of = ", ".join(f"s.{place}" for place in self._fields)
        # the fields of the key as they are, with nothing renamed
        self.fields: Callable[[Any], Key] = eval(f"lambda s: ({tuple_of},)")
        loads = "\n".join(f" s.{place} = k[{i}]" for i, place in enumerate(self._fields))
        namespace: dict[str, Any] = {}
        exec(f"def load(s, k):\n{loads}", namespace)
        self.load: Callable[[Any, Key], None] = namespace["load"]

    def new(self) -> Any:
        """The first state, all zero."""
        return self._state()

    def step(self, before: Any, call: Any, after: Any) -> int:
        """Run call on before, and leave the new state in after, not renamed yet. Returns the result, or OOPS."""
        before.oops = 0
        self.evaluate("begin", before)
        after.assign(before)
        after.events = 0
        after.oops = 0
        after.fuel = FUEL
        try:
            result: int = self.functions["step"](after, call)
        except (Oops, IndexError):
            after.oops = 1
            result = OOPS
        if not -MAX_ERRNO <= result <= LARGEST_RESULT:
            after.oops = 1
        if after.oops or not 0 <= after.events < 1 << EVENT_BITS:
            stopped = after.bug
            after.assign(before)
            after.events, after.bug = 0, stopped or 1
            return OOPS
        return int(result)

    def key(self, state: Any) -> Key:
        """Rename what has no identity of its own, and return the key."""
        self.evaluate("canonicalise", state)
        return self.fields(state)

    def evaluate(self, name: str, *structs: Any) -> Any:
        """The value of a function outside of calls: begin, canonicalise, or a claim. Raises Broken."""
        for struct in structs:
            if hasattr(struct, "fuel"):
                struct.fuel = FUEL
        try:
            value = self.functions[name](*structs)
        except (Oops, IndexError):
            raise Broken from None
        if any(getattr(struct, "oops", 0) for struct in structs):
            raise Broken
        return value

    def check_bounds(self, key: Key) -> str | None:
        """The limit that a value of the key lies beyond. Raises OutOfBounds if the scope has no room for a value."""
        beyond = None
        for value, place in zip(key, self._fields, strict=True):
            if not place.field.allows(value):
                if place.field.limit is None or value < 0:
                    raise OutOfBounds(place, value)
                beyond = place.field.limit
        return beyond


class CallRecord:
    """A call with its result, as step properties see it."""

    def __init__(self, call: Any, result: int) -> None:
        for name, value in zip(call._fields, call, strict=True):
            setattr(self, name, value)
        self.result = result


@lru_cache(maxsize=4096)
def _code(function: Function) -> CodeType:
    return compile(ast.Module([with_wraps(function)], []), function.file, "exec")


def executable(
    functions: list[Function],
    constants: dict[str, Any],
    code: Callable[[Function], CodeType] = _code,
    check_unknown: Callable[[Any], Any] = lambda value: value,
    check_calculated: Callable[[Any], Any] = lambda value: value,
) -> dict[str, Any]:
    """Python functions over one shared table of globals, with their own file and lines for tracebacks.

    check_unknown(value) is asked about what is no int before a user's function puts it into a field, and
    check_calculated(value) about what it calculates.
    """

    def more(state: Any) -> bool:
        state.fuel -= 1
        if state.fuel <= 0:
            raise Oops("a loop that does not end")
        return True

    def field(_state: Any, value: int) -> int:
        if not isinstance(value, int):
            return check_unknown(value)
        if not -LARGEST - 1 <= value <= LARGEST:
            raise Oops("a number too large for a field")
        return value

    def wrap(value: int) -> int:
        return wrapped(value) if isinstance(value, int) else check_calculated(value)

    table: dict[str, Any] = {**constants, "__more__": more, "__field__": field, "__wrap__": wrap}
    table["__builtins__"] = {"range": range}
    for function in functions:
        exec(code(function), table)
    return table
