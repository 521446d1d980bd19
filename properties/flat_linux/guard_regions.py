# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference for kernels with guard regions: they know the advice."""


def knows_advice(behavior):
    """Is it advice that the kernel knows?"""
    return True
