# SPDX-License-Identifier: GPL-2.0-only
"""A system with room for values out of the range of their fields, for the rules of a patch that lead to such values.

A state in which a field is out of its range is judged like any other, and no call follows it. RANGE says so: the claim
is false of it, and of a call for which the model had too few slots. Where it is the number of slots in use that is out
of range, there is no state to judge, and only RANGE says something.
"""

import ast
from collections.abc import Collection
from dataclasses import replace

from vmacheck.checker.program.layout import Field, Layout
from vmacheck.checker.program.link import Function, Program
from vmacheck.checker.program.system import Claim, System

RANGE = "state_stays_in_range"
STEP = "step_in_range"
TEXT = """
def {RANGE}(mm):
{tests}    return mm.bug != OUT_OF_ROOM


def step(mm, call):
    if not {RANGE}(mm):
        return -EFAULT
    return {STEP}(mm, call)
"""
COUNT = "map_count"
CLAIM = """
def {name}({parameters}):
    if {test}:
        return {otherwise}
    return {name}_in_range({parameters})
"""
LOOP = """    for slot in range({first}, {end}):
        if {tests}:
            return False
"""
Wide = frozenset[tuple[str, str]]  # arrays ("" for the state itself) and the names of their fields


def is_watched(system: System) -> bool:
    """Has the system the claim RANGE?"""
    return any(claim.name == RANGE for claim in system.claims)


def watched(system: System) -> System:
    """The system with the claim RANGE besides its own."""
    if is_watched(system):
        return system
    return _with(system, system.layout, frozenset())


def widened(system: System, wide: Wide) -> System:
    """The system with any 32 bits in these fields. It must be watched."""
    layout = system.layout

    def field(array: str, one: Field) -> Field:
        return Field(one.name, whole=True) if (array, one.name) in wide else one

    numbers = tuple(field("", one) for one in layout.numbers)
    arrays = tuple(
        replace(array, fields=tuple(field(array.name, one) for one in array.fields)) for array in layout.arrays
    )
    return replace(_with(system, layout, wide), layout=Layout(numbers, arrays))


def _with(system: System, layout: Layout, wide: Collection[tuple[str, str]]) -> System:
    """The system with RANGE about the fields in `wide`, with their bounds in the layout; and no step from beyond."""
    tests = ""
    for one in layout.numbers:
        if ("", one.name) in wide:
            tests += f"    if {_outside(f'mm.{one.name}', one)}:\n        return False\n"
    for array in layout.arrays:
        found = [one for one in array.fields if (array.name, one.name) in wide]
        if found:
            parts = " or ".join(_outside(f"mm.{array.name}[slot].{one.name}", one) for one in found)
            tests += LOOP.format(first=array.first, end=array.last + 1, tests=parts)
    own = ast.parse(TEXT.format(RANGE=RANGE, STEP=STEP, tests=tests)).body
    functions = {node.name: Function(node, "<range>") for node in own if isinstance(node, ast.FunctionDef)}
    program = system.program
    if not wide:
        del functions["step"]
    elif STEP not in program.functions:
        functions[STEP] = _named(program.functions["step"], STEP)
    if ("", COUNT) in wide:
        (count,) = (one for one in layout.numbers if one.name == COUNT)
        for claim in system.claims:
            original = program.functions[claim.name]
            if claim.name != RANGE and f"{claim.name}_in_range" not in program.functions:
                text = CLAIM.format(
                    name=claim.name,
                    parameters=", ".join(original.parameters),
                    test=_outside(f"{original.parameters[-1]}.{COUNT}", count),
                    otherwise=not claim.sometimes,
                )
                (node,) = ast.parse(text).body
                assert isinstance(node, ast.FunctionDef)
                functions[claim.name] = Function(node, "<range>")
                functions[f"{claim.name}_in_range"] = _named(original, f"{claim.name}_in_range")
    claims = system.claims if is_watched(system) else (*system.claims, Claim(RANGE))
    return replace(system, program=Program({**program.functions, **functions}, program.constants), claims=claims)


def _outside(what: str, field: Field) -> str:
    if field.mask:
        return f"({what} & {~field.mask & 0x7FFFFFFF}) != 0 or {what} < 0"
    return f"{what} < 0 or {what} > {field.high}"


def _named(function: Function, name: str) -> Function:
    """The function under another name."""
    node = function.node
    other = ast.FunctionDef(name, node.args, node.body, [], None, None)
    return replace(function, node=ast.copy_location(other, node))
