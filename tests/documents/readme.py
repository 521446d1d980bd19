# SPDX-License-Identifier: GPL-2.0-only
"""The outputs in README.md: made again by `python -m tests.readme`, compared by test_readme.py.

A block that follows a comment "output of: COMMAND" is what the command prints; "table of:" is its table alone.
"""

import re
import shlex
from pathlib import Path

from tests.support.helpers import vmacheck

README = Path(__file__).parent.parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- (output|table) of: vmacheck(.*?) -->\n```\n)(.*?)(```\n)", re.DOTALL)


def output(kind: str, command: str) -> str:
    """What the command prints now, or its table alone."""
    out = vmacheck(*shlex.split(command))[1]
    if kind == "table":
        lines = out.splitlines()
        start = next(
            number for number, line in enumerate(lines) if line.split()[:1] in (["anonmm"], ["claim"], ["linux-6.12"])
        )
        out = "\n".join(lines[start:]) + "\n"
    return out


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda m: f"{m[1]}{output(m[2], m[3])}{m[5]}", text), encoding="utf-8")
