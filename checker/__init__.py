# SPDX-License-Identifier: GPL-2.0-only
"""Exhaustive search over a model, and the verdicts that follow.

Read search/explore.py (the search, in Python), search/verdict.py (verdicts), program/link.py (what a model is made of);
testing.py and strategies.py are what a user's tests import, plugin.py the pytest plugin; they may import everything.
"""
