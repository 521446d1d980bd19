# SPDX-License-Identifier: GPL-2.0-only
"""Print the Promela model of N pages: python promela.py N [inv|frag]. Its semantics are semantics.h, embedded."""

import sys
from collections.abc import Iterator

MODEL = """\
c_code {{
\\#include "semantics.h"
}};
byte pages[{pages}];

active proctype address_space() {{
	do
{steps}
	od
}}"""


def operations(pages: int) -> Iterator[tuple[str, str]]:
    """Every operation on every range, a call of semantics.h, with its guard. SPIN complains about name(...)."""
    for start in range(pages):
        yield f"(can_fault)(now.pages, {start})", f"fault(now.pages, {start})"
        for end in range(start + 1, pages + 1):
            where = f"now.pages, {start}, {end}"
            yield f"(can_unmap)({where})", f"unmap({where})"
            for prot in ("R", "RW"):
                yield "true", f"map({where}, {prot})"
                yield f"(can_protect)({where})", f"protect({where}, {prot})"


def model(pages: int, claim: str) -> str:
    """The model: one step per operation, and the claim asserted after each."""
    steps = "\n".join(
        f"\t:: d_step {{ c_expr {{ {guard} }} -> c_code {{ {call}; }}; assert(c_expr {{ ({claim})(now.pages) }}) }}"
        for guard, call in operations(pages)
    )
    return MODEL.format(pages=pages, steps=steps)


if __name__ == "__main__":
    print(model(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "inv"))
