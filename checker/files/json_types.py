# SPDX-License-Identifier: GPL-2.0-only
"""Parts of the types of JSON answers. docs/schema.json is generated from those types.

Each stands next to the function that makes the answer, as a TypedDict. Its docstring is the description.
"""

from typing import Annotated, NamedTuple


class AtLeast(NamedTuple):
    """Of a number, its least value; of a list, its least length."""

    number: int


class AtMost(NamedTuple):
    """Of a number, its greatest value."""

    number: int


Natural = Annotated[int, AtLeast(0)]
Positive = Annotated[int, AtLeast(1)]
Seconds = Annotated[float, AtLeast(0)]
