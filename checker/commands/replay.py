# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck replay: a trace on a model kernel and on a real one, side by side."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vmacheck.checker.commands.support.options import add_command, add_format, emit, positive
from vmacheck.checker.commands.support.real import calls_of, model_for, read, text_of
from vmacheck.checker.files.written import write_at_once
from vmacheck.checker.kernels.btf import KernelError
from vmacheck.counterexamples.real_kernels.replay import (
    LIVE,
    against_svg,
    against_text,
    batch_text,
    compare_with_real,
    replay_data,
)
from vmacheck.model.calls.operations import Call, TraceError


def traces_in(name: str) -> Iterator[list[Call]]:
    """The traces of a file, one per line. Raises KernelError, and TraceError with the line."""
    for number, line in enumerate(read(name).splitlines(), 1):
        if line.split("#")[0].strip():
            try:
                yield calls_of(line)
            except TraceError as error:
                raise TraceError(f"{name}:{number}: {error}") from None


def replay_command(options: argparse.Namespace) -> int:
    """vmacheck replay: a trace, or a file of them, on a model kernel and on a real one."""
    if (options.trace is None) == (options.batch is None):
        raise KernelError("give a TRACE, or a --batch of them")
    if options.batch is not None and options.svg is not None:
        raise KernelError("--svg is for one TRACE")
    traces = list(traces_in(options.batch)) if options.batch is not None else [calls_of(text_of(options.trace))]
    sized = [(calls, options.pages or max(call.room for call in calls)) for calls in traces]
    options.against = model_for(options.against, options.kernel, options.format == "text")
    batch = compare_with_real(options.against, options.kernel, sized)
    against, real = options.against, options.kernel
    emit(
        options,
        lambda: replay_data(against, real, batch),
        lambda: (
            batch_text(against, real, batch) if options.batch is not None else against_text(against, real, batch[0])
        ),
    )
    if options.svg is not None:
        write_at_once(Path(options.svg), against_svg(options.against, options.kernel, batch[0]))
    return int(any(one.first is not None for one in batch))


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "replay",
        "a trace on a model kernel and on a real one, side by side",
        "Carry out a trace on a model kernel and on a real one, and draw both side by side, to the first difference.",
        "vmacheck replay 'mmap(0,1,RW); write(0); mmap(1,1,RW)'",
    )
    add = one.add_argument
    add("trace", nargs="?", metavar="TRACE", help="calls separated by ';' or newlines; - reads standard input")
    add("--batch", metavar="FILE", help="instead: many traces, a line each; in one boot, if the kernel is an image")
    add("--pages", type=positive, metavar="N", help="default: as many as the trace names")
    add = one.add_argument_group("kernels").add_argument
    add("--kernel", default=LIVE, metavar="IMAGE", help="live, the running kernel (default), or an image for QEMU")
    add("--against", metavar="KERNEL", help="the model (default auto: the real kernel's)")
    add_format(one)
    one.add_argument_group("more output").add_argument("--svg", metavar="FILE", help="also draw both, side by side")
    one.set_defaults(command=replay_command)
