# SPDX-License-Identifier: GPL-2.0-only
"""The same program as machine code: layout in memory, code generation, the loops of the search, builds on disk.

Read codegen.py first, then loops.py, module.py, native.py. Knows no VM.
May import checker/files and checker/program.
"""
