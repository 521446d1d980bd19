# SPDX-License-Identifier: GPL-2.0-only
"""Wrong rules for linux-6.18, as the text of a patch: of merging, accounting, lists and offsets."""

WRONG = {
    "lower half keeps its end": (
        "def __split_vma(mm, vma, addr, new_below):\n    new = vm_area_dup(mm, vma)\n    mm.vma[new].vm_start = addr\n"
        "    mm.vma[new].vm_pgoff = mm.vma[vma].vm_pgoff + (addr - mm.vma[vma].vm_start)\n    anon_vma_clone(mm, new, vma)\n"
        "    if new_below:\n        mm.vma[vma].vm_end = addr\n    vma_link(mm, new)\n"
    ),
    "upper half keeps its offset": (
        "def __split_vma(mm, vma, addr, new_below):\n    new = vm_area_dup(mm, vma)\n    anon_vma_clone(mm, new, vma)\n"
        "    if new_below:\n        mm.vma[new].vm_end = addr\n        mm.vma[vma].vm_start = addr\n"
        "    else:\n        mm.vma[new].vm_start = addr\n        mm.vma[vma].vm_end = addr\n    vma_link(mm, new)\n"
    ),
    "never left": "def can_vma_merge_left(mm):\n    return False\n",
    "two anon_vmas become one": (
        "def are_anon_vmas_compatible(mm, vma1, vma2):\n    return True\n"
        "def is_mergeable_anon_vma(mm, vma):\n    return True\n"
    ),
    "nothing is shared": "def find_mergeable_anon_vma(mm, vma):\n    return NULL\n",
    "the anon_vma is not brought along": "def dup_anon_vma(mm, dst, src):\n    return\n",
    "the anon_vma is replaced": (
        "def dup_anon_vma(mm, dst, src):\n    if mm.vma[src].anon_vma != NULL:\n"
        "        if mm.vma[dst].anon_vma != NULL:\n            list_del(mm, dst)\n"
        "        mm.vma[dst].anon_vma = mm.vma[src].anon_vma\n        anon_vma_clone(mm, dst, src)\n"
        "def can_vma_merge_right(mm, can_merge_left):\n    if mm.vmg_next == NULL:\n        return False\n"
        "    return mm.vma[mm.vmg_next].vm_start == mm.vmg_end and is_mergeable_vma(mm, mm.vmg_next)\n"
    ),
    "not put on the list": (
        "def anon_vma_prepare(mm, vma):\n    if mm.vma[vma].anon_vma == NULL:\n"
        "        mm.vma[vma].anon_vma = anon_vma_alloc(mm)\n    return 0\n"
    ),
    "never freed": (
        "def unlink_anon_vmas(mm, vma):\n    if mm.vma[vma].anon_vma_node != NULL:\n        list_del(mm, vma)\n"
        "        mm.vma[vma].anon_vma = NULL\n"
    ),
    "freed too early": (
        "def unlink_anon_vmas(mm, vma):\n    anon_vma = mm.vma[vma].anon_vma_node\n    if anon_vma != NULL:\n"
        "        list_del(mm, vma)\n        mm.vma[vma].anon_vma = NULL\n        anon_vma_free(mm, anon_vma)\n"
    ),
    "never accounted": "def flags_with_account(mm, vma, newflags):\n    return newflags\n",
    "accounting is taken back from what was faulted": (
        "def flags_with_account(mm, vma, newflags):\n    if newflags & VM_WRITE:\n        return newflags | VM_ACCOUNT\n"
        "    return newflags & ~VM_ACCOUNT\n"
    ),
    "accounting does not matter": (
        "def is_mergeable_vma(mm, vma):\n    return (\n        mpol_equal(mm.vma[vma].vm_policy, mm.vmg_policy)\n"
        "        and ((mm.vma[vma].vm_flags ^ mm.vmg_flags) & ~VM_ACCOUNT) == 0\n"
        "        and mm.vma[vma].vm_file == mm.vmg_file\n    )\n"
    ),
    "locks do not matter": (
        "def is_mergeable_vma(mm, vma):\n    return (\n        mpol_equal(mm.vma[vma].vm_policy, mm.vmg_policy)\n"
        "        and ((mm.vma[vma].vm_flags ^ mm.vmg_flags) & ~VM_LOCKED) == 0\n"
        "        and mm.vma[vma].vm_file == mm.vmg_file\n    )\n"
    ),
    "policies do not matter": (
        "def is_mergeable_vma(mm, vma):\n    return mm.vma[vma].vm_flags == mm.vmg_flags and mm.vma[vma].vm_file == mm.vmg_file\n"
    ),
    "files do not matter": (
        "def is_mergeable_vma(mm, vma):\n"
        "    return mm.vma[vma].vm_flags == mm.vmg_flags and mpol_equal(mm.vma[vma].vm_policy, mm.vmg_policy)\n"
    ),
    "offsets do not matter": (
        "def can_vma_merge_after(mm):\n"
        "    return is_mergeable_vma(mm, mm.vmg_prev) and is_mergeable_anon_vma(mm, mm.vmg_prev)\n"
    ),
    "the next vma keeps its offset": (
        "def merge_into_next(mm, middle, next):\n    dup_anon_vma(mm, next, middle)\n    mm.vma[next].vm_start = mm.vmg_start\n"
        "    if mm.vmg_start == mm.vma[middle].vm_start:\n        remove_vma(mm, middle)\n        return middle\n"
        "    mm.vma[middle].vm_end = mm.vmg_start\n    return next\n"
    ),
    "the anon_vma of the previous vma is asked for first": (
        "def find_mergeable_anon_vma(mm, vma):\n    prev = vma - 1\n    if prev != NULL:\n"
        "        anon_vma = reusable_anon_vma(mm, prev, prev, vma)\n        if anon_vma != NULL:\n"
        "            return anon_vma\n    next = vma_next(mm, vma)\n    if next != NULL:\n"
        "        return reusable_anon_vma(mm, next, vma, next)\n    return NULL\n"
    ),
    "what an earlier merge was about is not forgotten": (
        "def vmg_init(mm, start, end, vm_flags, pgoff, file, policy, anon_vma):\n    mm.vmg_start = start\n"
        "    mm.vmg_end = end\n    mm.vmg_flags = vm_flags\n    mm.vmg_pgoff = pgoff\n    mm.vmg_file = file\n"
        "    mm.vmg_policy = policy\n    mm.vmg_anon_vma = anon_vma\n    mm.vmg_prev = NULL\n    mm.vmg_middle = NULL\n"
        "    mm.vmg_next = NULL\n    mm.vmg_target = NULL\n    mm.vmg_just_expand = False\n"
    ),
}
# the property that each breaks, and the number of vmas before the call
REFUTED = {
    "vmas_are_sorted_and_disjoint": ("lower half keeps its end", 1),
    "unfaulted_vmas_have_pgoff_of_their_start": ("upper half keeps its offset", 1),
    "kernel_bug_is_never_hit": ("freed too early", 2),
    "calls_miss_no_merge": ("never left", 1),
    "first_write_takes_neighbours_anon_vma": ("nothing is shared", 2),
    "anon_vma_is_write_once": ("the anon_vma is replaced", 2),
    "rmap_finds_every_page": ("the anon_vma is not brought along", 2),
    "pages_hang_from_their_vmas_anon_vma": ("the anon_vma is not brought along", 2),
    "page_index_is_linear": ("the next vma keeps its offset", 2),
    "faulted_vmas_are_on_their_list": ("not put on the list", 1),
    "anon_vmas_are_freed_with_their_last_vma": ("never freed", 1),
    "nothing_refers_to_a_freed_anon_vma": ("freed too early", 2),
    "pages_match_flat_reference": ("never accounted", 1),
}
# the wrong function, a call that reaches it, and the number of vmas before the call
DIFFERS = {
    "lower half keeps its end": ("__split_vma", "munmap", 1),
    "upper half keeps its offset": ("__split_vma", "mprotect", 1),
    "never left": ("can_vma_merge_left", "mmap", 1),
    "two anon_vmas become one": ("are_anon_vmas_compatible", "mmap", 2),
    "nothing is shared": ("find_mergeable_anon_vma", "write", 2),
    "the anon_vma is not brought along": ("dup_anon_vma", "mprotect", 2),
    "the anon_vma is replaced": ("dup_anon_vma", "mprotect", 2),
    "not put on the list": ("anon_vma_prepare", "write", 1),
    "never freed": ("unlink_anon_vmas", "munmap", 1),
    "freed too early": ("unlink_anon_vmas", "munmap", 2),
    "never accounted": ("flags_with_account", "mprotect", 1),
    "accounting is taken back from what was faulted": ("flags_with_account", "mprotect", 1),
    "accounting does not matter": ("is_mergeable_vma", "mmap", 1),
    "locks do not matter": ("is_mergeable_vma", "mprotect", 2),
    "policies do not matter": ("is_mergeable_vma", "mmap", 1),
    "files do not matter": ("is_mergeable_vma", "mmap", 1),
    "offsets do not matter": ("can_vma_merge_after", "mmap", 1),
    "the next vma keeps its offset": ("merge_into_next", "mprotect", 2),
    "the anon_vma of the previous vma is asked for first": ("find_mergeable_anon_vma", "write", 3),
}
