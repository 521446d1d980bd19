# SPDX-License-Identifier: GPL-2.0-only
"""Numbers of the calls and user accesses, the checker's own."""

NR_mmap = 1
NR_munmap = 2
NR_mprotect = 3
NR_write = 4
NR_read = 5
