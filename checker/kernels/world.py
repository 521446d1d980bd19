# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of world that a scope can have, one record each: how its systems are made, and what can be asked of them.

Scope.world names that of a scope, and System.world that of a system.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vmacheck.checker.kernels import one_process, processes, programs, segments, threads
from vmacheck.checker.kernels.scope import PAGES, PROCESSES, SEGMENTS, THREADS, Scope
from vmacheck.checker.program.system import System
from vmacheck.checker.search.verdict import Checked
from vmacheck.model.kernels import LINUX
from vmacheck.properties import PROPERTIES, Property


def _as_it_is(checked: Checked, _scope: Scope) -> Checked:
    return checked


def _is_any(_kernel: str) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class World:
    """A kind of world.

    build(kernel, scope, properties) makes a system. property_names(scope): the claims that a check looks at by default.
    known: the properties that it can be asked about. kernels: those that a check looks at by default; None: the model
    of the running kernel. can_have(kernel): can such a system be made of this kernel? judged(checked, scope): the
    verdicts about programs in pages. has_graph, has_coverage: can its state graph be drawn in a report, and can the
    branches that it takes be counted?
    """

    build: Callable[..., System]
    property_names: Callable[[Scope], list[str]]
    known: Mapping[str, Property]
    kernels: tuple[str, ...] | None = None
    can_have: Callable[[str], bool] = _is_any
    judged: Callable[[Checked, Scope], Checked] = _as_it_is
    has_graph: bool = False
    has_coverage: bool = False


def _of_one_process(_scope: Scope) -> list[str]:
    return programs.property_names()


WORLDS: Mapping[str, World] = {
    PAGES: World(
        build=one_process.build,
        property_names=_of_one_process,
        known=PROPERTIES,
        has_graph=True,
        has_coverage=True,
    ),
    SEGMENTS: World(
        build=segments.build,
        property_names=_of_one_process,
        known=PROPERTIES,
        can_have=lambda kernel: not segments.counts_pages(kernel),
        judged=segments.in_pages,
    ),
    THREADS: World(
        build=threads.build,
        property_names=threads.property_names,
        known=threads.KNOWN,
        kernels=threads.KERNELS,
        can_have=lambda kernel: kernel in threads.KERNELS,
        has_coverage=True,
    ),
    PROCESSES: World(
        build=processes.build,
        property_names=lambda _scope: processes.property_names(),
        known=processes.KNOWN,
        can_have=lambda kernel: kernel in LINUX.kernels,
    ),
}


def world_of(scope: Scope) -> World:
    """The world of the scope."""
    return WORLDS[scope.world]
