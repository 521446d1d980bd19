# SPDX-License-Identifier: GPL-2.0-only
"""Settings of every test: machine code is unoptimised, unless a test is about that, and built once per session.

Processes that a test starts inherit both settings, and so do the workers of pytest-xdist.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from vmacheck.checker.symbolic import pool

os.environ.setdefault("VMACHECK_OPTIMISE", "0")


def pytest_configure(config: pytest.Config) -> None:
    """One folder for the builds of the whole session, unless VMACHECK_CACHE names one."""
    if "VMACHECK_CACHE" not in os.environ:
        folder = tempfile.mkdtemp(prefix="vmacheck-tests-")
        os.environ["VMACHECK_CACHE"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(autouse=True, scope="module")
def frozen() -> None:
    """Freeze what was loaded and cached before a file's tests, so that the collector skips it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


class Later:
    """An answer that is computed on demand."""

    def __init__(self, ask: Callable[..., Any], *question: Any) -> None:
        self.ask, self.question = ask, question

    def result(self) -> Any:
        return self.ask(*self.question)

    def cancel(self) -> None:
        pass


class Here:
    """A stand-in for the processes that answer questions to Z3: this one, which has already imported it."""

    def __init__(self, *_: Any) -> None:
        pass

    def submit(self, ask: Callable[..., Any], *question: Any) -> Later:
        return Later(ask, *question)

    def shutdown(self, **_: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def questions_to_z3(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer questions in the test's own process, except for proofs, which take minutes."""
    if request.node.get_closest_marker("proofs") is None:
        monkeypatch.setattr(pool, "ProcessPoolExecutor", Here)


@pytest.fixture
def optimised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code as users get it: for searches of more than about 10^5 states, and where the optimiser is tested."""
    monkeypatch.delenv("VMACHECK_OPTIMISE")
