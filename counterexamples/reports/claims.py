# SPDX-License-Identifier: GPL-2.0-only
"""The verdicts on claims, as text and as data."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from vmacheck.checker.claims.parts import Decided, Finding, Part, Verdict, Witness
from vmacheck.checker.files.json_types import Natural
from vmacheck.checker.kernels import one_process
from vmacheck.checker.kernels.scope import Scope
from vmacheck.counterexamples.pictures.films import film, thread_film
from vmacheck.counterexamples.pictures.text import LEGEND, picture
from vmacheck.counterexamples.pictures.words import SCHEMA, count
from vmacheck.counterexamples.replay.one_process import replay
from vmacheck.counterexamples.replay.threads import replay_text
from vmacheck.counterexamples.reports.compare import side_by_side
from vmacheck.model.calls import interleaving

WORDS = 72  # of a quote, in the table


def _steps(kernel: str, witness: Witness) -> list[Any]:
    return replay(one_process.build(kernel, Scope(pages=witness.pages), calls=witness.calls), witness.calls)


# ---- text ----------------------------------------------------------------------------------------


def claims_text(decided: Sequence[Decided]) -> list[str]:
    """The table of `vmacheck claims`, and for each claim its theorem and the part that decides it."""
    lines = []
    for one in decided:
        lines += [f"{one.claim.id}  {one.claim.theorem}", *_deciding_text(one), ""]
    return [*lines, *table_text(decided)]


def table_text(decided: Sequence[Decided]) -> list[str]:
    """One line per claim: verdict, length of the witness that decides it, states searched, and the words."""
    rows = [["claim", "verdict", "calls", "states", "said"]]
    for one in decided:
        deciding = _deciding(one)
        length = str(len(deciding[1].witness.calls)) if deciding and deciding[1].witness else ""
        quote = one.claim.quote if len(one.claim.quote) <= WORDS else one.claim.quote[: WORDS - 3].rstrip() + "..."
        rows.append([one.claim.id, one.verdict, length, f"{one.states:,}", quote])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _deciding(one: Decided) -> tuple[Part, Finding] | None:
    """The part that decides the verdict, one with a witness if possible."""
    pairs = list(zip(one.claim.parts, one.findings, strict=True))
    of_verdict = [(part, found) for part, found in pairs if part.is_claim and found.verdict == one.verdict]
    with_witness = [(part, found) for part, found in of_verdict if found.witness is not None]
    if with_witness:
        return min(with_witness, key=lambda pair: len(pair[1].witness.calls if pair[1].witness else ()))
    return next(iter(of_verdict), None)


def _deciding_text(one: Decided) -> list[str]:
    deciding = _deciding(one)
    if deciding is None:
        return []
    part, found = deciding
    lines = [f"    {one.verdict}: {part.says}"]
    if part.where:
        lines.append(f"    in: {part.where}")
    if found.witness is not None:
        lines.append(f"    by {count(len(found.witness.calls), 'call')}: {_program(found.witness)}")
    if found.figures:
        lines.append(f"    {found.figures}")
    return lines


def _program(witness: Witness) -> str:
    return "; ".join(map(str, witness.calls))


def claim_text(one: Decided) -> list[str]:
    """One claim in full: the words, the theorem, and every part with its scope, verdict and witness, drawn."""
    claim = one.claim
    said = claim.quote if claim.source == "safety" else f'"{claim.quote}"'
    lines = [f"{claim.id}, {claim.source}: {said}", "", f"Theorem: {claim.theorem}", f"Verdict: {one.verdict}"]
    for part, found in zip(claim.parts, one.findings, strict=True):
        aside = "" if part.is_claim else " (beside the claim)"
        lines += ["", f"{found.verdict}{aside}: {part.says}"]
        if part.where:
            states = f"; {count(found.states, 'state')} searched" if found.states else ""
            lines.append(f"    in: {part.where}{states}")
        if found.figures:
            lines.append(f"    {found.figures}")
        if found.witness is not None:
            lines += ["", *_drawn(found.witness)]
    return [*lines, "", LEGEND]


def _drawn(witness: Witness) -> list[str]:
    """A witness: step by step on one kernel or two; its end on more."""
    if isinstance(witness.calls[0], interleaving.Call):
        (kernel,) = witness.kernels
        return thread_film(replay_text(kernel, witness.pages, witness.calls), witness.pages)
    if len(witness.kernels) == 1:
        return film(_steps(witness.kernels[0], witness), witness.pages)
    if len(witness.kernels) == 2:
        films = [(kernel, film(_steps(kernel, witness), witness.pages)) for kernel in witness.kernels]
        return side_by_side(films, witness.calls)
    width = max(map(len, witness.kernels))
    ends = [(kernel, _steps(kernel, witness)[-1].vmas) for kernel in witness.kernels]
    return [f"     {_program(witness)}", "", *(f"     {k:{width}}   {picture(v, witness.pages)}" for k, v in ends)]


# ---- data ----------------------------------------------------------------------------------------


class WitnessData(TypedDict):
    """A program that shows it, and the kernels that it is about."""

    kernels: list[str]
    pages: Natural
    operations: list[str]
    length: Natural


class PartData(TypedDict):
    """A sentence that is decided. is_claim: the claim stands or falls with it."""

    says: str
    scope: str | None
    is_claim: bool
    verdict: Verdict
    states: Natural
    figures: str | None
    witness: WitnessData | None


class ClaimData(TypedDict):
    """A claim with its verdict; length is that of the witness that decides it."""

    id: str
    quote: str
    source: str
    theorem: str
    verdict: Verdict
    expected: str
    length: Natural | None
    states: Natural
    parts: list[PartData]


class ClaimsData(TypedDict):
    """The answer of `vmacheck claims`."""

    schema: Literal[1]
    claims: list[ClaimData]


def claims_data(decided: Sequence[Decided]) -> ClaimsData:
    """The whole answer of `vmacheck claims` as JSON has it."""
    return {"schema": SCHEMA, "claims": [_claim_data(one) for one in decided]}


def _claim_data(one: Decided) -> ClaimData:
    claim, deciding = one.claim, _deciding(one)
    return {
        "id": claim.id,
        "quote": claim.quote,
        "source": claim.source,
        "theorem": claim.theorem,
        "verdict": one.verdict,
        "expected": claim.expected,
        "length": len(deciding[1].witness.calls) if deciding and deciding[1].witness else None,
        "states": one.states,
        "parts": [_part_data(part, found) for part, found in zip(claim.parts, one.findings, strict=True)],
    }


def _part_data(part: Part, found: Finding) -> PartData:
    witness = found.witness
    return {
        "says": part.says,
        "scope": part.where or None,
        "is_claim": part.is_claim,
        "verdict": found.verdict,
        "states": found.states,
        "figures": found.figures or None,
        "witness": None
        if witness is None
        else {
            "kernels": list(witness.kernels),
            "pages": witness.pages,
            "operations": [str(call) for call in witness.calls],
            "length": len(witness.calls),
        },
    }
