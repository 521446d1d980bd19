# SPDX-License-Identifier: GPL-2.0-only
"""munmap forgets to cut off what lies above its range."""


def do_munmap(mm, start, len):
    if len == 0:
        return -EINVAL
    vma = find_vma(mm, start)
    if vma == NULL or mm.vma[vma].vm_start >= start + len:
        return 0
    if start > mm.vma[vma].vm_start:
        if split_vma(mm, vma, start, 0) != 0:
            return -ENOMEM
        vma = vma + 1
    while vma <= mm.map_count and mm.vma[vma].vm_start < start + len:
        unmap_region(mm, mm.vma[vma].vm_start, mm.vma[vma].vm_end)
        anon_vma_unlink(mm, vma)
        kmem_cache_free_vma(mm, vma)
    return 0
