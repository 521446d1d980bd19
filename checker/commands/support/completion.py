# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck --print-completion: a script for a shell to complete commands, options, kernels and properties."""

import argparse
from collections.abc import Iterator
from typing import Any, NoReturn

from vmacheck.checker.kernels.auto import AUTO
from vmacheck.model.kernels import every_kernel
from vmacheck.properties import EVERY_PROPERTY

SHELLS = ("bash", "zsh", "tcsh")
NAMES = {"KERNEL": "kernels", "KERNEL_A": "kernels", "KERNEL_B": "kernels", "PROPERTY": "properties"}


class _Print(argparse.Action):
    """An option that prints the script for a shell, and ends."""

    def __call__(
        self, parser: argparse.ArgumentParser, _options: object, shell: Any, _option: object = None
    ) -> NoReturn:
        import shtab

        words = {"kernels": [AUTO, *every_kernel()], "properties": list(EVERY_PROPERTY)}
        for action in _actions(parser):
            kind = NAMES.get(str(action.metavar))
            if kind is not None:
                action.complete = {  # type: ignore[attr-defined]
                    "bash": f"_vmacheck_{kind}",
                    "zsh": f"({' '.join(words[kind])})",
                    "tcsh": f"({' '.join(words[kind])})",
                }
        functions = "\n".join(
            f"_vmacheck_{kind}() {{ compgen -W '{' '.join(known)}' -- \"$1\"; }}" for kind, known in words.items()
        )
        print(shtab.complete(parser, shell, preamble=functions if shell == "bash" else ""))
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)


def add(main: argparse.ArgumentParser) -> None:
    """Add the option to the command line."""
    main.add_argument("--print-completion", action=_Print, choices=SHELLS, help="print completions for a shell")
