# SPDX-License-Identifier: GPL-2.0-only
"""mm/shmem.c of 6.12, for shared memory without a file: one object per mmap (docs/rules-6.md section 1).

An object keeps the size that it was mapped with. Its name is vm_file, above the numbers of named files; each vma that
maps it has its size, in pages, in i_size.
"""

from vmacheck.model.common.mm import EFAULT, NO_ROOM
from vmacheck.model.common.pages import linear_page_index
from vmacheck.model.linux.mm import NR_NAMED_FILES, NR_SHMEM


def last_vma(mm):
    """The highest slot of a vma that may be in use."""
    return mm.map_count


def is_mapped_from(mm, file):
    """Does a vma map the object?"""
    for vma in range(1, last_vma(mm) + 1):
        if mm.vma[vma].vm_file == file:
            return True
    return False


def shmem_zero_setup(mm, vma, size):
    """Give vma a new object of `size` pages."""
    for file in range(NR_NAMED_FILES + 1, NR_NAMED_FILES + NR_SHMEM + 1):
        if not is_mapped_from(mm, file):
            mm.vma[vma].vm_file = file
            mm.vma[vma].i_size = size
            return
    NO_ROOM(mm)


def shmem_fault(mm, vma, address):
    """Access shared memory, which always has a page: 0, or -EFAULT behind the end of the object."""
    if mm.vma[vma].vm_file > NR_NAMED_FILES and linear_page_index(mm, vma, address) >= mm.vma[vma].i_size:
        return -EFAULT
    return 0


def name_objects(mm):
    """Rename the objects in the order of the first vma that maps each."""
    names = 0
    for vma in range(1, last_vma(mm) + 1):
        file = mm.vma[vma].vm_file
        if file > NR_NAMED_FILES and file <= NR_NAMED_FILES + NR_SHMEM:
            names = names + 1
            for other in range(vma, last_vma(mm) + 1):
                if mm.vma[other].vm_file == file:
                    mm.vma[other].vm_file = NR_NAMED_FILES + NR_SHMEM + names
    for vma in range(1, last_vma(mm) + 1):
        if mm.vma[vma].vm_file > NR_NAMED_FILES + NR_SHMEM:
            mm.vma[vma].vm_file = mm.vma[vma].vm_file - NR_SHMEM
