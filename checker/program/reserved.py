# SPDX-License-Identifier: GPL-2.0-only
"""Names of the search loops, reserved: no model, patch or property may define them.

tests/compiled/test_codegen.py holds them against compiled/loops.py and compiled/record.py, which define them.
"""

RESERVED = frozenset(
    """
    AT AT_BUG AT_EVENTS AT_FUEL AT_OOPS BASE BEYOND_AT BEYOND_REACH BLOCK_SIZE BROKEN CACHE_MASK CALLS CALL_SIZE
    COUNT DONE END EVENTS FIELD FOUND FUEL FULL HITS_SIZE INDEX_MASK KEPT KEY_WORDS LARGEST_RESULT MARK_MASK
    MAX_ERRNO MAX_RESULTS MAX_STATES MAX_STATES_HIT OOPS OUT_OF_BOUNDS PROGRESS_SIZE REGION_MASK RESULT SEEN
    SIZE START STEP_CLAIMS STOPPED STOPPED_AT TABLE_MASK TRIED UNTRIED WANTED WRONG_AT at carry_out claim
    copy_key copy_state entry_of first_state generate hash_of hash_rows home_of i32 i64 is_marked is_news judge
    lshr measure measure_of meet next_slot note_hits number pack prefetch record rehash row_in row_of same_key
    same_state slot_of start_from state_hits step_hits tally try_call u16 unpack without_known
    """.split()
)
