# SPDX-License-Identifier: GPL-2.0-only
"""The command line: its commands, and how each ends."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import vmacheck
from vmacheck.checker.commands import (
    check,
    ci,
    claims,
    compare,
    conform,
    coverage,
    graph,
    init,
    prove,
    replay,
    reproduce,
    run,
    show,
    tradeoff,
)
from vmacheck.checker.commands import list as listing
from vmacheck.checker.commands.support import completion
from vmacheck.checker.commands.support.exits import CommandParser, Parser, fail
from vmacheck.checker.commands.support.options import ABOVE, NOTES, outputs_of
from vmacheck.checker.commands.support.signals import ended_by, ends_in_order
from vmacheck.checker.files.errors import InputError
from vmacheck.checker.files.written import check_outputs
from vmacheck.checker.program.layout import OutOfBounds
from vmacheck.model.calls.operations import TraceError

COMMANDS = (
    *(check, run, compare, prove),
    *(reproduce, replay, conform),
    *(ci, init, listing, show, graph, coverage, claims, tradeoff),
)
SHORT = """vmacheck: a model checker for vma merging and anon_vma sharing in Linux

  vmacheck check linux-6.18 --pages 3                    every program, every state: do the properties hold?
  vmacheck run linux-6.18 'mmap(0,2,RW); write(1); mprotect(0,1,R)'      each step, drawn
  vmacheck check linux-6.18+./mine.py -p ./rules.py:name          your patch, your rule
  vmacheck compare linux-6.12 linux-6.18 --pages 2       where is one worse than the other?
  vmacheck ci                                            the jobs of vmacheck.toml (vmacheck init writes one)

vmacheck --help lists all commands, vmacheck COMMAND --help says more of one; auto is the running kernel's model."""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    main = Parser(
        prog="vmacheck",
        description="A model checker for vma merging and anon_vma sharing in Linux.",
        epilog="KERNEL is BASE[+PATCH...], a patch being a built-in one or a file: linux-6.18+./mine.py. auto is the"
        " model of the running kernel. vmacheck list kernels names them all; docs/reference.md has every option.",
    )
    main.add_argument("--version", action="version", version=f"vmacheck {vmacheck.__version__}")
    completion.add(main)
    commands = main.add_subparsers(metavar="COMMAND", parser_class=CommandParser)
    for command in COMMANDS:
        command.add(commands)
    return main


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        print(SHORT)
        return 0
    ABOVE.clear()
    NOTES.clear()
    options = parser().parse_args(words)
    if not hasattr(options, "command"):
        fail("no command is given; vmacheck --help lists them")
    command: Callable[[Any], int] = options.command
    try:
        check_outputs(*outputs_of(options))
        with ends_in_order():
            code = command(options)
            sys.stdout.flush()
        for note in NOTES:
            print(note, file=sys.stderr)
        return code
    except RecursionError:
        fail("a patch or a trace is nested too deeply")
    except OutOfBounds as error:
        fail(f"the kernel's functions lead to a state that the scope has no room for: {error}")
    except (InputError, TraceError) as error:
        fail(str(error))
    except KeyboardInterrupt as end:
        return ended_by(end)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (OSError, UnicodeError) as error:
        fail(str(error))
