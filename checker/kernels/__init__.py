# SPDX-License-Identifier: GPL-2.0-only
"""The only room that turns a kernel's name and a scope into a system; all above go through it.

Read world.py first (what kinds of world there are), then one_process.py, names.py, programs.py.
May import model, properties, and checker's rooms before: files, program, compiled, symbolic, search.
"""
