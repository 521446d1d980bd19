# SPDX-License-Identifier: GPL-2.0-only
"""The flat reference of current kernels: it holds for every kernel and call, in both runs, and each wrong call breaks it."""

import pytest

from tests.support.helpers import checked, rest, system, vmacheck
from vmacheck.checker.kernels.scope import in_order
from vmacheck.checker.search.outcome import Limits
from vmacheck.checker.search.verdict import check
from vmacheck.model.calls.operations import EVERY_OPERATION

NAME = "pages_match_flat_reference"
KERNELS = ("linux-6.12", "linux-6.16", "linux-6.18", "linux-6.18+sticky")
USUAL = "mmap,munmap,mprotect,write"
# every call, several together where one is to meet the effects of another
GROUPS = {
    "moves": f"{USUAL},move,dontunmap,mlock,mlock2,munlock",
    "resizes": f"{USUAL},mremap,mseal",
    "locked resizes": "mmap,mprotect,write,mremap,mlock",
    "files": "mmap,mprotect,write,file,mremap",
    "guards": "mmap,mprotect,write,read,guard,mlock",
    "moved guards": "mmap,write,guard,move,dontunmap,file",
    "sealed guards": "mmap,mprotect,write,guard,mseal,madvise",
    "heaps": "mmap,munmap,brk,mseal,mbind,populate,write",
    "forks": "mmap,write,dontfork,wipeonfork,file,mseal",
    "hints": "mmap,mprotect,dontdump,mergeable",
    "huge": "mmap,mprotect,hugepage,madvise",
    "shared": "mmap,munmap,mprotect,write,shared,mremap",
    "shared files": "write,sharedfile,file,move,wipeonfork,mlock",
    "shared and locked": "shared,mprotect,mlock,mlock2,guard,mseal",
    "forced": "mmap,mprotect,memw,locked,guard,mseal",
    "grown": "mmap,munmap,write,read,memw,growsdown,brk",
}


def operations(words):
    return in_order(words.split(","), EVERY_OPERATION)


def test_every_call_is_in_a_group():
    assert {word for words in GROUPS.values() for word in words.split(",")} == set(EVERY_OPERATION)


@pytest.mark.parametrize("kernel", rest(pytest.mark.large, sorted(KERNELS, reverse=True)))
@pytest.mark.parametrize("group", GROUPS)
def test_it_holds_for_every_kernel_and_call(kernel, group):
    words = operations(GROUPS[group])
    result = checked(kernel, NAME, pages=2, operations=words, noreserve=group in ("resizes", "hints"))
    # offsets that grow without end are cut; 6.12 knows no guards, so where they are all the advice, none is ever taken
    expected = ("incomplete", False) if "mremap" in words else ("holds", True)
    if kernel == "linux-6.12" and "guard" in words and "madvise" not in words:
        expected = ("vacuous", True)
    assert (result.results[0].verdict, result.search.closed) == expected


@pytest.mark.parametrize(
    ("kernel", "words"),
    rest(
        pytest.mark.large,
        [
            ("linux-6.12", "mmap,munmap,write,mprotect,move"),
            ("linux-6.18", "mmap,munmap,write,mprotect,move"),
            ("linux-6.16", "mmap,write,mprotect,dontunmap"),
            ("linux-6.18", "mmap,munmap,mprotect,move,mseal"),
            ("linux-6.18", "mmap,mlock,dontunmap,write"),
            ("linux-6.18+sticky", "mmap,mprotect,write,guard"),
        ],
        2,
    ),
)
def test_it_holds_at_three_pages(kernel, words):
    result = checked(kernel, NAME, pages=3, operations=operations(words))
    assert (result.results[0].verdict, result.search.closed) == ("holds", True)


@pytest.mark.parametrize("kernel", rest(pytest.mark.slow, ["linux-6.18+sticky", "linux-6.12"]))
@pytest.mark.parametrize("group", ["moves", "resizes", "guards", "heaps", "forks"])
def test_both_runs_say_the_same(kernel, group):
    """Both runs agree on the first states; the interpreted run is slow."""

    def said(run):
        words = operations(GROUPS[group])
        found = checked(kernel, NAME, run=run, limits=Limits(max_states=150), pages=2, operations=words)
        (result,) = found.results
        return result.verdict, result.calls, result.states, result.transitions, found.search.coverage

    assert said("interpreted") == said("compiled")


# ---- it can fail ---------------------------------------------------------------------------------

SEALED = "def can_modify_vma(mm, vma):\n    return True\n"
NO_FAULTS = "def populate_vma_page_range(mm, vma, start, end):\n    return 0\n"
LOOKS_FIRST = (
    "def mremap_to(mm, addr, old_len, new_len, flags, new_addr):\n"
    "    error = check_mremap_params(mm, addr, old_len, new_len, flags, new_addr)\n"
    "    if error == 0:\n        error = vma_to_resize(mm, addr, old_len, new_len, flags)\n"
    "    if error == 0:\n        error = do_munmap(mm, new_addr, new_len)\n"
    "    if error != 0:\n        return error\n"
    "    return move_vma(mm, find_vma(mm, addr), addr, old_len, new_len, flags, new_addr)\n"
)
ONE_ONLY = (
    "def remap_move(mm, addr, len, flags, new_addr):\n"
    "    error = check_prep_vma(mm, addr, len, len, flags)\n    if error != 0:\n        return error\n"
    "    return move_one_vma(mm, addr, len, len, flags, new_addr)\n"
)
ALL_UNMAPPED = (
    "def remap_move(mm, addr, len, flags, new_addr):\n"
    "    vma = find_vma(mm, addr)\n    if vma == NULL or mm.vma[vma].vm_start > addr:\n        return -EFAULT\n"
    "    error = do_munmap(mm, new_addr, len)\n    if error != 0:\n        return error\n"
    "    start = addr\n"
    "    while start < addr + len:\n        vma = find_vma(mm, start)\n"
    "        if vma == NULL or mm.vma[vma].vm_start >= addr + len:\n            return new_addr\n"
    "        if mm.vma[vma].vm_start > start:\n            start = mm.vma[vma].vm_start\n"
    "        end = mm.vma[vma].vm_end if mm.vma[vma].vm_end < addr + len else addr + len\n"
    "        move_vma(mm, vma, start, end - start, end - start, flags, new_addr + (start - addr))\n        start = end\n"
    "    return new_addr\n"
)
NOT_UNLOCKED = "def dontunmap_complete(mm, old_addr, old_len, new_addr):\n    return\n"
NO_GUARDS_MOVED = (
    "def move_page_tables(mm, old_addr, new_addr, len):\n    for offset in range(len):\n"
    "        if mm.page[old_addr + offset].mapcount != 0:\n"
    "            mm.page[new_addr + offset] = mm.page[old_addr + offset]\n"
    "            page_remove_rmap(mm, old_addr + offset)\n"
)
PAST_GUARDS = (
    "def handle_mm_fault(mm, vma, address, write_access):\n    if mm.page[address].mapcount == 0:\n"
    "        return do_no_page(mm, vma, address, write_access)\n    return 0\n"
)
NO_MARKERS = (
    "def madvise_guard_install(mm, vma, start, end):\n    if mm.vma[vma].vm_flags & (VM_SPECIAL | VM_LOCKED):\n"
    "        return -EINVAL\n    prepare_for_guards(mm, vma)\n    zap_page_range(mm, start, end)\n    return vma\n"
)
NOT_REMOVED = "def madvise_guard_remove(mm, vma, start, end):\n    return vma\n"
WRONG_OFFSET = (
    "def link_new_vma(mm, addr, len, vm_flags, file, pgoff):\n    vma = kmem_cache_alloc_vma(mm)\n"
    "    mm.vma[vma].vm_start = addr\n    mm.vma[vma].vm_end = addr + len\n    mm.vma[vma].vm_flags = vm_flags\n"
    "    mm.vma[vma].vm_file = file\n    mm.vma[vma].vm_pgoff = pgoff if file == NULL else addr\n    vma_link(mm, vma)\n"
)
GUARD_FORGOTTEN = (
    "def vma_modify_flags(mm, vma, start, end, vm_flags):\n"
    "    vma = vma_modify(mm, vma, start, end, vm_flags, mm.vma[vma].vm_policy)\n"
    "    if vma > 0:\n        mm.vma[vma].vm_flags = vm_flags & ~VM_MAYBE_GUARD\n    return vma\n"
)
WIPED = "def advised_flags(vm_flags, file, behavior):\n    return vm_flags | VM_WIPEONFORK\n"
GROWS_ANYWHERE = (
    "def expand_vma(mm, addr, old_len, new_len, flags):\n    vma = find_vma(mm, addr)\n"
    "    if (flags & MREMAP_MAYMOVE) == 0:\n        return -ENOMEM\n    new_addr = get_unmapped_area(mm, new_len)\n"
    "    if new_addr < 0:\n        return new_addr\n"
    "    return move_vma(mm, vma, addr, old_len, new_len, flags, new_addr)\n"
)
NOT_PRESENT = (
    "def move_vma(mm, vma, addr, old_len, new_len, flags, new_addr):\n"
    "    pgoff = mm.vma[vma].vm_pgoff + (addr - mm.vma[vma].vm_start)\n"
    "    copy_vma(mm, vma, new_addr, new_len, pgoff, merges_with_source(flags))\n"
    "    move_page_tables(mm, addr, new_addr, old_len)\n    do_munmap(mm, addr, old_len)\n    return new_addr\n"
)
REBASED = (
    "def copy_vma(mm, vma, addr, len, pgoff, with_source):\n    new = vm_area_dup(mm, vma)\n"
    "    mm.vma[new].vm_start = addr\n    mm.vma[new].vm_end = addr + len\n    mm.vma[new].vm_pgoff = addr\n"
    "    anon_vma_clone(mm, new, vma)\n    vma_link(mm, new)\n    x = pgoff + with_source\n"
)
STOPS = "def do_madvise(mm, start, len, behavior):\n    return 0\n"

# (what is wrong, kernel, pages, calls, the function that is)
WRONG = [
    ("mmap over what is sealed", "linux-6.18", 2, "mmap,mseal", SEALED),
    ("mmap that does not populate", "linux-6.18", 2, "mmap,populate", "def mm_populate(mm, start, end):\n    return\n"),
    ("munmap that unmaps nothing", "linux-6.12", 2, "mmap,munmap", "def do_munmap(mm, start, len):\n    return 0\n"),
    ("read of anything", "linux-6.12", 2, "mmap,read", "def do_page_fault(mm, address, write_access):\n    return 0\n"),
    ("write that makes nothing", "linux-6.12", 2, "mmap,write", "def do_no_page(mm, vma, address, write_access):\n    return 0\n"),
    ("a file's offset", "linux-6.18", 2, "mmap,file", WRONG_OFFSET),
    ("move that loses pages", "linux-6.18", 2, "mmap,write,move", "def move_page_tables(mm, old_addr, new_addr, len):\n    return\n"),
    ("move that changes offsets", "linux-6.18", 2, "mmap,write,move", REBASED),
    ("move of one mapping only", "linux-6.18", 4, "mmap,move", ONE_ONLY),
    ("move that unmaps what lies at its holes", "linux-6.18+sticky", 6, "mmap,move", ALL_UNMAPPED),
    ("6.12 that looks before it unmaps", "linux-6.12", 4, "mmap,move", LOOKS_FIRST),
    ("move over what is sealed", "linux-6.18", 2, "mmap,move,mseal", SEALED),
    ("dontunmap that unlocks nothing", "linux-6.18", 2, "mmap,dontunmap,mlock2", NOT_UNLOCKED),
    ("dontunmap that unmaps", "linux-6.12", 2, "mmap,dontunmap", NOT_PRESENT),
    ("mremap that finds no room", "linux-6.18", 3, "mmap,mremap", "def get_unmapped_area(mm, len):\n    return -ENOMEM\n"),
    ("mremap that does not grow in place", "linux-6.18", 2, "mmap,mremap", GROWS_ANYWHERE),
    ("mremap that refuses", "linux-6.16", 2, "mmap,mremap", "def check_mremap_params(mm, addr, old_len, new_len, flags, new_addr):\n    return -EINVAL\n"),
    ("mremap that leaves what is new of a locked vma", "linux-6.18", 3, "mmap,mlock,mremap", NOT_PRESENT),
    ("mlock that faults in nothing", "linux-6.18", 2, "mmap,mlock", NO_FAULTS),
    ("mprotect that faults in nothing", "linux-6.12", 2, "mmap,mprotect,mlock", "def populate_vma_page_range(mm, vma, start, end):\n    return -EFAULT if (mm.vma[vma].vm_flags & 7) == 0 else 0\n"),
    ("mlock2 that locks at once", "linux-6.12", 2, "mmap,mlock2", "def sys_mlock2(mm, start, len, flags):\n    return do_mlock(mm, start, len, VM_LOCKED)\n"),
    ("munlock of nothing", "linux-6.12", 2, "mmap,mlock,munlock", "def sys_munlock(mm, start, len):\n    return 0\n"),
    ("mseal of nothing", "linux-6.12", 2, "mmap,mseal", "def do_mseal(mm, start, len):\n    return 0\n"),
    ("mbind over holes", "linux-6.12", 2, "mmap,mbind", "def queue_pages_range(mm, start, end, policy):\n    return True\n"),
    ("brk that does nothing", "linux-6.18", 2, "mmap,brk", "def sys_brk(mm, brk):\n    mm.brk = brk\n    return brk\n"),
    ("madvise that ends at once", "linux-6.18", 2, "mmap,madvise", STOPS),
    ("dontfork", "linux-6.18", 2, "mmap,dontfork", STOPS),
    ("wipeonfork of a file", "linux-6.12", 2, "mmap,wipeonfork,file", WIPED),
    ("dontdump", "linux-6.12", 2, "mmap,dontdump", STOPS),
    ("mergeable", "linux-6.12", 2, "mmap,mergeable", STOPS),
    ("hugepage", "linux-6.12", 2, "mmap,hugepage", STOPS),
    ("discarding what is sealed", "linux-6.18", 2, "mmap,mseal,madvise", "def can_madvise_modify(mm, vma, behavior):\n    return True\n"),
    ("guards without markers", "linux-6.18", 2, "mmap,guard", NO_MARKERS),
    ("guards that stay", "linux-6.18", 2, "mmap,guard", NOT_REMOVED),
    ("guards that let past", "linux-6.16", 2, "mmap,guard,read,write", PAST_GUARDS),
    ("guards that are not moved", "linux-6.18", 2, "mmap,guard,move", NO_GUARDS_MOVED),
    ("guards that a mapping forgets", "linux-6.18+sticky", 2, "mmap,guard,mprotect", GUARD_FORGOTTEN),
    ("guards that a mapping does not tell of", "linux-6.18+sticky", 2, "mmap,guard", "def prepare_for_guards(mm, vma):\n    anon_vma_prepare(mm, vma)\n"),
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "pages", "words", "text"), [case[1:] for case in WRONG], ids=[c[0] for c in WRONG])
def test_a_wrong_call_breaks_it(kernel, pages, words, text, tmp_path):
    (tmp_path / "wrong.py").write_text(text)
    broken = system(f"{kernel}+{tmp_path / 'wrong.py'}", pages, (NAME,), operations=operations(words))
    # few states are enough but where it takes many pages: no compiler is needed
    run = "interpreted" if pages < 5 else "compiled"
    assert check(broken, (NAME,), Limits(max_states=20_000), run).results[0].verdict == "violated"


def test_every_kind_of_call_is_wrong_once():
    of_memory = {"shared", "sharedfile", "locked", "growsdown", "memw"}  # in test_modern_memory.py
    assert {word for case in WRONG for word in case[3].split(",")} == set(EVERY_OPERATION) - of_memory


def test_it_is_part_of_every_check():
    code, out, _ = vmacheck("check", "linux-6.18", "--pages", "2", "--ops", "mmap,mseal,dontunmap")
    assert code in (0, 1, 4)
    assert f"{NAME}: holds for programs of any length" in out
