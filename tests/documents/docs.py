# SPDX-License-Identifier: GPL-2.0-only
"""The documents in docs/: their commands carried out in order, with the files that they show.

A block after a comment "file: NAME" is that file. In a console block a line "$ COMMAND" is a command, and what follows
it is what it prints; $? in `echo $?` is the last exit code. A comment "varies: REGEX" before a block is for lines that
depend on the machine or the moment. "options of: COMMAND" is a table of a command's options, from the command line.
`python -m tests.docs` writes outputs anew.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from unittest import mock

from tests.support.helpers import vmacheck
from vmacheck.checker.commands.main import parser

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = ("tutorial", "reference", "writing")
FENCED = re.compile(
    r"(?P<head>(?:<!-- (?P<kind>file|varies): (?P<word>.*?) -->\n)?```(?P<language>\w*)\n)(?P<body>.*?)(?P<tail>```\n)",
    re.DOTALL,
)
OPTIONS = re.compile(r"(<!-- options of: ([\w-]+) -->\n)((?:- .*\n)*)")


class Page:
    """A document as it is carried out, in the current directory."""

    def __init__(self) -> None:
        self.code = 0

    def output(self, command: str) -> str:
        """What the command prints, on standard output and then standard error."""
        if command == "echo $?":
            return f"{self.code}\n"
        words = shlex.split(command)
        if words[0] != "vmacheck":
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                ["sh", "-c", command], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
            )
            self.code, out, err = done.returncode, done.stdout, done.stderr
            return out + err
        into = words[-1] if words[-2:-1] == [">"] else None
        self.code, out, err = vmacheck(*words[1 : -2 if into else None])
        if into:
            Path(into).write_text(out, encoding="utf-8")
            out = ""
        return out + err

    def block(self, match: re.Match[str]) -> str:
        """The block as it ought to be. A file of the reader's is written."""
        if match["kind"] == "file":
            Path(match["word"]).write_text(match["body"], encoding="utf-8")
        if match["language"] != "console":
            return match[0]
        commands = [line for line in match["body"].splitlines() if line.startswith("$ ")]
        body = "".join(f"{line}\n{self.output(line[2:])}" for line in commands)
        varies = match["word"] if match["kind"] == "varies" else None
        return match[0] if alike(body, match["body"], varies) else f"{match['head']}{body}{match['tail']}"


def alike(one: str, other: str, varies: str | None) -> bool:
    """Are the texts the same, but for parts that match?"""
    return one == other or (varies is not None and re.sub(varies, "*", one) == re.sub(varies, "*", other))


def options_of(name: str) -> Iterator[str]:
    """A line for each option and argument of a command."""
    for action in commands()[name]._actions:
        if action.dest == "help":
            continue
        words = [*action.option_strings] or [str(action.metavar or action.dest)]
        value = action.metavar if action.option_strings and action.nargs != 0 else None
        if action.choices is not None and not action.metavar:
            value = "|".join(map(str, action.choices))
        shown = ", ".join(words) + (f" {value}" if value else "")
        text = (action.help or "").replace("|", "\\|")
        yield f"- `{shown}`" + (f": {text}" if text else "")


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands by name."""
    return next(dict(action.choices) for action in parser()._actions if isinstance(action.choices, dict))


def made_anew(text: str) -> str:
    """A document with the outputs that there are now. It is carried out in a directory of its own."""
    text = OPTIONS.sub(lambda m: m[1] + "".join(f"{line}\n" for line in options_of(m[2])), text)
    page = Page()
    with tempfile.TemporaryDirectory() as folder, chdir(folder), mock.patch.dict(os.environ, NO_COLOR="1"):
        os.environ["VMACHECK_CACHE"] = str(Path(folder) / ".cache")
        return FENCED.sub(page.block, text)


if __name__ == "__main__":
    for name in sys.argv[1:] or PAGES:
        path = DOCS / f"{name}.md"
        path.write_text(made_anew(path.read_text(encoding="utf-8")), encoding="utf-8")
