# SPDX-License-Identifier: GPL-2.0-only
"""A trace as a C program with the same effect on a real kernel.

Read write.py first, then program.c.
May import counterexamples/replay, pictures, real_kernels and minimal.
"""
