# SPDX-License-Identifier: GPL-2.0-only
"""How a command ends: exit codes, errors in one line, and which errors are about the input."""

import argparse
import sys
from typing import NoReturn

from vmacheck.checker.files.written import OutputError
from vmacheck.checker.jobs.job_file import JobError
from vmacheck.checker.kernels.names import UnknownName
from vmacheck.checker.kernels.scope import (
    ScopeError,
)
from vmacheck.checker.program.layout import Broken
from vmacheck.checker.program.link import LinkError
from vmacheck.checker.search.checkpoint import CheckpointError
from vmacheck.checker.search.crew import ClusterError
from vmacheck.counterexamples.real_kernels.live import KernelError
from vmacheck.model.calls.operations import TraceError

HOLDS, VIOLATED, USAGE, INCOMPLETE, VACUOUS = range(5)
EXIT_CODES = {
    **dict.fromkeys(("violated", "refuted", "different"), VIOLATED),
    **dict.fromkeys(("incomplete", "unproved"), INCOMPLETE),
    "vacuous": VACUOUS,
    **dict.fromkeys(("holds", "proved", "equal"), HOLDS),
}
INPUT_ERRORS = (
    UnknownName,
    LinkError,
    ScopeError,
    TraceError,
    Broken,
    CheckpointError,
    ClusterError,
    KernelError,
    JobError,
    OutputError,
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """End with the message on one line."""
        fail(message)


def fail(message: str) -> NoReturn:
    """End with one line on stderr and exit code 2."""
    print(f"vmacheck: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(USAGE)
