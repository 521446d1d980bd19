# SPDX-License-Identifier: GPL-2.0-only
"""C programs are compiled without optimising in tests; `make gallery` compiles those of the gallery with -O2."""

from collections.abc import Iterator

import pytest

from vmacheck.counterexamples.real_kernels.live import compile_program
from vmacheck.counterexamples.reproducer import write


@pytest.fixture(scope="package", autouse=True)
def quick_programs() -> Iterator[None]:
    """-O0 comes after the -O2 that programs are compiled with, and so is what counts; warnings stay errors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "compile_program", _unoptimised)
        yield


def _unoptimised(source, program, *options, cc=None):
    compile_program(source, program, "-O0", *options, cc=cc)
