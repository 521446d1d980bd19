# SPDX-License-Identifier: GPL-2.0-only
"""Names and numbers of 6.12 that 2.6.7 lacked, or used for something else, in pages instead of bytes.

The VM_MAY* bits are left out. Bits of theirs stand for flags that have none among the lowest 31.
"""

# vm_flags
VM_SEALED = 0x00000010  # in the kernel 1 << 42
VM_MERGEABLE = 0x00000020  # in the kernel 0x80000000
VM_PFNMAP = 0x00000400
VM_MAYBE_GUARD = 0x00000800
VM_LOCKED = 0x00002000
VM_IO = 0x00004000
VM_DONTCOPY = 0x00020000
VM_DONTEXPAND = 0x00040000
VM_LOCKONFAULT = 0x00080000
VM_NORESERVE = 0x00200000
VM_WIPEONFORK = 0x02000000
VM_DONTDUMP = 0x04000000
VM_MIXEDMAP = 0x10000000
VM_HUGEPAGE = 0x20000000
VM_NOHUGEPAGE = 0x40000000
VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP
VM_LOCKED_MASK = VM_LOCKED | VM_LOCKONFAULT

# flags that a merge ignores, and that the merged vma has if one of its parts had them: 0 before 7.0
VM_STICKY = 0

# flags for which fork copies page tables even without an anon_vma: 0 before 7.0
VM_COPY_ON_FORK = 0

# mmap's flags
MAP_SHARED = 0x1
MAP_LOCKED = 0x2000
MAP_POPULATE = 0x8000
MAP_STACK = 0x20000

# mremap's flags
MREMAP_DONTUNMAP = 4

# mlock2's flags
MLOCK_ONFAULT = 1

# madvise's advice
MADV_DONTFORK = 10
MADV_DOFORK = 11
MADV_MERGEABLE = 12
MADV_UNMERGEABLE = 13
MADV_HUGEPAGE = 14
MADV_NOHUGEPAGE = 15
MADV_DONTDUMP = 16
MADV_DODUMP = 17
MADV_WIPEONFORK = 18
MADV_KEEPONFORK = 19
MADV_GUARD_INSTALL = 102
MADV_GUARD_REMOVE = 103

# vm_file: NULL, a named file, or an object that mmap made for shared memory
NR_NAMED_FILES = 1

# gap that a vma growing down keeps to usable memory, in pages: more than an address space here has
STACK_GUARD_GAP = 256

# number of objects for shared memory in a scope; linking a kernel for a scope replaces it
NR_SHMEM = 5

# errno
EPERM = 1
EIO = 5
EACCES = 13
