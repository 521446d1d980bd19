# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference of current kernels for mremap, as 6.12 to 6.16 have it: how far it gets, and what that does.

Where mappings end shows here, as it does to programs: a call that grows or moves may not span two, what grows in place
has to end with one.
"""

from vmacheck.model.common.mm import (
    EFAULT,
    EINVAL,
    ENOMEM,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    NULL,
    TASK_SIZE,
    VM_GROWSDOWN,
    VM_SHARED,
    VM_WRITE,
)
from vmacheck.model.linux.mm import EPERM, MREMAP_DONTUNMAP, VM_LOCKED, VM_LOCKED_MASK, VM_LOCKONFAULT
from vmacheck.properties.flat_linux.memory import is_private_at, next_mapped
from vmacheck.properties.flat_linux.pages import (
    file_at,
    flags_at,
    is_faulted_at,
    is_joined_at,
    is_mapped_at,
    is_one_mapping,
    is_sealed_in,
    offset_at,
)

# The progress of a call. An outcome is one of these times ERRNO_ROOM, plus the errno that it ends with, if any.
DID_NOTHING = 0
DID_FREE = 1  # the given destination is unmapped
DID_CUT = 2  # and the part that is cut off
DID_GROW = 3  # grown in place
DID_MOVE = 4
ERRNO_ROOM = 256

# ---- how far it gets -----------------------------------------------------------------------------


def is_told_where(call):
    """Does the call name its destination?"""
    return (call.flags & MREMAP_FIXED) != 0


def stays_mapped(call):
    """Must the old place stay mapped?"""
    return (call.flags & MREMAP_DONTUNMAP) != 0


def pages_kept(call):
    """The number of old pages that remain."""
    return call.len if call.len < call.new_len else call.new_len


def place_is_bad(call):
    """Is the given destination beyond the end, or does it overlap the old place?"""
    if call.new_addr + call.new_len > TASK_SIZE:
        return True
    return call.addr + call.len > call.new_addr and call.new_addr + call.new_len > call.addr


def is_kept_free(before, call, page):
    """Is the page mapped, or in the hole below memory that grows down?"""
    above = next_mapped(before, call.process, page)
    if above == page:
        return True
    return above < TASK_SIZE and (flags_at(before, call.process, above) & VM_GROWSDOWN) != 0


def lowest_room(before, call):
    """The lowest address with new_len unmapped pages that nothing grows down to, or -1."""
    free = 0
    for page in range(TASK_SIZE):
        free = 0 if is_kept_free(before, call, page) else free + 1
        if free == call.new_len:
            return page + 1 - call.new_len
    return -1


def has_room_behind(before, call):
    """Does the range end with its mapping, with room after it to grow?"""
    end = call.addr + call.len
    if call.len == 0 or is_joined_at(before, call.process, end) or call.addr + call.new_len > TASK_SIZE:
        return False
    for page in range(end, call.addr + call.new_len):
        if is_mapped_at(before, call.process, page):
            return False
    return True


def source_error(before, call):
    """The errno for the first page, or 0."""
    if not is_mapped_at(before, call.process, call.addr):
        return EFAULT
    return EPERM if is_sealed_in(before, call.process, call.addr, call.addr + 1) else 0


def span_error(before, call):
    """The errno for the kept pages, or 0: they must be of one mapping, and at least one, unless that is shared."""
    if call.len == 0 and is_private_at(before, call.process, call.addr):
        return EINVAL
    return 0 if is_one_mapping(before, call.process, call.addr, call.addr + pages_kept(call)) else EFAULT


def cut_is_refused(before, call):
    """Is a page sealed in the part that is cut off?"""
    return is_sealed_in(before, call.process, call.addr + call.new_len, call.addr + call.len)


def frees_its_source(call):
    """Does memory that is to be mapped again lie at the given destination, and so disappear?"""
    return call.len == 0 and call.new_addr == call.addr


def resize_outcome(before, call):
    """The outcome without a given destination, if the first page is not refused."""
    if call.new_len <= call.len:
        if cut_is_refused(before, call):
            return EPERM
        return ERRNO_ROOM * DID_CUT
    error = span_error(before, call)
    if error != 0:
        return error
    if has_room_behind(before, call):
        return ERRNO_ROOM * DID_GROW
    if (call.flags & MREMAP_MAYMOVE) == 0 or lowest_room(before, call) == -1:
        return ENOMEM
    return ERRNO_ROOM * DID_MOVE


def mremap_reaches(before, call):
    """The outcome: in these kernels the destination is unmapped before the kept pages are checked."""
    if call.new_len == 0 or (stays_mapped(call) and call.len != call.new_len):
        return EINVAL
    error = source_error(before, call)
    if error != 0:
        return error
    if not is_told_where(call):
        return resize_outcome(before, call)
    if place_is_bad(call):
        return EINVAL
    if is_sealed_in(before, call.process, call.new_addr, call.new_addr + call.new_len):
        return EPERM
    if cut_is_refused(before, call):
        return ERRNO_ROOM * DID_FREE + EPERM
    error = EFAULT if frees_its_source(call) else span_error(before, call)
    if error != 0:
        return ERRNO_ROOM * DID_CUT + error
    return ERRNO_ROOM * DID_MOVE


def moves_by_mapping(call):
    """Does the call move mapping by mapping, and skip holes?"""
    return False


def moves_page(before, call, page):
    """Is the page moved?"""
    if page < call.addr or page >= call.addr + pages_kept(call):
        return False
    return mremap_reaches(before, call) >= ERRNO_ROOM * DID_MOVE


def place_of_move(before, call):
    """The address that the call moves to."""
    return call.new_addr if is_told_where(call) else lowest_room(before, call)


def mremap_returns(before, call):
    """The result of the call."""
    outcome = mremap_reaches(before, call)
    error = outcome & (ERRNO_ROOM - 1)
    if error != 0:
        return -error
    return place_of_move(before, call) if outcome == ERRNO_ROOM * DID_MOVE else call.addr


# ---- what becomes of a page ----------------------------------------------------------------------


def page_moved_to(before, call, page):
    """The page that is moved to this one; -2 if it is new there, -1 otherwise."""
    if mremap_reaches(before, call) < ERRNO_ROOM * DID_MOVE:
        return -1
    offset = page - place_of_move(before, call)
    if offset < 0 or offset >= call.new_len:
        return -1
    if offset >= call.len:
        return -2
    return call.addr + offset if moves_page(before, call, call.addr + offset) else -1


def is_unmapped_by_mremap(before, call, page):
    """Is the page unmapped, without a new one in its place?"""
    if moves_page(before, call, page):
        return not stays_mapped(call)
    reached = mremap_reaches(before, call)
    if reached >= ERRNO_ROOM * DID_CUT and call.addr + call.new_len <= page and page < call.addr + call.len:
        return True
    if reached < ERRNO_ROOM * DID_FREE or not is_told_where(call) or moves_by_mapping(call):
        return False
    return call.new_addr <= page and page < call.new_addr + call.new_len


def mremap_origin(before, call, page):
    """The page, before the call, whose mapping this one has; -1 if it is not mapped, -2 if it is new."""
    moved = page_moved_to(before, call, page)
    if moved != -1:
        return moved
    if is_unmapped_by_mremap(before, call, page):
        return -1
    if call.addr + call.len <= page and page < call.addr + call.new_len:
        if mremap_reaches(before, call) == ERRNO_ROOM * DID_GROW:
            return -2
    return page


def contents_moved_to(before, call, page):
    """The page whose contents, or marker, this one has, or -1."""
    moved = page_moved_to(before, call, page)
    if moved != -1:
        return moved if moved != -2 else -1
    if moves_page(before, call, page) or mremap_origin(before, call, page) < 0:
        return -1
    return page


def mremap_faults_in(before, call, page):
    """Is the page new, in a mapping that is locked and writable?"""
    flags = flags_at(before, call.process, call.addr)
    if flags == -1 or (flags & (VM_LOCKED | VM_LOCKONFAULT | VM_WRITE | VM_SHARED)) != VM_LOCKED | VM_WRITE:
        return False
    return mremap_origin(before, call, page) == -2


# ---- flags ---------------------------------------------------------------------------------------


def is_unlocked_by_move(before, call, page):
    """Is the page unlocked where it stays? In these kernels only the moved part is."""
    return stays_mapped(call) and moves_page(before, call, page)


def may_become_one_with_source(before, call, after, page):
    """May the page be in one mapping with a page that was moved, and stays?"""
    return False


def mremap_flags_now(before, call, after, page):
    """The flags of a page after the call, -1 if it is not mapped."""
    origin = mremap_origin(before, call, page)
    if origin == -1:
        return -1
    flags = flags_at(before, call.process, call.addr if origin == -2 else origin)
    if flags == -1 or (flags & VM_LOCKED) == 0 or not stays_mapped(call):
        return flags
    if origin == page and is_unlocked_by_move(before, call, page):
        return flags & ~VM_LOCKED_MASK
    # other claims say whether the moved part and the rest become one
    now = flags_at(after, call.process, page)
    if (now & VM_LOCKED_MASK) == 0 and may_become_one_with_source(before, call, after, page):
        return flags & ~VM_LOCKED_MASK
    return flags


# ---- offsets -------------------------------------------------------------------------------------


def may_have_been_faulted_by_then(before, call, source):
    """May earlier moves have made the mapping of source a faulted one?"""
    return False


def mremap_offset(before, call, page):
    """The offset of a moved or new page in its object, in pages, from its place in the range.

    Anonymous memory that was never faulted gets its new address as its offset.
    """
    source = mremap_origin(before, call, page)
    model = call.addr if source == -2 else source
    anonymous = file_at(before, call.process, model) == NULL
    moved = page_moved_to(before, call, page) != -1
    if moved and anonymous and not is_faulted_at(before, call.process, model):
        return page
    if source != -2:
        return offset_at(before, call.process, source)
    place = place_of_move(before, call) if moved else call.addr
    return offset_at(before, call.process, call.addr) + page - place


def mremap_offset_now_is_good(before, call, after, page):
    """Does a page have the right offset?"""
    now = offset_at(after, call.process, page)
    if now == mremap_offset(before, call, page):
        return True
    source = mremap_origin(before, call, page)
    if source < 0 or source == page or not may_have_been_faulted_by_then(before, call, source):
        return False
    return now == offset_at(before, call.process, source)
