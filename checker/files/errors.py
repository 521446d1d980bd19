# SPDX-License-Identifier: GPL-2.0-only
"""The one base class of errors in a user's input: the command line prints them in a line, and exits with 2."""


class InputError(ValueError):
    """Invalid input; the message says what is wrong, and where."""
