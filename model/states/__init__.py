# SPDX-License-Identifier: GPL-2.0-only
"""The fields of a state, and their bounds: for the checker, not for a reader of mm/.

Read linux_2_6.py first; linux.py and threads.py add to it.
May import the rooms of model before: common, linux_2_6, linux, worlds, calls.
"""
