# SPDX-License-Identifier: GPL-2.0-only
"""The tree of current kernels: mm/*.c of 6.12, one file for each of the kernel's.

Read vma.py first, then rmap.py, mmap.py, mprotect.py, mremap.py; patches/ has what later kernels change.
May import model/common, and of model/linux_2_6 what it links over.
"""
