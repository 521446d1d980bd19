# SPDX-License-Identifier: GPL-2.0-only
"""mm/mlock.c of 6.12, which merges, and mm_populate of mm/gup.c (docs/rules-6.md section 4.6)."""

from vmacheck.model.common.lookup import find_vma, vma_next
from vmacheck.model.common.mm import EAGAIN, EFAULT, EINVAL, ENOMEM, NULL, VM_EXEC, VM_READ, VM_SHARED, VM_WRITE
from vmacheck.model.linux.fault import handle_mm_fault
from vmacheck.model.linux.mm import MLOCK_ONFAULT, VM_LOCKED, VM_LOCKED_MASK, VM_LOCKONFAULT, VM_SPECIAL
from vmacheck.model.linux.vma import vma_modify_flags

# ---- mm/gup.c ----------------------------------------------------------------------------------


def populate_vma_page_range(mm, vma, start, end):
    """Fault in [start, end) of vma, by writes if it is private and writable. 0, or -EFAULT if it allows no access."""
    if mm.vma[vma].vm_flags & VM_LOCKONFAULT:
        return 0
    if (mm.vma[vma].vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) == 0:
        return -EFAULT
    write = (mm.vma[vma].vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE
    for address in range(start, end):
        error = handle_mm_fault(mm, vma, address, write)
        if error != 0:
            return error
    return 0


def __mm_populate(mm, start, end, ignore_errors):
    """Fault in [start, end), vma by vma, up to the first error. 0 or a negative errno."""
    vma = find_vma(mm, start)
    while vma != NULL and mm.vma[vma].vm_start < end:
        nstart = mm.vma[vma].vm_start if mm.vma[vma].vm_start > start else start
        nend = mm.vma[vma].vm_end if mm.vma[vma].vm_end < end else end
        error = populate_vma_page_range(mm, vma, nstart, nend)
        if error != 0 and not ignore_errors:
            return error
        vma = vma_next(mm, vma)
    return 0


def mm_populate(mm, start, end):
    """Fault in [start, end) as far as possible."""
    __mm_populate(mm, start, end, True)


# ---- mm/mlock.c --------------------------------------------------------------------------------


def mlock_fixup(mm, vma, start, end, newflags):
    """Give [start, end) of vma newflags, merging if they change. Returns the vma that it then is, or -ENOMEM."""
    if newflags == mm.vma[vma].vm_flags or (mm.vma[vma].vm_flags & VM_SPECIAL) != 0:
        return vma
    return vma_modify_flags(mm, vma, start, end, newflags)


def apply_vma_lock_flags(mm, start, len, flags):
    """Lock [start, start + len) as flags say, vma by vma; those before a hole or an error stay changed."""
    end = start + len
    vma = find_vma(mm, start)
    if vma == NULL or mm.vma[vma].vm_start > start:
        return -ENOMEM
    nstart = start
    while nstart < end:
        if vma == NULL or mm.vma[vma].vm_start > nstart:
            return -ENOMEM
        newflags = mm.vma[vma].vm_flags & ~VM_LOCKED_MASK | flags
        tmp = mm.vma[vma].vm_end if mm.vma[vma].vm_end < end else end
        vma = mlock_fixup(mm, vma, nstart, tmp, newflags)
        if vma < 0:
            return vma
        nstart = mm.vma[vma].vm_end
        vma = vma_next(mm, vma)
    return 0


def do_mlock(mm, start, len, flags):
    """Lock [start, start + len) and fault it in. 0 or a negative errno; pages that cannot be faulted in stay locked."""
    if len == 0:
        return 0
    error = apply_vma_lock_flags(mm, start, len, flags)
    if error != 0:
        return error
    error = __mm_populate(mm, start, start + len, False)
    # POSIX has ENOMEM where the kernel says EFAULT
    if error == -EFAULT:
        return -ENOMEM
    if error == -ENOMEM:
        return -EAGAIN
    return error


def sys_mlock2(mm, start, len, flags):
    """mlock; with MLOCK_ONFAULT, missing pages are locked when they are faulted in."""
    if flags & ~MLOCK_ONFAULT:
        return -EINVAL
    if flags & MLOCK_ONFAULT:
        return do_mlock(mm, start, len, VM_LOCKED | VM_LOCKONFAULT)
    return do_mlock(mm, start, len, VM_LOCKED)


def sys_munlock(mm, start, len):
    """Unlock [start, start + len). 0 or a negative errno."""
    if len == 0:
        return 0
    return apply_vma_lock_flags(mm, start, len, 0)
