# SPDX-License-Identifier: GPL-2.0-only
"""The inner loop of the compiled search, in the model's Python with arrays (codegen.py). Compiled with each kernel.

The functions and numbers that come from the kernel's side are declared here by name only.
"""

from typing import Any, TypeAlias

# arrays of numbers of that width
i32: TypeAlias = Any
i64: TypeAlias = Any
u16: TypeAlias = Any

begin: Any
step: Any
canonicalise: Any
pack: Any
unpack: Any
state_hits: Any
step_hits: Any
at: Any
lshr: Any
OOPS: int
MAX_RESULTS: int
MAX_ERRNO: int
LARGEST_RESULT: int
EVENTS: int
FUEL: int
KEY_WORDS: int
CALL_SIZE: int
SIZE: int
KEPT: int
RESULT: int
AT_BUG: int
AT_EVENTS: int
AT_OOPS: int
AT_FUEL: int

# slots of `progress`
NEXT = 0  # the next state to expand
COUNT = 1  # states found
TRANSITIONS = 2  # calls tried
WANTED = 3  # claims not hit yet, a bit each
TARGETS = 4  # those of them that are to be hit for the search to end
MAX_STATES = 5
ROWS = 6  # room for states
TABLE_SIZE = 7  # slots of the table, a power of two
CALLS = 8
FIELD = 9  # the field that a value did not fit into, from 1
BEYOND = 10  # states beyond a limit of the search, which were not entered
PROGRESS_SIZE = 11

# why expand returned
DONE = 0
NEEDS_ROOM = 1
TARGETS_HIT = 2
MAX_STATES_HIT = 3
OUT_OF_BOUNDS = 4
BROKEN = 5

HITS_SIZE = 4  # numbers noted for a hit: state, call, states before, transitions before


def hash_of(key: i64):
    """A hash of a key."""
    h = -7046029254386353131
    for w in range(KEY_WORDS):
        h = (h ^ key[w]) * -2960836687070001261
        h = h ^ lshr(h, 32)
    return h


def same_key(a: i64, b: i64):
    """Are two keys equal?"""
    different = 0
    for w in range(KEY_WORDS):
        different = different | (a[w] ^ b[w])
    return different == 0


def same_state(a: i32, b: i32):
    """Are two states equal but for scratch? False may also mean that they differ in their names only."""
    different = 0
    for i in range(KEPT):
        different = different | (a[i] ^ b[i])
    return different == 0


def copy_state(to: i32, source: i32):
    """Make one state the same as another."""
    for i in range(SIZE):
        to[i] = source[i]


def slot_of(keys: i64, row, table: i32, progress: i64):
    """Where in the table the key of this row is, or is to go. The table holds rows + 1; 0 is empty."""
    mask = progress[TABLE_SIZE] - 1
    slot = hash_of(at(keys, row * KEY_WORDS)) & mask
    while table[slot] != 0 and not same_key(at(keys, (table[slot] - 1) * KEY_WORDS), at(keys, row * KEY_WORDS)):
        slot = (slot + 1) & mask
    return slot


def rehash(keys: i64, table: i32, progress: i64):
    """Enter all rows into an empty table."""
    for row in range(progress[COUNT]):
        table[slot_of(keys, row, table, progress)] = row + 1


def note_hits(bits, call, new, progress: i64, hits: i64):
    """Record the claims in bits as hit: in which state, and by which call."""
    progress[WANTED] = progress[WANTED] & ~bits
    progress[TARGETS] = progress[TARGETS] & ~bits
    claim = 0
    while bits != 0:
        if bits & 1:
            hits[claim * HITS_SIZE] = progress[NEXT]
            hits[claim * HITS_SIZE + 1] = call
            hits[claim * HITS_SIZE + 2] = progress[COUNT] - new
            hits[claim * HITS_SIZE + 3] = progress[TRANSITIONS]
        bits = bits >> 1
        claim = claim + 1


def first_state(after: i32, keys: i64, table: i32, progress: i64, hits: i64):
    """Enter the first state, which is in `after`."""
    after[AT_FUEL] = FUEL
    canonicalise(after)
    progress[FIELD] = pack(after, keys)
    if progress[FIELD] > 0:
        return OUT_OF_BOUNDS
    table[slot_of(keys, 0, table, progress)] = 1
    progress[COUNT] = 1
    bits = state_hits(after, progress[WANTED])
    if bits != 0:
        note_hits(bits, -1, 1, progress, hits)
    if after[AT_OOPS] != 0:
        return BROKEN
    return DONE


def carry_out(before: i32, call: i32, after: i32, results: i64, events: i64):
    """Make `after` the state after the call, and count what happened. False if the call stopped the kernel."""
    copy_state(after, before)
    after[AT_EVENTS] = 0
    after[AT_OOPS] = 0
    after[AT_FUEL] = FUEL
    result = step(after, call)
    place = after[AT_EVENTS]
    if result < -MAX_ERRNO or result > LARGEST_RESULT or place < 0 or place >= EVENTS:
        after[AT_OOPS] = 1
    if after[AT_OOPS] != 0:
        place = 0
    events[place] = events[place] + 1
    if after[AT_OOPS] != 0:
        copy_state(after, before)
        after[AT_BUG] = 1
        result = OOPS
    call[RESULT] = result
    place = call[0] * MAX_RESULTS
    if result < 0:
        place = place - result
    results[place] = results[place] + 1
    return result != OOPS


def start_from(before: i32):
    """Make a state ready for calls. False if that went wrong."""
    before[AT_OOPS] = 0
    before[AT_FUEL] = FUEL
    begin(before)
    return before[AT_OOPS] == 0


def enter(after: i32, i, k, keys: i64, parents: i32, via: u16, table: i32, progress: i64, hits: i64):
    """Enter the state `after`, which call k leads to from state i, if it is new. DONE, or why that cannot be."""
    count = progress[COUNT]
    progress[FIELD] = pack(after, at(keys, count * KEY_WORDS))
    if progress[FIELD] > 0:
        return OUT_OF_BOUNDS
    if progress[FIELD] < 0:
        progress[BEYOND] = progress[BEYOND] + 1
        return DONE
    if same_key(at(keys, i * KEY_WORDS), at(keys, count * KEY_WORDS)):
        return DONE
    slot = slot_of(keys, count, table, progress)
    if table[slot] != 0:
        return DONE
    if count == progress[MAX_STATES]:
        return MAX_STATES_HIT
    table[slot] = count + 1
    parents[count] = i
    via[count] = k
    progress[COUNT] = count + 1
    if progress[WANTED] != 0:
        bits = state_hits(after, progress[WANTED])
        if bits != 0:
            note_hits(bits, k, 1, progress, hits)
    return DONE


def expand(
    before: i32,
    after: i32,
    calls: i32,
    keys: i64,
    parents: i32,
    via: u16,
    table: i32,
    progress: i64,
    hits: i64,
    results: i64,
    events: i64,
    end,
):
    """Try every call in the states from progress[NEXT] to end, and say why it returned.

    The key of the i-th state is at keys[i * KEY_WORDS]; parents[i] and via[i] say from which state and by which call
    it was found first. before and after are room for a state each.
    """
    while progress[NEXT] < end:
        i = progress[NEXT]
        if progress[COUNT] + progress[CALLS] >= progress[ROWS] or progress[ROWS] * 2 > progress[TABLE_SIZE]:
            return NEEDS_ROOM
        unpack(at(keys, i * KEY_WORDS), before)
        if not start_from(before):
            return BROKEN
        if before[AT_BUG] == 0:
            for k in range(progress[CALLS]):
                alive = carry_out(before, at(calls, k * CALL_SIZE), after, results, events)
                before[AT_FUEL] = FUEL
                after[AT_FUEL] = FUEL
                if alive and progress[WANTED] != 0:
                    bits = step_hits(before, at(calls, k * CALL_SIZE), after, progress[WANTED])
                    if bits != 0:
                        note_hits(bits, k, 0, progress, hits)
                if not same_state(before, after):
                    canonicalise(after)
                    status = enter(after, i, k, keys, parents, via, table, progress, hits)
                    if status != DONE:
                        return status
                if before[AT_OOPS] != 0 or after[AT_OOPS] != 0:
                    return BROKEN
                if progress[TARGETS] == 0:
                    return TARGETS_HIT
                progress[TRANSITIONS] = progress[TRANSITIONS] + 1
        progress[NEXT] = i + 1
    return DONE


def try_call(before: i32, call: i32, after: i32, key: i64, results: i64, events: i64):
    """Carry out one call, and write the key of the state after it. What pack returns."""
    start_from(before)
    carry_out(before, call, after, results, events)
    after[AT_FUEL] = FUEL
    canonicalise(after)
    return pack(after, key)


# names that a model cannot have for its own: those here, and pack, unpack and the like, which are made for it
RESERVED = frozenset(vars()) | frozenset(__annotations__) - {"begin", "step", "canonicalise"}
ENTRIES = ("rehash", "first_state", "expand", "try_call")
