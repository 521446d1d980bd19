# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck init: a job file to start from."""

import argparse
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.support.exits import HOLDS
from vmacheck.checker.commands.support.options import add_command
from vmacheck.checker.files.written import OutputError, check_outputs, write_at_once
from vmacheck.checker.jobs.job_file import DEFAULT_FILE
from vmacheck.checker.kernels.auto import chosen_for_auto

TEXT = """# Jobs for `vmacheck ci`, each with what is expected of it. All keys: docs/reference.md.
# `vmacheck ci --update` writes what was found in place of what was expected.

[defaults]
pages = 3  # of every job that does not say otherwise

# A kernel, and the properties that are to hold of it; without "properties", all of `vmacheck list properties`.
[job.sharing]
what = "A first write fault takes the neighbour's anon_vma"
kernel = "{kernel}"  # or with a patch of yours over it: "{kernel}+./mine.py"
properties = ["first_write_takes_neighbours_anon_vma", "rmap_finds_every_page"]

# What is known not to hold is expected, with the length of the shortest counterexample and the reason.
[job.merging]
what = "Neighbours that are alike"
kernel = "{kernel}"
properties = ["equal_neighbours_are_not_kept_apart"]

[job.merging.expect.equal_neighbours_are_not_kept_apart]
verdict = "violated"
length = 5
reason = "both were written before they touched"

# Two kernels in lockstep: after which program has one more vmas than the other? With a patch of yours in mine.py:
# [job.comparison]
# what = "No more vmas than without the patch"
# compare = ["{kernel}+./mine.py", "{kernel}"]
"""


def init_command(options: argparse.Namespace) -> int:
    """vmacheck init: write the file. Raises OutputError if it exists."""
    path = Path(options.file)
    if path.exists():
        raise OutputError(f"{path} is there already")
    check_outputs({"FILE": options.file}, {})
    kernel = chosen_for_auto().kernel
    write_at_once(path, TEXT.format(kernel=kernel))
    print(f"{path} is written; vmacheck ci carries it out")
    return HOLDS


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "init",
        "write a job file to begin with",
        "Write a commented job file about the model of the running kernel, for vmacheck ci.",
        "vmacheck init && vmacheck ci",
    )
    one.add_argument("file", nargs="?", default=DEFAULT_FILE, metavar="FILE", help=f"default {DEFAULT_FILE}")
    one.set_defaults(command=init_command)
