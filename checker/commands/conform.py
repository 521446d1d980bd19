# SPDX-License-Identifier: GPL-2.0-only
"""vmacheck conform: every sequence of a scope on a model kernel and on a real one."""

import argparse
from functools import partial
from typing import Any

from vmacheck.checker.commands.support.options import add_calls, add_command, add_format, emit, positive
from vmacheck.checker.commands.support.real import model_for
from vmacheck.checker.kernels.btf import KernelError
from vmacheck.checker.kernels.names import tree_of
from vmacheck.checker.kernels.scope import (
    Scope,
    ScopeError,
)
from vmacheck.counterexamples.real_kernels.conform import conform, conform_data, conform_text
from vmacheck.counterexamples.real_kernels.replay import (
    LIVE,
    name_of_kernel,
    on_real,
)
from vmacheck.counterexamples.real_kernels.views import BPF, LAYOUT, SMAPS, VIEWS, View, best_view
from vmacheck.counterexamples.real_kernels.walks import conform_random, conform_states

LENGTH, LENGTH_OF_WALKS = 20, 40  # calls of random programs, by default


def view_of(options: argparse.Namespace) -> tuple[View, str]:
    """The view of the real kernel that the options choose, and what it cannot see without BPF."""
    is_live = options.kernel_image == LIVE
    if options.see is not None:
        if options.see == BPF.name and not is_live:
            raise KernelError("--see bpf is for the running kernel; an image can be seen by smaps")
        return VIEWS[options.see], ""
    if not tree_of(options.kernel).shows_flags:
        return LAYOUT, ""
    return best_view() if is_live else (SMAPS, "")


def check_conform(options: argparse.Namespace) -> None:
    """Raise KernelError for options of which one would be ignored."""
    ways = [f"--{name}" for name in ("states", "walks", "random") if getattr(options, name) is not None]
    if len(ways) > 1:
        raise KernelError(f"{' and '.join(ways)} do not go together")
    if options.length is not None and ways not in (["--walks"], ["--random"]):
        raise KernelError("--length is for --walks and --random")
    if options.random is not None and (options.see is not None or (options.processes or 1) > 1):
        raise KernelError("--random compares layouts of one process: leave out --see and --processes")


def conform_command(options: argparse.Namespace) -> int:
    """vmacheck conform: every sequence of a scope on a model kernel and on a real one."""
    check_conform(options)
    scope = Scope.of(vars(options))
    if "growsdown" in scope.operations and (moves := sorted({"move", "mremap", "dontunmap"} & set(scope.operations))):
        why = "where the space of a real program begins, offsets go on below it"
        raise ScopeError(f"--ops: growsdown goes without {moves[0]}: {why}")
    if options.random is not None and options.kernel_image != LIVE:
        raise KernelError("--random is for the running kernel: each sequence depends on what came of those before")
    if options.random is not None:
        check_hypothesis()
    options.kernel = model_for(options.kernel, options.kernel_image, aloud=options.format == "text")
    if options.random is not None:
        return conform_at_random(options, scope)
    real = name_of_kernel(options.kernel_image)
    view, unseen = view_of(options)
    runs = partial(on_real, options.kernel_image, view=view, processes=scope.processes)
    if options.walks is not None:
        length = options.length or LENGTH_OF_WALKS
        found = conform_random(options.kernel, scope, options.walks, length, options.seed, runs, view)
    elif options.states is not None:
        found = conform_states(options.kernel, scope, options.states, runs, view)
    else:
        found = conform(options.kernel, scope, options.depth, runs, view)
    found.unseen = unseen
    emit(options, lambda: conform_data(found, real), lambda: conform_text(found, real))
    return int(bool(found.differences))


def conform_at_random(options: argparse.Namespace, scope: Scope) -> int:
    """vmacheck conform --random."""
    from vmacheck.counterexamples.real_kernels.random_sequences import conform_longer, longer_data, longer_text

    real = name_of_kernel(LIVE)
    tried = conform_longer(options.kernel, scope, options.random, options.length or LENGTH, options.seed)
    emit(options, lambda: longer_data(tried, real), lambda: longer_text(tried, real))
    return int(bool(tried.ways))


def check_hypothesis() -> None:
    """Raise KernelError unless the extra for --random is installed."""
    try:
        import vmacheck.counterexamples.real_kernels.random_sequences  # noqa: F401
    except ImportError:
        raise KernelError("--random needs the package hypothesis: install vmacheck[hypothesis]") from None


def add(commands: Any) -> None:
    """Add the command to the command line."""
    one = add_command(
        commands,
        "conform",
        "every sequence of a scope on a model kernel and on a real one",
        "Carry out every sequence of a scope, or random ones, on a model kernel and on a real one, and count"
        " differences.",
        "vmacheck conform --pages 2 --depth 3",
    )
    add = one.add_argument
    add("kernel", nargs="?", metavar="KERNEL", help="the model (default auto: the real kernel's, or the nearest)")
    add("--kernel", dest="kernel_image", default=LIVE, metavar="IMAGE", help="live (default), or an image for QEMU")
    add = add_calls(one, 3, "pages in the address space (default 3)").add_argument
    add("--processes", type=positive, metavar="P", help="2, each of which can fork and exit (default 1)")
    add("--depth", type=positive, default=4, metavar="D", help="sequences of up to D calls (default 4)")
    add = one.add_argument_group("instead of every sequence").add_argument
    add("--states", type=positive, metavar="N", help="each call in each of up to N states, once")
    add("--walks", type=positive, metavar="N", help="N random programs, seen after each call")
    add("--random", type=positive, metavar="N", help="N at random, shrunk; layouts only")
    add("--length", type=positive, metavar="L", help="of --walks and --random: of up to L calls (default 40, and 20)")
    add("--seed", type=positive, default=1, metavar="S", help="of --walks and --random: which ones (default 1)")
    add_format(one)
    add = one.add_argument_group("what is seen").add_argument
    add("--see", choices=list(VIEWS), help="default: layout; for current kernels bpf, or else smaps")
    one.set_defaults(command=conform_command)
