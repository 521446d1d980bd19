# SPDX-License-Identifier: GPL-2.0-only
"""The Linux VM of May to August 2004, as far as it decides which vmas merge and which share an anon_vma.

Read mm.py (names), lookup.py and pages.py (vmas, anon_vmas), mmap.py (vma_merge and its eight cases), mprotect.py,
rmap.py, memory.py, fault.py; then patches/ (what each kernel changes); then kernels.py (which kernels there are),
state.py and operations.py (what the checker needs to know). DEPARTURES.md lists what was left out and what was changed.
modern/ is the same of 2024 to 2026.
"""
