# SPDX-License-Identifier: GPL-2.0-only
"""The committed findings, and the three scripts that write them.

Read make.py first (python -m vmacheck.counterexamples.gallery.make), then merged.py and distance.py.
May import all of counterexamples.
"""
