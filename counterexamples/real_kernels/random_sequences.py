# SPDX-License-Identifier: GPL-2.0-only
"""Sequences too long to try them all: random ones, on a model kernel and on the running one, shrunk if they differ.

Hypothesis makes the sequences and shrinks them. The search for further ways to differ goes on until it finds none.
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from vmacheck.checker.files.json_types import Natural
from vmacheck.checker.kernels.scope import Scope, ScopeData
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.counterexamples.real_kernels.conform import Conformed, Difference, Model, asked_for, note
from vmacheck.counterexamples.real_kernels.live import carry_out, runner, vmas_in
from vmacheck.counterexamples.real_kernels.replay import SeenLayoutData, seen_vmas
from vmacheck.counterexamples.replay.one_process import STOPPED
from vmacheck.model.calls.operations import NAMES


@dataclass(frozen=True)
class Tried:
    """The result: the number of sequences, the most calls in one, and each way to differ, shrunk."""

    kernel: str
    scope: Scope
    number: int
    length: int
    seed: int
    left_out: Counter[str]
    ways: tuple[Difference, ...]


class Differs(Exception):
    """A sequence differs in the way that is sought."""


class Comparison:
    """Compares sequences, given as numbers of calls, and stores the ways to differ that it meets."""

    def __init__(self, kernel: str, scope: Scope, program: Path) -> None:
        self.left_out: Counter[str] = Counter()
        calls, self.texts = asked_for(scope, self.left_out)
        self.kernel, self.scope, self.program = kernel, scope, program
        self.model = Model(kernel, scope, calls)

    def difference(self, sequence: Sequence[int]) -> Difference | None:
        """The first difference in a sequence, with the calls up to it."""
        line = " ".join([str(self.scope.pages), "1", *(self.texts[call] for call in sequence)])
        (seen,) = carry_out(self.program, (), [line])
        state = self.model.first
        for number, (call, one) in enumerate(zip(sequence, seen, strict=True), 1):
            after = self.model.step(state, call)
            if after.shown == STOPPED:
                calls = tuple(self.model.calls[made] for made in sequence[:number])
                what = f"{NAMES[calls[-1].nr]} stops the model kernel"
                return Difference(what, 1, calls, (STOPPED, ""), (one.shown, one.cells))
            if not after.agrees(one):
                found = Conformed(self.kernel, self.scope, number)
                note(found, self.model, sequence[:number], state, after, one)
                return next(iter(found.differences.values()))
            state = after.state
        return None


def conform_longer(kernel: str, scope: Scope, number: int, length: int, first_seed: int) -> Tried:
    """Compare `number` random sequences of up to `length` calls; the same ones for the same seed.

    After each way to differ, as many more are compared, for others. Raises what conform() raises.
    """
    comparison = Comparison(kernel, scope, runner())
    ways: dict[str, Difference] = {}
    while (way := _another(comparison, ways.keys(), number, length, first_seed + len(ways))) is not None:
        ways[way.what] = way
    return Tried(kernel, scope, number, length, first_seed, comparison.left_out, tuple(ways.values()))


def _another(comparison: Comparison, known: Any, number: int, length: int, first_seed: int) -> Difference | None:
    """A new way to differ, as its shortest sequence; None if none of `number` sequences has one."""
    best: list[Difference] = []

    class Sequences(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.sequence: list[int] = []

        @rule(call=st.sampled_from(range(len(comparison.texts))))
        def call(self, call: int) -> None:
            self.sequence.append(call)

        def teardown(self) -> None:
            way = comparison.difference(self.sequence) if self.sequence else None
            # the first way that is met is the one that is shrunk
            if way is not None and way.what not in known and (not best or best[0].what == way.what):
                best[:] = [way]
                raise Differs

    chosen = settings(
        max_examples=number,
        stateful_step_count=length,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
    )
    with contextlib.suppress(Differs):
        run_state_machine_as_test(seed(first_seed)(Sequences), settings=chosen)
    return best[0] if best else None


# ---- text and data -------------------------------------------------------------------------------


def longer_text(tried: Tried, real: str) -> list[str]:
    """Each way to differ, with its shrunk sequence."""
    lines = []
    for way in tried.ways:
        lines += [way.what, f"    {'; '.join(map(str, way.calls))}"]
        lines.append(f"    {_seen(way.model)} on {tried.kernel}, {_seen(way.real)} on {real}")
    lines += [""] if lines else []
    lines.append(f"scope: {tried.scope}, sequences of up to {tried.length}, at random from {tried.seed}")
    if tried.left_out:
        left_out = ", ".join(f"{number} of {name}" for name, number in tried.left_out.items())
        lines.append(f"left out, as no program can ask for them: {left_out}")
    if not tried.ways:
        return [*lines, f"{tried.number:,} sequences compared, which agree with {real}"]
    ways = f"{len(tried.ways)} ways to differ from {real}" if len(tried.ways) > 1 else f"one way to differ from {real}"
    return [*lines, f"{ways}; {tried.number:,} more sequences show no other"]


def _seen(seen: tuple[int | str, str]) -> str:
    result, cells = seen
    vmas = [f"{vma.start}-{vma.end}:{vma.prot}" for vma in vmas_in(cells)]
    return f"{' '.join(vmas) or 'nothing'}{f' ({result})' if isinstance(result, str) else ''}"


class RandomDifferenceData(TypedDict):
    """A way to differ, with a sequence that shows it, shrunk."""

    what: str
    operations: list[str]
    model: SeenLayoutData
    real: SeenLayoutData


class ConformRandomData(TypedDict):
    """The answer of `vmacheck conform --random`: so many sequences of up to so many calls, from that seed."""

    schema: Literal[1]
    kernel: str
    real: str
    scope: ScopeData
    random: Natural
    length: Natural
    seed: Natural
    left_out: dict[str, Natural]
    differences: list[RandomDifferenceData]


def longer_data(tried: Tried, real: str) -> ConformRandomData:
    """The whole answer of `vmacheck conform --random` as JSON has it."""
    return {
        "schema": SCHEMA,
        "kernel": tried.kernel,
        "real": real,
        "scope": tried.scope.as_data(),
        "random": tried.number,
        "length": tried.length,
        "seed": tried.seed,
        "left_out": dict(tried.left_out),
        "differences": [
            {
                "what": way.what,
                "operations": [str(call) for call in way.calls],
                "model": _data(way.model),
                "real": _data(way.real),
            }
            for way in tried.ways
        ],
    }


def _data(seen: tuple[int | str, str]) -> SeenLayoutData:
    result, cells = seen
    return {"result": result, "vmas": seen_vmas(vmas_in(cells))}
