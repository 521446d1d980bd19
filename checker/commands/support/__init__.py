# SPDX-License-Identifier: GPL-2.0-only
"""What the commands share: options, exit codes, signals, progress, completion, real kernels, Z3.

Read options.py first, then exits.py.
May import everything; only checker/commands imports it.
"""
