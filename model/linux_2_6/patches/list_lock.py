# SPDX-License-Identifier: GPL-2.0-only
"""anon_vma list locking bug (Hugh Dickins, 25 June 2004): a fault locks the list that its vma joins.

anon_vma->lock is taken inside of page_table_lock, also for a neighbour's anon_vma, on whose list the vmas of other
processes may be. Replaces joins_lists_locked, which only threads.py asks. Rules: docs/rules-2.6.md sections 4.10 and 5
(S6).
"""


def joins_lists_locked(mm):
    """Does a vma join a list that others are on under anon_vma->lock? Always."""
    return True
