# SPDX-License-Identifier: GPL-2.0-only
"""The command claims: what the patch says, sentence by sentence, of the kernels of 2004 or of today's."""

import argparse
import json
import sys
from typing import Any

from vmacheck.checker.kernels.names import unknown


def claims_command(options: argparse.Namespace) -> int:
    """vmacheck claims: decide what the seed says. 0 if every verdict is as expected."""
    from vmacheck.checker.claims import linux as today_claims
    from vmacheck.checker.claims import linux_2_6 as seed_claims  # noqa: PLC0415  (networkx is slow to import)
    from vmacheck.checker.claims.parts import decide, decide_all  # noqa: PLC0415
    from vmacheck.counterexamples.reports.claims import claim_text, claims_data, claims_text  # noqa: PLC0415

    known = {claim.id: claim for claim in (*seed_claims.CLAIMS, *today_claims.TODAY_CLAIMS)}
    every = today_claims.TODAY_CLAIMS if options.kernels == "today" else seed_claims.CLAIMS
    for name in options.id:
        if name not in known:
            raise unknown("claim", name, list(known))
    chosen = tuple(known[name] for name in dict.fromkeys(options.id)) or every
    decided = decide_all(chosen) if len(chosen) > 1 else (decide(chosen[0]),)
    if options.format == "json":
        print(json.dumps(claims_data(decided), indent=1))
    elif options.id:
        print("\n\n".join("\n".join(claim_text(one)) for one in decided))
    else:
        print("\n".join(claims_text(decided)))
    surprises = [one for one in decided if one.verdict != one.claim.expected]
    for one in surprises:
        print(f"unexpected: {one.claim.id} is {one.verdict}, not {one.claim.expected}", file=sys.stderr)
    return int(bool(surprises))


def add_claims(commands: Any) -> None:
    """Add the command to the command line."""
    one = commands.add_parser("claims", help="what the seed says, sentence by sentence: each decided")
    add = one.add_argument
    add(
        "id",
        nargs="*",
        metavar="ID",
        help="C1 to C24, T-SAFE-1 to 4, H1; or C1-today, ...: in full (default: all)",
    )
    add("--kernels", choices=["2004", "today"], default="2004", help="without ID: all about which (default 2004)")
    add("--format", choices=["text", "json"], default="text")
    one.set_defaults(command=claims_command)
