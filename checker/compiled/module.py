# SPDX-License-Identifier: GPL-2.0-only
"""The compiled run: a linked program and the search loop as machine code."""

import ast
import inspect
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from vmacheck.checker.compiled import loops, native, record
from vmacheck.checker.compiled.codegen import assembly
from vmacheck.checker.compiled.flat import Flat
from vmacheck.checker.program.layout import FUEL
from vmacheck.checker.program.link import AST_LOCK, Function
from vmacheck.checker.program.system import EVENT_BITS, LARGEST_RESULT, MAX_ERRNO, MAX_RESULTS, OOPS, Claim, System

CACHE_WORDS = 1 << 14  # of the keys that a worker met last; fits into a processor's cache


# ---- the module ----------------------------------------------------------------------------------


def _hits_text(name: str, parameters: str, claims: tuple[Claim, ...], on_step: bool) -> str:
    """A function that says which of the wanted claims are hit, a bit each."""
    lines = [f"def {name}({parameters}, wanted):", "    bits = 0"]
    for number, claim in enumerate(claims):
        if claim.on_step == on_step:
            test = f"{claim.name}({parameters})"
            fuel = [f"        {name}.fuel = FUEL" for name in parameters.split(", ") if name != "call"]
            lines += [f"    if wanted & {1 << number}:", *fuel]
            lines += [f"        if {test if claim.sometimes else f'not {test}'}:", f"            bits |= {1 << number}"]
    return "\n".join([*lines, "    return bits"])


def _functions(text: str) -> list[Function]:
    nodes = ast.parse(text).body
    return [Function(node, "<search>") for node in nodes if isinstance(node, ast.FunctionDef)]


def _measures_text(names: Sequence[str]) -> str:
    """A function that gives the number-th measure of a state."""
    lines = [
        line for i, name in enumerate(names) for line in (f"    if number == {i}:", f"        return {name}(state)")
    ]
    return "\n".join(["def measure_of(state, number):", *lines, "    return 0"])


def module_assembly(system: System, flat: Flat, recording: bool = False) -> str:
    """The search over a system as LLVM assembly; if recording, with record.py's functions. Raises LinkError."""
    numbers = {**system.program.constants, "OOPS": OOPS, "FUEL": FUEL, "KEY_WORDS": flat.key_words}
    numbers |= {"MAX_RESULTS": MAX_RESULTS, "MAX_ERRNO": MAX_ERRNO, "LARGEST_RESULT": LARGEST_RESULT}
    numbers |= {
        "EVENTS": 1 << EVENT_BITS,
        "CALL_SIZE": len(system.call_fields) + 1,
        "CACHE_MASK": cache_rows(flat) - 1,
        "STEP_CLAIMS": sum(1 << number for number, claim in enumerate(system.claims) if claim.on_step),
        "KEPT": flat.kept,
        "SIZE": flat.size,
    }
    numbers |= {f"AT_{name.upper()}": flat.numbers[name] for name in ("bug", "events", "oops", "fuel")}
    numbers |= {"RESULT": flat.numbers["result"]}
    numbers |= {name: value for name, value in vars(loops).items() if name.isupper() and type(value) is int}
    functions = system.program.reachable(system.roots())
    entries = list(loops.ENTRIES)
    texts = [
        flat.pack_text(),
        flat.unpack_text(),
        _hits_text("state_hits", "state", system.claims, False),
        _hits_text("step_hits", "before, call, after", system.claims, True),
        inspect.getsource(loops),
    ]
    if recording:
        numbers |= {name: value for name, value in vars(record).items() if name.isupper() and type(value) is int}
        texts += [_measures_text(system.measures), inspect.getsource(record)]
        entries += record.ENTRIES
    functions += [function for text in texts for function in _functions(text)]
    return assembly(flat, functions, numbers, entries)


def cache_rows(flat: Flat) -> int:
    """The number of keys in a worker's cache, a power of two."""
    return 1 << (CACHE_WORDS // flat.key_words).bit_length() - 1


def _entries(recording: bool) -> dict[str, int]:
    """The functions that are called from outside, with their number of arguments."""
    modules = [loops, record] if recording else [loops]
    return {
        name: len(inspect.signature(getattr(module, name)).parameters) for module in modules for name in module.ENTRIES
    }


@lru_cache(maxsize=16)
def assembly_of(system: System, recording: bool = False) -> str:
    """The search over a system as LLVM assembly: all that its outcome depends on, except limits. Raises LinkError."""
    with AST_LOCK:
        return module_assembly(system, Flat(system.layout, system.call_fields), recording)


def load(system: System, recording: bool = False) -> native.Library:
    """The machine code of a system's search. Raises LinkError."""
    return native.load(assembly_of(system, recording), _entries(recording))


def load_soon(system: System) -> native.Soon:
    """Machine code for the search: unoptimised at once, optimised later. Raises LinkError."""
    return native.Soon(assembly_of(system), _entries(False))


class Stepper:
    """The compiled run one call at a time, from the first state on."""

    def __init__(self, system: System) -> None:
        self.flat = Flat(system.layout, system.call_fields)
        self.code = load(system)
        self.before, self.after = np.zeros(self.flat.size, np.int32), np.zeros(self.flat.size, np.int32)
        self.results = np.zeros((max(system.kinds) + 1, MAX_RESULTS), np.int64)
        self.events = np.zeros(1 << EVENT_BITS, np.int64)

    def step(self, call: Sequence[int]) -> tuple[int, tuple[int, ...]]:
        """Run a call. Returns its result, and the key fields of the state after it, renamed."""
        numbers, key = np.array([*call, 0], np.int32), np.zeros(self.flat.key_words, np.int64)
        self.before, self.after = self.after, self.before
        arrays = (self.before, numbers, self.after, key, self.results, self.events)
        assert self.code.run("try_call", *arrays) <= 0
        fields = tuple(int(self.after[self.flat.index(place)]) for place in self.flat.layout.key_fields())
        return int(numbers[-1]), fields
