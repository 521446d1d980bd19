# SPDX-License-Identifier: GPL-2.0-only
"""Ends of commands: exit codes, and errors in one line."""

import argparse
import re
import sys
from typing import Any, NoReturn

from vmacheck.checker.files.errors import instead_of

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
        """End with the message on one line; of an unknown choice, with the nearest."""
        choice = re.fullmatch(r"(.*): invalid choice: '(.*)' \(choose from (.*)\)", message)
        if choice is not None:
            known = [word.strip("' ") for word in choice[3].split(",")]
            message = f"{choice[1]}: invalid choice: '{choice[2]}'; {instead_of(choice[2], known)}"
        fail(message)


class CommandParser(Parser):
    """A parser whose words may stand anywhere among the options, even if one of them is optional."""

    _is_inner = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, the options first, and then the remaining words."""
        if self._is_inner:
            return super().parse_known_args(args, namespace)
        self._is_inner = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_inner = False


def fail(message: str) -> NoReturn:
    """End with one line on stderr and exit code 2."""
    print(f"vmacheck: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(USAGE)
