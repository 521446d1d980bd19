# SPDX-License-Identifier: GPL-2.0-only
"""The command line, one file per command.

Read main.py first, then check.py.
May import everything; nothing imports it.
"""
