# SPDX-License-Identifier: GPL-2.0-only
"""Calls as data and as text: their list, the notation of traces, and the interleaving of threads.

Read operations.py first, then traces.py.
May import the rooms of model before: common, linux_2_6, linux, worlds.
"""
