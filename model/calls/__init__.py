# SPDX-License-Identifier: GPL-2.0-only
"""Calls as data and as text: which there are, how a trace is written, and how threads interleave.

Read operations.py first, then traces.py.
May import the rooms of model before: common, linux_2_6, linux, worlds.
"""
