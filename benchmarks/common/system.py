# SPDX-License-Identifier: GPL-2.0-only
"""The common benchmark as a system that vmacheck searches."""

from pathlib import Path
from typing import NamedTuple

from vmacheck.checker.program.layout import Layout
from vmacheck.checker.program.link import link
from vmacheck.checker.program.system import Claim, System

MODEL = Path(__file__).with_name("model.py")
KINDS = {0: "map", 1: "unmap", 2: "protect", 3: "fault"}
MAP, UNMAP, PROTECT, FAULT = KINDS


class Call(NamedTuple):
    """A call on the pages start..end-1."""

    kind: int
    start: int
    end: int
    prot: int = 0


def calls(pages: int) -> list[Call]:
    """Every call; the protections are R and RW."""
    found = []
    for start in range(pages):
        for end in range(start + 1, pages + 1):
            found += [Call(MAP, start, end, prot) for prot in (1, 3)]
            found.append(Call(UNMAP, start, end))
            found += [Call(PROTECT, start, end, prot) for prot in (1, 3)]
    return found + [Call(FAULT, page, page + 1) for page in range(pages)]


def system(pages: int, claim: str = "merged") -> System:
    """The benchmark's address space of `pages` pages."""
    layout = Layout.of(
        [
            ("page", 0, pages - 1, 0, {"cell": 4 * pages + 3}),
            ("number", 0, pages, 0, {"new": None}),
        ]
    )
    program = link([MODEL], {"PAGES": pages})
    program.check_all()
    return System(
        name="common", program=program, layout=layout, calls=calls(pages), kinds=KINDS, claims=(Claim(claim),)
    )
