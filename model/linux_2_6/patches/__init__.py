# SPDX-License-Identifier: GPL-2.0-only
"""Changes to the base tree, each a file of functions that replace those of the same name for all callers."""
