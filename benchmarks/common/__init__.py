# SPDX-License-Identifier: GPL-2.0-only
"""One state space, written for several tools."""
