# SPDX-License-Identifier: GPL-2.0-only
"""A model checker for vma merging and anon_vma sharing in Linux.

The public names: assert_holds and assert_violated, for tests. vmacheck.model, properties, checker and counterexamples
are the rooms; docs/architecture.md says what each is for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmacheck.checker.testing import assert_holds, assert_violated

__version__ = "0.1.0"
__all__ = ["__version__", "assert_holds", "assert_violated"]


def __getattr__(name: str) -> Any:
    """A public name, imported at its first use: the pytest plugin imports this package in every run of pytest."""
    if name in __all__:
        from vmacheck.checker import testing  # noqa: PLC0415

        return getattr(testing, name)
    raise AttributeError(f"module 'vmacheck' has no attribute '{name}'")
