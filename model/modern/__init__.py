# SPDX-License-Identifier: GPL-2.0-only
"""The Linux VM of 2024 to 2026, 6.12 to 7.0, as far as it decides which vmas merge and which share an anon_vma.

Read mm.py (names), vma.py (vma_merge_new_range, vma_merge_existing_range), rmap.py, fault.py and shmem.py, then the
calls; then patches/ (what came after 6.12). The base is 6.12. Rules: kernel-modern; departures: model/DEPARTURES.md.
"""
