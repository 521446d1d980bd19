# SPDX-License-Identifier: GPL-2.0-only
"""What came after 6.12, a file for each change: functions that replace those of the base of the same name."""
