# SPDX-License-Identifier: GPL-2.0-only
"""The figures in README.md that depend on the machine: `python -m benchmarks.readme` measures all of them again."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- measured by: python (.*?) -->\n```\n)(.*?)(```\n)", re.DOTALL)


def output(command: str) -> str:
    """What a command prints."""
    run = subprocess.run([sys.executable, *shlex.split(command)], cwd=README.parent, check=True, stdout=subprocess.PIPE)
    return run.stdout.decode()


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda m: f"{m[1]}{output(m[2])}{m[4]}", text), encoding="utf-8")
