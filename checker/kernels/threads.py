# SPDX-License-Identifier: GPL-2.0-only
"""Faults in steps, in several threads and two processes: kernels linked with model/worlds/threads_2_6.py."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vmacheck.checker.kernels import user_properties
from vmacheck.checker.kernels.names import check_is_of, split_name
from vmacheck.checker.kernels.programs import claims_for, program_of
from vmacheck.checker.kernels.renaming import check_names_are_only_compared
from vmacheck.checker.kernels.scope import THREADS, Scope, ScopeError
from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import Function, Program, check_unchanging, linked_with, read
from vmacheck.checker.program.prune import without_kinds
from vmacheck.checker.program.system import System
from vmacheck.model.calls.interleaving import KINDS, Call, interleaved_calls
from vmacheck.model.calls.operations import result_text
from vmacheck.model.common import unistd
from vmacheck.model.kernels import HERE, LINUX_2_6
from vmacheck.model.states.threads import thread_bounds, thread_layout
from vmacheck.properties import FILES, PROPERTIES, THREAD_PROPERTIES, THREADS_FILE

KERNELS = ("rmap39", "rmap40", "linux-2.6.8")  # that a check looks at by default
MODEL = (HERE / "worlds" / "fork_2_6.py", HERE / "worlds" / "threads_2_6.py")
SEEN = {"task", "node", "lock", "first", "last", "next", "prev", "link", "ptl", "other_ptl", "running", "reader"}
SEEN |= {"forked", "other_count", "shared", "missed", "new_node", "node_names"}
SET_BY_FAULTS = {"anon_vma_node", "life", "mapcount", "mapping", "index"}  # and no test under a lock depends on them
READ_IN_FAULTS = {"anon_vma"}  # in the model's own order; a patch may look when another thread has set it
KNOWN = {"kernel_bug_is_never_hit": PROPERTIES["kernel_bug_is_never_hit"], **THREAD_PROPERTIES}


def property_names(scope: Scope) -> list[str]:
    """The claims that a check looks at by default: those about what the scope has."""
    names = [name for name, prop in KNOWN.items() if prop.kind != "sometimes"]
    return [
        name for name in names if "reclaim" in scope.operations or KNOWN[name].premise != "a_walk_comes_to_its_page"
    ]


def build(
    name: str, scope: Scope, properties: Sequence[str] = (), calls: Sequence[Call] | None = None, more: int = 0
) -> System:
    """The kernel as a system of threads, with room for `more` anon_vmas, and vmas on lists, beyond what states need.

    calls: those to run, instead of all of the scope.
    Raises UnknownName, LinkError for a user's file, and ScopeError.
    """
    base, _, paths = split_name(name)
    check_is_of(LINUX_2_6, "--threads", name)
    for path in user_properties.paths_of(properties):
        raise ScopeError(f"--threads: {path}: properties of your own are about one process; leave --threads out")
    if base == "anonmm":
        raise ScopeError("--threads is about anon_vma_prepare, which anonmm does not have")
    processes = 2 if "fork" in scope.operations else 1
    stacks = int("stack" in scope.operations)
    bounds = thread_bounds(scope.pages, processes, scope.threads, scope.max_map_count, stacks, more)
    constants = {**bounds.constants(), "FUSED": int(not scope.every_step), "WALKS": int("reclaim" in scope.operations)}
    program = linked_with(program_of(name, constants, under=MODEL), [*FILES, THREADS_FILE])
    program.check()
    if not scope.every_step:
        for path in paths:
            check_steps_are_left_alone(path, program)
    if calls is None:
        check_names_are_only_compared(program, map(str, paths))
    claims = claims_for(properties, KNOWN)
    check_unchanging(program, [claim.name for claim in claims])
    if calls is None:
        every = interleaved_calls(scope.pages, scope.protections, scope.operations, scope.threads)
        calls = scope.checked(every)
    present = {call.nr for call in calls}
    absent = [word for word, nr in vars(unistd).items() if word.startswith("NR_") and nr not in present]
    program = without_kinds(program, "nr", absent)
    layout = Layout.of(thread_layout(bounds))
    return System(
        name=name,
        program=program,
        layout=layout,
        calls=calls,
        kinds=KINDS,
        claims=claims,
        goals=(),
        result_text=result_text,
        world=THREADS,
    )


def check_steps_are_left_alone(path: Path, program: Program) -> None:
    """Raise ScopeError if a user's file touches what lets steps be joined: locks, lists, steps.

    The functions that a fault reaches must neither look at nor change anything else that faults change.
    """
    steps = {name for file in MODEL for name in read(file, file.read_text(encoding="utf-8"), {})[0]}
    in_faults = {function.name for function in program.reachable(["start_fault", "small_step"])}
    for name, function in read(path, path.read_text(encoding="utf-8"), {})[0].items():
        used = [node.attr for node in _fields(function) if node.attr in SEEN]
        if name in in_faults:
            reached = [node.attr for one in program.reachable([name]) for node in _fields(one)]
            used += [field for field in reached if field in SEEN | SET_BY_FAULTS]
            used += [node.attr for node in _fields(function) if isinstance(node.ctx, ast.Store)]
            used += [node.attr for node in _fields(function) if node.attr in READ_IN_FAULTS]
        if name in steps or used:
            what = f"replaces {name}" if name in steps else f"looks at {used[0]}"
            raise ScopeError(f"{path} {what}: which steps can be one depends on it; give --every-step")


def _fields(function: Function) -> Iterator[ast.Attribute]:
    """The places where the function uses a field."""
    return (node for node in ast.walk(function.node) if isinstance(node, ast.Attribute))


def without_renaming(system: System, calls: Sequence[Call]) -> System:
    """The same kernel, to step through calls without renaming: freed slots are not used again."""
    known = system.program.constants
    processes = 1 + next(field.high for field in system.layout.numbers if field.name == "forked")
    pages, threads = known["TASK_SIZE"], known["NR_THREADS"]
    bounds = thread_bounds(pages, processes, threads, known["MAX_MAP_COUNT"], known["STACKS"], (pages + 2) * len(calls))
    program = Program(system.program.functions, {**known, **bounds.constants(), "ANY_THREAD": 1})
    return replace(system, program=program, layout=Layout.of(thread_layout(bounds)), calls=calls, claims=())
