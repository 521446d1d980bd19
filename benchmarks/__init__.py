# SPDX-License-Identifier: GPL-2.0-only
"""How fast vmacheck is, beside other tools, measured together."""
