# SPDX-License-Identifier: GPL-2.0-only
"""What a state consists of, and how large each field can get: for the checker, not for a reader of mm/.

Read linux_2_6.py first; linux.py and threads.py say what is more.
May import the rooms of model before: common, linux_2_6, linux, worlds, calls.
"""
