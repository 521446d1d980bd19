# SPDX-License-Identifier: GPL-2.0-only
"""The model kernel for a real one: the running one, or an image, of which only the banner is known."""

from functools import cache
from pathlib import Path

from vmacheck.checker.kernels import auto
from vmacheck.checker.kernels.auto import RELEASE, Chosen, Real, choose
from vmacheck.counterexamples.real_kernels.qemu import release_of
from vmacheck.model.kernels import LINUX

LIVE = "live"


def known_of(kernel: str) -> Real:
    """The known facts on the running kernel ("live"), or on an image, of which only the banner is known.

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
    """A warning if the named model kernel is not exactly the real kernel's, else None. Raises KernelError."""
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
