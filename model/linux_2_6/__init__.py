# SPDX-License-Identifier: GPL-2.0-only
"""The tree of May to August 2004: mm/*.c of 2.6.7, one file for each of the kernel's.

Read mmap.py first, then mprotect.py, rmap.py, memory.py, fault.py; patches/ has what each kernel changes.
May import model/common.
"""
