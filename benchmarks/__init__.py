# SPDX-License-Identifier: GPL-2.0-only
"""The speed of vmacheck and of other tools, measured together."""
