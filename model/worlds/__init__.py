# SPDX-License-Identifier: GPL-2.0-only
"""Files linked between a tree and its patches, for states other than one process with a fixed number of pages.

Read segments.py first (any size); threads_2_6.py, fork_2_6.py and fork_linux.py have threads and two processes.
May import the rooms of model before: common, linux_2_6, linux.
"""
