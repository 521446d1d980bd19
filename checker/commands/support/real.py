# SPDX-License-Identifier: GPL-2.0-only
"""The commands that ask real kernels: reproduce, replay, conform."""

import sys
from pathlib import Path

from vmacheck.checker.commands.support.options import ABOVE, NOTES
from vmacheck.checker.kernels.auto import AUTO
from vmacheck.checker.kernels.btf import KernelError
from vmacheck.checker.kernels.names import split_name
from vmacheck.counterexamples.real_kernels.nearest import chosen_for, warning
from vmacheck.model.calls.interleaving import is_interleaving
from vmacheck.model.calls.operations import Call, TraceError
from vmacheck.model.calls.traces import parse_trace


def calls_of(text: str, forks: bool = False) -> list[Call]:
    """The calls of a trace that a program can run; forks: it may go on in a child. Raises TraceError."""
    if forks and "fork" in text:
        return parse_trace(text, processes=True)
    if is_interleaving(text, stacks=False):
        raise TraceError("a trace of threads or processes is not one that a program can be made to follow step by step")
    calls = parse_trace(text)
    if not calls:
        raise TraceError("the trace has no operations")
    return calls


def text_of(trace: str) -> str:
    """The trace; if it is -, the text on standard input."""
    return read("-") if trace == "-" else trace


def read(name: str) -> str:
    """The text of the file, or of standard input if its name is -. Raises KernelError."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise KernelError(f"{name}: {reason}") from None


def model_for(named: str | None, kernel: str, aloud: bool = True) -> str:
    """The model kernel to compare a real one with: the named one, or that of the real kernel.

    Says which was chosen and why, on standard error unless aloud; and there, if the named one is not the real one's.
    Raises KernelError and UnknownName.
    """
    if named is None or named == AUTO:
        chosen = chosen_for(kernel)
        (ABOVE if aloud else NOTES).extend(chosen.lines())
        return chosen.kernel
    split_name(named)
    if (said := warning(named, kernel)) is not None:
        print(f"vmacheck: warning: {said}", file=sys.stderr)
    return named
