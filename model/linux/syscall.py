# SPDX-License-Identifier: GPL-2.0-only
"""The entry point: one call by number."""

from vmacheck.model.common.canonical import name_anon_vmas
from vmacheck.model.common.mm import BUG
from vmacheck.model.common.unistd import (
    NR_brk,
    NR_madvise,
    NR_mbind,
    NR_memw,
    NR_mlock,
    NR_mlock2,
    NR_mmap,
    NR_mprotect,
    NR_mremap,
    NR_mseal,
    NR_munlock,
    NR_munmap,
    NR_read,
    NR_write,
)
from vmacheck.model.linux.fault import access_remote_vm, do_page_fault
from vmacheck.model.linux.madvise import do_madvise
from vmacheck.model.linux.mempolicy import do_mbind
from vmacheck.model.linux.mlock import sys_mlock2, sys_munlock
from vmacheck.model.linux.mm import NR_SHMEM
from vmacheck.model.linux.mmap import do_mmap, do_munmap, sys_brk
from vmacheck.model.linux.mprotect import do_mprotect
from vmacheck.model.linux.mremap import do_mremap
from vmacheck.model.linux.mseal import do_mseal
from vmacheck.model.linux.shmem import name_objects


def system_call(mm, call):
    """Run one call or user access. Returns 0, an address, or a negative errno."""
    if call.nr == NR_mmap:
        return do_mmap(mm, call.file, call.addr, call.len, call.prot, call.flags, call.pgoff)
    if call.nr == NR_munmap:
        return do_munmap(mm, call.addr, call.len)
    if call.nr == NR_mprotect:
        return do_mprotect(mm, call.addr, call.len, call.prot)
    if call.nr == NR_write:
        return do_page_fault(mm, call.addr, True)
    if call.nr == NR_read:
        return do_page_fault(mm, call.addr, False)
    if call.nr == NR_mremap:
        return do_mremap(mm, call.addr, call.len, call.new_len, call.flags, call.new_addr)
    if call.nr == NR_mlock:
        return sys_mlock2(mm, call.addr, call.len, 0)
    if call.nr == NR_mlock2:
        return sys_mlock2(mm, call.addr, call.len, call.flags)
    if call.nr == NR_munlock:
        return sys_munlock(mm, call.addr, call.len)
    if call.nr == NR_madvise:
        return do_madvise(mm, call.addr, call.len, call.behavior)
    if call.nr == NR_brk:
        return sys_brk(mm, call.addr)
    if call.nr == NR_mbind:
        return do_mbind(mm, call.addr, call.len, call.policy)
    if call.nr == NR_mseal:
        return do_mseal(mm, call.addr, call.len)
    if call.nr == NR_memw:
        return access_remote_vm(mm, call.addr)
    BUG(mm)
    return 0


def canonicalise(mm):
    """Make states equal that differ only in the names of their anon_vmas and objects."""
    name_anon_vmas(mm)
    if NR_SHMEM != 0:
        name_objects(mm)
