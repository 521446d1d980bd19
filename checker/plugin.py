# SPDX-License-Identifier: GPL-2.0-only
"""The plugin for pytest: the fixtures assert_holds and assert_violated, which are those of checker.testing.

pytest loads this file wherever vmacheck is installed, so slow imports wait until a test asks for a fixture.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(name="assert_holds", scope="session")
def _assert_holds() -> "Callable[..., None]":
    """assert_holds(kernel, property, pages=4, ...): fail, with the counterexample drawn, unless the property holds."""
    from vmacheck.checker.testing import assert_holds  # noqa: PLC0415

    return assert_holds


@pytest.fixture(name="assert_violated", scope="session")
def _assert_violated() -> "Callable[..., None]":
    """assert_violated(kernel, property, length=None, ...): fail unless it is violated, by a program of that length."""
    from vmacheck.checker.testing import assert_violated  # noqa: PLC0415

    return assert_violated
