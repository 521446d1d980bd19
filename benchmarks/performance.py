# SPDX-License-Identifier: GPL-2.0-only
"""The figures in docs/performance.md: `python -m benchmarks.performance` measures all of them again, in one run."""

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
BLOCK = re.compile(r"(<!-- measured by: python (.*?) -->\n```\n)(.*?)(```\n)", re.DOTALL)
MACHINE = re.compile(r"(<!-- measured on -->\n).*\n")


def output(command: str) -> str:
    """The output of a command."""
    run = subprocess.run([sys.executable, *shlex.split(command)], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return run.stdout.decode()


def machine() -> str:
    """The day and the machine, as a sentence."""
    info = Path("/proc/cpuinfo")
    cpus = info.read_text(encoding="utf-8") if info.exists() else ""
    models = re.findall(r"^model name\s*: (.*)", cpus, re.MULTILINE)
    model = models[0] if models else platform.machine()
    day = time.strftime("%d %B %Y").lstrip("0")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    release, python = platform.release().split("-")[0], platform.python_version()
    return (
        f"All tables are of one run on {day}: {os.cpu_count()} processors ({model}), {memory:.0f} GiB of memory, "
        f"Linux {release}, Python {python}.\n"
    )


if __name__ == "__main__":
    text = BLOCK.sub(lambda m: f"{m[1]}{output(m[2])}{m[4]}", PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(MACHINE.sub(lambda m: m[1] + machine(), text), encoding="utf-8")
