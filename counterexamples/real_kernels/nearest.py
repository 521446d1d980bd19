# SPDX-License-Identifier: GPL-2.0-only
"""Which model kernel a real one is: the running one, or an image of which no more is known than its banner says."""

from functools import cache
from pathlib import Path

from vmacheck.checker.kernels import auto
from vmacheck.checker.kernels.auto import RELEASE, Chosen, Real, choose
from vmacheck.counterexamples.real_kernels.qemu import release_of
from vmacheck.model.kernels import LINUX

LIVE = "live"


def known_of(kernel: str) -> Real:
    """What is known of the running kernel ("live"), or of an image, of which it is what its banner says.

    Raises KernelError.
    """
    return auto.running() if kernel == LIVE else _of_image(kernel)


@cache
def _of_image(kernel: str) -> Real:
    return Real(release_of(Path(kernel)))


def chosen_for(kernel: str) -> Chosen:
    """The model kernel of the running one ("live"), or of an image. Raises KernelError."""
    return auto.chosen_for_auto() if kernel == LIVE else choose(known_of(kernel))


def warning(model: str, kernel: str) -> str | None:
    """What is to be said of a model kernel that was named: if it is not the one of the real one. Raises KernelError."""
    real = known_of(kernel)
    if not RELEASE.match(real.release):
        return None
    chosen = choose(real)
    base = "+".join(word for word in model.split("+") if not word.endswith(".py"))
    if base == chosen.kernel:
        return f"{model} is only the nearest to Linux {chosen.real}: {'; '.join(chosen.but)}" if chosen.but else None
    nearest = "the nearest to it is" if chosen.but else "that is"
    kind = "" if base.split("+")[0] in LINUX.kernels else ", but a 2.6 kernel"
    return f"{model} is not the model of Linux {chosen.real}{kind}; {nearest} {chosen.kernel}"
