# SPDX-License-Identifier: GPL-2.0-only
"""The sentences of the patch as data, the parts that decide them, and the same for current kernels.

Read parts.py first, then linux_2_6.py and linux.py.
May import what checker/kernels may, and checker/kernels.
"""
