# SPDX-License-Identifier: GPL-2.0-only
"""From source files to a system that can be stepped: the language, linking, the shape of a state, the interpreter.

Read link.py first, then subset.py, layout.py, system.py, interpreted.py. Knows no VM.
May import checker/files.
"""
