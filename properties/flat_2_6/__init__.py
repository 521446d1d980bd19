# SPDX-License-Identifier: GPL-2.0-only
"""The flat per-page reference of 2.6: what an address space of pages without vmas would do.

Read reference.py first.
May import model.
"""
