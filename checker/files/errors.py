# SPDX-License-Identifier: GPL-2.0-only
"""The one base class of errors in a user's input: the command line prints them in a line, and exits with 2."""

import difflib
from collections.abc import Collection

MANY = 9  # names that are too many for an error of one line


class InputError(ValueError):
    """Invalid input; the message says what is wrong, and where."""


def instead_of(name: str, known: Collection[str], listed_by: str = "") -> str:
    """What may have been meant by an unknown name: the nearest names; or all; or, of many, the command that lists."""
    close = difflib.get_close_matches(name, known, 1, 0.8) or difflib.get_close_matches(name, known, 3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"{listed_by} lists them" if listed_by and len(known) >= MANY else f"there are {', '.join(known) or 'none'}"
