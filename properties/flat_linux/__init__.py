# SPDX-License-Identifier: GPL-2.0-only
"""The flat per-page reference of current kernels: what an address space of pages without vmas would do.

Read reference.py first; rules.py has what takes the place of rules of 2.6.
May import model.
"""
