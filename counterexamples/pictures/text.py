# SPDX-License-Identifier: GPL-2.0-only
"""The address space as a line of text: one cell a page.

. hole    - mapped, not writable    o mapped writable    A writable, in a vma with anon_vma A    a the same, not
writable    | a vma starts    = shared memory, not writable    # shared and writable
"""

from collections.abc import Iterable, Sequence

from vmacheck.counterexamples.replay.one_process import Vma

LEGEND = (
    "one cell a page: . hole, - mapped but not writable, o writable; A and a the same in a vma with anon_vma A;"
    " | a vma starts"
)


LEGEND_OF_SHARED = "= shared memory that is not writable, # that is"


def cell_of(vma: Vma) -> str:
    """A page of a vma."""
    writable = "W" in vma.prot
    if vma.anon_vma is not None:
        return vma.anon_vma if writable else vma.anon_vma.lower()
    plain, shared = ("o", "#") if writable else ("-", "=")
    return shared if "SHARED" in vma.flags else plain


def picture(vmas: Sequence[Vma], pages: int) -> str:
    """One address space."""
    cells = ["."] * pages
    for vma in vmas:
        cells[vma.start : vma.end] = [cell_of(vma)] * (vma.end - vma.start)
    width = max(len(cell) for cell in cells)
    starts = {vma.start for vma in vmas}
    text = cells[0].ljust(width)
    for page in range(1, pages):
        text += ("|" if page in starts else " ") + cells[page].ljust(width)
    return text.rstrip()


def note_on_shared(vmas: Iterable[Vma]) -> list[str]:
    """The line that LEGEND lacks, if there is shared memory among these vmas; else empty."""
    return [f"     {LEGEND_OF_SHARED}"] if any("SHARED" in vma.flags for vma in vmas) else []
