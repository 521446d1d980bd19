# SPDX-License-Identifier: GPL-2.0-only
"""The changes after 6.12, one file each, of functions that replace those of the same name in the base."""
