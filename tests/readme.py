# SPDX-License-Identifier: GPL-2.0-only
"""The outputs in README.md: made again by `python -m tests.readme`, compared by test_readme.py.

A block that follows a comment "output of: COMMAND" is what the command prints; "table of:" is its table alone.
"""

import re
import shlex
from pathlib import Path

from tests.helpers import vmacheck

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- (output|table) of: vmacheck(.*?) -->\n```\n)(.*?)(```\n)", re.DOTALL)


def regenerated(text: str) -> str:
    """The text with every block as its command prints it now."""

    def block(match: re.Match[str]) -> str:
        out = vmacheck(*shlex.split(match[3]))[1]
        if match[2] == "table":
            lines = out.splitlines()
            start = next(number for number, line in enumerate(lines) if line.split()[:1] in (["anonmm"], ["claim"]))
            out = "\n".join(lines[start:]) + "\n"
        return f"{match[1]}{out}{match[5]}"

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    README.write_text(regenerated(README.read_text(encoding="utf-8")), encoding="utf-8")
