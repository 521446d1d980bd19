# SPDX-License-Identifier: GPL-2.0-only
"""The verdicts that are expected of the seed's kernels in the default scope (seed.toml), and how others differ."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from checker.check import Checked
from checker.scope import Scope

SEED_SCOPE = Scope()


@cache
def _table() -> dict[str, dict[str, str]]:
    with Path(__file__).with_name("seed.toml").open("rb") as file:
        table: dict[str, dict[str, str]] = tomllib.load(file)
    return table


def seed_kernels() -> list[str]:
    """The kernels of the default job, in the order of the table."""
    return list(_table())


def unexpected(checks: Sequence[Checked]) -> list[str]:
    """A line for each verdict that is not the expected one."""
    lines = []
    for checked in checks:
        for result in checked.results:
            want = _table()[checked.system.name].get(result.claim.name, "holds")
            if result.outcome != want:
                lines.append(f"unexpected: {result.claim.name} on {checked.system.name}: {result.outcome}, not {want}")
    return lines
