# SPDX-License-Identifier: GPL-2.0-only
"""Common parts of commands: options, kernels by name, and printing of an answer."""

import argparse
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vmacheck.checker.kernels.auto import resolved, said_of
from vmacheck.checker.kernels.btf import KernelError
from vmacheck.checker.kernels.scope import (
    DEFAULT_OPERATIONS,
    DEFAULT_PAGES,
    DEFAULT_PROTECTIONS,
)
from vmacheck.checker.program.subset import LARGEST
from vmacheck.checker.search.memory import bytes_in
from vmacheck.checker.search.rounds import LEAST_MEMORY, MOST_WORKERS
from vmacheck.counterexamples.pictures.terminal import show
from vmacheck.model.common.mm import MAX_MAP_COUNT

ABOVE: list[str] = []  # what is to stand above the answer in text
NOTES: list[str] = []  # lines for standard error after a command has done its work
PAGES_HELP = f"pages in the address space (default {DEFAULT_PAGES})"


def number(text: str) -> int:
    """An integer of at most LARGEST."""
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


def kernel_of(name: str) -> str:
    """A kernel's name; for auto, that of the running kernel's model, which NOTES say below the answer.

    Raises KernelError.
    """
    NOTES.extend(line for line in said_of(name) if line not in NOTES)
    return resolved(name)


def kernel_named(text: str) -> str:
    """The same, as the type of an option."""
    try:
        return kernel_of(text)
    except KernelError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_command(commands: Any, name: str, what: str, sentence: str, example: str) -> argparse.ArgumentParser:
    """Add a command to the command line: what it does in a few words, in a sentence, and with an example."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        description=textwrap.fill(sentence, 79),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return command


def add_format(command: argparse.ArgumentParser, choices: Sequence[str] = ("text", "json"), **more: Any) -> None:
    """Add the option for text or JSON."""
    add = command.add_argument_group("output").add_argument
    add("--format", choices=choices, default=choices[0], **more)


def add_calls(command: argparse.ArgumentParser, pages: int | None = None, of_pages: str = PAGES_HELP) -> Any:
    """Add the options that choose the calls to try; returns their group."""
    group = command.add_argument_group("scope")
    add = group.add_argument
    add("--pages", type=number, default=pages, metavar="N", help=of_pages)
    add("--prot", default=",".join(DEFAULT_PROTECTIONS), metavar="P,...", help="default R,RW")
    add("--ops", default=",".join(DEFAULT_OPERATIONS), metavar="CALL,...", help="default mmap,munmap,mprotect,write")
    add("--noreserve", action="store_true", help="also mmap with NORESERVE")
    return group


def add_scope(command: argparse.ArgumentParser, max_states: str = "stop at N states") -> None:
    """Add the options that choose a scope, and where a search stops."""
    group = add_calls(command)
    group.add_argument("--max-pgoff", type=number, metavar="K", help="follow offsets up to page K (mremap grows them)")
    add_max_map_count(group)
    add = command.add_argument_group("limits").add_argument
    add("--depth", type=positive, metavar="D", help="stop at programs of D calls")
    add("--max-states", type=positive, metavar="N", help=max_states)


def add_max_map_count(command: Any) -> None:
    """Add the option for the kernel's limit on vmas."""
    command.add_argument("--max-map-count", type=number, default=MAX_MAP_COUNT, metavar="N", help="limit on vmas")


def add_threads(command: argparse.ArgumentParser) -> None:
    """Add the options for faults in steps."""
    add = command.add_argument_group("threads, of 2.6 kernels").add_argument
    add("--threads", type=positive, metavar="T", help="faults in steps, in up to T threads")
    add("--every-step", action="store_true", help="with --threads: also steps that nobody can tell apart")


def add_processes(command: argparse.ArgumentParser) -> None:
    """Add the option for two processes."""
    add = command.add_argument_group("processes, of current kernels").add_argument
    add("--processes", type=positive, metavar="P", help="2, each of which can fork and exit")


def emit(options: argparse.Namespace, data: Callable[[], Any], lines: Callable[[], Iterable[str]]) -> None:
    """Print the answer of a command: as data if JSON was asked for, else as text."""
    if options.format == "json":
        print(json.dumps(data(), indent=1))
    else:
        show([*ABOVE, *lines()])


FILES = {"svg": "--svg", "output": "-o", "json": "--json", "junit": "--junit", "sarif": "--sarif", "html": "--html"}
FOLDERS = {"itf": "--itf"}


def outputs_of(options: argparse.Namespace) -> tuple[dict[str, str], dict[str, str]]:
    """The files and the folders that the options have written, by option."""
    given = {name: value for name, value in vars(options).items() if isinstance(value, str)}
    files = {option: given[name] for name, option in FILES.items() if name in given}
    return files, {option: given[name] for name, option in FOLDERS.items() if name in given}
