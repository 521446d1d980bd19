# SPDX-License-Identifier: GPL-2.0-only
"""The part of the Linux VM that decides which vmas merge and which share an anon_vma.

Read common/mm.py (names), then linux_2_6/mmap.py (vma_merge and its eight cases) or linux/vma.py (the same of 6.12),
then kernels.py (every kernel by name). DEPARTURES.md lists what was left out and what was changed.
"""
