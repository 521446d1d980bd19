# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck list: what there is, a line each."""

import argparse
import json

from vmacheck.checker.commands.exits import HOLDS
from vmacheck.counterexamples.pictures.words import SCHEMA
from vmacheck.model.calls.interleaving import ONLY_OF_THREADS
from vmacheck.model.calls.operations import EVERY_OPERATION
from vmacheck.model.kernels import MODERN_PATCHES, PATCHES, every_kernel
from vmacheck.properties import EVERY_PROPERTY


def list_command(options: argparse.Namespace) -> int:
    """vmacheck list: what there is, a line each."""
    lists: dict[str, list[tuple[str, str]]] = {
        "kernels": [(name, kernel.what) for name, kernel in every_kernel().items()]
        + [(f"+{name}", patch.what) for name, patch in {**PATCHES, **MODERN_PATCHES}.items()],
        "properties": [(name, f"{prop.kind}: {prop.claim}") for name, prop in EVERY_PROPERTY.items()],
        "operations": [(f"{name}({op.form})", op.what) for name, op in EVERY_OPERATION.items()]
        + [(f"{name}({form})", what) for name, (form, what) in ONLY_OF_THREADS.items()],
    }
    if options.what == "claims":
        from vmacheck.checker.claims.linux import TODAY_CLAIMS  # noqa: PLC0415
        from vmacheck.checker.claims.linux_2_6 import CLAIMS  # noqa: PLC0415

        lists["claims"] = [(claim.id, claim.quote) for claim in (*CLAIMS, *TODAY_CLAIMS)]
    rows = lists[options.what]
    if options.format == "json":
        print(json.dumps({"schema": SCHEMA, options.what: [{"name": n, "what": what} for n, what in rows]}, indent=1))
        return HOLDS
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:{width}}  {what}" for name, what in rows))
    return HOLDS
