# SPDX-License-Identifier: GPL-2.0-only
"""A trace as a film strip: one picture per step, of vmas as boxes, for pages and slides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from vmacheck.counterexamples.replay.one_process import Step, Vma

CELL, ROW, LEFT, TOP = 56, 46, 240, 34
BESIDE, HEAD = 110, 26  # for the result of a call, next to a film; for the title above it
LEAST = 780  # for the note to fit
RED = "#B00000"
# of the eight colours by Okabe and Ito that all eyes can distinguish; next to the letter, never instead of it
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
# lines across the box, for print without colours: how far apart, and at which angle
HATCHES = ((0, 0), (6, 45), (6, 135), (6, 90), (6, 0), (12, 45), (12, 135))
NOTE = "A box is a vma, with what it allows; its letter and colour are its anon_vma; a dot is an anonymous page."


@dataclass(frozen=True)
class Strip:
    """A film: its title, the steps on each kernel by name, side by side, and the step that differs, if one does."""

    title: str
    columns: tuple[tuple[str, Sequence[Step]], ...]
    pages: int
    differs: int | None = None


def film_svg(title: str, steps: Sequence[Step], pages: int) -> str:
    """The steps, drawn one below the other. The picture is self-contained and reproducible."""
    return strips_svg(title, [Strip("", (("", steps),), pages)])


def strips_svg(title: str, strips: Sequence[Strip]) -> str:
    """Films, one below the other."""
    widths = [_left(strip) + len(strip.columns) * (strip.pages * CELL + BESIDE) for strip in strips]
    heights = [TOP + len(strip.columns[0][1]) * ROW + (HEAD if strip.title else 0) for strip in strips]
    width, height = max([*widths, LEAST]), sum(heights) + 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' font-family="monospace" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *hatches(_letters([step for strip in strips for _, steps in strip.columns for step in steps])),
    ]
    top = 0
    for strip, more in zip(strips, heights, strict=True):
        parts += _strip(strip, top)
        top += more
    parts.append(text_at(10, height - 14, NOTE, "start", "black", 11))
    return "\n".join([*parts, "</svg>", ""])


def _left(strip: Strip) -> int:
    """The x at which the pictures start: right of the longest call."""
    return max([LEFT, *(8 * len(str(step.call)) + 56 for _, steps in strip.columns for step in steps)])


def _strip(strip: Strip, top: int) -> list[str]:
    parts = []
    if strip.title:
        parts.append(text_at(10, top + 20, strip.title))
        top += HEAD
    for column, (name, steps) in enumerate(strip.columns):
        left = _left(strip) + column * (strip.pages * CELL + BESIDE)
        if name:
            parts.append(text_at(left, top + 10, name, size=11))
        parts += [
            text_at(left + (p + 0.5) * CELL, top + TOP - 10, str(p), "middle", "gray") for p in range(strip.pages)
        ]
        for number, step in enumerate(steps, 1):
            row = top + TOP + (number - 1) * ROW
            parts += [] if column else [text_at(10, row + 25, f"{number:2}  {step.call}")]
            parts += _step(step, strip.pages, left, row)
            if column and number == strip.differs:
                parts.append(text_at(left + strip.pages * CELL + 12, row + 25, "differs", fill=RED))
    return parts


def _letters(steps: Sequence[Step]) -> list[str]:
    found = {vma.anon_vma for step in steps for vma in step.vmas if vma.anon_vma}
    return sorted(found, key=lambda word: (len(word), word))


def colour_of(anon_vma: str | None) -> int | None:
    """The index of an anon_vma's colour in COLOURS."""
    if anon_vma is None:
        return None
    number = 0
    for letter in anon_vma:
        number = number * 26 + ord(letter) - ord("A") + 1
    return (number - 1) % len(COLOURS)


def hatches(letters: Iterable[str | None], prefix: str = "") -> list[str]:
    """The fills of boxes with these anon_vmas. Names for url(#...): the prefix, h, and the number of the colour."""
    patterns = []
    for number in sorted({colour_of(letter) or 0 for letter in letters if letter}):
        gap, angle = HATCHES[number]
        line = f'<path d="M0 0V{gap}" stroke="black" stroke-opacity="0.35"/>' if gap else ""
        size = gap or 8
        patterns.append(
            f'<pattern id="{prefix}h{number}" width="{size}" height="{size}" patternUnits="userSpaceOnUse"'
            f' patternTransform="rotate({angle})"><rect width="{size}" height="{size}" fill="{COLOURS[number]}"/>'
            f"{line}</pattern>"
        )
    return [f"<defs>{''.join(patterns)}</defs>"] if patterns else []


def text_at(x: float, y: float, words: str, anchor: str = "start", fill: str = "black", size: int | None = None) -> str:
    """Words at a place."""
    larger = f' font-size="{size}"' if size else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}"{larger}>{escape(words)}</text>'


def _step(step: Step, pages: int, left: int, top: int) -> list[str]:
    parts = [
        f'<rect x="{left}" y="{top + 5}" width="{pages * CELL}" height="{ROW - 14}" fill="none" stroke="silver"'
        ' stroke-dasharray="2 3"/>'
    ]
    for vma in step.vmas:
        parts += _vma(vma, left, top)
    for page in step.pages:
        x, y = left + (page.page + 0.5) * CELL, top + ROW - 15
        parts.append(f'<circle cx="{x:g}" cy="{y}" r="3.5" fill="black" stroke="white"/>')
    if isinstance(step.result, str):
        parts.append(text_at(left + pages * CELL + 12, top + 12, step.result, fill=RED))
    return parts


def _vma(vma: Vma, left: int, top: int) -> list[str]:
    x, width, number = left + vma.start * CELL, (vma.end - vma.start) * CELL, colour_of(vma.anon_vma)
    fill = "#F4F4F4" if number is None else f"url(#h{number})"
    words = " ".join(filter(None, (vma.prot, vma.anon_vma, vma.file if "SHARED" in vma.flags else None)))
    place = f'x="{x + 2}" y="{top + 5}" width="{width - 4}" height="{ROW - 14}"'
    half = 4.5 * len(words)
    plate = f'x="{x + width / 2 - half:g}" y="{top + 9}" width="{2 * half:g}" height="16"'
    boxes = [f'<rect {place} rx="5" fill="{fill}" stroke="black"/>', f'<rect {plate} fill="white"/>']
    return [*boxes, text_at(x + width / 2, top + 22, words, "middle")]
