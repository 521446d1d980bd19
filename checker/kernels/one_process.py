# SPDX-License-Identifier: GPL-2.0-only
"""The Linux VM as a system: kernels by name, their patches, and the properties, put together for a scope."""

from collections.abc import Sequence
from dataclasses import replace

from vmacheck.checker.compiled.codegen import check_fields
from vmacheck.checker.kernels import user_properties
from vmacheck.checker.kernels.names import check_known, check_max_map_count, split_name, tree_of
from vmacheck.checker.kernels.programs import absent_numbers, claims_for, goals_for, program_of, with_properties
from vmacheck.checker.kernels.renaming import check_names_are_only_compared
from vmacheck.checker.kernels.scope import PAGES, Scope
from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import Program, check_unchanging, linked_with
from vmacheck.checker.program.prune import without_kinds
from vmacheck.checker.program.system import LARGEST_RESULT, System
from vmacheck.checker.program.wide import watched
from vmacheck.model.calls.operations import (
    NAMES,
    OPERATIONS,
    Call,
    result_text,
)
from vmacheck.properties import COST_FILE


def build(
    name: str,
    scope: Scope,
    properties: Sequence[str] = (),
    calls: Sequence[Call] | None = None,
    measures: Sequence[str] = (),
) -> System:
    """The kernel as a system to search, with the scope's calls or with others; measures: names in properties/cost.py.

    Raises UnknownName, LinkError for a user's file that does not fit, and ScopeError.
    """
    is_given, calls = calls is not None, scope.calls() if calls is None else calls
    check_known(name, scope, calls)
    check_max_map_count(name, scope.max_map_count)
    states = tree_of(name).states
    bounds = states.bounds(scope.pages, scope.operations, calls, scope.max_map_count, scope.max_pgoff)
    program = program_of(name, bounds.constants())
    claims = claims_for(properties)
    if claims:
        program = with_properties(name, program)
    for path in user_properties.paths_of(properties):
        program = user_properties.linked(program, path)
    if measures:
        program = linked_with(program, [COST_FILE])
    program.check()
    check_unchanging(program, [*(claim.name for claim in claims), *measures])
    layout = Layout.of(states.layout(bounds))
    user_properties.check_looks_at_the_state_only(program, user_properties.paths_of(properties), layout)
    if files := [str(path) for path in (*split_name(name)[2], *user_properties.paths_of(properties))]:
        check_fields(program, layout, Call._fields, files)
        if not is_given:
            check_names_are_only_compared(program, files)
    program = without_kinds(program, "nr", absent_numbers(calls))
    system = System(
        name=name,
        program=program,
        layout=layout,
        calls=calls,
        kinds=NAMES,
        claims=claims,
        goals=goals_for(name, scope),
        result_text=result_text,
        world=PAGES,
        measures=tuple(measures),
    )
    return watched(system) if claims and split_name(name)[2] else system


def without_renaming(system: System, calls: Sequence[Call]) -> System:
    """The same kernel, to step through calls without renaming: with room for a new anon_vma at each."""
    known = system.program.constants
    pages, max_map_count, more = known["TASK_SIZE"], known["MAX_MAP_COUNT"], len(calls)
    everything = [name for name in OPERATIONS if name != "mremap"]
    states = tree_of(system.name).states
    bounds = states.bounds(pages, everything, calls, max_map_count, LARGEST_RESULT, more)
    program = Program(system.program.functions, {**known, **bounds.constants()})
    return replace(system, program=program, layout=Layout.of(states.layout(bounds)), calls=calls, claims=())
