# SPDX-License-Identifier: GPL-2.0-only
"""What several commands have in common: the options that choose a scope."""

import argparse
import re

from vmacheck.checker.kernels.scope import (
    DEFAULT_OPERATIONS,
    DEFAULT_PAGES,
    DEFAULT_PROTECTIONS,
)
from vmacheck.checker.program.subset import LARGEST
from vmacheck.checker.search.memory import bytes_in
from vmacheck.checker.search.rounds import LEAST_MEMORY, MOST_WORKERS
from vmacheck.model.common.mm import MAX_MAP_COUNT


def number(text: str) -> int:
    """A number that is not too large."""
    if not re.fullmatch(r"-?[0-9]+", text):
        raise argparse.ArgumentTypeError(f"invalid int value: '{text}'")
    value = int(text)
    if value > LARGEST:
        raise argparse.ArgumentTypeError(f"{value} is larger than {LARGEST}")
    return value


def positive(text: str) -> int:
    """A number of at least 1."""
    value = number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def workers_of(text: str) -> int:
    """A number of threads."""
    value = positive(text)
    if value > MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{value} is more than {MOST_WORKERS}")
    return value


def memory_of(text: str) -> int:
    """A size in bytes that is enough for a search."""
    value = bytes_in(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size, as in 4G or 700M")
    if value < LEAST_MEMORY:
        raise argparse.ArgumentTypeError(f"{text} is less than the {LEAST_MEMORY >> 20}M that any search needs")
    return value


def add_scope(command: argparse.ArgumentParser, max_states: str = "stop at N states") -> None:
    """Add the options that choose a scope, and where a search stops."""
    add = command.add_argument
    add("--pages", type=number, metavar="N", help=f"pages in the address space (default {DEFAULT_PAGES})")
    add("--prot", default=",".join(DEFAULT_PROTECTIONS), metavar="P,...", help="default R,RW")
    add("--ops", default=",".join(DEFAULT_OPERATIONS), metavar="CALL,...", help="default mmap,munmap,mprotect,write")
    add("--noreserve", action="store_true", help="also mmap with NORESERVE")
    add("--max-pgoff", type=number, metavar="K", help="follow offsets up to page K (mremap grows them)")
    add("--depth", type=positive, metavar="D", help="stop at programs of D calls")
    add("--max-states", type=positive, metavar="N", help=max_states)


def add_max_map_count(command: argparse.ArgumentParser) -> None:
    """Add the option for the kernel's limit on vmas."""
    command.add_argument("--max-map-count", type=number, default=MAX_MAP_COUNT, metavar="N", help="limit on vmas")


def add_threads(command: argparse.ArgumentParser) -> None:
    """Add the options for faults in steps."""
    add = command.add_argument
    add("--threads", type=positive, metavar="T", help="faults in steps, in so many threads")
    add("--every-step", action="store_true", help="with --threads: also steps that nobody can tell apart")


def add_processes(command: argparse.ArgumentParser) -> None:
    """Add the option for two processes."""
    command.add_argument(
        "--processes", type=positive, metavar="P", help="of today's kernels: 2, each of which can fork"
    )


FILES = {"svg": "--svg", "output": "-o", "json": "--json", "junit": "--junit", "sarif": "--sarif", "html": "--html"}
FOLDERS = {"itf": "--itf"}


def outputs_of(options: argparse.Namespace) -> tuple[dict[str, str], dict[str, str]]:
    """The files and the folders that the options have written, by option."""
    given = {name: value for name, value in vars(options).items() if isinstance(value, str)}
    files = {option: given[name] for name, option in FILES.items() if name in given}
    return files, {option: given[name] for name, option in FOLDERS.items() if name in given}
