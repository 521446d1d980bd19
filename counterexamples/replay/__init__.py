# SPDX-License-Identifier: GPL-2.0-only
"""A trace run on a model kernel, step by step.

Read one_process.py first; two_processes.py and threads.py do the same for other worlds.
May import nothing of counterexamples but this room.
"""
