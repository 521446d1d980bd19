# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference for kernels with guard regions: they know the advice."""


def knows_advice(behavior):
    """Does the kernel know the advice?"""
    return True
