# SPDX-License-Identifier: GPL-2.0-only
"""What claims mean on today's kernels, where that differs: functions in place of those of the same name."""
