# SPDX-License-Identifier: GPL-2.0-only
"""What both trees take as it is: names and numbers, look-up, anon_vmas and pages, the normal form of a state.

Read mm.py first, then lookup.py and pages.py.
May import nothing but this room.
"""
