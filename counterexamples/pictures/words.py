# SPDX-License-Identifier: GPL-2.0-only
"""The words that all reports share: listing and counting things, and the version of the JSON."""

from collections.abc import Sequence
from typing import Final

SCHEMA: Final = 1


def listing(words: Sequence[str], last: str = "and") -> str:
    """The words, with commas, and `last` before the last of them."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
