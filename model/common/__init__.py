# SPDX-License-Identifier: GPL-2.0-only
"""The common part of both trees: names and numbers, look-up, anon_vmas and pages, the normal form of a state.

Read mm.py first, then lookup.py and pages.py.
May import nothing but this room.
"""
