# SPDX-License-Identifier: GPL-2.0-only
"""Further programs for comparing kernels: each call in each state, and long random ones."""

import random
from collections.abc import Callable, Iterator, Sequence

from vmacheck.checker.kernels.scope import Scope
from vmacheck.counterexamples.real_kernels.conform import Conformed, Model, asked_for, difference_of, note
from vmacheck.counterexamples.real_kernels.live import Seen
from vmacheck.counterexamples.real_kernels.views import LAYOUT, View
from vmacheck.model.calls.operations import FIXED
from vmacheck.model.common.mm import MAP_NORESERVE, MREMAP_FIXED
from vmacheck.model.common.unistd import NR_mmap, NR_mremap, NR_write

Runs = Callable[[Sequence[str]], Sequence[Sequence[Seen]]]
ROUND = 50_000  # programs per batch
PROGRAMS = 400  # random ones
TRIES = 3  # calls that are tried for one that changes something
BACK = 6  # one call in this many undoes a move
MOSTLY = 4  # ranges are short, but for one in this many


# ---- a call in each state ------------------------------------------------------------------------


def conform_states(kernel: str, scope: Scope, most: int, on_real: Runs, view: View = LAYOUT) -> Conformed:
    """Compare every call in up to `most` states of the model, after a shortest program that reaches each."""
    found = Conformed(kernel, scope, 0, view)
    calls, texts = asked_for(scope, found.left_out)
    model = Model(kernel, scope, calls, view)
    reached: dict[int, tuple[int, ...]] = {model.first: ()}
    order = [model.first]
    closed = True
    waiting: list[tuple[tuple[int, ...], int]] = []
    for state in order:
        for call in range(len(calls)):
            after = model.step(state, call).state
            if after not in reached and len(order) < most:
                reached[after] = (*reached[state], call)
                order.append(after)
            closed = closed and after in reached
            waiting.append(((*reached[state], call), state))
        if len(waiting) >= ROUND or state == order[-1]:
            _compare(found, model, texts, waiting, on_real)
            waiting = []
    states = f"{len(order):,} states{', which are all there are' if closed else ', of more'}"
    found.programs = f"every call in each of {states}, after a shortest program that leads there"
    return found


def _compare(
    found: Conformed, model: Model, texts: Sequence[str], waiting: list[tuple[tuple[int, ...], int]], on_real: Runs
) -> None:
    lines = [f"{model.pages} 0 {' '.join(texts[call] for call in sequence)}" for sequence, _ in waiting]
    for (sequence, state), (seen,) in zip(waiting, on_real(lines), strict=True):
        after = model.step(state, sequence[-1])
        if after.agrees(seen):
            found.agreed += 1
        else:
            note(found, model, sequence, state, after, seen)
    found.compared.append(len(waiting))


# ---- random programs -----------------------------------------------------------------------------


class Walker:
    """Makes up programs that are likely to matter: short ranges, and calls that change the state.

    Moved memory is often moved back, where its offset fits again.
    """

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.random = model, random.Random(seed)
        self.kinds: dict[bool, list[list[int]]] = {}
        for noreserve in (False, True):
            kinds: dict[tuple[int, int, int], list[int]] = {}
            for number, call in enumerate(model.calls):
                if call.nr != NR_mmap or bool(call.flags & MAP_NORESERVE) == noreserve:
                    kinds.setdefault((call.nr, call.flags & ~MAP_NORESERVE, call.file), []).append(number)
            writes = [numbers for (nr, *_), numbers in kinds.items() if nr == NR_write]
            self.kinds[noreserve] = [*kinds.values(), *writes, *writes]
        self.numbers = {call: number for number, call in enumerate(model.calls)}
        self.has_noreserve = any(call.flags & MAP_NORESERVE for call in model.calls if call.nr == NR_mmap)

    def _candidate(self, noreserve: bool) -> int:
        numbers = self.random.choice(self.kinds[noreserve])
        for _ in range(MOSTLY):
            number = self.random.choice(numbers)
            if self.model.calls[number].len <= 2:
                break
        return number

    def _back(self, program: Sequence[int]) -> int | None:
        """The call that undoes the last move of a program, if there is one."""
        for call in (self.model.calls[number] for number in reversed(program)):
            if call.nr == NR_mremap and call.flags & MREMAP_FIXED and call.new_len == call.len:
                return self.numbers.get(call._replace(addr=call.new_addr, new_addr=call.addr, flags=FIXED))
        return None

    def program(self, length: int) -> list[int]:
        """A program of `length` calls, by number. Half of them use NORESERVE throughout, if the scope has it."""
        noreserve = self.has_noreserve and self.random.random() < 0.5
        state = self.model.first
        program: list[int] = []
        for _ in range(length):
            back = self._back(program) if self.random.randrange(BACK) == 0 else None
            for _ in range(TRIES):
                call = self._candidate(noreserve) if back is None else back
                back = None
                after = self.model.step(state, call).state
                if after != state:
                    break
            program.append(call)
            state = after
        return program


def conform_random(
    kernel: str, scope: Scope, programs: int, length: int, seed: int, on_real: Runs, view: View = LAYOUT
) -> Conformed:
    """Compare random programs of `length` calls, after each call; differences are shrunk."""
    found = Conformed(kernel, scope, 0, view)
    calls, texts = asked_for(scope, found.left_out)
    model = Model(kernel, scope, calls, view)
    walker = Walker(model, seed)
    known: set[str] = set()
    for first in range(0, programs, PROGRAMS):
        some = [walker.program(length) for _ in range(min(PROGRAMS, programs - first))]
        lines = [f"{scope.pages} 1 {' '.join(texts[call] for call in program)}" for program in some]
        for program, seen in zip(some, on_real(lines), strict=True):
            agreed = _agreed(model, program, seen)
            found.agreed += agreed
            found.compared.append(min(agreed + 1, length))
            if agreed < length and _is_new(known, model, program[: agreed + 1], seen[agreed]):
                _note_shrunk(found, model, texts, program[: agreed + 1], on_real)
        model.forget()
    found.compared = [sum(found.compared)]
    found.programs = f"{programs:,} random programs of {length} calls, seed {seed}"
    return found


def _agreed(model: Model, program: Sequence[int], seen: Sequence[Seen]) -> int:
    """The number of calls after which both agree."""
    state = model.first
    for number, (call, one) in enumerate(zip(program, seen, strict=True)):
        after = model.step(state, call)
        if not after.agrees(one):
            return number
        state = after.state
    return len(program)


def _is_new(known: set[str], model: Model, program: Sequence[int], seen: Seen) -> bool:
    """Is the way in which a program differs, at its end, new?"""
    state = model.first
    for call in program[:-1]:
        state = model.step(state, call).state
    what = difference_of(model, model.calls[program[-1]], state, model.step(state, program[-1]), seen)
    if what in known:
        return False
    known.add(what)
    return True


def _note_shrunk(found: Conformed, model: Model, texts: Sequence[str], program: Sequence[int], on_real: Runs) -> None:
    """Record a program that differs at its end, after every dispensable call is dropped."""
    best = tuple(program)
    going = True
    while going:
        going = False
        shorter = list(_without_one(best))
        lines = [f"{model.pages} 1 {' '.join(texts[call] for call in one)}" for one in shorter]
        for one, seen in zip(shorter, on_real(lines) if lines else (), strict=True):
            agreed = _agreed(model, one, seen)
            if agreed < len(one):
                best, going = one[: agreed + 1], True
                break
    state = model.first
    for call in best[:-1]:
        state = model.step(state, call).state
    line = f"{model.pages} 0 {' '.join(texts[call] for call in best)}"
    ((seen_last,),) = on_real([line])
    note(found, model, best, state, model.step(state, best[-1]), seen_last)


def _without_one(program: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if len(program) > 1:
        yield from (program[:place] + program[place + 1 :] for place in range(len(program)))
