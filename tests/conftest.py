# SPDX-License-Identifier: GPL-2.0-only
"""Shared by every test: machine code is not optimised, unless a test is about that, and is built once per session.

Processes that a test starts inherit both settings, and so do the workers of pytest-xdist.
"""

import gc
import os
import shutil
import tempfile

import pytest

os.environ.setdefault("VMACHECK_OPTIMISE", "0")


def pytest_configure(config: pytest.Config) -> None:
    """One folder for the builds of the whole session, unless VMACHECK_CACHE names one."""
    if "VMACHECK_CACHE" not in os.environ:
        folder = tempfile.mkdtemp(prefix="vmacheck-tests-")
        os.environ["VMACHECK_CACHE"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture
def optimised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code as users get it: for searches of more than about 10^5 states, and where the optimiser is tested."""
    monkeypatch.delenv("VMACHECK_OPTIMISE")
