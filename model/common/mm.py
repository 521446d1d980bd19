# SPDX-License-Identifier: GPL-2.0-only
"""Names and numbers from mm.h, mman.h and errno.h (Linux 2.6.7, i386), in pages instead of bytes.

The four bounds stand here with the values of a 4-page address space, so that the functions can be
read and tried on their own; linking a kernel for a scope replaces them.
"""

NULL = 0

# vm_flags. The VM_MAY* bits are left out: private anonymous memory has all of them, always.
VM_READ = 0x00000001
VM_WRITE = 0x00000002
VM_EXEC = 0x00000004
VM_SHARED = 0x00000008
VM_GROWSDOWN = 0x00000100
VM_LOCKED = 0x00002000
VM_IO = 0x00004000
VM_SEQ_READ = 0x00008000
VM_RAND_READ = 0x00010000
VM_DONTCOPY = 0x00020000
VM_DONTEXPAND = 0x00040000
VM_RESERVED = 0x00080000
VM_ACCOUNT = 0x00100000
VM_SPECIAL = VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_RESERVED

# mmap's flags
MAP_GROWSDOWN = 0x0100
MAP_NORESERVE = 0x4000

# mremap's flags
MREMAP_MAYMOVE = 1
MREMAP_FIXED = 2

# madvise's advice
MADV_NORMAL = 0
MADV_RANDOM = 1
MADV_SEQUENTIAL = 2
MADV_DONTNEED = 4

# memory policies, by mode; the nodes are left out. The default one is NULL.
MPOL_BIND = 2
MPOL_INTERLEAVE = 3

# errno
EAGAIN = 11
ENOMEM = 12
EFAULT = 14
EBUSY = 16
EINVAL = 22

# Bounds of the scope.
TASK_SIZE = 4  # pages in the address space
OUT_OF_ROOM = 2  # mm.bug after NO_ROOM; after BUG it is 1
NR_VMAS = 4  # slots for vmas: one a page, so that no call can run out of them
NR_ANON_VMAS = 13  # slots for anon_vmas: vmas, list nodes and pages can each name NR_VMAS, and one is new
MAX_MAP_COUNT = 65536  # sysctl_max_map_count

VMA_NEW = NR_VMAS + 1  # the slot of a vma that is allocated but not yet linked into the mm

# Life of an anon_vma (mm.anon_vma[x].life). A freed one keeps its slot while anything still points at it.
UNUSED = 0
LIVE = 1
FREED = 2

# The events of a call (mm.events), for coverage: one bit each.
VMA_MERGE_CASE_1 = 0x01
VMA_MERGE_CASE_2 = 0x02
VMA_MERGE_CASE_3 = 0x04
VMA_MERGE_CASE_4 = 0x08
VMA_MERGE_CASE_5 = 0x10
VMA_MERGE_CASE_6 = 0x20
VMA_MERGE_CASE_7 = 0x40
VMA_MERGE_CASE_8 = 0x80
SPLIT_VMA_ABOVE = 0x100
SPLIT_VMA_BELOW = 0x200
ANON_VMA_ALLOC = 0x400
ANON_VMA_FREE = 0x800
FIND_VMA_PREV = 0x1000  # on behalf of a fault
COPY_VMA_MERGE = 0x2000


def count_vm_event(mm, event):
    """Record that `event` happened during this call."""
    mm.events = mm.events | event


def BUG(mm):
    """Stop the kernel: the checker drops the call's effects and marks the state."""
    mm.oops = 1


def NO_ROOM(mm):
    """Stop, for the model has fewer slots than the rule needs; the kernel would go on."""
    if mm.oops == 0:
        mm.bug = OUT_OF_ROOM
    mm.oops = 1
