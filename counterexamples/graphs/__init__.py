# SPDX-License-Identifier: GPL-2.0-only
"""The state graph as data and as a drawing.

Read graph.py first, then drawing.py.
May import the rooms of counterexamples before: replay to reports and reproducer.
"""
