# SPDX-License-Identifier: GPL-2.0-only
"""What holds for every test: machine code is not optimised, unless a test is about that."""

import os

os.environ.setdefault("VMACHECK_OPTIMISE", "0")
