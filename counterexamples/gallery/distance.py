# SPDX-License-Identifier: GPL-2.0-only
"""The ways in which a model kernel differs from the running one: gallery/distance.md, written by this file.

python -m vmacheck.counterexamples.gallery.distance
"""

import platform
from functools import partial
from typing import NamedTuple

from vmacheck.checker.kernels.scope import DEFAULT_OPERATIONS, DEFAULT_PROTECTIONS, Scope
from vmacheck.counterexamples.gallery.make import GALLERY
from vmacheck.counterexamples.real_kernels.conform import conform, conform_text
from vmacheck.counterexamples.real_kernels.replay import LIVE, name_of_kernel, on_real

KERNEL = "linux-2.6.8"
TABLE = GALLERY / "distance.md"
HEAD = f"""# How far {KERNEL} is from Linux {{release}}

Written by `python -m vmacheck.counterexamples.gallery.distance`. Both kernels run every sequence of the scope.
Each way to differ has its count and the first, and so a shortest, sequence that shows it; a sequence is not followed
beyond its first difference. The words behind "less" and "more" say what tells the two vmas apart in the model; in the
other kernel it may be something else. A test asks the running kernel again about each sequence here, if it is of this
release.
"""


class Part(NamedTuple):
    """A scope to compare in, its number of calls, and its purpose."""

    about: str
    scope: Scope
    depth: int

    @property
    def command(self) -> str:
        """The command that compares it."""
        scope = self.scope
        words = [f"vmacheck conform {KERNEL} --pages {scope.pages} --depth {self.depth}"]
        words += [f"--prot {','.join(scope.protections)}"] if scope.protections != DEFAULT_PROTECTIONS else []
        words += [f"--ops {','.join(scope.operations)}"] if scope.operations != DEFAULT_OPERATIONS else []
        return " ".join([*words, *(["--noreserve"] if scope.noreserve else [])])


PARTS = (
    Part("VM_ACCOUNT, and faulted beside unfaulted", Scope(pages=2), 4),
    Part(
        "VM_ACCOUNT and NORESERVE",
        Scope(pages=3, protections=("N", "R", "RW"), operations=("mmap", "mprotect", "write"), noreserve=True),
        3,
    ),
    Part("mremap", Scope(pages=3, operations=(*DEFAULT_OPERATIONS, "mremap")), 3),
    Part(
        "mlock and madvise", Scope(pages=3, operations=("mmap", "mprotect", "write", "mlock", "munlock", "madvise")), 3
    ),
    Part("mbind", Scope(pages=3, operations=("mmap", "mprotect", "write", "mbind")), 3),
    Part("Private mappings of files", Scope(pages=2, operations=("mmap", "mprotect", "write", "file")), 3),
)


def text_of(part: Part) -> str:
    """A part as a section of the page. Raises what conform() raises."""
    found = conform(KERNEL, part.scope, part.depth, partial(on_real, LIVE))
    lines = [f"$ {part.command}", *conform_text(found, name_of_kernel(LIVE))]
    return "\n".join(["", f"## {part.about}", "", "```", *lines, "```", ""])


if __name__ == "__main__":
    TABLE.write_text(HEAD.format(release=platform.release()) + "".join(map(text_of, PARTS)))
