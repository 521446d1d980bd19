# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference of current kernels for the calls that work their way through a range (docs/rules-6.md 4.3 to 4.6).

mprotect, mlock, mlock2, munlock, madvise, mbind and mseal. They stop at the first page that they are refused on, and
what they did by then stays done. Where a mapping was faulted shows in one thing: mprotect takes back the accounting of
what was not. Where it ends shows in two: a marker stops the faults of mprotect in its own mapping only, and a mapping
says as a whole that it may have markers.
"""

from vmacheck.model.common.mm import (
    EFAULT,
    EINVAL,
    ENOMEM,
    MADV_DONTNEED,
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    NULL,
    VM_ACCOUNT,
    VM_EXEC,
    VM_RAND_READ,
    VM_READ,
    VM_SEQ_READ,
    VM_SHARED,
    VM_WRITE,
)
from vmacheck.model.common.unistd import NR_madvise, NR_mbind, NR_mlock, NR_mlock2, NR_mprotect, NR_mseal, NR_munlock
from vmacheck.model.linux.mm import (
    EPERM,
    MADV_DODUMP,
    MADV_DOFORK,
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MADV_GUARD_INSTALL,
    MADV_GUARD_REMOVE,
    MADV_HUGEPAGE,
    MADV_KEEPONFORK,
    MADV_MERGEABLE,
    MADV_NOHUGEPAGE,
    MADV_UNMERGEABLE,
    MADV_WIPEONFORK,
    VM_DONTCOPY,
    VM_DONTDUMP,
    VM_HUGEPAGE,
    VM_LOCKED,
    VM_LOCKONFAULT,
    VM_MERGEABLE,
    VM_NOHUGEPAGE,
    VM_NORESERVE,
    VM_SEALED,
    VM_WIPEONFORK,
)
from vmacheck.properties.flat_linux.memory import is_past_end
from vmacheck.properties.flat_linux.pages import (
    file_at,
    first_unmapped,
    flags_at,
    guard_at,
    is_faulted_at,
    is_joined_at,
    is_mapped_at,
)


def goes_through_range(call):
    """Does the call work its way through a range?"""
    return (
        call.nr == NR_mprotect
        or call.nr == NR_mlock
        or call.nr == NR_mlock2
        or call.nr == NR_munlock
        or call.nr == NR_madvise
        or call.nr == NR_mbind
        or call.nr == NR_mseal
    )


# ---- where it stops ------------------------------------------------------------------------------


def knows_advice(behavior):
    """Does the kernel know the advice?"""
    return behavior != MADV_GUARD_INSTALL and behavior != MADV_GUARD_REMOVE


def advice_loses_memory(behavior):
    """Can the advice lose memory, now or in a child?"""
    return (
        behavior == MADV_DONTNEED
        or behavior == MADV_DONTFORK
        or behavior == MADV_WIPEONFORK
        or behavior == MADV_GUARD_INSTALL
    )


def drops_contents(call):
    """Does the call drop the contents of the pages that it reaches?"""
    return call.nr == NR_madvise and (call.behavior == MADV_DONTNEED or call.behavior == MADV_GUARD_INSTALL)


def error_at_once(before, call):
    """The errno of a call that is refused before it has any effect, or 0."""
    end = call.addr + call.len
    hole = first_unmapped(before, call.process, call.addr, end)
    if call.nr == NR_madvise:
        return 0 if knows_advice(call.behavior) else EINVAL
    if call.nr == NR_mseal:
        return 0 if hole == end else ENOMEM
    if call.nr == NR_mbind and call.len != 0:
        # the default policy minds holes only if the whole range is one
        if call.policy == NULL:
            for page in range(call.addr, end):
                if is_mapped_at(before, call.process, page):
                    return 0
        return 0 if hole == end else EFAULT
    return 0


def error_of_advice(before, call, page):
    """The errno of advice on a mapped page, or 0."""
    flags = flags_at(before, call.process, page)
    file = file_at(before, call.process, page)
    if (flags & VM_SEALED) != 0 and (flags & VM_WRITE) == 0 and file == NULL and advice_loses_memory(call.behavior):
        return EPERM
    if (flags & VM_LOCKED) != 0 and drops_contents(call):
        return EINVAL
    return EINVAL if call.behavior == MADV_WIPEONFORK and file != NULL else 0


def error_on_page(before, call, page):
    """The errno of the call when it reaches the page, or 0."""
    flags = flags_at(before, call.process, page)
    if call.nr == NR_mbind or call.nr == NR_mseal:
        return 0
    if call.nr == NR_madvise:
        return 0 if flags == -1 else error_of_advice(before, call, page)
    if flags == -1:
        return ENOMEM
    return EPERM if call.nr == NR_mprotect and (flags & VM_SEALED) != 0 else 0


def stops_at(before, call):
    """The page at which the call stops: its end, or the first page that it is refused on."""
    if error_at_once(before, call) != 0:
        return call.addr
    for page in range(call.addr, call.addr + call.len):
        if error_on_page(before, call, page) != 0:
            return page
    return call.addr + call.len


def comes_to(before, call, page):
    """Does the call reach the page, and is that mapped?"""
    if not goes_through_range(call) or page < call.addr or page >= call.addr + call.len:
        return False
    return page < stops_at(before, call) and is_mapped_at(before, call.process, page)


# ---- what it faults in ---------------------------------------------------------------------------


def locking_stops_at(before, call):
    """The page that mlock cannot fault in (no access, a marker, or past the end of an object), or its end."""
    end = call.addr + call.len
    if call.nr != NR_mlock or stops_at(before, call) != end:
        return call.addr
    for page in range(call.addr, end):
        allowed = (flags_at(before, call.process, page) & (VM_READ | VM_WRITE | VM_EXEC)) != 0
        if not allowed or guard_at(before, call.process, page) != 0 or is_past_end(before, call.process, page):
            return page
    return end


def protecting_faults_in(before, call, page):
    """Does mprotect fault in a page that it reaches: locked, now writable, and before any marker in its mapping?"""
    flags = flags_at(before, call.process, page)
    wanted = VM_LOCKED | VM_LOCKONFAULT | VM_WRITE | VM_SHARED
    if (call.prot & VM_WRITE) == 0 or (flags & wanted) != VM_LOCKED:
        return False
    if guard_at(before, call.process, page) != 0:
        return False
    while page > call.addr and is_joined_at(before, call.process, page):
        page = page - 1
        if guard_at(before, call.process, page) != 0:
            return False
    return True


def faults_in(before, call, page):
    """Does the call itself fault in the page?"""
    if not comes_to(before, call, page):
        return False
    if call.nr == NR_mlock:
        is_private = (flags_at(before, call.process, page) & (VM_WRITE | VM_SHARED)) == VM_WRITE
        return is_private and page < locking_stops_at(before, call)
    return call.nr == NR_mprotect and protecting_faults_in(before, call, page)


# ---- what it returns, and the flags --------------------------------------------------------------


def result_on_range(before, call):
    """The result of the call."""
    end = call.addr + call.len
    at_once = error_at_once(before, call)
    if at_once != 0 or call.len == 0:
        return -at_once
    stop = stops_at(before, call)
    if stop < end:
        return -error_on_page(before, call, stop)
    if call.nr == NR_madvise:
        return 0 if first_unmapped(before, call.process, call.addr, end) == end else -ENOMEM
    if call.nr == NR_mlock:
        return 0 if locking_stops_at(before, call) == end else -ENOMEM
    return 0


def bits_taken(behavior):
    """The flags that a page loses by the advice."""
    if behavior == MADV_NORMAL or behavior == MADV_RANDOM or behavior == MADV_SEQUENTIAL:
        return VM_SEQ_READ | VM_RAND_READ
    if behavior == MADV_HUGEPAGE or behavior == MADV_NOHUGEPAGE:
        return VM_HUGEPAGE | VM_NOHUGEPAGE
    if behavior == MADV_DOFORK:
        return VM_DONTCOPY
    if behavior == MADV_DODUMP:
        return VM_DONTDUMP
    if behavior == MADV_KEEPONFORK:
        return VM_WIPEONFORK
    return VM_MERGEABLE if behavior == MADV_UNMERGEABLE else 0


def bits_given(behavior, flags):
    """The flags that a page with `flags` gets by the advice."""
    if behavior == MADV_RANDOM:
        return VM_RAND_READ
    if behavior == MADV_SEQUENTIAL:
        return VM_SEQ_READ
    if behavior == MADV_HUGEPAGE:
        return VM_HUGEPAGE
    if behavior == MADV_NOHUGEPAGE:
        return VM_NOHUGEPAGE
    if behavior == MADV_DONTFORK:
        return VM_DONTCOPY
    if behavior == MADV_DONTDUMP:
        return VM_DONTDUMP
    if behavior == MADV_WIPEONFORK:
        return VM_WIPEONFORK
    return VM_MERGEABLE if behavior == MADV_MERGEABLE and (flags & VM_SHARED) == 0 else 0


def protected_flags(before, call, page):
    """The flags that mprotect gives to a page that it reaches."""
    flags = flags_at(before, call.process, page)
    changed = call.prot | (flags & ~(VM_READ | VM_WRITE | VM_EXEC))
    if (call.prot & VM_WRITE) != 0:
        waived = (flags & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE)) != 0
        return changed if waived else changed | VM_ACCOUNT
    was_faulted = file_at(before, call.process, page) != NULL or is_faulted_at(before, call.process, page)
    return changed if changed == flags or was_faulted else changed & ~VM_ACCOUNT


def flags_on_range(before, call, page):
    """The flags of a page once the call has reached it."""
    flags = flags_at(before, call.process, page)
    if call.nr == NR_mprotect:
        return protected_flags(before, call, page)
    if call.nr == NR_madvise:
        return flags & ~bits_taken(call.behavior) | bits_given(call.behavior, flags)
    if call.nr == NR_mseal:
        return flags | VM_SEALED
    if call.nr == NR_mlock:
        return flags & ~VM_LOCKONFAULT | VM_LOCKED
    if call.nr == NR_mlock2:
        return flags | VM_LOCKED | VM_LOCKONFAULT
    return flags & ~(VM_LOCKED | VM_LOCKONFAULT) if call.nr == NR_munlock else flags


def guard_on_range(before, call, page):
    """Is there a marker (1 or 0) once the call has reached the page?"""
    if call.nr == NR_madvise and call.behavior == MADV_GUARD_INSTALL:
        return 1
    if call.nr == NR_madvise and call.behavior == MADV_GUARD_REMOVE:
        return 0
    return guard_at(before, call.process, page)
