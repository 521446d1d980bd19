# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck claims: the sentences of the patch, decided for 2.6 kernels or for current kernels."""

import argparse
import sys
from typing import Any

from vmacheck.checker.commands.support.options import add_command, add_format, emit
from vmacheck.checker.kernels.names import unknown


def claims_command(options: argparse.Namespace) -> int:
    """vmacheck claims: decide the patch's claims. 0 if every verdict is as expected."""
    from vmacheck.checker.claims import linux, linux_2_6
    from vmacheck.checker.claims.parts import decide, decide_all
    from vmacheck.counterexamples.reports.claims import claim_text, claims_data, claims_text

    known = {claim.id: claim for claim in (*linux_2_6.CLAIMS, *linux.CURRENT_CLAIMS)}
    every = linux.CURRENT_CLAIMS if options.kernels == "today" else linux_2_6.CLAIMS
    for name in options.id:
        if name not in known:
            raise unknown("claim", name, known)
    chosen = tuple(known[name] for name in dict.fromkeys(options.id)) or every
    decided = decide_all(chosen) if len(chosen) > 1 else (decide(chosen[0]),)
    in_full = "\n\n".join("\n".join(claim_text(one)) for one in decided) if options.id else ""
    emit(options, lambda: claims_data(decided), lambda: in_full.split("\n") if options.id else claims_text(decided))
    surprises = [one for one in decided if one.verdict != one.claim.expected]
    for one in surprises:
        print(f"unexpected: {one.claim.id} is {one.verdict}, not {one.claim.expected}", file=sys.stderr)
    return int(bool(surprises))


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "claims",
        "what the patch of 2004 says, sentence by sentence: each decided",
        "Decide each sentence of the patch of 2004 by search and proof, for its kernels or for current ones, and show"
        " the program that decides it.",
        "vmacheck claims C4 C4-today",
    )
    add = one.add_argument
    add("id", nargs="*", metavar="ID", help="C1 to C24, T-SAFE-1 to 4, H1; or C1-today, ...: in full (default: all)")
    add("--kernels", choices=["2004", "today"], default="2004", help="without ID: all about which (default 2004)")
    add_format(one)
    one.set_defaults(command=claims_command)
