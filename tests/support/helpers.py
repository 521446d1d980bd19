# SPDX-License-Identifier: GPL-2.0-only
"""Helpers of the tests: systems built in one line, traces drawn, and the command line called in process."""

import contextlib
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from vmacheck.checker.commands.main import main
from vmacheck.checker.kernels import one_process, programs
from vmacheck.checker.kernels.scope import PAGES, Scope
from vmacheck.checker.kernels.world import WORLDS
from vmacheck.checker.program.system import System
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import Checked, Result, check
from vmacheck.counterexamples.pictures.text import picture
from vmacheck.counterexamples.replay.one_process import Step, replay
from vmacheck.model.calls.traces import parse_trace
from vmacheck.model.common.mm import MREMAP_FIXED

ROOT = Path(__file__).parent.parent.parent
MUTANTS = Path(__file__).parent / "mutants"
KERNELS = ("anonmm", "rmap39", "rmap40", "linux-2.6.8")


def _once(build: Callable[..., System]) -> Callable[..., System]:
    """A world's build, cached per session, except for users' files, which may change, and for other calls."""

    @cache
    def once(kernel: str, scope: Scope, properties: tuple[str, ...]) -> System:
        return build(kernel, scope, properties)

    def built(kernel: str, scope: Scope, properties: Sequence[str] = (), **more: Any) -> System:
        if more or ".py" in f"{kernel} {properties}":
            return build(kernel, scope, properties, **more)
        return once(kernel, scope, tuple(properties))

    return built


SHARED = {name: replace(world, build=_once(world.build)) for name, world in WORLDS.items()}


def system(kernel: str, pages: int = 3, properties: tuple[str, ...] = (), **scope: Any) -> System:
    """The kernel as a system, built once per session."""
    return SHARED[PAGES].build(kernel, Scope(pages=pages, **scope), properties)


def checked(
    kernel: str, *properties: str, run: str = "compiled", limits: Limits | None = None, **scope: Any
) -> Checked:
    """The results of one search, cached per session like its system. Tests must not change them."""
    names = properties or tuple(programs.property_names())
    searched = system(kernel, properties=names, **scope)
    if ".py" in f"{kernel} {names}":
        return check(searched, names, limits or Limits(), run)
    return _checked(searched, names, limits or Limits(), run)


@cache
def _checked(searched: System, names: tuple[str, ...], limits: Limits, run: str) -> Checked:
    return check(searched, names, limits, run)


def verdict(kernel: str, name: str, **scope: Any) -> Result:
    return checked(kernel, name, **scope).results[0]


def steps(kernel: str, trace: str, pages: int = 4, **more: Any) -> list[Step]:
    calls = parse_trace(trace)
    return replay(one_process.build(kernel, Scope(pages=pages, **more), calls=calls), calls)


def shortest(kernel: str, name: str, *more: str, pages: int = 3) -> str:
    """The shortest trace that violates a property, found by a search, for traces that must not be written in a test."""
    found = verdict(kernel, name, pages=pages, operations=("mmap", "munmap", "mprotect", "write", *more))
    assert found.calls is not None, found.outcome
    return "; ".join(map(str, found.calls))


def mirrored(trace: str, pages: int) -> str:
    """The trace mirrored, with the highest page in place of the lowest."""
    return "; ".join(
        str(
            call._replace(
                addr=pages - call.addr - (call.len or 1),
                new_addr=pages - call.new_addr - call.new_len if call.flags & MREMAP_FIXED else 0,
            )
        )
        for call in parse_trace(trace)
    )


def drawn(kernel: str, trace: str, pages: int = 4, **more: Any) -> str:
    """The picture of the address space after the trace, followed by the last result if that is an error."""
    last = steps(kernel, trace, pages, **more)[-1]
    failed = f" {last.result}" if isinstance(last.result, str) else ""
    return picture(last.vmas, pages) + failed


def drawn_as(kernel: str, trace: str, after: str, **more: Any) -> str:
    """The picture of the address space after the trace, with as many pages as the picture `after`."""
    return drawn(kernel, trace, len(re.sub(r" E\w+$", "", after)) // 2 + 1, **more)


def all_drawn(kernel: str, rows: Iterable[tuple[str, str, str]]) -> None:
    """Check a table of names, traces and pictures against a kernel, and print every wrong row."""
    found = [(name, trace, after, drawn_as(kernel, trace, after)) for name, trace, after in rows]
    wrong = [f"{name}: {trace}: {now!r}, not {after!r}" for name, trace, after, now in found if now != after]
    assert not wrong, "\n".join([kernel, *wrong])


def rest(mark: Any, values: Iterable[Any], first: int = 1) -> list[Any]:
    """Values to parametrize with: all but the first few are marked, and so left to their own make target."""
    found = list(values)
    sets = [
        one if hasattr(one, "marks") else pytest.param(*(one if isinstance(one, tuple) else (one,))) for one in found
    ]
    return [*found[:first], *(pytest.param(*one.values, marks=[*one.marks, mark], id=one.id) for one in sets[first:])]


def vmacheck(*words: str) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a command, called in process with the session's systems."""
    out, err = io.StringIO(), io.StringIO()
    share = mock.patch.dict(WORLDS, SHARED)
    share_pages = mock.patch.object(one_process, "build", SHARED[PAGES].build)
    with share, share_pages, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as end:
            assert isinstance(end.code, int)
            code = end.code
    return code, out.getvalue(), err.getvalue()


def vmacheck_json(*words: str) -> tuple[int, Any]:
    code, out, _ = vmacheck(*words, "--format", "json")
    return code, json.loads(out)
