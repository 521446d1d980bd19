# SPDX-License-Identifier: GPL-2.0-only
"""From any program that shows a violation to the least one.

Read minimise.py first, then shrink.py.
May import counterexamples/replay and pictures.
"""
