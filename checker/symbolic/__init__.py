# SPDX-License-Identifier: GPL-2.0-only
"""The same program on unknown numbers: formulas, cases, paths, Z3.

Read values.py first, then machine.py, paths.py, solver.py. Knows no VM.
May import checker/files and checker/program.
"""
