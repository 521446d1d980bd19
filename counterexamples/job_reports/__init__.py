# SPDX-License-Identifier: GPL-2.0-only
"""Job results: text, JUnit, SARIF, annotations, one HTML page.

Read text.py first, then page.py.
May import the rooms of counterexamples before: replay to reports and reproducer.
"""
