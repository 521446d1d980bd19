# SPDX-License-Identifier: GPL-2.0-only
"""Address spaces of every size at once, against searches of one size: the same states, verdicts and lengths."""

from dataclasses import replace

import pytest

from tests.properties.test_properties import MUTANT_FILES, base_of
from tests.search.test_search import compiled_keys
from tests.support.helpers import rest, system, vmacheck, vmacheck_json
from vmacheck.checker.jobs.default import kernels_2004
from vmacheck.checker.kernels import programs, segments
from vmacheck.checker.kernels.programs import claims_for, program_with_claims
from vmacheck.checker.kernels.scope import Scope
from vmacheck.checker.program.interpreted import Machine
from vmacheck.checker.program.layout import Broken
from vmacheck.checker.search import rounds
from vmacheck.checker.search.outcome import Limits, calls_to
from vmacheck.checker.search.verdict import check
from vmacheck.counterexamples.reports.check import ruled_out
from vmacheck.model.kernels import COUNTING_PAGES, LINUX_2_6
from vmacheck.properties import PROPERTIES

ALIKE = [kernel for kernel in LINUX_2_6.kernels if kernel not in COUNTING_PAGES]
TREES = ("anonmm", "rmap39", "rmap40", "linux-2.6.8")
LAYOUT = "adjacent_vmas_share_anon_vma"  # a claim that looks at no page

# states, transitions, depth: pinned
PINNED = {
    ("rmap40", 2, None): (199, 84376, 10),
    ("rmap40", 3, None): (2375, 1527125, 12),
    ("linux-2.6.8", 3, None): (909, 584487, 7),
    ("linux-2.6.8", 3, (LAYOUT,)): (157, 25748, 6),
    ("linux-2.6.8", 4, (LAYOUT,)): (924, 235620, 10),
    ("linux-2.6.8", 5, (LAYOUT,)): (7180, 2627880, 14),
    ("rmap40", 5, (LAYOUT,)): (7180, 2627880, 14),
    ("linux-6.18", 3, None): (752, 483536, 8),
}


def build(kernel, count, names=None, **scope):
    return segments.in_segments(
        kernel, Scope(segments=count, **scope), programs.property_names() if names is None else names
    )


# ---- states: projected by code that shares none ---------------------------------------------------


def projected(mm, kept):
    """The projection of a state that remembers at most the page `kept`: a row of cells, anon_vmas by number."""
    vmas = [mm.vma[number] for number in range(1, mm.map_count + 1)]
    names = {0: 0}

    def name(anon_vma):
        return names.setdefault(anon_vma, len(names))

    row, end = [], 0
    for vma in vmas:
        if vma.vm_start > end:
            row.append("hole")
        end = vma.vm_end
        cell = [vma.vm_flags, vma.vm_policy, name(vma.anon_vma), name(vma.anon_vma_node)]
        if kept is not None and vma.vm_start <= kept < vma.vm_end:
            where = (kept > vma.vm_start, kept < vma.vm_end - 1)
            cell.append((where, name(mm.page[kept].mapping)))
        row.append(tuple(cell))
    lives = tuple(mm.anon_vma[anon_vma].life for anon_vma in list(names)[1:])
    return tuple(row), lives, mm.leaked, mm.bug


def projections(mm, pages, keeps_page):
    """The projections of the state with each page that can be kept, and without one."""
    written = [page for page in range(pages) if mm.page[page].mapcount] if keeps_page else []
    return {projected(mm, kept) for kept in (None, *written)}


def states_of(one):
    """The states of a system, as a machine has them, and the calls that reach each, from the compiled run."""
    explorer = rounds.Explorer(one, (), Limits())
    explorer.run()
    machine = Machine(one)
    mm = machine.new()
    for number, key in enumerate(compiled_keys(explorer)):
        machine.load(mm, key)
        yield mm, calls_to(explorer.parents, explorer.via, number, one.calls)


def pages_of(one):
    return one.program.constants["TASK_SIZE"]


def segment_states(one):
    """The states of a search over segments, projected, with the calls that reach them."""
    for mm, calls in states_of(one):
        written = [page for page in range(pages_of(one)) if mm.page[page].mapcount]
        assert len(written) <= 1
        yield projected(mm, written[0] if written else None), calls


FIRST = ("linux-6.18", "anonmm", "rmap40")
OTHERS = (*(name for name in ALIKE if name not in FIRST), "rmap40+prev-first", "andrea+importer", "linux-6.12")


@pytest.mark.parametrize(
    "kernel", [*rest(pytest.mark.slow, ("anonmm", "linux-6.18", "rmap40"), 1), *rest(pytest.mark.large, OTHERS, 0)]
)
@pytest.mark.parametrize("names", [None, (LAYOUT,)], ids=["a page", "no page"])
def test_every_state_of_few_pages_is_a_state_of_as_many_segments(kernel, names):
    found = {state for state, _ in segment_states(build(kernel, 3, names))}
    for mm, _ in states_of(system(kernel, 3)):
        assert projections(mm, 3, names is None) <= found


SEAL = ("mmap", "munmap", "mprotect", "write", "dontfork", "mseal")
MADVISE = ("mmap", "munmap", "mprotect", "write", "read", "madvise")
LARGE = pytest.mark.large


@pytest.mark.parametrize(
    ("kernel", "count", "names", "scope"),
    [
        *((kernel, 2, names, {}) for kernel in TREES for names in (None, (LAYOUT,))),
        ("rmap40", 2, (LAYOUT,), {"noreserve": True}),
        ("rmap40", 2, (LAYOUT,), {"operations": MADVISE}),
        ("rmap40", 1, None, {"operations": MADVISE}),
        ("rmap40", 2, (LAYOUT,), {"max_map_count": 1}),
        ("linux-6.12", 2, None, {}),
        ("linux-6.18", 2, None, {}),
        ("linux-6.18", 2, (LAYOUT,), {"operations": SEAL}),
        pytest.param("rmap40", 2, None, {"noreserve": True}, marks=LARGE),
        pytest.param("rmap40", 2, None, {"operations": MADVISE}, marks=LARGE),
    ],
)
def test_every_state_of_segments_is_one_of_pages(kernel, count, names, scope):
    """Each program over segments, translated to pages, has the same length and the same final state."""
    assert not unexplained(kernel, build(kernel, count, names, **scope), names is None, scope)


@pytest.mark.large
def test_what_is_found_beside():
    """A vma that grew together of two is taken for a single page: one of 3,051 states, and none without pages."""
    assert len(unexplained("rmap39", build("rmap39", 3), True, {})) == 1
    assert not unexplained("rmap39", build("rmap39", 3, (LAYOUT,)), False, {})


def unexplained(kernel, one, keeps_page, scope):
    """The states of segments that their programs, translated to pages, do not reach."""
    machines, found = {}, []
    for state, calls in segment_states(one):
        program, pages = segments.program_in_pages(one, calls)
        assert len(program) == len(calls)
        if pages not in machines:
            machines[pages] = Machine(system(kernel, pages, **scope))
        machine = machines[pages]
        before, after = machine.new(), machine.new()
        for call in program:
            before, after = after, before
            assert call.end <= pages
            machine.step(before, call, after)
            machine.key(after)
        if state not in projections(after, pages, keeps_page):
            found.append(state)
    return found


# ---- verdicts ------------------------------------------------------------------------------------


def outcomes(checked):
    return {result.claim.name: (result.verdict, len(result.calls or ())) for result in checked.results}


def check_segments(one, scope):
    names = [claim.name for claim in one.claims if not claim.sometimes]
    return segments.in_pages(check(one, names, Limits()), scope)


@pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(kernel, marks={"linux-6.18": [], "rmap40": [pytest.mark.slow]}.get(kernel, [LARGE]))
        for kernel in (*ALIKE, "rmap39+importer", "rmap40+importer+prev-first", "linux-6.12", "linux-6.18")
    ],
)
def test_verdicts_and_lengths_are_those_of_pages(kernel):
    """A violation in as many pages takes as many calls; one that needs more pages is confirmed in enough of them."""
    names = tuple(programs.property_names())
    in_segments = check_segments(build(kernel, 3), Scope(segments=3))
    in_pages = outcomes(check(system(kernel, 3, names), names, Limits()))
    for result in in_segments.results:
        expected = in_pages[result.claim.name]
        if result.verdict == "violated":
            pages = pages_of(result.system)
            more = check(system(kernel, pages, (result.claim.name,)), [result.claim.name], Limits()).results[0]
            expected = (more.verdict, len(more.calls or ()))
            assert pages <= 5
        assert (result.verdict, len(result.calls or ())) == expected


# mutants that put memory at an offset that is not its address, or vmas out of order: the search stops
OFF_THEIR_ADDRESS = (
    "page_index_is_linear",
    "rmap_finds_every_page",
    "unfaulted_vmas_have_pgoff_of_their_start",
    "vmas_are_sorted_and_disjoint",
)


FEW_MUTANTS = MUTANT_FILES[::4]


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=() if path in FEW_MUTANTS else pytest.mark.slow, id=path.stem) for path in MUTANT_FILES],
)
def test_mutants_are_told_as_in_pages(path):
    name = path.name.split(".")[0]
    kernel = f"{base_of(name)}+{path}"
    if path.stem in OFF_THEIR_ADDRESS:
        with pytest.raises(Broken):
            rounds.explore(build(kernel, 2, (name,)))
        return
    expected = check(system(kernel, 4, (name,)), [name], Limits()).results[0]
    result = check_segments(build(kernel, 4, (name,)), Scope(segments=4)).results[0]
    assert (result.verdict, len(result.calls)) == (expected.verdict, len(expected.calls))


def test_a_violation_that_pages_do_not_show_is_open(monkeypatch):
    one = build("rmap40", 3, (LAYOUT,))
    monkeypatch.setattr(segments, "FEW_PAGES", 0)
    result = check_segments(one, Scope(segments=3)).results[0]
    assert (result.verdict, len(result.calls), pages_of(result.system)) == ("violated", 5, 3)
    monkeypatch.setattr(segments, "program_in_pages", lambda _system, _calls: (result.calls[1:], 3))
    result = check_segments(one, Scope(segments=3)).results[0]
    assert (result.verdict, result.reason) == ("incomplete", segments.NOT_IN_PAGES)


def test_a_violation_that_takes_more_calls_in_pages(monkeypatch):
    """The program is the one for pages; that none is shorter is claimed only as far as the search goes."""
    one, shown = build("rmap40", 3, (LAYOUT,)), segments.in_few_pages

    def longer(name, scope, wanted):
        found = shown(name, scope, wanted)
        small, hit = found[LAYOUT]
        return found | {LAYOUT: (small, replace(hit, calls=(hit.calls[0], *hit.calls)))}

    monkeypatch.setattr(segments, "in_few_pages", longer)
    monkeypatch.setattr(segments, "hits", lambda *_: False)
    result = check_segments(one, Scope(segments=3)).results[0]
    assert (result.verdict, len(result.calls), result.any_size) == ("violated", 6, 5)
    assert ruled_out([result]).startswith("no program of fewer than 5 calls does it, however many pages")


@pytest.mark.parametrize("count", rest(pytest.mark.slow, [3, 10]))
def test_a_search_that_ended_early_is_open_as_well(monkeypatch, count):
    monkeypatch.setattr(segments, "FEW_PAGES", 0)
    monkeypatch.setattr(segments, "hits", lambda *_: False)
    result = check_segments(build("rmap40", count, (LAYOUT,)), Scope(segments=count)).results[0]
    assert (result.verdict, result.closed, result.reason) == ("incomplete", False, segments.NOT_IN_PAGES)


TWO = "two_written_vmas_become_one"


@pytest.mark.parametrize("more", [(), ("-p", "equal_neighbours_are_not_kept_apart")])
def test_what_takes_two_written_pages_is_looked_for_in_pages(more):
    code, found = vmacheck_json("check", "linux-2.6.8", "--segments", "2", "-p", TWO, *more)
    assert code == 0
    assert [result["verdict"] for result in found["results"]] == ["holds"] * len(found["results"])
    expected = vmacheck_json("check", "linux-2.6.8", "--pages", "2", "-p", TWO)[1]["results"][0]["witness"]
    assert found["results"][0]["witness"] == expected


def test_what_pages_do_not_show_either_is_open():
    """With one segment, and so one page, there are no two vmas."""
    words = ("check", "linux-2.6.8", "--segments", "1", "--max-map-count", "1")
    code, found = vmacheck_json(*words, "-p", TWO, "-p", "two_vmas_exist", "-p", "equal_neighbours_are_not_kept_apart")
    assert code == 3
    assert [(result["verdict"], result["reason"]) for result in found["results"]] == [
        ("incomplete", segments.KEPT),
        ("vacuous", "it never happens"),
        ("incomplete", f"{TWO} was not seen, but {segments.KEPT}"),
    ]


def test_what_happens_to_pages_happens_to_one():
    """A "sometimes" claim about several pages would be missed."""
    sometimes = [name for name, prop in PROPERTIES.items() if prop.kind == "sometimes"]
    program, claims = program_with_claims("rmap40"), claims_for(sometimes)
    about_pages = {claim.name for claim in claims if segments.looks_at_pages(program, [claim])}
    about_one = {"a_page_is_written", "a_page_hangs_from_an_anon_vma"}
    assert about_pages == about_one | set(segments.ABOUT_SEVERAL_PAGES)


def test_a_search_cut_short_says_no_more_than_it_saw():
    names = ("-p", "first_write_takes_neighbours_anon_vma", "-p", "first_write_meets_faulted_neighbour")
    code, found = vmacheck_json("check", "andrea", "--segments", "3", "--depth", "1", *names)
    assert code == 3
    assert {(result["verdict"], result["closed"]) for result in found["results"]} == {("incomplete", False)}


def test_a_search_that_ended_early_is_not_closed():
    for words in (("--segments", "3"), ("--segments", "3", "--run", "interpreted")):
        out = vmacheck("check", "linux-2.6.8", "-p", LAYOUT, *words)[1]
        assert "depth 5, ended when all was decided" in out


def test_a_page_that_can_be_read_once_it_is_written_is_kept():
    words = ("check", "rmap40", "--prot", "W", "--ops", "mmap,write,read", "-p", "kernel_bug_is_never_hit")
    assert vmacheck(*words, "--segments", "1")[0] == vmacheck(*words, "--pages", "1")[0] == 0


def test_the_default_kernels_are_those_that_count_no_pages():
    _, found = vmacheck_json("check", "--kernels", "2004", "--segments", "1", "-p", LAYOUT)
    assert {result["kernel"] for result in found["results"]} == set(kernels_2004()) - set(COUNTING_PAGES)


@pytest.mark.parametrize(
    ("kernel", "count", "names"),
    [
        pytest.param(*case, marks=pytest.mark.slow if transitions > 150_000 else ())
        for case, (_, transitions, _) in PINNED.items()
    ],
    ids=str,
)
def test_pinned_counts(kernel, count, names):
    search = rounds.explore(build(kernel, count, names))
    assert (search.states, search.transitions, search.depth) == PINNED[kernel, count, names]


def test_the_runs_agree():
    words = ("check", "rmap39", "--segments", "1")
    one, two = vmacheck_json(*words), vmacheck_json(*words, "--run", "interpreted")
    for _, found in (one, two):
        for result in found["results"]:
            del result["seconds"]
    assert one == two
    assert one[1]["results"][0]["scope"]["segments"] == 1
    assert one[1]["results"][0]["scope"]["pages"] is None


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("rmap40", "--segments", "0"), "--segments is 0; it can be 1 to 40"),
        (("rmap40", "--segments", "41"), "--segments is 41; it can be 1 to 40"),
        (("rmap40", "--segments", "3", "--pages", "3"), "--segments is about any number of pages, and --pages about one"),
        (("rmap40", "--segments", "3", "--ops", "mmap,write,mlock"), "--segments: pages are not alike to mlock; give --pages"),
        (("rmap40", "--segments", "3", "--ops", "mmap,write,mremap"), "--segments: pages are not alike to mremap; give --pages"),
        (("rmap40", "--segments", "3", "--ops", "mmap,mseal"), "--ops: mseal is not known to rmap40; linux-6.12, linux-6.16, linux-6.18 know it"),
        (("linux-6.18", "--segments", "3", "--ops", "mmap,guard"), "--segments: pages are not alike to guard; give --pages"),
        (("further-afield", "--segments", "3"), "--segments: further-afield decides by how many pages there are; give --pages"),
        (
            (f"rmap40+{MUTANT_FILES[0]}", "--segments", "3"),
            f"--segments: whether pages are alike to {MUTANT_FILES[0]} is not known; give --pages",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(words, expected):
    assert vmacheck("check", *words) == (2, "", f"vmacheck: {expected}\n")


@pytest.mark.large
def test_a_kernel_that_counts_pages_would_be_told_apart():
    """further-afield has states that no size but its own explains: why it is refused."""
    found = {state for state, _ in segment_states(build("further-afield", 4, (LAYOUT,)))}
    assert any(not projections(mm, 5, False) <= found for mm, _ in states_of(system("further-afield", 5)))
