# SPDX-License-Identifier: GPL-2.0-only
"""Searches over a system, whatever it is of, and the verdicts that follow.

Read explore.py first (the search on one screen), then verdict.py, then rounds.py (the compiled one). Knows no VM.
May import checker/files, program, compiled and symbolic.
"""
