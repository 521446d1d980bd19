# SPDX-License-Identifier: GPL-2.0-only
"""The one base class of errors about what a user gave: the command line prints them in a line, and ends with 2."""


class InputError(ValueError):
    """Something in the input cannot be; the message says what, and where."""
