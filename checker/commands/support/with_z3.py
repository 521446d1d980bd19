# SPDX-License-Identifier: GPL-2.0-only
"""The work of prove and minimise: questions to Z3, and their answers."""

import argparse
import sys
import time
from collections.abc import Collection

from vmacheck.checker.commands.support.options import emit
from vmacheck.checker.commands.support.progress import ProgressLine
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.names import (
    UnknownName,
    check_is_claim,
    check_known,
    check_max_map_count,
    tree_of,
)
from vmacheck.checker.kernels.programs import check_bounds_are_not_named
from vmacheck.checker.kernels.scope import Scope, ScopeError
from vmacheck.checker.proofs import any_size
from vmacheck.checker.proofs.any_size import Violation
from vmacheck.checker.proofs.bounded import search
from vmacheck.checker.proofs.equivalence import equivalent
from vmacheck.checker.proofs.prove import prove
from vmacheck.checker.proofs.trees import kind_of
from vmacheck.counterexamples.minimal.minimise import minimise
from vmacheck.counterexamples.reports.prove import (
    depth_text,
    depth_verdict,
    equivalent_text,
    minimised_text,
    proof_text,
)
from vmacheck.counterexamples.reports.prove_data import depth_data, equivalent_data, minimised_data, proof_data
from vmacheck.model.calls.traces import parse_trace

DEFAULT_VMAS = 3
MAX_VMAS = 8


def prove_with_z3(options: argparse.Namespace, scope: Scope) -> str:
    """vmacheck prove: the verdict."""
    milliseconds = 1000 * options.timeout
    _check_names(options)
    for kernel in options.names[: 2 if options.equivalent else 1]:
        check_bounds_are_not_named(kernel)
        check_max_map_count(kernel, options.max_map_count)
    if options.equivalent and tree_of(options.names[0]) is not tree_of(options.names[1]):
        raise ScopeError(f"{options.names[0]} and {options.names[1]} have different states; they cannot be compared so")
    if options.depth is not None:
        return _depth(options, scope, milliseconds)
    check_known(options.names[0], scope, ())
    _check_followed("prove", scope, kind_of(options.names[0]).followed)
    vmas = DEFAULT_VMAS if options.vmas is None else options.vmas
    if not 0 <= vmas <= MAX_VMAS:
        raise ScopeError(f"--vmas is {vmas}; it can be 0 to {MAX_VMAS}")
    bounds = (scope.operations, vmas, options.max_map_count, milliseconds)
    if options.equivalent:
        a, b, function = options.names
        with ProgressLine() as status:
            found = equivalent(a, b, function, *bounds, status.say)
        emit(options, lambda: equivalent_data(found), lambda: equivalent_text(found))
        return found.verdict
    kernel, name = options.names
    check_is_claim(name)
    with ProgressLine() as status:
        proof = prove(kernel, name, *bounds, status.say)
    emit(options, lambda: proof_data(proof, options.max_map_count), lambda: proof_text(proof, options.max_map_count))
    return proof.verdict


def _check_names(options: argparse.Namespace) -> None:
    wanted = "KERNEL_A KERNEL_B FUNCTION" if options.equivalent else "KERNEL PROPERTY"
    if len(options.names) != len(wanted.split()):
        other = "" if options.equivalent or options.names else ", or --equivalent KERNEL_A KERNEL_B FUNCTION"
        raise UnknownName(f"prove {'--equivalent ' if options.equivalent else ''}takes {wanted}{other}")
    if options.depth is not None and (options.equivalent or options.vmas is not None):
        other = "--equivalent" if options.equivalent else "--vmas"
        raise ScopeError(f"--depth is about programs, {other} about single calls; they do not go together")
    if options.depth is None and (options.prot is not None or options.noreserve):
        option = "--prot" if options.prot is not None else "--noreserve"
        raise ScopeError(
            f"{option} goes with --depth; without it, every protection is meant, with NORESERVE and without"
        )


def _check_followed(command: str, scope: Scope, followed: Collection[str]) -> None:
    for operation in scope.operations:
        if operation not in followed:
            raise ScopeError(f"--ops: {command} does not follow {operation}; it follows {', '.join(followed)}")


def _depth(options: argparse.Namespace, scope: Scope, milliseconds: int) -> str:
    kernel, name = options.names
    check_is_claim(name)
    _check_followed("prove --depth", scope, any_size.FOLLOWED)
    one_process.build(kernel, scope, [name])
    begin = time.perf_counter()
    with ProgressLine() as status:
        found = search(
            kernel, name, scope, options.depth, milliseconds, lambda now: status.say(f"{sum(now.levels):,} rows")
        )
    seconds = time.perf_counter() - begin
    emit(
        options,
        lambda: depth_data(kernel, name, scope, options.depth, found, seconds),
        lambda: depth_text(kernel, name, scope, options.depth, found),
    )
    return depth_verdict(found)


def minimise_with_z3(options: argparse.Namespace, scope: Scope) -> str:
    """vmacheck minimise: the verdict on whether the program is the least."""
    calls = None
    if options.trace is not None:
        text = sys.stdin.read() if options.trace == "-" else options.trace
        calls = parse_trace(text)
        if not calls:
            raise ScopeError("the trace has no operations")
        check_known(options.kernel, scope, calls)
    if options.by is None:
        check_is_claim(options.against)
        violation = Violation((options.kernel,), options.against, max_map_count=scope.max_map_count)
        one_process.build(options.kernel, scope, [options.against])
    else:
        kernels = (options.kernel, options.against)
        violation = Violation(kernels, worse=options.by, max_map_count=scope.max_map_count)
        for kernel in kernels:
            one_process.build(kernel, scope)
    for kernel in violation.kernels:
        check_bounds_are_not_named(kernel)
    begin = time.perf_counter()
    with ProgressLine() as status:
        found = minimise(violation, calls, scope, 1000 * options.timeout, status.say)
    seconds = time.perf_counter() - begin
    emit(options, lambda: minimised_data(found, seconds), lambda: minimised_text(found))
    return "proved" if found.complete else "incomplete"
