# SPDX-License-Identifier: GPL-2.0-only
"""Traces on the running kernel or an image, and the comparison of a model with it.

Read live.py first (one trace), then conform.py (every sequence).
May import counterexamples/replay and pictures.
"""
