# SPDX-License-Identifier: GPL-2.0-only
"""The merges of linux-6.18 that linux-6.12 refuses, class by class: gallery/merged.md, written by this file.

python -m vmacheck.counterexamples.gallery.merged
"""

from typing import NamedTuple

from vmacheck.checker.kernels.compare import Graphs
from vmacheck.checker.kernels.scope import DEFAULT_PROTECTIONS, Scope
from vmacheck.checker.search.outcome import Limits
from vmacheck.counterexamples.gallery.make import GALLERY, breaks
from vmacheck.counterexamples.reports.classes import classes_of, classes_text

TABLE = GALLERY / "merged.md"
OLD, NEW = "linux-6.12", "linux-6.18"
MANY = f"{OLD}+mremap-many"
UNSAFE = "linux-6.16"  # released; loses what mremap moves when it is merged with unwritten memory
HEAD = f"""# What {NEW} merges and {OLD} does not

Written by `python -m vmacheck.counterexamples.gallery.merged`. Both kernels are in the same state; the last call of
each program leaves other vmas on one than on the other. A class is what that depends on: the call; if the memory that
it changes was written; if the vmas on both sides, as far as they are merged with, were, and if they have the same
anon_vma; and the merge case of each kernel, by the numbers that cases had up to 6.11 (1 to 3 are of new memory; 1 and 6
are of both sides). Each class has the first, and so a shortest, program; of those that are unsafe on {UNSAFE}, the
length. It is always the same rule: on {OLD}, what was written is not merged into what was not.
"""


class Part(NamedTuple):
    """A scope to compare in, and its purpose."""

    about: str
    a: str
    scope: Scope
    depth: int | None = None

    @property
    def command(self) -> str:
        """The command that compares it."""
        scope = self.scope
        words = [f"vmacheck compare {self.a} {NEW} --classes --pages {scope.pages}"]
        words += [f"--prot {','.join(scope.protections)}"] if scope.protections != DEFAULT_PROTECTIONS else []
        words += [f"--ops {','.join(scope.operations)}"]
        return " ".join([*words, *([] if self.depth is None else [f"--depth {self.depth}"])])


def _scope(pages: int, words: str, prot: str = "RW") -> Scope:
    return Scope(pages=pages, protections=tuple(prot.split(",")), operations=tuple(words.split(",")))


PARTS = (
    Part("mprotect", OLD, _scope(3, "mmap,munmap,mprotect,write", "R,RW")),
    Part("mlock, munlock", OLD, _scope(3, "mmap,mprotect,write,mlock,munlock", "R,RW")),
    Part("mlock2", OLD, _scope(3, "mmap,write,munlock,mlock2")),
    Part("madvise", OLD, _scope(3, "mmap,write,madvise")),
    Part("mbind", OLD, _scope(3, "mmap,write,mbind")),
    Part("mseal", OLD, _scope(3, "mmap,write,mseal")),
    Part("Moves, where both move many vmas", MANY, _scope(3, "mmap,write,move")),
    Part("The same with a page more, in up to 6 calls", MANY, _scope(4, "mmap,write,move"), 6),
    Part("mremap that leaves the old place mapped", MANY, _scope(3, "mmap,write,dontunmap")),
    Part("mremap that grows, as far as --max-pgoff goes", MANY, _scope(3, "mmap,write,mremap"), 5),
    Part("New memory", OLD, _scope(3, "mmap,write,brk,populate")),
)


def text_of(part: Part) -> str:
    """A part as a section of the page."""
    found = classes_of(part.a, NEW, part.scope, Limits(part.depth), Graphs())
    text = "\n".join(["", f"## {part.about}", "", "```", f"$ {part.command}", *classes_text(found), "```", ""])
    for _, calls in found.found:
        if breaks(UNSAFE, "rmap_finds_every_page", calls, part.scope.pages):
            text = text.replace(f"  {'; '.join(map(str, calls))}\n", f"  {len(calls)} calls, unsafe on {UNSAFE}\n")
    return text


if __name__ == "__main__":
    TABLE.write_text(HEAD + "".join(map(text_of, PARTS)))
