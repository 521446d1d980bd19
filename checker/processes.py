# SPDX-License-Identifier: GPL-2.0-only
"""Two processes and chains of anon_vmas: today's kernels linked with model/modern/processes.py."""

from collections.abc import Sequence
from dataclasses import replace

from checker import own, vm
from checker.layout import Layout
from checker.link import Program, check_unchanging, linked_with
from checker.prune import without_kinds
from checker.scope import Scope, ScopeError
from checker.system import LARGEST_RESULT, System
from model.kernels import HERE
from model.modern import state
from model.operations import NAMES, OPERATIONS, Call, result_text
from properties import FILES, MODERN_FILES, PROCESS_PROPERTIES, PROCESSES, PROPERTIES, REFERENCE_OPERATIONS

MODEL = (HERE / "modern" / "processes.py",)
FLAT = "p0_matches_flat_reference"
KNOWN = {"kernel_bug_is_never_hit": PROPERTIES["kernel_bug_is_never_hit"], **PROCESS_PROPERTIES}


def property_names(scope: Scope) -> list[str]:
    """The claims that a check looks at by default: all, but the flat reference where it does not follow a call."""
    followed = (*REFERENCE_OPERATIONS, "move", "mremap", "dontunmap")  # these it passes over
    names = [name for name, prop in KNOWN.items() if prop.kind != "sometimes"]
    return [name for name in names if name != FLAT or set(scope.operations) <= set(followed)]


def build(name: str, scope: Scope, properties: Sequence[str] = (), calls: Sequence[Call] | None = None) -> System:
    """The kernel as a system of two processes. Raises UnknownName, LinkError for a user's file, and ScopeError."""
    if not vm.is_modern(name):
        raise ScopeError(f"--processes is about today's kernels, and {name} is none; --threads has fork for it")
    for path in own.paths_of(properties):
        raise ScopeError(f"--processes: {path}: properties of your own are about one process; leave --processes out")
    calls = scope.calls() if calls is None else calls
    vm.check_is_followed(name, scope, ())
    if FLAT in properties and FLAT not in property_names(scope):
        raise ScopeError(f"{FLAT} does not follow all of {', '.join(scope.operations)}")
    bounds = state.process_bounds(scope.pages, scope.operations, calls, scope.max_pgoff)
    program = vm.program_of(name, state.process_constants(bounds), under=MODEL)
    program = linked_with(program, [*FILES, PROCESSES], MODERN_FILES)
    program.check()
    claims = vm.claims_for(properties, KNOWN)
    check_unchanging(program, [claim.name for claim in claims])
    program = without_kinds(program, "nr", vm.absent_numbers(calls))
    return System(name, program, Layout.of(state.process_layout(bounds)), calls, NAMES, claims, (), result_text)


def has_processes(system: System) -> bool:
    """Is it one of these systems?"""
    return any(field.name == "left" for field in system.layout.numbers)


def without_renaming(system: System, calls: Sequence[Call]) -> System:
    """The same kernel, to step through calls without renaming: with room for more anon_vmas at each."""
    known = system.program.constants
    pages = known["TASK_SIZE"]
    everything = [name for name in OPERATIONS if name != "mremap"]
    bounds = state.process_bounds(pages, everything, calls, LARGEST_RESULT, (pages + 1) * len(calls))
    program = Program(system.program.functions, {**known, **state.process_constants(bounds)})
    return replace(system, program=program, layout=Layout.of(state.process_layout(bounds)), calls=calls, claims=())
