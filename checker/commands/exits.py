# SPDX-License-Identifier: GPL-2.0-only
"""How a command ends: exit codes, and errors in one line."""

import argparse
import sys
from typing import NoReturn

HOLDS, VIOLATED, USAGE, INCOMPLETE, VACUOUS = range(5)
EXIT_CODES = {
    **dict.fromkeys(("violated", "refuted", "different"), VIOLATED),
    **dict.fromkeys(("incomplete", "unproved"), INCOMPLETE),
    "vacuous": VACUOUS,
    **dict.fromkeys(("holds", "proved", "equal"), HOLDS),
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """End with the message on one line."""
        fail(message)


def fail(message: str) -> NoReturn:
    """End with one line on stderr and exit code 2."""
    print(f"vmacheck: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(USAGE)
