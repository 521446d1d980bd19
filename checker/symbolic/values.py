# SPDX-License-Identifier: GPL-2.0-only
"""Unknown numbers: the model's functions compute with them as with ints, and branch on comparisons of them.

Linear is a sum of unknown integers, Bits a bit mask made of unknown ones; comparing them gives a Truth, and branching
on a Truth asks whoever explores the paths (paths.py).

A formula is True, False, or a Node:

    "<=0" and "==0"    a linear sum is at most, or is, 0: terms ((name, coefficient), ...) in order, and a constant
    "bits==0"          a mask has no bit: ("var", name, mask), ("const", value), ("~", x), ("&" "|" "^", x, y),
                       and ("?", formula, x, y) for x if the formula is true, else y
    "not" "and" "or"   of other nodes

Masks have 64 bits, as numbers have in calculations; fields have 32.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import count
from typing import Any, ClassVar

Terms = tuple[tuple[str, int], ...]
Formula = Any  # bool | Node
WORD = (1 << 64) - 1


class Unsupported(Exception):
    """The code does something with an unknown number that cannot be followed; the message says what."""


NOT_FOLLOWED = (Unsupported, TypeError)  # TypeError: an operator that unknown numbers do not have


def why_not_followed(error: Exception) -> str:
    """The reason, as a message."""
    return str(error) if isinstance(error, Unsupported) else f"what the code computes is not followed: {error}"


class Forks:
    """The exploration under way, which decides when the code branches on an unknown."""

    decide: Callable[[Formula], bool] | None = None
    assume: Callable[[Formula], None] | None = None


# ---- formulas ------------------------------------------------------------------------------------


class Node:
    """A formula, one node each, so that the same formula is the same object."""

    __slots__ = ("_names", "_opposite", "constant", "kind", "parts", "serial")
    _known: ClassVar[dict[tuple[str, Any, int], "Node"]] = {}
    _serials: ClassVar[Iterator[int]] = count()

    def __init__(self, kind: str, parts: Any, constant: int) -> None:
        self.kind, self.parts, self.constant = kind, parts, constant
        self.serial = next(Node._serials)
        self._opposite: Formula = None
        self._names: frozenset[str] | None = None

    @classmethod
    def of(cls, kind: str, parts: Any, constant: int = 0) -> "Node":
        """The node for this formula."""
        key = (kind, parts, constant)
        node = cls._known.get(key)
        if node is None:
            node = cls._known[key] = cls(kind, parts, constant)
        return node

    @classmethod
    def joining(cls, kind: str, parts: dict[int, "Node"]) -> "Node":
        """The node for these parts, by their serial."""
        key = (kind, tuple(parts), 0)
        node = cls._known.get(key)
        if node is None:
            node = cls._known[key] = cls(kind, tuple(parts.values()), 0)
        return node

    @property
    def names(self) -> frozenset[str]:
        """The unknown integers in it."""
        if self._names is None:
            if self.kind in ("<=0", "==0"):
                self._names = frozenset(name for name, _ in self.parts)
            elif self.kind == "bits==0":
                self._names = frozenset()
            else:
                self._names = frozenset().union(*(part.names for part in self.parts))
        return self._names

    @classmethod
    def forget(cls) -> None:
        """Restart the numbering of nodes. Existing nodes must not be used any more."""
        cls._known.clear()
        cls._serials = count()

    @property
    def opposite(self) -> "Formula":
        """Its negation; of an order between integers, the opposite order."""
        if self._opposite is None:
            if self.kind == "<=0":
                terms = tuple((name, -c) for name, c in self.parts)
                self._opposite = Node.of("<=0", terms, 1 - self.constant)
            else:
                self._opposite = Node.of("not", (self,))
            self._opposite._opposite = self
        return self._opposite

    def __hash__(self) -> int:
        return self.serial

    def __repr__(self) -> str:
        if self.kind in ("<=0", "==0"):
            return f"{' + '.join([*(f'{c}*{name}' for name, c in self.parts), str(self.constant)])} {self.kind}"
        return f"{self.kind}{self.parts}"


def negation(formula: Formula) -> Formula:
    """not formula."""
    return not formula if isinstance(formula, bool) else formula.opposite


def both(formulas: Iterable[Formula]) -> Formula:
    """All of them are true."""
    return _put_together(formulas, "and", True)


def either(formulas: Iterable[Formula]) -> Formula:
    """One of them is true."""
    return _put_together(formulas, "or", False)


def _put_together(formulas: Iterable[Formula], kind: str, neutral: bool) -> Formula:
    parts: dict[int, Node] = {}
    for formula in formulas:
        if isinstance(formula, bool):
            if formula is not neutral:
                return formula
            continue
        for part in formula.parts if formula.kind == kind else (formula,):
            if (part._opposite or part.opposite).serial in parts:
                return not neutral
            parts[part.serial] = part
    if len(parts) > 1:
        return Node.joining(kind, parts)
    return next(iter(parts.values())) if parts else neutral


def formula_of(value: Any) -> Formula:
    """The formula that a value is true."""
    if isinstance(value, Truth):
        return value.formula
    if isinstance(value, Linear):
        return negation(_is_zero(value))
    if isinstance(value, Bits):
        return negation(value.is_zero())
    return bool(value)


class Truth:
    """An unknown truth value. Branching on it forks the path."""

    __slots__ = ("formula",)

    def __init__(self, formula: Formula) -> None:
        self.formula = formula

    def __bool__(self) -> bool:
        if Forks.decide is None:
            raise Unsupported("a branch on what is not known, where no path is explored")
        return Forks.decide(self.formula)

    def __index__(self) -> int:
        """0 or 1: a fork."""
        return int(bool(self))

    def _arithmetic(self, *_: Any) -> Any:
        raise Unsupported("arithmetic with a truth value that is not known")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __pos__ = __invert__ = _arithmetic
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lshift__ = __rshift__ = _arithmetic
    __lt__ = __le__ = __gt__ = __ge__ = _arithmetic

    def __eq__(self, other: Any) -> Any:
        if not isinstance(other, bool | Truth):
            raise Unsupported("a truth value compared with a number")
        mine, others = self.formula, formula_of(other)
        return truth(either([both([mine, others]), both([negation(mine), negation(others)])]))

    def __ne__(self, other: Any) -> Any:
        return truth(negation(formula_of(self == other)))

    __hash__ = None  # type: ignore[assignment]


def truth(formula: Formula) -> Any:
    """A formula as a value: a bool if it is known."""
    return formula if isinstance(formula, bool) else Truth(formula)


# ---- integers ------------------------------------------------------------------------------------


def _ordered(terms: dict[str, int]) -> Terms:
    return tuple(sorted((name, c) for name, c in terms.items() if c))


class Linear:
    """A sum of unknown integers and a constant, not itself a constant."""

    __slots__ = ("constant", "terms")

    def __init__(self, terms: Terms, constant: int) -> None:
        self.terms, self.constant = terms, constant

    def _plus(self, other: Any, sign: int) -> Any:
        if isinstance(other, Linear):
            terms = dict(self.terms)
            for name, c in other.terms:
                terms[name] = terms.get(name, 0) + sign * c
            return linear(_ordered(terms), self.constant + sign * other.constant)
        if isinstance(other, int):
            return Linear(self.terms, self.constant + sign * other)
        if isinstance(other, Truth | Bits):
            raise Unsupported("a number combined with a truth value, or with a bit mask, that is not known")
        return NotImplemented

    def __add__(self, other: Any) -> Any:
        return self._plus(other, 1)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._plus(other, -1)

    def __rsub__(self, other: Any) -> Any:
        return (-self)._plus(other, 1)

    def __pos__(self) -> "Linear":
        return self

    def __invert__(self) -> "Linear":
        return -self - 1  # type: ignore[no-any-return]

    def __neg__(self) -> "Linear":
        return Linear(tuple((name, -c) for name, c in self.terms), -self.constant)

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, int):
            raise Unsupported("a product of two unknown numbers")
        return linear(_ordered({name: c * other for name, c in self.terms}), self.constant * other)

    __rmul__ = __mul__

    def __le__(self, other: Any) -> Any:
        return _at_most_zero(self - other)

    def __lt__(self, other: Any) -> Any:
        return _at_most_zero(self - other + 1)

    def __ge__(self, other: Any) -> Any:
        return _at_most_zero(other - self)

    def __gt__(self, other: Any) -> Any:
        return _at_most_zero(other - self + 1)

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, Bits):
            raise Unsupported("a number compared with a bit mask")
        return truth(_is_zero(self - other))

    def __ne__(self, other: Any) -> Any:
        return truth(negation(_is_zero(self - other)))

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __index__(self) -> int:
        """Use as an index: a fork for each possible value."""
        for value in range(64):
            if self == value:
                return value
        raise Unsupported("an index that can have more than 64 values")

    def _mask(self, _other: Any) -> Any:
        raise Unsupported("bit operations on an unknown number that is not a bit mask")

    __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = __lshift__ = __rshift__ = _mask

    def __repr__(self) -> str:
        return " + ".join([*(f"{c}*{name}" for name, c in self.terms), str(self.constant)])


def linear(terms: Terms, constant: int) -> Linear | int:
    """A sum, or an int if nothing in it is unknown."""
    return Linear(terms, constant) if terms else constant


def unknown(name: str) -> Any:
    """An unknown integer, a Linear: it goes wherever an int goes."""
    return Linear(((name, 1),), 0)


def _at_most_zero(value: Any) -> Any:
    return Truth(Node.of("<=0", value.terms, value.constant)) if isinstance(value, Linear) else value <= 0


def _is_zero(value: Any) -> Formula:
    if not isinstance(value, Linear):
        return bool(value == 0)
    if value.terms[0][1] < 0:
        value = -value
    return Node.of("==0", value.terms, value.constant)


def equal(a: Any, b: Any) -> Formula:
    """a == b."""
    return formula_of(a == b)


def at_most(a: Any, b: Any) -> Formula:
    """a <= b."""
    return formula_of(a <= b)


def less(a: Any, b: Any) -> Formula:
    """a < b."""
    return formula_of(a < b)


# ---- a number in place of an unknown one ---------------------------------------------------------


class Put:
    """Substitution of a number for an unknown; `plain` simplifies an atom."""

    def __init__(self, name: str, number: Any, plain: Callable[[Formula], Formula]) -> None:
        self._name, self._plain = name, plain
        self._change = number - unknown(name)
        self._done: dict[int, Formula] = {}

    def number(self, value: Any) -> Any:
        """The value with it, if it is a sum."""
        if isinstance(value, Linear):
            for name, c in value.terms:
                if name == self._name:
                    return value + self._change * c
        return value

    def formula(self, formula: Formula) -> Formula:
        """The formula with it."""
        if isinstance(formula, bool) or self._name not in formula.names:
            return formula
        new: Formula = self._done.get(formula.serial)
        if new is None:
            if formula.kind in ("<=0", "==0"):
                value = self.number(Linear(formula.parts, formula.constant))
                new = self._plain(formula_of(_at_most_zero(value)) if formula.kind == "<=0" else _is_zero(value))
            else:
                parts = (self.formula(part) for part in formula.parts)
                new = (
                    both(parts)
                    if formula.kind == "and"
                    else either(parts)
                    if formula.kind == "or"
                    else negation(*parts)
                )
            self._done[formula.serial] = new
        return new


def replaced(formula: Formula, name: str, number: Any) -> Formula:
    """The formula, with a number in place of an unknown."""
    return Put(name, number, lambda atom: atom).formula(formula)


def all_replaced(formula: Formula, numbers: Mapping[str, Any]) -> Formula:
    """The formula, with numbers in place of several unknowns. The numbers contain none of these."""
    for name, number in numbers.items():
        formula = replaced(formula, name, number)
    return formula


@lru_cache(maxsize=1 << 17)
def changes(formula: Formula, name: str) -> tuple[Any, ...] | None:
    """The values of an unknown integer where the formula can differ from one less. None: cannot be read off."""
    if isinstance(formula, bool) or name not in formula.names:
        return ()
    if formula.kind not in ("<=0", "==0"):
        found = [changes(part, name) for part in formula.parts]
        return None if None in found else tuple(place for places in found for place in places or ())
    c = dict(formula.parts).get(name, 0)
    if abs(c) > 1:
        return None
    rest = linear(tuple(term for term in formula.parts if term[0] != name), formula.constant)
    if formula.kind == "==0":
        return (rest * -c, rest * -c + 1) if c else ()
    return (rest,) if c < 0 else (1 - rest,) if c else ()


# ---- bit masks -----------------------------------------------------------------------------------


class Bits:
    """A mask with unknown bits. `mask` has the bits that can be set."""

    __slots__ = ("expression", "mask")

    def __init__(self, expression: Any, mask: int) -> None:
        self.expression, self.mask = expression, mask

    def is_zero(self) -> Formula:
        """No bit is set."""
        return Node.of("bits==0", self.expression) if self.mask else True

    def __and__(self, other: Any) -> Any:
        mask = self.mask & mask_of(other)
        return Bits(("&", self.expression, expression_of(other)), mask) if mask else 0

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        if isinstance(other, int) and other == 0:
            return self
        return Bits(("|", self.expression, expression_of(other)), self.mask | mask_of(other))

    __ror__ = __or__

    def __xor__(self, other: Any) -> Any:
        if isinstance(other, Bits) and other.expression == self.expression:
            return 0
        return Bits(("^", self.expression, expression_of(other)), self.mask | mask_of(other))

    __rxor__ = __xor__

    def __invert__(self) -> "Bits":
        return Bits(("~", self.expression), WORD)

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, int):
            if other < 0 and not self.mask >> 63:
                return False  # a mask of flags is not negative
            if other & WORD & ~self.mask:
                return False
        difference = self ^ other
        return truth(difference.is_zero()) if isinstance(difference, Bits) else difference == 0

    def __ne__(self, other: Any) -> Any:
        same = self == other
        return Truth(negation(same.formula)) if isinstance(same, Truth) else not same

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(truth(negation(self.is_zero())))

    def __lt__(self, other: Any) -> bool:
        """A mask of flags is not negative; nothing else is known of an order."""
        if type(other) is not int or other != 0 or self.mask >> 63:
            self._number()
        return False

    def __ge__(self, other: Any) -> bool:
        return not self < other

    def _number(self, _other: Any = None) -> Any:
        raise Unsupported("arithmetic, or an order, on a bit mask with unknown bits")

    __add__ = __sub__ = __radd__ = __rsub__ = __mul__ = __rmul__ = __pos__ = __le__ = __gt__ = _number
    __lshift__ = __rshift__ = __neg__ = __index__ = _number


def chosen(formula: Formula, yes: Any, no: Any) -> Any:
    """`yes` if the formula is true, else `no`: masks."""
    return Bits(("?", formula, expression_of(yes), expression_of(no)), mask_of(yes) | mask_of(no))


def expression_of(value: Any) -> Any:
    """A mask expression for a mask or an int."""
    if isinstance(value, Bits):
        return value.expression
    if isinstance(value, int):
        return ("const", value & WORD)
    raise Unsupported("a bit mask combined with an unknown number")


def mask_of(value: Any) -> int:
    """The bits that a mask or an int can have."""
    return value.mask if isinstance(value, Bits) else value & WORD


def unknown_bits(name: str, mask: int) -> Any:
    """A mask in which exactly the bits of `mask` may be set."""
    return Bits(("var", name, mask), mask)
