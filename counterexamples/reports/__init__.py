# SPDX-License-Identifier: GPL-2.0-only
"""The answer of each command, as text and as data: one file per command, named after it.

Read check.py first.
May import counterexamples/replay, pictures, real_kernels and minimal.
"""
