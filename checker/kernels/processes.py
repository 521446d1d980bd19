# SPDX-License-Identifier: GPL-2.0-only
"""Two processes and chains of anon_vmas: current kernels linked with model/worlds/fork_linux.py."""

from collections.abc import Sequence
from dataclasses import replace

from vmacheck.checker.kernels import user_properties
from vmacheck.checker.kernels.names import check_max_map_count, split_name, tree_of
from vmacheck.checker.kernels.programs import absent_numbers, claims_for, program_of, with_properties
from vmacheck.checker.kernels.renaming import check_names_are_only_compared
from vmacheck.checker.kernels.scope import PROCESSES, Scope, ScopeError
from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import Program, check_unchanging
from vmacheck.checker.program.prune import without_kinds
from vmacheck.checker.program.system import LARGEST_RESULT, System
from vmacheck.model.calls.operations import NAMES, OPERATIONS, Call, result_text
from vmacheck.model.kernels import HERE, LINUX
from vmacheck.model.states import linux as state
from vmacheck.properties import CURRENT_PROCESSES_FILE, PROCESS_PROPERTIES, PROCESSES_FILE, PROPERTIES, REFERENCE

MODEL = (HERE / "worlds" / "fork_linux.py",)
BUGS = "kernel_bug_is_never_hit"
KNOWN = {BUGS: PROPERTIES[BUGS], **PROCESS_PROPERTIES, REFERENCE: PROPERTIES[REFERENCE]}
# and what the flat reference takes for an occasion
EVERY = {**KNOWN, **{name: prop for name, prop in PROPERTIES.items() if name == KNOWN[REFERENCE].premise}}


def property_names() -> list[str]:
    """The claims that a check looks at by default: all but the "sometimes" ones."""
    return [name for name, prop in KNOWN.items() if prop.kind != "sometimes"]


def build(name: str, scope: Scope, properties: Sequence[str] = (), calls: Sequence[Call] | None = None) -> System:
    """The kernel as a system of two processes. Raises UnknownName, LinkError for a user's file, and ScopeError."""
    if tree_of(name) is not LINUX:
        raise ScopeError(f"--processes is about {LINUX.word}, and {name} is none; --threads has fork for it")
    for path in user_properties.paths_of(properties):
        raise ScopeError(f"--processes: {path}: properties of your own are about one process; leave --processes out")
    is_given, calls = calls is not None, scope.calls() if calls is None else calls
    check_max_map_count(name, scope.max_map_count)
    bounds = state.process_bounds(scope.pages, scope.operations, calls, scope.max_pgoff)
    program = program_of(name, state.process_constants(bounds), under=MODEL)
    program = with_properties(name, program, [PROCESSES_FILE], [CURRENT_PROCESSES_FILE])
    program.check()
    if not is_given:
        check_names_are_only_compared(program, map(str, split_name(name)[2]))
    claims = claims_for(properties, EVERY)
    check_unchanging(program, [claim.name for claim in claims])
    program = without_kinds(program, "nr", absent_numbers(calls))
    return System(
        name=name,
        program=program,
        layout=Layout.of(state.process_layout(bounds)),
        calls=calls,
        kinds=NAMES,
        claims=claims,
        goals=(),
        result_text=result_text,
        world=PROCESSES,
    )


def without_renaming(system: System, calls: Sequence[Call]) -> System:
    """The same kernel, to step through calls without renaming: with room for more anon_vmas at each."""
    known = system.program.constants
    pages = known["TASK_SIZE"]
    everything = [name for name in OPERATIONS if name != "mremap"]
    bounds = state.process_bounds(pages, everything, calls, LARGEST_RESULT, (pages + 1) * len(calls))
    program = Program(system.program.functions, {**known, **state.process_constants(bounds)})
    return replace(system, program=program, layout=Layout.of(state.process_layout(bounds)), calls=calls, claims=())
