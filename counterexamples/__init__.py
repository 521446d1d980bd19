# SPDX-License-Identifier: GPL-2.0-only
"""From a violation to what people read and run: replays, pictures, reports, C programs, real kernels.

Read replay/one_process.py first, then pictures/text.py and reports/check.py. Each room may also import model,
properties, and checker's rooms up to jobs.
"""
