# SPDX-License-Identifier: GPL-2.0-only
"""python -m vmacheck: the command line."""

from vmacheck.checker.commands.main import main

if __name__ == "__main__":
    raise SystemExit(main())
