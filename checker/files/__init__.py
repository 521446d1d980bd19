# SPDX-License-Identifier: GPL-2.0-only
"""Files that are written whole, and the store of builds and answers between runs.

Read written.py first, then kept.py.
May import nothing of vmacheck.
"""
