# SPDX-License-Identifier: GPL-2.0-only
"""The entry points: one call by number, and the normal form of a state."""

from vmacheck.model.common.mm import BUG
from vmacheck.model.common.unistd import (
    NR_brk,
    NR_madvise,
    NR_mbind,
    NR_mlock,
    NR_mmap,
    NR_mprotect,
    NR_mremap,
    NR_munlock,
    NR_munmap,
    NR_read,
    NR_write,
)
from vmacheck.model.linux_2_6.fault import do_page_fault
from vmacheck.model.linux_2_6.madvise import sys_madvise
from vmacheck.model.linux_2_6.mempolicy import sys_mbind
from vmacheck.model.linux_2_6.mlock import do_mlock
from vmacheck.model.linux_2_6.mmap import do_mmap_pgoff, do_munmap, sys_brk
from vmacheck.model.linux_2_6.mprotect import sys_mprotect
from vmacheck.model.linux_2_6.mremap import do_mremap


def system_call(mm, call):
    """Run one call or user access. Returns 0, an address, or a negative errno."""
    if call.nr == NR_mmap:
        return do_mmap_pgoff(mm, call.file, call.addr, call.len, call.prot, call.flags, call.pgoff)
    if call.nr == NR_munmap:
        return do_munmap(mm, call.addr, call.len)
    if call.nr == NR_mprotect:
        return sys_mprotect(mm, call.addr, call.len, call.prot)
    if call.nr == NR_write:
        return do_page_fault(mm, call.addr, True)
    if call.nr == NR_read:
        return do_page_fault(mm, call.addr, False)
    if call.nr == NR_mremap:
        return do_mremap(mm, call.addr, call.len, call.new_len, call.flags, call.new_addr)
    if call.nr == NR_mlock:
        return do_mlock(mm, call.addr, call.len, True)
    if call.nr == NR_munlock:
        return do_mlock(mm, call.addr, call.len, False)
    if call.nr == NR_madvise:
        return sys_madvise(mm, call.addr, call.len, call.behavior)
    if call.nr == NR_brk:
        return sys_brk(mm, call.addr)
    if call.nr == NR_mbind:
        return sys_mbind(mm, call.addr, call.len, call.policy)
    BUG(mm)
    return 0


def step(mm, call):
    """Run one call or user access, as a search tries it."""
    return system_call(mm, call)
