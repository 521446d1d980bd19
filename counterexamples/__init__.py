# SPDX-License-Identifier: GPL-2.0-only
"""From a violation to something a person can use: replayed, drawn, reported."""
