# SPDX-License-Identifier: GPL-2.0-only
"""Questions to Z3 about kernels: induction, rows of any size, least programs, equivalence.

Read prove.py first, then induction.py and any_state.py; bounded.py and least.py go over rows.
May import what checker/kernels may, and checker/kernels.
"""
