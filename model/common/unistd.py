# SPDX-License-Identifier: GPL-2.0-only
"""Numbers of the calls and user accesses, the checker's own."""

NR_mmap = 1
NR_munmap = 2
NR_mprotect = 3
NR_write = 4
NR_read = 5
NR_mremap = 6
NR_mlock = 7
NR_munlock = 8
NR_madvise = 9
NR_brk = 10
NR_mbind = 11
NR_fork = 12
NR_exit = 13
NR_step = 14
NR_reclaim = 15
NR_mlock2 = 16
NR_mseal = 17
NR_memw = 18
