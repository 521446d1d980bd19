# SPDX-License-Identifier: GPL-2.0-only
"""Systems from a kernel's name and a scope; no other room makes them.

Read world.py first (what kinds of world there are), then one_process.py, names.py, programs.py.
May import model, properties, and checker's files, program, compiled, symbolic and search.
"""
