# SPDX-License-Identifier: GPL-2.0-only
"""The inner loops of the compiled search, in the model's Python with arrays (codegen.py). Compiled with each kernel.

A search goes on in rounds. In a round, `generate` tries all calls in some states, block by block, and writes down
the keys that are not in the table; `claim` picks the first of each that are equal; `number` makes those states;
`judge` looks at the claims about them. Blocks, and regions of the table, are for different workers: nobody writes
what another reads. Since candidates keep the order of states and calls, the result does not depend on how work is
shared out. search/rounds.py puts it together.

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
prefetch: Any
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
CACHE_MASK: int
STEP_CLAIMS: int
AT_BUG: int
AT_EVENTS: int
AT_OOPS: int
AT_FUEL: int

# slots of `progress`, which nobody changes while workers are at work
COUNT = 0  # states found
WANTED = 1  # claims not hit yet, a bit each
CALLS = 2
MAX_STATES = 3
TABLE_MASK = 4  # slots of the table, a power of two, less one
REGION_MASK = 5  # slots of a region, a power of two, less one
INDEX_MASK = 6  # the bits of a slot of the table that say which row; the others, up to bit 31 ...
MARK_MASK = 7  # ... are the same bits of the hash
STOPPED_AT = 8  # the position that led to more than MAX_STATES states
PROGRESS_SIZE = 9

# slots of a block
START = 0  # the states to expand: from here ...
END = 1  # ... up to here
BASE = 2  # the row for the first candidate
FOUND = 3  # candidates found
AT = 4  # the first position (state << 16 | call) that was not tried
FIELD = 5  # the number, from 1, of the field that a value did not fit into
BEYOND_AT = 6  # the first position that led beyond a limit of the search, or -1
TRIED = 7  # calls tried
WRONG_AT = 8  # the position, or for judge the row, where something went wrong
BLOCK_SIZE = 16  # numbers; no two blocks share a line of the processor's cache

# why a function returned
DONE = 0
OUT_OF_BOUNDS = 1
BROKEN = 2
FULL = 3
MAX_STATES_HIT = 4

SEEN = 62  # the slot of `hits` with the claims that a worker has seen hit; the slots before it say where
HITS_SIZE = 63


def hash_of(key: i64):
    """A hash of a key."""
    h = -7046029254386353131
    for w in range(KEY_WORDS):
        h = (h ^ key[w]) * -2960836687070001261
        h = h ^ lshr(h, 32)
    h = h * -4417276706812531889
    return h ^ lshr(h, 29)


def same_key(a: i64, b: i64):
    """Are two keys equal?"""
    different = 0
    for w in range(KEY_WORDS):
        different = different | (a[w] ^ b[w])
    return different == 0


def copy_key(to: i64, source: i64):
    """Make one key the same as another."""
    for w in range(KEY_WORDS):
        to[w] = source[w]


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


# ---- the table: a slot is 0, or the number of a row from 1 and, in the bits above, part of its key's hash ---------


def next_slot(slot, progress: i64):
    """The slot after this one in its region."""
    return (slot & ~progress[REGION_MASK]) | ((slot + 1) & progress[REGION_MASK])


def home_of(h, progress: i64):
    """The slot where looking for a key with this hash begins."""
    return lshr(h, 32) & progress[TABLE_MASK]


def row_in(entry, progress: i64):
    """The row that an entry is of."""
    return (entry & progress[INDEX_MASK]) - 1


def entry_of(h, row, progress: i64):
    """The entry for a row whose key has this hash."""
    return (h & progress[MARK_MASK]) | (row + 1)


def is_marked(entry, h, progress: i64):
    """Can the row of this entry have a key with this hash?"""
    return ((entry ^ h) & progress[MARK_MASK]) == 0


def slot_of(key: i64, h, keys: i64, table: i32, progress: i64):
    """The slot of the table for a key, in use or free; -1 if its region is full of others."""
    first = home_of(h, progress)
    slot = first
    while table[slot] != 0:
        if is_marked(table[slot], h, progress):
            if same_key(key, at(keys, row_in(table[slot], progress) * KEY_WORDS)):
                return slot
        slot = next_slot(slot, progress)
        if slot == first:
            return -1
    return slot


def row_of(key: i64, keys: i64, table: i32, progress: i64):
    """The row with this key, or -1."""
    slot = slot_of(key, hash_of(key), keys, table, progress)
    if slot < 0 or table[slot] == 0:
        return -1
    row = row_in(table[slot], progress)
    return row if row < progress[COUNT] else -1


def rehash(keys: i64, table: i32, progress: i64):
    """Enter all rows into an empty table. Returns DONE, or FULL if a region is too small."""
    for row in range(progress[COUNT]):
        h = hash_of(at(keys, row * KEY_WORDS))
        slot = slot_of(at(keys, row * KEY_WORDS), h, keys, table, progress)
        if slot < 0:
            return FULL
        table[slot] = entry_of(h, row, progress)
    return DONE


def hash_rows(keys: i64, first, last, hashes: i64):
    """The hashes of the rows first..last-1."""
    for row in range(first, last):
        hashes[row - first] = hash_of(at(keys, row * KEY_WORDS))


# ---- calls --------------------------------------------------------------------------------------------------------


def carry_out(before: i32, call: i32, after: i32, results: i64, events: i64):
    """Make `after` the state after the call, and count what happened. Returns false if the call stopped the kernel."""
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
        stopped = after[AT_BUG]
        copy_state(after, before)
        after[AT_BUG] = 1
        if stopped != 0:
            after[AT_BUG] = stopped
        result = OOPS
    call[RESULT] = result
    place = call[0] * MAX_RESULTS
    if result < 0:
        place = place - result
    results[place] = results[place] + 1
    return result != OOPS


def start_from(before: i32):
    """Make a state ready for calls. Returns false if that went wrong."""
    before[AT_OOPS] = 0
    before[AT_FUEL] = FUEL
    begin(before)
    return before[AT_OOPS] == 0


def try_call(before: i32, call: i32, after: i32, key: i64, results: i64, events: i64):
    """Run one call, and write the key of the state after it. Returns what pack does."""
    start_from(before)
    carry_out(before, call, after, results, events)
    after[AT_FUEL] = FUEL
    canonicalise(after)
    return pack(after, key)


# ---- a round ------------------------------------------------------------------------------------------------------


def first_state(after: i32, keys: i64, progress: i64):
    """Enter the first state, which is in `after`, as row 0. Returns 0, the number of a field out of bounds, or -1."""
    after[AT_FUEL] = FUEL
    canonicalise(after)
    progress[COUNT] = 1
    if after[AT_OOPS] != 0:
        return -1
    return pack(after, keys)


def note_hits(bits, where, hits: i64):
    """Note that the claims in bits are hit, and where."""
    hits[SEEN] = hits[SEEN] | bits
    claim = 0
    while bits != 0:
        if bits & 1:
            hits[claim] = where
        bits = bits >> 1
        claim = claim + 1


def is_news(key: i64, h, cache: i64):
    """Is the key missing from the cache? Then it is added. The cache is a worker's, of the keys it met last."""
    if same_key(at(cache, (h & CACHE_MASK) * KEY_WORDS), key):
        return False
    copy_key(at(cache, (h & CACHE_MASK) * KEY_WORDS), key)
    return True


def meet(
    after: i32,
    position,
    row,
    keys: i64,
    positions: i64,
    hashes: i64,
    table: i32,
    progress: i64,
    cache: i64,
    block: i64,
):
    """Make `after`, the state after a call, the candidate in this row if it may be new.

    Returns 1 if so, 0 if not, -1 if its key does not fit.
    """
    field = pack(after, at(keys, row * KEY_WORDS))
    if field > 0:
        block[FIELD] = field
        return -1
    if field < 0:
        if block[BEYOND_AT] < 0:
            block[BEYOND_AT] = position
        return 0
    if same_key(at(keys, (position >> 16) * KEY_WORDS), at(keys, row * KEY_WORDS)):
        return 0
    h = hash_of(at(keys, row * KEY_WORDS))
    if not is_news(at(keys, row * KEY_WORDS), h, cache):
        return 0
    prefetch(table, home_of(h, progress))
    positions[row - progress[COUNT]] = position
    hashes[row - progress[COUNT]] = h
    return 1


def without_known(first, last, keys: i64, positions: i64, hashes: i64, table: i32, progress: i64):
    """Keep those of the candidates first..last-1 that are not in the table, in order. Returns their new end."""
    count = progress[COUNT]
    for c in range(first, last):
        entry = table[home_of(hashes[c - count], progress)]
        if is_marked(entry, hashes[c - count], progress):
            prefetch(keys, row_in(entry, progress) * KEY_WORDS)
    to = first
    for c in range(first, last):
        slot = slot_of(at(keys, c * KEY_WORDS), hashes[c - count], keys, table, progress)
        known = slot >= 0 and table[slot] != 0
        if not known:
            if to != c:
                copy_key(at(keys, to * KEY_WORDS), at(keys, c * KEY_WORDS))
                positions[to - count] = positions[c - count]
                hashes[to - count] = hashes[c - count]
            to = to + 1
    return to


def generate(
    before: i32,
    after: i32,
    calls: i32,
    keys: i64,
    positions: i64,
    hashes: i64,
    table: i32,
    progress: i64,
    cache: i64,
    results: i64,
    events: i64,
    hits: i64,
    block: i64,
):
    """Try every call in the states of a block. Candidates for new states go to the rows from block[BASE] on.

    positions and hashes say more about each candidate, at its row less COUNT. before, after, calls, cache,
    results, events and hits are the worker's own.
    """
    found = block[BASE]
    for i in range(block[START], block[END]):
        block[AT] = i << 16
        block[WRONG_AT] = i << 16
        unpack(at(keys, i * KEY_WORDS), before)
        if not start_from(before):
            return BROKEN
        first = found
        if before[AT_BUG] == 0:
            for k in range(progress[CALLS]):
                alive = carry_out(before, at(calls, k * CALL_SIZE), after, results, events)
                before[AT_FUEL] = FUEL
                after[AT_FUEL] = FUEL
                wanted = progress[WANTED] & ~hits[SEEN] & STEP_CLAIMS
                if alive and wanted != 0:
                    bits = step_hits(before, at(calls, k * CALL_SIZE), after, wanted)
                    if bits != 0:
                        note_hits(bits, i << 16 | k, hits)
                    after[AT_FUEL] = FUEL
                changed = KEY_WORDS == 1 or not same_state(before, after)
                if changed:
                    canonicalise(after)
                met = 0
                if before[AT_OOPS] == 0 and after[AT_OOPS] == 0 and changed:
                    met = meet(after, i << 16 | k, found, keys, positions, hashes, table, progress, cache, block)
                if before[AT_OOPS] != 0 or after[AT_OOPS] != 0 or met < 0:
                    block[AT] = (i << 16 | k) + 1
                    block[WRONG_AT] = i << 16 | k
                    block[FOUND] = found - block[BASE]
                    return OUT_OF_BOUNDS if met < 0 else BROKEN
                found = found + met
            block[TRIED] = block[TRIED] + progress[CALLS]
        found = without_known(first, found, keys, positions, hashes, table, progress)
        block[FOUND] = found - block[BASE]
    block[AT] = block[END] << 16
    return DONE


def claim(keys: i64, hashes: i64, slots: i32, table: i32, progress: i64, blocks: i64, many, first, last):
    """Enter the round's candidates for the slots first..last-1 of the table, as the rows that they are in.

    Of equal ones only the first is entered; slots[] of the others is -1. Returns FULL if a region has no slot left.
    """
    count = progress[COUNT]
    for b in range(many):
        base = blocks[b * BLOCK_SIZE + BASE]
        for c in range(base, base + blocks[b * BLOCK_SIZE + FOUND]):
            h = hashes[c - count]
            slot = home_of(h, progress)
            if slot >= first and slot < last:
                slot = slot_of(at(keys, c * KEY_WORDS), h, keys, table, progress)
                if slot < 0:
                    return FULL
                slots[c - count] = -1
                if table[slot] == 0:
                    table[slot] = entry_of(h, c, progress)
                    slots[c - count] = slot
    return DONE


def number(
    keys: i64,
    positions: i64,
    slots: i32,
    parents: i32,
    via: u16,
    table: i32,
    progress: i64,
    blocks: i64,
    many,
):
    """Make the candidates that were entered into the table the rows from COUNT on, in order.

    Returns MAX_STATES_HIT if there are too many, with the position in STOPPED_AT.
    """
    count = progress[COUNT]
    row = count
    for b in range(many):
        base = blocks[b * BLOCK_SIZE + BASE]
        for c in range(base, base + blocks[b * BLOCK_SIZE + FOUND]):
            slot = slots[c - count]
            if slot >= 0:
                if row == progress[MAX_STATES]:
                    progress[COUNT] = row
                    progress[STOPPED_AT] = positions[c - count]
                    return MAX_STATES_HIT
                if row != c:
                    copy_key(at(keys, row * KEY_WORDS), at(keys, c * KEY_WORDS))
                table[slot] = entry_of(table[slot], row, progress)
                parents[row] = positions[c - count] >> 16
                via[row] = positions[c - count] & 65535
                row = row + 1
    progress[COUNT] = row
    return DONE


def judge(state: i32, keys: i64, progress: i64, hits: i64, block: i64):
    """Look at the claims about each of the states of a block."""
    for i in range(SIZE):
        state[i] = 0
    for row in range(block[START], block[END]):
        wanted = progress[WANTED] & ~hits[SEEN] & ~STEP_CLAIMS
        if wanted != 0:
            unpack(at(keys, row * KEY_WORDS), state)
            state[AT_OOPS] = 0
            state[AT_FUEL] = FUEL
            bits = state_hits(state, wanted)
            if state[AT_OOPS] != 0:
                block[WRONG_AT] = row
                return BROKEN
            if bits != 0:
                note_hits(bits, row, hits)
    return DONE


def tally(
    before: i32,
    after: i32,
    calls: i32,
    keys: i64,
    progress: i64,
    results: i64,
    events: i64,
    start,
    end,
):
    """Count what calls do from position start up to end, as generate did. Returns the number of calls."""
    tried = 0
    for i in range(start >> 16, (end >> 16) + 1):
        first = start & 65535 if i == start >> 16 else 0
        last = end & 65535 if i == end >> 16 else progress[CALLS]
        if first < last:
            unpack(at(keys, i * KEY_WORDS), before)
            start_from(before)
            if before[AT_BUG] == 0:
                for k in range(first, last):
                    carry_out(before, at(calls, k * CALL_SIZE), after, results, events)
                    before[AT_FUEL] = FUEL
                tried = tried + last - first
    return tried


ENTRIES = ("rehash", "hash_rows", "first_state", "generate", "claim", "number", "judge", "tally", "try_call")
