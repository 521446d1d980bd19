# SPDX-License-Identifier: GPL-2.0-only
"""The symbolic run against plain numbers: every path of a call, and the claims on it, against the interpreted run."""

import itertools
import operator
import random
import re
import sys
from functools import lru_cache, partial
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.helpers import rest, system
from tests.support.other_pages import with_others
from vmacheck.checker.program.interpreted import CallRecord, Machine, Oops
from vmacheck.checker.program.layout import Broken
from vmacheck.checker.program.system import OOPS
from vmacheck.checker.proofs import confirm
from vmacheck.checker.proofs.any_state import PAGE, TASK_SIZE, Numbers, numbers_of
from vmacheck.checker.proofs.induction import Induction, Question
from vmacheck.checker.proofs.trees import OF_2_6
from vmacheck.checker.search.explore import Explorer
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.symbolic import terms, values
from vmacheck.checker.symbolic.paths import Paths
from vmacheck.checker.symbolic.values import at_most, both, either, formula_of, negation, truth, unknown, unknown_bits
from vmacheck.model.calls.operations import OPERATIONS, POLICIES, PROTECTIONS, Call, all_calls
from vmacheck.model.common import mm
from vmacheck.model.linux.mm import VM_LOCKONFAULT
from vmacheck.properties import PROPERTIES

WORD = (1 << 64) - 1
FOLLOWED = ("mmap", "munmap", "mprotect", "write", "read", "munlock", "madvise", "mbind", "brk")
FIELDS = ("vm_start", "vm_end", "vm_flags", "vm_pgoff", "vm_file", "vm_policy", "anon_vma", "anon_vma_node", "was")
CLAIMS = tuple(name for name, prop in PROPERTIES.items() if prop.kind != "sometimes")
ALSO_WITH_TWO = rest(pytest.mark.proofs, [("linux-2.6.8", 2), ("rmap40", 2)], 0)
LARGEST = 7  # pages, where a path leaves it open
fixed = settings(derandomize=True, deadline=None, database=None)


# ---- formulas in numbers, without Z3 ---------------------------------------------------------------------------------


def mask_in(expression, numbers):
    kind = expression[0]
    if kind == "var":
        return numbers[expression[1]] & expression[2]
    if kind == "const":
        return expression[1]
    if kind == "~":
        return WORD ^ mask_in(expression[1], numbers)
    if kind == "?":
        return mask_in(expression[2 if holds(expression[1], numbers) else 3], numbers)
    a, b = (mask_in(part, numbers) for part in expression[1:])
    return {"&": a & b, "|": a | b, "^": a ^ b}[kind]


def holds(formula, numbers):
    """Is the formula true of these numbers?"""
    if isinstance(formula, bool):
        return formula
    if formula.kind in ("<=0", "==0"):
        total = formula.constant + sum(c * numbers[name] for name, c in formula.parts)
        return total <= 0 if formula.kind == "<=0" else total == 0
    if formula.kind == "bits==0":
        return mask_in(formula.parts, numbers) == 0
    if formula.kind == "not":
        return not holds(formula.parts[0], numbers)
    return {"and": all, "or": any}[formula.kind](holds(part, numbers) for part in formula.parts)


def plain(value, numbers):
    """The number that a value stands for."""
    if isinstance(value, values.Linear):
        return value.constant + sum(c * numbers[name] for name, c in value.terms)
    if isinstance(value, values.Bits):
        return mask_in(value.expression, numbers)
    return holds(value.formula, numbers) if isinstance(value, values.Truth) else value


# ---- arithmetic ------------------------------------------------------------------------------------------------------

COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
small = st.integers(-5, 5)
sums = st.recursive(
    st.sampled_from("xyz") | small,
    lambda parts: (
        st.tuples(st.sampled_from((operator.add, operator.sub)), parts, parts)
        | st.tuples(st.just(operator.mul), parts, small)
        | st.tuples(st.just(lambda a, b: b * a), parts, small)
        | st.tuples(st.just(operator.neg), parts)
    ),
    max_leaves=6,
)
# with constants below 0, as ~CONSTANT is, for & only: a mask is a number from 0 to WORD
masks = st.recursive(
    st.sampled_from("abc") | st.integers(0, 15),
    lambda parts: (
        st.tuples(st.sampled_from((operator.and_, operator.or_, operator.xor)), parts, parts)
        | st.tuples(st.just(operator.and_), parts, st.integers(-16, -1))
        | st.tuples(st.just(lambda a, b: (WORD ^ a if type(a) is int else ~a) & b), parts, st.integers(0, 15))
    ),
    max_leaves=6,
)
conditions = st.recursive(
    st.tuples(st.sampled_from(COMPARISONS), sums, sums) | st.tuples(st.sampled_from(COMPARISONS[:2]), masks, masks),
    lambda parts: st.tuples(st.sampled_from(("and", "or", "not", "implies", "==", "!=")), parts, parts),
    max_leaves=5,
)
MASKS = {"a": 7, "b": 12, "c": 15}
UNKNOWN = {
    **{name: unknown(name) for name in "xyz"},
    **{name: unknown_bits(name, mask) for name, mask in MASKS.items()},
}
assignments = st.fixed_dictionaries(
    {
        **dict.fromkeys("xyz", small),
        **{name: st.integers(0, 15).map(partial(int.__and__, m)) for name, m in MASKS.items()},
    }
)


def computed(tree, numbers):
    if isinstance(tree, tuple):
        return tree[0](*(computed(part, numbers) for part in tree[1:]))
    return numbers[tree] if isinstance(tree, str) else tree


def judged(tree, numbers):
    """The tree of a condition as a value: a bool, or a values.Truth."""
    if not isinstance(tree[0], str):
        return computed(tree, numbers)
    a, b = (judged(part, numbers) for part in tree[1:])
    if tree[0] in ("==", "!="):
        return a == b if tree[0] == "==" else a != b
    a, b = formula_of(a), formula_of(b)
    return truth(
        {"and": both([a, b]), "or": either([a, b]), "not": negation(a), "implies": either([negation(a), b])}[tree[0]]
    )


@fixed
@given(sums | masks, assignments)
def test_values_are_what_plain_numbers_make_of_them(tree, numbers):
    value = computed(tree, UNKNOWN)
    assert plain(value, numbers) == computed(tree, numbers)
    assert holds(formula_of(value), numbers) == (computed(tree, numbers) != 0)
    if isinstance(value, values.Bits):
        assert plain(value, numbers) & ~value.mask == 0


@settings(fixed, max_examples=400)
@given(conditions, assignments)
def test_conditions_are_what_plain_numbers_make_of_them(tree, numbers):
    said = judged(tree, UNKNOWN)
    assert isinstance(said, bool | values.Truth)
    assert holds(formula_of(said), numbers) == judged(tree, numbers)
    formula = formula_of(said)
    assert negation(negation(formula)) is formula
    assert holds(negation(formula), numbers) != holds(formula, numbers)


@fixed
@given(conditions, sums, assignments)
def test_a_number_in_place_of_an_unknown_one(tree, number, numbers):
    formula, number = formula_of(judged(tree, UNKNOWN)), computed(number, UNKNOWN)
    there = values.replaced(formula, "x", number)
    assert holds(there, numbers) == holds(formula, {**numbers, "x": plain(number, numbers)})
    places = values.changes(formula, "x")
    for x in range(-5, 6) if places is not None else ():
        if holds(formula, {**numbers, "x": x}) != holds(formula, {**numbers, "x": x - 1}):
            assert x in [plain(place, numbers) for place in places]


@pytest.mark.parametrize(
    "use",
    [
        lambda: bool(UNKNOWN["x"] < 3),
        lambda: bool(UNKNOWN["x"]),
        lambda: bool(UNKNOWN["a"] & 1),
        lambda: [0, 1][UNKNOWN["x"]],
        lambda: UNKNOWN["x"] * UNKNOWN["y"],
        lambda: UNKNOWN["x"] & 1,
        lambda: UNKNOWN["a"] + 1,
        lambda: UNKNOWN["a"] < 1,
        lambda: UNKNOWN["x"] == UNKNOWN["a"],
        lambda: UNKNOWN["a"] == UNKNOWN["x"],
        lambda: (UNKNOWN["x"] < 3) == 1 + 1,
    ],
)
def test_what_cannot_be_followed_is_refused(use):
    with pytest.raises(values.Unsupported):
        use()


# ---- every path of a call, in numbers --------------------------------------------------------------------------------


class Explored:
    """The paths of one kind of call from any state of `vmas` vmas."""

    def __init__(self, kernel, operation, vmas, max_map_count, locked=False):
        self.induction = Induction(Question(kernel, (), (), operation, vmas, max_map_count, 10_000, locked))
        self.known, self.call, solver = both(self.induction.start.known), self.induction.call, self.induction.solver
        paths = Paths(solver)
        self.paths = []
        for before, after, result in paths.explore(self.induction._code):
            model = solver.find(at_most(TASK_SIZE, LARGEST))
            condition = tuple(paths.condition())
            self.paths.append(
                SimpleNamespace(before=before, after=after, result=result, model=model, condition=condition)
            )
            self.paths[-1].others = self.induction.machine.others
        assert not solver.gave_up

    def said(self, path):
        """The claims on a path, as formulas; None for those that cannot be followed."""
        if not hasattr(path, "said"):
            solver = self.induction.solver
            solver.push()
            for formula in path.condition:
                solver.add(formula)
            evaluator = self.induction.evaluator([PAGE], [path.before, path.after])
            path.said = {name: formula for name in CLAIMS if (formula := self._said(evaluator, name, path)) is not None}
            solver.pop()
        return path.said

    def _said(self, evaluator, name, path):
        try:
            if not PROPERTIES[name].on_step:
                return evaluator.formula(name, path.after)
            if path.result is OOPS:
                return True
            return evaluator.formula(name, path.before, CallRecord(self.call, path.result), path.after)
        except values.Unsupported:
            return None


@lru_cache
def explored(kernel, operation, vmas, max_map_count=65536, locked=False):
    return Explored(kernel, operation, vmas, max_map_count, locked)


@lru_cache
def machine(kernel, pages, max_map_count):
    return Machine(confirm.system_for(kernel, pages, max_map_count, CLAIMS))


def in_numbers(value, state, pages, vmas):
    """A state, without the unlisted pages, and anon_vmas that it has no room for."""
    listed = [[getattr(state.vma[number], name) for name in FIELDS] for number in range(1, value(state.map_count) + 1)]
    lives = [state.anon_vma[number].life for number in range(1, vmas + 3)]
    contents = [(page.mapcount, page.mapping, page.index, getattr(page, "guard", 0)) for page in pages]
    others = [state.brk, state.bug, state.leaked, state.events]
    return [[value(one) for one in part] for part in (*listed, lives, *contents, others)]


def outcome_of(value, path, vmas):
    """The result and the state after a path, in numbers."""
    pages = [page for _, page in path.after.page.entries]
    return value(path.result), in_numbers(value, path.after, pages, vmas)


def plain_outcome(kernel, max_map_count, numbers, call, listed):
    """The outcome of the interpreted run, and the machine with the states before and after."""
    run = machine(kernel, numbers.pages, max_map_count)
    before, after = confirm.load(run, numbers), run.new()
    result = run.step(before, call, after)
    pages = [after.page[address] for address in listed]
    return (result, in_numbers(int, after, pages, len(numbers.vmas))), (run, before, after)


def plain_claim(name, call, result, run, before, after):
    """The verdict of the interpreted run on a claim."""
    try:
        if PROPERTIES[name].on_step:
            return result == OOPS or bool(run.evaluate(name, before, CallRecord(call, result), after))
        return bool(run.evaluate(name, after))
    except Broken:
        return False


def disagreements(kernel, operation, vmas, max_map_count=65536, every=1, locked=False):
    """The paths that differ from the interpreted run, for Z3's numbers; for some, claims as well."""
    one, found = explored(kernel, operation, vmas, max_map_count, locked), []
    kind = one.induction.kind
    for number, path in enumerate(one.paths[::every]):
        if path.model is False:
            continue  # needs more pages
        value, numbers = path.model.value, numbers_of(path.before, path.model, kind)
        if path.others:
            numbers = with_others(path, numbers, kind.page_fields)
        call = Call(*(value(argument) for argument in one.call))
        listed = [value(address) for address, _ in path.after.page.entries]
        outcome, states = plain_outcome(kernel, max_map_count, numbers, call, listed)
        if outcome != outcome_of(value, path, vmas):
            found.append((numbers, call, outcome))
        if number % 12 == 0:
            wrong = [name for name, formula in one.said(path).items() if not path.model.truth(formula)]
            found += [(numbers, call, name) for name in wrong if plain_claim(name, call, outcome[0], *states)]
    return found


@pytest.mark.parametrize("part", rest(pytest.mark.proofs, [4, 1]))
@pytest.mark.parametrize("kernel", rest(pytest.mark.proofs, ["linux-2.6.8", "rmap40"]))
def test_every_path_ends_where_the_interpreted_run_does(kernel, part):
    for operation, vmas in itertools.product(FOLLOWED, (1, 2)):
        every = part * (6 if vmas == 2 and operation in ("mmap", "mprotect", "madvise") else 1)
        assert every > 6 or disagreements(kernel, operation, vmas, every=every) == [], (operation, vmas)


# ---- any state and any call, as Z3 does not choose them --------------------------------------------------------------


def some_flags(draw, kind):
    """Random flags that a state can have; with locked memory only if it is locked on fault."""
    bits = [1 << bit for bit in range(32) if kind.vm_flags >> bit & 1]
    flags = sum(draw.sample(bits, draw.randint(0, 4)))
    return flags | (VM_LOCKONFAULT if kind.populates and flags & mm.VM_LOCKED else 0)


def some_state(draw, vmas, kind=OF_2_6):
    """A random well-formed state of `vmas` vmas; a page has the fields mapcount, mapping, index."""
    pages = draw.randint(vmas, LARGEST)
    borders = sorted(draw.choices(range(pages + 1), k=2 * vmas))
    while any(end <= start for start, end in zip(borders[::2], borders[1::2], strict=True)):
        borders = sorted(draw.choices(range(pages + 1), k=2 * vmas))
    flags = [some_flags(draw, kind), 0x100003, 0x100003, 1]
    names, made = [0], []
    for start, end in zip(borders[::2], borders[1::2], strict=True):
        name = draw.randint(0, max(names) + 1)
        names.append(name)
        policy, file = draw.choice([0, 0, *POLICIES.values()]), draw.choice([0, 0, 0, 1])
        pgoff = draw.choice([start, start, start - borders[0], draw.randint(0, 9)])
        fields = (start, end, draw.choice(flags), pgoff, file, policy, name, name)
        made.append(dict(zip(FIELDS, fields, strict=False)))
    mapped = {}
    for page in range(pages):
        if draw.random() < 0.6:
            vma = next((vma for vma in made if vma["vm_start"] <= page < vma["vm_end"]), None)
            linear, name = (page - vma["vm_start"] + vma["vm_pgoff"], vma["anon_vma"]) if vma else (page, 0)
            page_fields = (1, draw.choice([name, name, draw.randint(0, vmas + 1)]), draw.choice([linear] * 4 + [1]))
            mapped[page] = dict(zip(("mapcount", "mapping", "index"), page_fields, strict=True))
        if "guard" in kind.page_fields and draw.random() < 0.2:
            mapped[page] = dict.fromkeys(kind.page_fields, 0) | mapped.get(page, {}) | {"guard": 1}
    lives = [mm.LIVE if number in names else mm.UNUSED for number in range(1, vmas + 1)]
    brk = draw.choice([0, draw.randint(0, pages)])
    return Numbers(pages, brk, tuple(made), mapped, (*lives, draw.choice([mm.UNUSED, mm.FREED])))


def some_call(draw, operation, pages):
    """A call of a kind that fits into `pages` pages; now and then, one of length 0."""
    call = draw.choice(list(all_calls(pages, tuple(PROTECTIONS), (operation,), operation == "mmap")))
    return call._replace(len=0) if draw.random() < 0.05 else call


def assigned(numbers, call, page):
    """The values of the unknowns of anystate.py, if the page of the claims is `page`."""
    found = {"TASK_SIZE": numbers.pages, "brk": numbers.brk, "page": page, "addr": call.addr, "len": call.len}
    found |= {"prot": call.prot, "map_flags": call.flags, "behavior": call.behavior, "policy": call.policy}
    short = {"vm_start": "start", "vm_end": "end"}
    for number, fields in enumerate(numbers.vmas, 1):
        for name in FIELDS[:-2]:
            found[f"{short.get(name, name.removeprefix('vm_'))}{number}"] = fields[name]
    found |= {f"life{number}": life for number, life in enumerate(numbers.lives, 1)}
    for number, address in enumerate((page, call.addr)):
        fields = numbers.mapped.get(address, {})
        found |= {f"{name}{number}": fields.get(name, 0) for name in ("mapcount", "mapping", "index", "guard")}
    return found


def anywhere(formula, given_, pages):
    """Does a formula hold, whichever pages the loops of a claim, of which it says that they can be asked, are at?"""
    names = set(re.findall(r"page#\d+", repr(formula)))
    choices = itertools.product(range(pages), repeat=len(names))
    return all(holds(formula, given_ | dict(zip(names, at, strict=True))) for at in choices)


def contradictions(kernel, operation, count, max_map_count=65536, vmas=2):
    """Random states and calls whose paths, or claims on them for some page, are wrong."""
    one, draw, wrong, seen = explored(kernel, operation, vmas, max_map_count), random.Random(operation), [], set()
    for numbers in (some_state(draw, vmas, one.induction.kind) for _ in range(count)):
        call = some_call(draw, operation, numbers.pages)
        said = dict.fromkeys(CLAIMS, True)
        for page in range(numbers.pages):
            given_ = assigned(numbers, call, page)
            assert holds(one.known, given_)
            (path,) = (p for p in one.paths if all(holds(formula, given_) for formula in p.condition))
            seen.add(id(path))
            listed = [plain(address, given_) for address, _ in path.after.page.entries]
            outcome, states = plain_outcome(kernel, max_map_count, numbers, call, listed)
            if outcome != outcome_of(lambda value, given_=given_: plain(value, given_), path, vmas):
                wrong.append((numbers, call, outcome))
            formulas = one.said(path)
            asked = {name: so for name, so in said.items() if name in formulas}
            said = {name: so and anywhere(formulas[name], given_, numbers.pages) for name, so in asked.items()}
        for name, is_so in said.items():
            if plain_claim(name, call, outcome[0], *states) != is_so:
                wrong.append((numbers, call, name, is_so))
    assert len(seen) > 2
    return wrong


@pytest.mark.parametrize("part", rest(pytest.mark.proofs, [4, 1]))
@pytest.mark.parametrize(("kernel", "vmas"), [("linux-2.6.8", 1), *ALSO_WITH_TWO])
def test_any_state_and_any_call_take_one_path_and_claims_say_what_is_so(kernel, vmas, part):
    """With two vmas, and mprotect, which has the most paths, also with one."""
    for operation in FOLLOWED:
        count, many = (8, vmas) if operation == "mprotect" else (25, 2)
        assert contradictions(kernel, operation, max(3, count // part), vmas=many) == [], operation


@pytest.mark.parametrize("operation", ["mmap", "munmap", "brk", pytest.param("mprotect", marks=pytest.mark.proofs)])
def test_the_same_where_the_kernel_refuses_more_vmas(operation):
    assert disagreements("rmap40", operation, 2, max_map_count=2) == []
    assert contradictions("rmap40", operation, 6, max_map_count=2) == []


def as_numbers(one, pages, vmas):
    """A state of the interpreted run in numbers; one freed anon_vma stands for all."""
    made = tuple({name: getattr(one.vma[number], name) for name in FIELDS[:-1]} for number in range(1, vmas + 1))
    known = (one.anon_vma[number].life for number in range(1, vmas + 1))
    lives = [mm.UNUSED if life == mm.FREED else life for life in known]
    mapped = {}
    for address, page in enumerate(one.page[:pages]):
        if page.mapcount:
            freed = one.anon_vma[page.mapping].life == mm.FREED if page.mapping else False
            mapped[address] = {"mapcount": 1, "mapping": vmas + 1 if freed else page.mapping, "index": page.index}
        if getattr(page, "guard", 0):
            mapped[address] = {"mapcount": 0, "mapping": 0, "index": 0} | mapped.get(address, {}) | {"guard": 1}
    return Numbers(pages, one.brk, made, mapped, (*lives, mm.FREED))


def states_led_to(kernel, operations, states, **scope):
    """The number of reachable states of one or two vmas, after checking that each is an any_state."""
    explorer = Explorer(system(kernel, 3, operations=operations, **scope), (), Limits(max_states=states))
    explorer.run()
    one, tried = explorer.machine.new(), 0
    for key in explorer.keys:
        explorer.machine.load(one, key)
        assert (one.bug, one.leaked) == (0, 0)
        if one.map_count in (1, 2):
            tried += 1
            numbers, known = as_numbers(one, 3, one.map_count), explored(kernel, "munmap", one.map_count).known
            assert all(holds(known, assigned(numbers, Call(OPERATIONS["munmap"].nr, 1, 1), page)) for page in range(3))
    return tried


@pytest.mark.parametrize("kernel", rest(pytest.mark.proofs, ["linux-2.6.8", "rmap39", "rmap40"]))
def test_any_state_is_any_that_programs_lead_to(kernel):
    assert states_led_to(kernel, (*FOLLOWED, "file"), 2500) > 1000


# ---- that these tests can fail ---------------------------------------------------------------------------------------


def lose_the_equal(patch):
    patch.setattr(values.Linear, "__lt__", lambda a, b: a <= b)


def lose_the_order(patch):
    patch.setattr(values.Linear, "__sub__", lambda a, b: a + b)


def change_no_page(patch):
    patch.setattr("vmacheck.checker.symbolic.machine.Pages.between", lambda pages, first, end: iter(()))


def take_any_for_all(patch):
    patch.setattr("vmacheck.checker.symbolic.machine.both", either)


@pytest.mark.parametrize("mutant", [lose_the_equal, lose_the_order, change_no_page, take_any_for_all])
def test_a_wrong_run_is_noticed(mutant, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "explored", lru_cache(Explored))
    mutant(monkeypatch)
    try:
        noticed = disagreements("rmap40", "munmap", 1) + contradictions("rmap40", "munmap", 20)
    except (AssertionError, ValueError, Oops, values.Unsupported) as error:
        noticed = [error]  # a state that is not well formed, or that takes no path or several
    assert noticed


def test_paths_that_are_left_out_are_noticed(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "explored", lru_cache(Explored))
    one = getattr(Paths, "_assume")  # noqa: B009
    monkeypatch.setattr(Paths, "_assume", lambda p, d: one(p, d._replace(open=d.open and len(p._trail) > 2)))
    with pytest.raises(ValueError, match="not enough values"):
        contradictions("rmap40", "munmap", 20)


@pytest.mark.parametrize("comparison", ["Lt", "GtE", "NotEq"])
def test_a_claim_that_is_misread_is_noticed(comparison, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "explored", lru_cache(Explored))
    wrong = {"Lt": operator.le, "GtE": operator.gt, "NotEq": lambda a, b: True}[comparison]
    monkeypatch.setitem(terms.COMPARE, getattr(terms.ast, comparison), wrong)
    assert contradictions("rmap40", "munmap", 20)
