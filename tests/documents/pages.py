# SPDX-License-Identifier: GPL-2.0-only
"""README.md and the pages of docs/: their commands run in order, with the files that they show.

In a console block a line "$ COMMAND" is a command and the lines below it are its output; $? in `echo $?` is the last
exit code. One or more comments may precede a block:

    file: NAME          the block is a file of the reader's, and is written
    varies: REGEX       parts of the output that depend on the machine or the moment
    marked: MARK        the block takes minutes, and is run by `pytest -m MARK` only

"options of: COMMAND" is a list of a command's options, taken from the command line itself.
`python -m tests.documents.pages [--marked] [PAGE...]` rewrites outputs; with --marked, also those of marked blocks.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import chdir
from pathlib import Path
from unittest import mock

from tests.support.helpers import vmacheck
from vmacheck.checker.commands.main import parser

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = {path.stem: path for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))}
MARKS = ("large", "proofs")
FENCED = re.compile(
    r"(?P<head>(?P<comments>(?:<!-- (?:file|varies|marked|measured by): .*? -->\n)*)```(?P<language>\w*)\n)"
    r"(?P<body>.*?)(?P<tail>```\n)",
    re.DOTALL,
)
COMMENT = re.compile(r"<!-- ([\w ]+): (.*?) -->\n")
OPTIONS = re.compile(r"(<!-- options of: ([\w-]+) -->\n)((?:- .*\n)*)")


class Reader:
    """Somebody who follows a page, in the current directory."""

    def __init__(self, marks: Collection[str | None]) -> None:
        """marks: which blocks to run, None for those without a mark."""
        self.marks = marks
        self.code = 0

    def output(self, command: str) -> str:
        """The output of the command: standard output, then standard error."""
        if command == "echo $?":
            return f"{self.code}\n"
        words = shlex.split(command)
        if words[0] != "vmacheck":
            return self.shell(command)
        end = next((place for place, word in enumerate(words) if word in {"|", ">"}), len(words))
        self.code, out, err = vmacheck(*words[1:end])
        if words[end : end + 1] == ["|"]:
            out = self.shell(shlex.join(words[end + 1 :]), out)
        elif end < len(words):
            Path(words[end + 1]).write_text(out, encoding="utf-8")
            out = ""
        return out + err

    def shell(self, command: str, given: str = "") -> str:
        """The output of a program other than vmacheck."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", command],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": path},
        )
        self.code = done.returncode
        return done.stdout + done.stderr

    def block(self, match: re.Match[str]) -> str:
        """The block as it should be. Writes it if it is a file of the reader's."""
        comments = dict(COMMENT.findall(match["comments"]))
        if "file" in comments:
            Path(comments["file"]).write_text(match["body"], encoding="utf-8")
        if match["language"] != "console" or comments.get("marked") not in self.marks:
            return match[0]
        commands = [line for line in match["body"].splitlines() if line.startswith("$ ")]
        body = "".join(f"{line}\n{self.output(line[2:])}" for line in commands)
        same = alike(body, match["body"], comments.get("varies"))
        return match[0] if same else f"{match['head']}{body}{match['tail']}"


def alike(one: str, other: str, varies: str | None) -> bool:
    """Are the texts the same, but for parts that match?"""
    return one == other or (varies is not None and re.sub(varies, "*", one) == re.sub(varies, "*", other))


def blocks(text: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The language, the text and the comments of each fenced block."""
    for match in FENCED.finditer(text):
        yield match["language"], match["body"], dict(COMMENT.findall(match["comments"]))


def commands_in(text: str, mark: str | None = "any") -> list[str]:
    """The commands of the console blocks, of all or of those with a mark."""
    return [
        line[2:]
        for language, body, comments in blocks(text)
        if language == "console" and mark in {"any", comments.get("marked")}
        for line in body.splitlines()
        if line.startswith("$ ")
    ]


def shown(page: str, command: str) -> str:
    """The output of a command in a page, as the page shows it."""
    (body,) = (body for _, body, _ in blocks(PAGES[page].read_text(encoding="utf-8")) if f"$ {command}\n" in body)
    return body.split(f"$ {command}\n")[1].split("\n$ ")[0]


def options_of(name: str) -> Iterator[str]:
    """A line for each option and argument of a command."""
    for action in parsers()[name]._actions:
        if action.dest == "help" or action.help == argparse.SUPPRESS:
            continue
        words = [*action.option_strings] or [str(action.metavar or action.dest)]
        value = action.metavar if action.option_strings and action.nargs != 0 else None
        if action.choices is not None and not action.metavar:
            value = "|".join(map(str, action.choices))
        text = (action.help or "").replace("|", "\\|")
        yield f"- `{', '.join(words)}{f' {value}' if value else ''}`" + (f": {text}" if text else "")


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands by name."""
    return next(dict(action.choices) for action in parser()._actions if isinstance(action.choices, dict))


def written_anew(text: str, marks: Collection[str | None] = (None,)) -> str:
    """The page with its current outputs, run in a fresh directory."""
    text = OPTIONS.sub(lambda m: m[1] + "".join(f"{line}\n" for line in options_of(m[2])), text)
    reader = Reader(marks)
    with tempfile.TemporaryDirectory() as folder, chdir(folder), mock.patch.dict(os.environ, NO_COLOR="1"):
        os.environ["VMACHECK_CACHE"] = str(Path(folder) / ".cache")
        return FENCED.sub(reader.block, text)


def main() -> None:
    """Write the pages that are named, or all."""
    options = argparse.ArgumentParser(prog="python -m tests.documents.pages")
    options.add_argument("pages", nargs="*", metavar="PAGE", help=f"of {', '.join(PAGES)} (default: all)")
    options.add_argument("--marked", action="store_true", help="run blocks that take minutes, too")
    given = options.parse_args()
    if not given.marked:
        os.environ.setdefault("VMACHECK_OPTIMISE", "0")
    for name in given.pages or PAGES:
        text = PAGES[name].read_text(encoding="utf-8")
        PAGES[name].write_text(written_anew(text, (None, *MARKS) if given.marked else (None,)), encoding="utf-8")


if __name__ == "__main__":
    main()
