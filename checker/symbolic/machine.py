# SPDX-License-Identifier: GPL-2.0-only
"""The symbolic run: the kernel's own functions on unknown states and calls.

The number of vmas is known on a path; their places, sizes and fields, and the size of the address space, need not
be. Of the pages, only those are kept that something will look at.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vmacheck.checker.program.interpreted import NullSlot, Oops, executable, struct_class
from vmacheck.checker.program.layout import FUEL, MACHINE_FIELDS, OUT_OF_ROOM, Layout
from vmacheck.checker.program.link import AST_LOCK, Program
from vmacheck.checker.program.system import LARGEST_RESULT, MAX_ERRNO, OOPS
from vmacheck.checker.symbolic.flag_masks import merged
from vmacheck.checker.symbolic.page_loops import PAGES, compiled_for_unknowns
from vmacheck.checker.symbolic.values import (
    Bits,
    Forks,
    Formula,
    Linear,
    Truth,
    Unsupported,
    at_most,
    both,
    either,
    equal,
    formula_of,
    less,
    negation,
    truth,
    unknown,
)

MAX_ROUNDS = 64
RAW = "raw_"  # before the name of a number that lives inside a call: its content, even if Left
OtherPage = Callable[[Any, Any, str], list[Formula]]


class Pages:
    """The pages of a state that something looks at: distinct addresses, each with its page.

    If the others are `empty`, one that is asked for is added; else asking for one is an error. also: another address,
    known to equal the first. size(): the number of pages, if a page beyond them may be asked for, as in a patch.
    """

    size: Callable[[], Any] | None = None

    def __init__(self, new: Callable[[], Any], fields: Sequence[str], empty: bool) -> None:
        self._new, self._fields, self.empty = new, fields, empty
        self.entries: list[tuple[Any, Any]] = []
        self.also: Any = None

    def add(self, address: Any) -> Any:
        """One more page, zero at first. It must not be there yet."""
        self.entries.append((address, self._new()))
        return self.entries[-1][1]

    def check(self, address: Any) -> None:
        """Stop the kernel at a page that does not exist."""
        if self.size is not None and not (address >= 0 and address < self.size()):
            raise Oops("a page outside of the address space")

    def __getitem__(self, address: Any) -> Any:
        self.check(address)
        for listed, page in self.entries:
            if listed is address or truth(equal(listed, address)):
                return page
        if not self.empty:
            raise Unsupported("a page other than the one that the call is about is looked at")
        return self.add(address)

    def __setitem__(self, address: Any, page: Any) -> None:
        self[address].assign(page)

    def cases(self, address: Any, name: str) -> list[tuple[frozenset[Formula], Any]]:
        """A field of the page at an address, as cases."""
        others: list[Formula] = []
        found = []
        if self.also is not None and equal(self.also, address) is True:
            address = self.entries[0][0]
        for listed, page in self.entries:
            same = equal(listed, address)
            if same is not False:
                found.append((frozenset(() if same is True else [same]), getattr(page, name)))
            if same is True:
                return found[-1:]
            others.append(negation(same))
        if not self.empty:
            raise Unsupported("a claim looks at a page that the call is not about")
        return [*found, (frozenset([both(others)] if others else []), 0)]

    def assign(self, other: "Pages") -> None:
        """Become a copy of another."""
        self.entries, self.also = [], other.also
        for address, page in other.entries:
            self.add(address).assign(page)

    def between(self, first: Any, end: Any) -> Iterator[Any]:
        """The listed addresses in first..end-1; each forks the path if that is unknown."""
        for address, _ in list(self.entries):
            if first <= address < end:
                yield address


class Left:
    """The content of a number that lives inside a call, not to be looked at: `look` raises what then applies."""

    __slots__ = ("look",)

    def __init__(self, look: Callable[[], Any]) -> None:
        self.look = look


def _left_by_an_earlier_call(name: str) -> Left:
    def look() -> Any:
        raise Unsupported(f"mm.{name} is looked at as an earlier call left it")

    return Left(look)


class SymbolicMachine:
    """A program that can be stepped with unknown numbers. `constants` replace the program's, and may be unknown.

    other(page, address, name) makes a page any page, with unknowns whose names end so, and returns what is known of it.
    """

    def __init__(
        self,
        program: Program,
        layout: Layout,
        roots: Sequence[str],
        constants: dict[str, Any],
        empty: bool = False,
        pages: type[Pages] = Pages,
        other: OtherPage | None = None,
    ) -> None:
        self.program = Program(program.functions, {**program.constants, **constants})
        self._empty, self._pages = empty, pages
        self._other, self.others, self.mark = other, 0, ""
        is_patched = not all(function.trusted for function in program.functions.values())
        self.functions: dict[str, Any] = {}
        self._size = (lambda: self.functions["TASK_SIZE"]) if is_patched else None
        (page,) = (array for array in layout.arrays if array.name == PAGES)
        self._page_fields = [field.name for field in page.fields]
        self._page = struct_class(PAGES, self._page_fields, [])
        machines = {name for name, *_ in MACHINE_FIELDS}
        scratch = [field.name for field in layout.numbers if field.scratch and field.name not in machines]
        numbers = [field.name for field in layout.numbers if field.name not in scratch]
        self._arrays = [array for array in layout.arrays if array.name != PAGES]
        self._numbers = [name for name in numbers if name not in ("fuel", "events")]
        self.scratch = [RAW + name for name in scratch]
        self._state = _with_pages(struct_class("state", [*numbers, *self.scratch], self._arrays), scratch)
        self._left = {RAW + name: _left_by_an_earlier_call(name) for name in scratch}
        with AST_LOCK:
            reachable = self.program.reachable(roots)
            table = self.program.functions
            self.functions = executable(
                reachable, self.program.constants, lambda f: compiled_for_unknowns(f, table), _small_enough, _in_64_bits
            )
        self.functions.update(__range__=_rounds, __all__=_all, __any__=_any, __not__=_not)
        self.functions["__pages__"] = self._listed
        self.functions["__each__"], self.functions["__merged__"] = self._each, merged

    def new(self) -> Any:
        """A state, all zero."""
        state = self._state()
        state.page = self._pages(self._page, self._page_fields, self._empty)
        state.page.size = self._size
        for array in self._arrays:
            slots, first = getattr(state, array.name), array.last + array.spare + 1
            list.__setitem__(slots, slice(first, None), _BEYOND)
        return state

    def copy(self, state: Any) -> Any:
        """Another state like it."""
        other = self.new()
        other.assign(state)
        return other

    def step(self, before: Any, call: Any) -> tuple[Any, Any]:
        """The state after the call, and the result; if the kernel stops, the state before with `bug` set, and OOPS."""
        before.fuel, self.others = FUEL, 0
        try:
            self.functions["begin"](before)
        except (Oops, IndexError):
            raise Unsupported("what goes wrong before a call") from None
        after = self.copy(before)
        for name, left in self._left.items():
            setattr(after, name, left)
        result = self.run(after, "step", call)
        if result is None or (isinstance(result, int) and not -MAX_ERRNO <= result <= LARGEST_RESULT):
            if after.bug == OUT_OF_ROOM:
                raise Unsupported("a call that needs more room than there is for it")
            after = self.copy(before)
            after.bug, result = 1, OOPS
        return after, result

    def run(self, state: Any, name: str, *arguments: Any) -> Any:
        """Call a function on the state, which it changes. Returns None if the kernel stops."""
        state.events = state.oops = 0
        state.fuel = FUEL
        try:
            result = self.functions[name](state, *arguments)
        except (Oops, IndexError):
            return None
        return None if state.oops else result

    # ---- loops over pages of which most are not listed -------------------------------------------

    def _listed(self, state: Any, first: Any, end: Any) -> Iterator[Any]:
        """The listed pages of a loop that looks at every page in first..end-1. The first and the last have to exist."""
        if self._size is not None and first < end:
            state.page.check(first)
            state.page.check(end - 1)
        yield from state.page.between(first, end)

    def _each(self, state: Any, first: Any, end: Any) -> Iterator[Any]:
        """The addresses, in order, at which a loop has to be followed to see all that it can do."""
        known = isinstance(first, int) and isinstance(end, int)
        if known or self._other is None or not hasattr(state, PAGES):
            yield from _rounds(first, end)
            return
        listed: list[Any] = []
        for address in state.page.between(first, end):
            place = next((i for i, other in enumerate(listed) if address < other), len(listed))
            listed.insert(place, address)
        for address in listed:
            yield from self._unlisted(state, first, address)
            yield address
            first = address + 1
        yield from self._unlisted(state, first, end)

    def _unlisted(self, state: Any, first: Any, end: Any) -> Iterator[Any]:
        """The first page in first..end-1 that does something to the rest of the state, if any, and any later page.

        It stands for all: a later one may end the loop, but must change nothing more. Where the first does nothing, no
        page does.
        """
        for is_later in (False, True):
            if not first < end:
                return
            address, before = self._any_other(first, end), self.copy(state)
            page = state.page.add(address)
            entry = state.page.entries[-1]
            assert self._other is not None
            _assume(both(self._other(page, address, f"_of_{_name(address)}")))
            try:
                yield address
            finally:
                state.page.entries.remove(entry)
            same = truth(self.same(before, state))
            if not is_later and same:
                return
            if is_later and not same:
                raise Unsupported("a loop over pages that changes more than pages, again and again")
            first = address + 1

    def _any_other(self, first: Any, end: Any) -> Any:
        address = unknown(f"other{self.mark}{self.others}")
        self.others += 1
        _assume(both([at_most(first, address), less(address, end)]))
        return address

    def same(self, a: Any, b: Any) -> Formula:
        """Are two states that list the same pages the same? A number that was Left in one only makes them differ."""
        pairs = [(getattr(a, name), getattr(b, name)) for name in self._numbers]
        for name in self.scratch:
            x, y = getattr(a, name), getattr(b, name)
            if x is not y and (isinstance(x, Left) or isinstance(y, Left)):
                return False
            pairs += [] if x is y else [(x, y)]
        for array in self._arrays:
            for slot in range(array.first, array.last + array.spare + 1):
                x, y = getattr(a, array.name)[slot], getattr(b, array.name)[slot]
                pairs += [(getattr(x, field.name), getattr(y, field.name)) for field in array.fields]
        for (_, x), (_, y) in zip(a.page.entries, b.page.entries, strict=True):
            pairs += [(getattr(x, name), getattr(y, name)) for name in self._page_fields]
        return both(formula_of(x == y) for x, y in pairs if x is not y)


def _assume(formula: Formula) -> None:
    if Forks.assume is None:
        raise Unsupported("a loop over pages, where no path is explored")
    Forks.assume(formula)


def _name(address: Linear) -> str:
    return address.terms[0][0]


def _small_enough(value: Any) -> Any:
    """The value, if it is no larger than addresses and flags; whether a larger one fits is not followed."""
    if isinstance(value, Linear):
        if sum(abs(c) for _, c in value.terms) > MAX_ROUNDS or abs(value.constant) > LARGEST_RESULT:
            raise Unsupported("a number that may be too large for a field")
    elif isinstance(value, Bits) and value.mask >> 31:
        raise Unsupported("a mask that may be negative is put into a field")
    return value


def _in_64_bits(value: Any) -> Any:
    """The value, if 64 bits hold it in any address space of fewer than 2^40 pages; else what it wraps to is not
    followed."""
    if isinstance(value, Linear):
        if sum(abs(c) for _, c in value.terms) > 1 << 20 or abs(value.constant) > 1 << 62:
            raise Unsupported("a number that may have more than 64 bits")
    return value


class _Beyond(NullSlot):
    """A slot that only more vmas or pages would use: its content is unknown."""

    def __getattr__(self, name: str) -> Any:
        raise Unsupported("a slot is looked at that there is for more vmas only")

    def __setattr__(self, name: str, value: object) -> None:
        raise Unsupported("a slot is changed that there is for more vmas only")


# behind the real slots; negative indices, as NULL - 1, reach the last ones
_BEYOND = [_Beyond()] * 1000 + [NullSlot()] * MAX_ROUNDS


def _with_pages(base: type, scratch: Sequence[str]) -> type:
    """A state that also has pages, and numbers that live inside a call."""

    class State(base):  # type: ignore[misc]
        __slots__ = (PAGES,)

        def assign(self, other: Any) -> None:
            base.assign(self, other)  # type: ignore[attr-defined]
            self.page.assign(other.page)

    for name in scratch:
        setattr(State, name, _looked_at(RAW + name))
    return State


def _looked_at(raw: str) -> property:
    def look(state: Any) -> Any:
        value = getattr(state, raw)
        return value.look() if isinstance(value, Left) else value

    return property(look, lambda state, value: setattr(state, raw, value))


def _rounds(first: Any, end: Any = None, step: int = 1) -> Iterator[Any]:
    """range; if the bounds are unknown, round by round with a fork at each."""
    if end is None:
        first, end = 0, first
    if isinstance(first, int) and isinstance(end, int):
        yield from range(first, end, step)
        return
    if step != 1:
        raise Unsupported("a loop that counts down from a number that is not known")
    for number in range(MAX_ROUNDS):
        value = first + number
        if not value < end:
            return
        yield value
    raise Unsupported(f"a loop of more than {MAX_ROUNDS} rounds over numbers that are not known")


def _all(*parts: Callable[[], Any]) -> Any:
    """and: its parts are evaluated in order, until one is known to be false."""
    formulas: list[Formula] = []
    for part in parts:
        try:
            value = part()
        except (Oops, IndexError):
            if truth(both(formulas)):
                raise
            return False
        if not isinstance(value, bool | Truth):
            return _one_by_one(parts, True)
        formulas.append(formula_of(value))
        if formulas[-1] is False:
            return False
    return truth(both(formulas))


def _any(*parts: Callable[[], Any]) -> Any:
    """or: its parts are evaluated in order, until one is known to be true."""
    formulas: list[Formula] = []
    for part in parts:
        try:
            value = part()
        except (Oops, IndexError):
            if not truth(either(formulas)):
                raise
            return True
        if not isinstance(value, bool | Truth):
            return _one_by_one(parts, False)
        formulas.append(formula_of(value))
        if formulas[-1] is True:
            return True
    return truth(either(formulas))


def _one_by_one(parts: Sequence[Callable[[], Any]], goes_on: bool) -> Any:
    """and, or, as Python has them: the first value that decides, or the last."""
    for part in parts[:-1]:
        value = part()
        if bool(value) != goes_on:
            return value
    return parts[-1]()


def _not(value: Any) -> Any:
    return truth(negation(formula_of(value)))
