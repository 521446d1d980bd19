# SPDX-License-Identifier: GPL-2.0-only
"""The model of 6.18 and the running kernel, call by call; and slightly wrong rules, which must be detected.

make test-conform. It needs a kernel 6.18 with VM_MAYBE_GUARD, and BPF for the full view.
"""

import ast
import platform

import pytest

from vmacheck.checker.kernels.scope import Scope, in_order
from vmacheck.counterexamples.real_kernels.conform import conform
from vmacheck.counterexamples.real_kernels.replay import LIVE, on_real
from vmacheck.counterexamples.real_kernels.views import BPF, SMAPS, best_view
from vmacheck.counterexamples.real_kernels.walks import conform_random, conform_states
from vmacheck.model.calls.operations import EVERY_OPERATION
from vmacheck.model.kernels import HERE

pytestmark = pytest.mark.conform
KERNEL = "linux-6.18+sticky"
BASIC = ("mmap", "munmap", "mprotect", "write")
LOCKS = ("mlock", "munlock", "mlock2")
ADVICE = ("madvise", "dontfork", "wipeonfork", "dontdump", "mergeable", "hugepage", "guard")
OBJECTS = ("shared", "sharedfile", "locked", "memw")
EVERYTHING = (*BASIC, "read", "mremap", "dontunmap", *LOCKS, *ADVICE, "mseal", "mbind", "file", "populate", *OBJECTS)
# what grows down goes without what moves
GROWING = (*(word for word in EVERYTHING if word not in ("mremap", "dontunmap")), "growsdown")


@pytest.fixture(scope="module", autouse=True)
def kernel():
    if not platform.release().startswith("6.18."):
        pytest.skip(f"the running kernel is {platform.release()}, not 6.18")


def real(view):
    return lambda lines: on_real(LIVE, lines, view)


def scope_of(pages, operations, protections=("R", "RW"), noreserve=False):
    return Scope(pages=pages, protections=protections, operations=operations, noreserve=noreserve)


def check(found, least):
    """Assert that all agree, after at least `least` calls in sequences of every length."""
    assert {way: found.differences[way].calls for way in found.differences} == {}
    assert found.agreed == sum(found.compared)
    carried_out = found.agreed if found.programs else sum(n * length for length, n in enumerate(found.compared, 1))
    assert carried_out >= least


SEQUENCES = {
    "basic, 2 pages": (2, 4, BASIC, ("R", "RW"), False, 300_000),
    "basic with NORESERVE": (3, 3, BASIC, ("N", "R", "RW"), True, 400_000),
    "mremap": (3, 3, ("mmap", "munmap", "write", "mremap", "dontunmap"), ("R", "RW"), False, 2_000_000),
    "locks": (3, 3, (*BASIC, *LOCKS), ("R", "RW"), False, 400_000),
    "shared memory": (3, 3, ("mmap", "munmap", "write", "mremap", "shared"), ("RW",), False, 1_000_000),
    "files and objects": (
        3,
        3,
        ("munmap", "mprotect", "write", "file", "shared", "sharedfile"),
        ("R", "RW"),
        False,
        400_000,
    ),
    "growing down": (4, 3, ("mmap", "read", "memw", "growsdown"), ("N", "R", "RW"), False, 400_000),
    "forced writes": (3, 3, (*BASIC, "memw", "locked"), ("R", "RW"), False, 300_000),
    "everything": (3, 2, EVERYTHING, ("N", "R", "RW", "RX"), True, 400_000),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_every_sequence(name):
    pages, depth, operations, protections, noreserve, least = SEQUENCES[name]
    view, _ = best_view()
    scope = scope_of(pages, operations, protections, noreserve)
    check(conform(KERNEL, scope, depth, real(view), view), least)


STATES = {
    "basic": (3, BASIC, 17_000),
    "moves": (3, (*BASIC, "move"), 100_000),
    "basic, 4 pages": (4, BASIC, 300_000),
}


@pytest.mark.parametrize("name", STATES)
def test_every_call_in_every_state(name):
    pages, operations, least = STATES[name]
    view, _ = best_view()
    found = conform_states(KERNEL, scope_of(pages, operations), 10_000, real(view), view)
    assert "which are all there are" in found.programs
    check(found, least)


@pytest.mark.parametrize("pages", [4, 6])
@pytest.mark.parametrize("view", [BPF, SMAPS], ids=["bpf", "smaps"])
def test_random_programs(view, pages):
    if view is BPF and best_view()[0] is not BPF:
        pytest.skip(f"BPF is not to be had here{best_view()[1]}")
    scope = scope_of(pages, EVERYTHING, ("R", "RW", "RWX"), noreserve=True)
    check(conform_random(KERNEL, scope, 3_000, 40, pages, real(view), view), 120_000)


@pytest.mark.parametrize("view", [BPF, SMAPS], ids=["bpf", "smaps"])
def test_random_programs_with_what_grows_down(view):
    if view is BPF and best_view()[0] is not BPF:
        pytest.skip(f"BPF is not to be had here{best_view()[1]}")
    for operations in (GROWING, ("mmap", "munmap", "mprotect", "write", "read", "memw", "growsdown")):
        scope = scope_of(7, in_order(operations, EVERY_OPERATION), ("N", "R", "RW", "RWX"), noreserve=True)
        check(conform_random(KERNEL, scope, 2_000, 40, 1, real(view), view), 80_000)


def two(view):
    return lambda lines: on_real(LIVE, lines, view, processes=2)


def test_every_sequence_of_two_processes():
    view, _ = best_view()
    scope = Scope(pages=2, protections=("RW", "RWX"), operations=BASIC, processes=2)
    check(conform(KERNEL, scope, 3, two(view), view), 160_000)


@pytest.mark.parametrize("pages", [2, 3])
def test_random_programs_of_two_processes(pages):
    view, _ = best_view()
    operations = (*BASIC, "move", "dontunmap", *LOCKS[::2], "dontfork", "wipeonfork", "guard")
    scope = Scope(
        pages=pages,
        protections=("R", "RW", "RWX"),
        operations=in_order(operations, EVERY_OPERATION),
        noreserve=True,
        processes=2,
    )
    check(conform_random(KERNEL, scope, 2_000, 40, pages, two(view), view), 80_000)


@pytest.mark.parametrize("more", [("growsdown",), ("move", "dontunmap")], ids=["growsdown", "moves"])
def test_random_programs_of_two_processes_with_shared_memory(more):
    view, _ = best_view()
    operations = in_order((*BASIC, "read", "mlock", "file", *OBJECTS, "guard", "wipeonfork", *more), EVERY_OPERATION)
    scope = Scope(pages=4, protections=("N", "R", "RW"), operations=operations, noreserve=True, processes=2)
    check(conform_random(KERNEL, scope, 2_000, 40, 1, two(view), view), 80_000)


# ---- rules that are a little wrong ---------------------------------------------------------------

MODEL = HERE / "linux"
# (name, the file, what it has, what it shall have instead, the calls that it takes)
MUTANTS = [
    ("many: on to the end of what was moved", "patches/mremap_many", "start = vm_end\n", "start = mm.vma[find_vma_prev(mm, vm_end + 1)].vm_end if find_vma_prev(mm, vm_end + 1) != NULL and mm.vma[find_vma_prev(mm, vm_end + 1)].vm_end > vm_end else vm_end\n", ("mmap", "munmap", "move", "dontunmap")),
    ("many: beyond the end of the range", "patches/mremap_many", "(vm_end if vm_end < end else end) - start", "vm_end - start", ("mmap", "move")),
    ("many: gaps at the destination are unmapped", "patches/mremap_many", "    while vma != NULL and start < end", "    do_munmap(mm, new_addr, len)\n    vma = find_vma(mm, start)\n    while vma != NULL and start < end", ("mmap", "munmap", "move")),
    ("sealed, read-only: DONTFORK goes", "patches/guard_regions", "or behavior == MADV_DONTFORK", "or behavior == 0 - 1", ("mmap", "mseal", "dontfork")),
    ("sealed, writable: DONTFORK does not go", "madvise", "return mm.vma[vma].vm_file != NULL or (mm.vma[vma].vm_flags & VM_WRITE) != 0", "return False", ("mmap", "mseal", "dontfork")),
    ("sealed: looked at before the first cut", "mmap", "        __split_vma(mm, vma, start, 1)\n", "        if not can_modify_vma(mm, find_vma(mm, end - 1)):\n            return -EPERM\n        __split_vma(mm, vma, start, 1)\n", ("mmap", "munmap", "mseal")),
    ("the tail of what is locked and moved is not faulted in", "mremap", "if (vm_flags & VM_LOCKED) != 0 and new_len > old_len:", "if False:", ("mmap", "mlock", "mremap")),
    ("nothing is sticky", "patches/sticky", "VM_STICKY = VM_MAYBE_GUARD", "VM_STICKY = 0", ("mmap", "munmap", "guard")),
    ("guards of a file want an anon_vma", "patches/sticky", "if mm.vma[vma].vm_file == NULL:", "if True:", ("mmap", "file", "guard")),
    ("the previous first", "rmap", "    if next != NULL:\n", "    if vma > 1 and reusable_anon_vma(mm, vma - 1, vma - 1, vma) != NULL:\n        return reusable_anon_vma(mm, vma - 1, vma - 1, vma)\n    if next != NULL:\n", BASIC),
    ("accounting does not keep from sharing", "rmap", "VM_EXEC | VM_STICKY", "VM_EXEC | 0x100000 | VM_STICKY", (*BASIC, "guard")),
    ("accounting stays", "mprotect", "return newflags & ~VM_ACCOUNT", "return newflags", BASIC),
    ("accounting goes from what was faulted, too", "mprotect", " and mm.vma[vma].anon_vma == NULL", "", BASIC),
    ("accounting goes from files", "mprotect", "mm.vma[vma].vm_file == NULL and ", "", ("mmap", "mprotect", "file")),
    ("accounting of what is NORESERVE", "mprotect", "VM_SHARED | VM_NORESERVE)) == 0", "VM_SHARED)) == 0", BASIC),
    ("a change to the same", "mprotect", "if newflags == oldflags:", "if False:", (*BASIC, "mseal")),
    ("mprotect passes over holes", "mprotect", "mm.vma[vma].vm_start > nstart", "False", BASIC),
    ("the next wins", "vma", "return not can_merge_left or are_anon_vmas_compatible(mm, mm.vmg_prev, mm.vmg_next)", "if can_merge_left and not are_anon_vmas_compatible(mm, mm.vmg_prev, mm.vmg_next):\n        mm.vmg_prev = NULL\n    return True", BASIC),
    ("not faulted: keeps its offset", "vma", "        pgoff = addr\n", "        pgoff = pgoff + 0\n", ("mmap", "munmap", "move")),
    ("the source that stays keeps its anon_vma", "mremap", "unlink_anon_vmas(mm, vma)", "vma = vma + 0", (*BASIC, "dontunmap")),
    ("the source that stays is locked", "mremap", "mm.vma[vma].vm_flags & ~VM_LOCKED_MASK", "mm.vma[vma].vm_flags", ("mmap", "mlock", "dontunmap")),
    ("a part that moves unlinks, too", "mremap", "if not is_new and mm.vma[vma].vm_start == old_addr and mm.vma[vma].vm_end == old_addr + old_len:", "if not is_new:", (*BASIC, "dontunmap")),
    ("the anon_vma does not come along", "patches/mremap_dup_anon_vma", "if mm.vmg_copied_from != NULL:", "if False:", ("mmap", "munmap", "write", "move")),
    ("mlock faults in up to a hole", "mlock", "    if error != 0:\n        return error\n    error = __mm", "    __mm_populate(mm, start, start + len, True)\n    if error != 0:\n        return error\n    error = __mm", ("mmap", "mlock")),
    ("mlock2 faults in", "mlock", "if mm.vma[vma].vm_flags & VM_LOCKONFAULT:", "if False:", ("mmap", "mlock2")),
    ("locked and made writable: nothing", "mprotect", "populate_vma_page_range(mm, vma, start, end)", "vma = vma + 0", (*BASIC, "mlock")),
    ("madvise stops at a hole", "madvise", "            unmapped_error = -ENOMEM\n", "            return -ENOMEM\n", ("mmap", "dontfork")),
    ("policies are alike", "vma", "mpol_equal(mm.vma[vma].vm_policy, mm.vmg_policy)", "True", ("mmap", "munmap", "mbind")),
    ("a hole is all mbind minds", "mempolicy", "if policy != NULL:", "if True:", ("mmap", "mbind")),
    ("an object for all", "shmem", "if not is_mapped_from(mm, file):", "if file > 0:", ("mmap", "munmap", "shared", "mremap")),
    ("an object grows with its mapping", "shmem", "        return -EFAULT\n", "        return 0\n", ("shared", "mremap")),
    ("an object ends a page later", "shmem", ">= mm.vma[vma].i_size", "> mm.vma[vma].i_size", ("shared", "mremap")),
    ("offsets in an object are addresses", "mmap", "pgoff = 0 if (vm_flags & VM_SHARED) != 0 else addr", "pgoff = addr", ("mmap", "shared")),
    ("shared memory is accounted", "mmap", "(VM_NORESERVE | VM_SHARED | VM_WRITE)", "(VM_NORESERVE | VM_WRITE)", ("mmap", "shared")),
    ("shared memory is accounted when it is written first", "mprotect", "VM_WRITE | VM_SHARED | VM_NORESERVE)", "VM_WRITE | VM_NORESERVE)", ("mmap", "mprotect", "shared")),
    ("a shared page is copied", "fault", "if mm.vma[vma].vm_flags & VM_SHARED:", "if mm.vma[vma].vm_flags & 0:", ("shared", "sharedfile")),
    ("shared memory is deduplicated", "madvise", "vm_flags if (vm_flags & VM_SHARED) != 0 else vm_flags", "vm_flags", ("shared", "mergeable")),
    ("shared memory can be wiped", "madvise", "-EINVAL if file != NULL or (vm_flags & VM_SHARED) != 0 else vm_flags", "vm_flags", ("mmap", "shared", "wipeonfork")),
    ("a shared file is as a private one", "vma", "& ~VM_STICKY) == 0\n        and mm", "& ~(VM_STICKY | 8)) == 0\n        and mm", ("file", "sharedfile")),
    ("of no pages, nothing is mapped again", "patches/mremap_many", "if old_len == 0 and (mm.vma[vma].vm_flags & VM_SHARED) == 0:", "if old_len == 0:", ("shared", "mremap")),
    ("what is mapped again may have been at its destination", "patches/mremap_many", "        error = -EFAULT\n", "        error = -ENOMEM\n", ("shared", "mremap")),
    ("MAP_LOCKED is not faulted in", "mmap", "(MAP_POPULATE | MAP_LOCKED)", "MAP_POPULATE", ("mmap", "locked")),
    ("MAP_LOCKED does not lock", "mmap", "vm_flags = vm_flags | VM_LOCKED", "vm_flags = vm_flags | 0", ("mmap", "locked")),
    ("by force: protections count", "fault", "(VM_SHARED | VM_WRITE)) == VM_SHARED", "VM_WRITE) == 0", ("mmap", "memw")),
    ("by force: into shared memory", "fault", "(VM_SHARED | VM_WRITE)) == VM_SHARED", "0) == 1", ("shared", "memw")),
    ("by force: no anon_vma", "fault", "return 0 if handle_mm_fault(mm, vma, address, True) == 0 else -EIO", "return 0 if handle_mm_fault(mm, vma, address, (mm.vma[vma].vm_flags & VM_WRITE) != 0) == 0 else -EIO", ("mmap", "memw")),
    ("by force: nothing grows", "fault", "    vma = lock_mm_and_find_vma(mm, address)\n    if vma == NULL or (mm", "    vma = find_vma(mm, address)\n    if vma != NULL and mm.vma[vma].vm_start > address:\n        return -EIO\n    if vma == NULL or (mm", ("growsdown", "memw")),
    ("grows: no anon_vma", "fault", "    anon_vma_prepare(mm, vma)\n    grow", "    grow", ("growsdown", "read")),
    ("grows: as a neighbour after it grew", "fault", "    anon_vma_prepare(mm, vma)\n    grow", "    mm.vma[vma].vm_pgoff = mm.vma[vma].vm_pgoff - (mm.vma[vma].vm_start - address)\n    mm.vma[vma].vm_start = address\n    anon_vma_prepare(mm, vma)\n    grow", ("growsdown", "read")),
    ("grows: no gap", "fault", "STACK_GUARD_GAP:\n", "0:\n", ("mmap", "growsdown")),
    ("grows: a gap to all", "fault", " and vma_is_accessible(mm, prev):", ":", ("mmap", "growsdown")),
    ("grows: a gap to its like", "fault", "(mm.vma[prev].vm_flags & VM_GROWSDOWN) == 0 and ", "", ("growsdown",)),
    ("grows: a gap after the anon_vma", "fault", "    prev = vma - 1\n", "    anon_vma_prepare(mm, vma)\n    prev = vma - 1\n", ("mmap", "growsdown")),
    ("grows: offsets stay", "fault", "mm.vma[vma].vm_pgoff - grow", "mm.vma[vma].vm_pgoff", ("growsdown",)),
    ("grows: not by a read", "fault", "    vma = lock_mm_and_find_vma(mm, address)\n    if vma == NULL:\n", "    vma = lock_mm_and_find_vma(mm, address) if write_access else find_vma(mm, address)\n    if vma == NULL or mm.vma[vma].vm_start > address:\n", ("growsdown", "read")),
    ("grows: not if the access is refused", "fault", "    vma = lock_mm_and_find_vma(mm, address)\n    if vma == NULL:\n", "    vma = find_vma(mm, address)\n    if vma != NULL and write_access and (mm.vma[vma].vm_flags & VM_WRITE) == 0:\n        return -EFAULT\n    vma = lock_mm_and_find_vma(mm, address)\n    if vma == NULL:\n", ("growsdown",)),
    ("grows: and is merged", "fault", "    mm.vma[vma].vm_pgoff = mm.vma[vma].vm_pgoff - grow\n", "    mm.vma[vma].vm_pgoff = mm.vma[vma].vm_pgoff - grow\n    if prev != NULL and mm.vma[prev].vm_end == address and mm.vma[prev].vm_flags == mm.vma[vma].vm_flags and mm.vma[prev].anon_vma == NULL:\n        mm.vma[vma].vm_pgoff = mm.vma[prev].vm_pgoff\n        mm.vma[vma].vm_start = mm.vma[prev].vm_start\n        remove_vma(mm, prev)\n", ("growsdown",)),
    ("what grows down is as others", "vma", "& ~VM_STICKY) == 0\n        and mm", "& ~(VM_STICKY | 0x100)) == 0\n        and mm", ("mmap", "growsdown")),
    ("what grows down shares with others", "rmap", "VM_EXEC | VM_STICKY", "VM_EXEC | 0x100 | VM_STICKY", ("mmap", "growsdown")),
    ("grown in place: not with the next", "vma", "    mm.vmg_next = vma_next(mm, vma)\n    return vma_merge_new_range", "    mm.vmg_next = NULL\n    return vma_merge_new_range", ("mmap", "munmap", "mremap")),
]  # fmt: skip


# the same of fork
FORK_MUTANTS = [
    ("used again by a second one", "num_children(mm, anon_vma) < 2 and num_active_vmas(mm, anon_vma) == 0", "num_children(mm, anon_vma) < 2"),
    ("used again by whom it has children", "num_children(mm, anon_vma) < 2 and ", ""),
    ("never used again", "num_children(mm, anon_vma) < 2 and", "False and"),
    ("the newest is used again", "for i in range(CHAIN, 0, -1):", "for i in range(1, CHAIN + 1):"),
    ("always a chain of one", "anon_vma_clone(mm, vma, pvma)\n    if reused == NULL:", "reused = NULL\n    if reused == NULL:"),
    ("locks are inherited", "mm.vma[vma].vm_flags & ~VM_LOCKED_MASK", "mm.vma[vma].vm_flags"),
    ("WIPEONFORK is not minded", "if (mm.vma[vma].vm_flags & VM_WIPEONFORK) == 0:", "if True:"),
    ("DONTFORK is not minded", "if (mm.vma[vma].vm_flags & VM_DONTCOPY) == 0:", "if True:"),
    ("markers of files are not inherited", "mm.vma[vma].anon_vma != NULL or (mm.vma[vma].vm_flags & VM_COPY_ON_FORK) != 0:", "mm.vma[vma].anon_vma != NULL:"),
    ("shared memory is not inherited", "if (mm.vma[vma].vm_flags & VM_DONTCOPY) == 0:", "if (mm.vma[vma].vm_flags & (VM_DONTCOPY | VM_SHARED)) == 0:"),
    ("children are merged with as others", "return mm.vma[vma].link_1 != NULL and mm.vma[vma].link_2 == NULL", "return mm.vma[vma].link_1 != NULL"),
]  # fmt: skip


def mutant(tmp_path, file, old, new):
    """The kernel patched by the functions of the file that change with `new` in place of `old`."""
    text = (MODEL / f"{file}.py").read_text(encoding="utf-8")
    assert text.count(old) >= 1
    changed = text.replace(old, new)
    path = tmp_path / "wrong.py"
    path.write_text("\n\n".join(parts_that_differ(text, changed)) + "\n")
    return f"{KERNEL}+{path}"


def parts_that_differ(one, two):
    """The functions of the second text that differ in the first."""
    known = {ast.unparse(node) for node in ast.parse(one).body}
    return [text for node in ast.parse(two).body if (text := ast.unparse(node)) not in known]


@pytest.mark.parametrize(
    ("file", "old", "new", "operations"), [case[1:] for case in MUTANTS], ids=[case[0] for case in MUTANTS]
)
def test_a_rule_that_is_wrong_is_exposed(tmp_path, file, old, new, operations):
    if best_view()[0] is not BPF:
        pytest.skip(f"BPF is not to be had here{best_view()[1]}")
    # that more pages are faulted in shows in smaps only, if the vma has an anon_vma already
    view = SMAPS if "new_len > old_len" in old else best_view()[0]
    kernel = "linux-6.18" if old.startswith("VM_STICKY") else mutant(tmp_path, file, old, new)
    words = {*operations, "write"}
    protections = ("N", "R", "RW") if "growsdown" in words else ("R", "RW", "RWX")
    scope = scope_of(
        5, tuple(word for word in EVERY_OPERATION if word in words), protections, noreserve="mmap" in words
    )
    found = conform_random(kernel, scope, 400, 30, 1, real(view), view)
    assert found.differences
    assert min(len(way.calls) for way in found.differences.values()) <= 8


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in FORK_MUTANTS], ids=[case[0] for case in FORK_MUTANTS])
def test_a_rule_of_fork_that_is_wrong_is_exposed(tmp_path, old, new):
    view, why = best_view()
    if view is not BPF:
        pytest.skip(f"BPF is not to be had here{why}")
    kernel = mutant(tmp_path, "../worlds/fork_linux", old, new)
    more = {"VM_COPY_ON_FORK": ("read", "file", "guard"), "VM_SHARED": ("shared",)}
    words = next((words for what, words in more.items() if what in new + old), ("mlock", "dontfork", "wipeonfork"))
    operations = in_order((*BASIC, *words), EVERY_OPERATION)
    scope = Scope(pages=3, protections=("RW", "RWX"), operations=operations, noreserve=True, processes=2)
    found = conform_random(kernel, scope, 800, 40, 1, two(view), view)
    if not found.differences:
        # two anon_vmas that could be used again take more forks
        found = conform_random(
            kernel,
            Scope(pages=2, protections=("RW", "RWX"), operations=BASIC, processes=2),
            2_500,
            60,
            3,
            two(view),
            view,
        )
    assert found.differences
