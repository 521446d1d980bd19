# SPDX-License-Identifier: GPL-2.0-only
"""Exhaustive search over a model, and the verdicts that come of it.

Read explore.py (the search, in Python), check.py (verdicts), link.py and subset.py (what a model is made of), then the
fast way to the same: codegen.py, expand.py, rounds.py. vm.py is the one place that knows which model it is.
"""
