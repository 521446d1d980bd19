# SPDX-License-Identifier: GPL-2.0-only
"""What is linked between a tree and its patches, to make a state more than one process with so many pages.

Read segments.py first (any size); threads_2_6.py, fork_2_6.py and fork_linux.py have threads and two processes.
May import the rooms of model before: common, linux_2_6, linux.
"""
