# SPDX-License-Identifier: GPL-2.0-only
"""Steps as text, as a film strip, in colour; the words that all reports share.

Read text.py first, then film.py; words.py has listing and counting.
May import counterexamples/replay.
"""
