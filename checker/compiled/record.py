# SPDX-License-Identifier: GPL-2.0-only
"""After a search: every transition, and numbers that measure each state. Compiled with the kernel, like loops.py."""

from typing import Any, TypeAlias

# arrays of numbers of that width
i32: TypeAlias = Any
i64: TypeAlias = Any
u16: TypeAlias = Any

unpack: Any
pack: Any
canonicalise: Any
start_from: Any
carry_out: Any
same_state: Any
row_of: Any
measure_of: Any
at: Any
OOPS: int
FUEL: int
AT_BUG: int
AT_EVENTS: int
AT_FUEL: int
AT_OOPS: int
CALLS: int
COUNT: int
KEY_WORDS: int
CALL_SIZE: int
RESULT: int

# where a transition leads, if not to a state that was found
STOPPED = -1  # the kernel stopped before: no call follows
BEYOND_REACH = -2  # beyond a bound of the search
UNTRIED = -3  # the search ended before the state was expanded


def record(
    before: i32,
    after: i32,
    calls: i32,
    keys: i64,
    table: i32,
    progress: i64,
    results: i64,
    events: i64,
    to: i32,
    returned: i32,
    noted: u16,
    start,
    end,
):
    """Record for each of the states start..end-1 and each call: the state that follows, the result, and the events.

    The arrays have one row per state. results and events are the counters of a search.
    """
    count = progress[COUNT]
    for i in range(start, end):
        unpack(at(keys, i * KEY_WORDS), before)
        start_from(before)
        for k in range(progress[CALLS]):
            place = i * progress[CALLS] + k
            to[place] = STOPPED
            returned[place] = 0
            noted[place] = 0
            if before[AT_BUG] == 0:
                carry_out(before, at(calls, k * CALL_SIZE), after, results, events)
                returned[place] = calls[k * CALL_SIZE + RESULT]
                if returned[place] != OOPS:
                    noted[place] = after[AT_EVENTS]
                to[place] = i
                if not same_state(before, after):
                    after[AT_FUEL] = FUEL
                    canonicalise(after)
                    to[place] = BEYOND_REACH
                    if pack(after, at(keys, count * KEY_WORDS)) == 0:
                        row = row_of(at(keys, count * KEY_WORDS), keys, table, progress)
                        to[place] = row if row >= 0 else BEYOND_REACH


def measure(before: i32, keys: i64, progress: i64, values: i64, number):
    """Write the number-th measure of every state to values. Returns 0, or 1 if it went wrong."""
    for i in range(progress[COUNT]):
        unpack(at(keys, i * KEY_WORDS), before)
        before[AT_OOPS] = 0
        before[AT_FUEL] = FUEL
        values[i] = measure_of(before, number)
        if before[AT_OOPS] != 0:
            return 1
    return 0


ENTRIES = ("record", "measure")
