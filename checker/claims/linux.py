# SPDX-License-Identifier: GPL-2.0-only
"""The patch's sentences that still make sense, twenty years on, and their verdicts on current kernels.

Sentences and theorems are those of claims/linux_2_6.py, about linux-6.12, 6.16 and 6.18. anonmm is replaced by
merge-regardless, which merges as if without anon_vmas, and rmap 39 by share-never. Claims about code that is gone are
left out: Andrea's sharing (C6, C11, C12), find_vma_prev in a fault (C13, C17) and the lock that replaced
page_table_lock, with threads (C21, C22, H1).
"""

from vmacheck.checker.claims.growth import LoopGrows
from vmacheck.checker.claims.parts import (
    BOUNDED,
    HOLDS,
    REFUTED,
    Always,
    Can,
    Claim,
    Ends,
    Grows,
    Happens,
    Returns,
    cannot,
    never,
    scope,
    vmas_after,
)
from vmacheck.checker.claims.programs import ascending, fill_holes, longest_list_after, program_1
from vmacheck.checker.kernels.scope import Scope

OLD, MIDDLE, NEW = CURRENT = ("linux-6.12", "linux-6.16", "linux-6.18")
REGARDLESS, NEVER, ALL, FURTHER, PREV_FIRST = (
    f"{NEW}+{patch}" for patch in ("merge-regardless", "share-never", "share-all", "share-further", "share-prev-first")
)
PLAIN, EXEC, MOVE, GUARD = scope(), scope(prot="RW,RWX"), scope(more="move"), scope(more="guard")
MLOCK, MADVISE, SEALS = scope(more="mlock,munlock"), scope(more="madvise"), scope(more="mseal")
MREMAP = scope(2, more="mremap")
RMAP_IS_RIGHT = (
    "rmap_finds_every_page",
    "pages_hang_from_their_vmas_anon_vma",
    "page_index_is_linear",
    "faulted_vmas_are_on_their_list",
    "anon_vmas_are_freed_with_their_last_vma",
    "anon_vma_is_write_once",
    "vmas_are_sorted_and_disjoint",
    "unfaulted_vmas_have_pgoff_of_their_start",
    "nothing_refers_to_a_freed_anon_vma",
)
TWO_PROCESSES = scope(2, prot="RW", forks=True)
CHAINS_ARE_RIGHT = (
    "walks_find_every_mapping",
    "chains_are_well_formed",
    "no_anon_vma_outlives_its_chains",
    "pages_lie_in_vmas_that_have_them_on_their_chain",
)
MOVES_ONLY = Scope(pages=4, protections=("RW",), operations=("mmap", "write", "move"))
MOVE_OF_TWO = "mmap(0,1,RW); mmap(3,1,RW); write(0); write(3); mmap(1,2,RW); mremap(2,2->0)"
SHARING = "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); mmap(1,1,RW)"


def _ends(vmas: int) -> tuple[tuple[str, int], ...]:
    return tuple((kernel, vmas) for kernel in (*CURRENT, NEVER))


CURRENT_CLAIMS = (
    Claim(
        "C1-today",
        "anon_vma rmap will always necessarily be more restrictive about vma merging than before",
        "The boundaries between vmas are a superset of those there would be without anon_vmas, and some program makes"
        " it strict.",
        (
            *(cannot(REGARDLESS, NEW, "layout", s) for s in (PLAIN, EXEC, MOVE)),
            *(Can(kernel, f"{kernel}+merge-regardless", "layout", PLAIN) for kernel in CURRENT),
            *(Can(f"{OLD}+merge-regardless", OLD, by, PLAIN, is_claim=False) for by in ("layout", "vmas")),
        ),
        HOLDS,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C2-today",
        "they are liable to be allocated different anon_vma heads, and from that point on be unmergeable",
        "Pages whose vmas have different anon_vmas keep them, whatever is mprotected, locked, advised or written; only"
        " mapping anew, unmapping or moving ends it.",
        (
            *(never(kernel, "a_page_changes_its_anon_vma_in_place", PLAIN) for kernel in CURRENT),
            *(never(NEW, "a_page_changes_its_anon_vma_in_place", s) for s in (MLOCK, GUARD)),
            Happens(NEW, "places_with_different_anon_vmas_become_one_vma", PLAIN, is_claim=False),
        ),
        HOLDS,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C3-today",
        "mremap refuses (-EFAULT) to span more than a single vma: so it is conceivable that some app has relied on vma"
        " merging prior to mremap in the past, and will now fail with anon_vma",
        "Some move that changes no size fails because of anon_vmas, up to 6.16; and some mremap that grows, on all.",
        (
            Returns(MOVE_OF_TWO, 4, ((OLD, "EFAULT"), (MIDDLE, "EFAULT"), (NEW, 0), (REGARDLESS, 0))),
            Returns(f"{SHARING}; mremap(0,3,4)", 4, (*((k, "EFAULT") for k in CURRENT), (REGARDLESS, 0))),
        ),
        HOLDS,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C4-today",
        "the right answer would be to extend mremap, which should not be exporting the kernel's implementation detail"
        " of vma to user interface",
        "Since 6.17, a move that changes no size never fails where it would succeed without anon_vmas.",
        (
            Can(NEW, REGARDLESS, "result", MOVES_ONLY, wants=False, depth=6),
            Returns(MOVE_OF_TWO, 4, ((OLD, "EFAULT"), (NEW, 0))),
        ),
        BOUNDED,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C5-today",
        "a reasonable repetitive sequence of syscalls and faults ends up with a large number of separate unmergeable"
        " vmas, instead of the single merged vma it could have",
        "Some loop leaves as many vmas as rounds, or half as many, where without anon_vmas there is one.",
        (
            *(LoopGrows(kernel, REGARDLESS, PLAIN) for kernel in (NEW, NEVER)),
            LoopGrows(ALL, REGARDLESS, PLAIN, is_claim=False, wants=False),
            Grows(
                "every other page mapped and written, then the holes filled",
                fill_holes,
                vmas_after,
                "the number of vmas",
                (*((k, "n/2", lambda n: n // 2) for k in CURRENT), *((k, "1", lambda _: 1) for k in (REGARDLESS, ALL))),
            ),
            Grows(
                "map, write, protect, page after page",
                program_1,
                vmas_after,
                "the number of vmas",
                (*((k, "1", lambda _: 1) for k in CURRENT), (NEVER, "n", lambda n: n)),
            ),
        ),
        BOUNDED,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C7-today",
        "There is no perfect solution",
        "After four calls a kernel has either made two vmas share, or loses a merge with the fifth.",
        (
            Ends(SHARING, 3, (*_ends(2), (ALL, 1), (FURTHER, 1))),
            Grows(
                "the first four of those calls",
                lambda _: SHARING.rpartition(";")[0],
                longest_list_after,
                "the longest list",
                (*((k, "1", lambda _: 1) for k in (*CURRENT, NEVER)), *((k, "2", lambda _: 2) for k in (ALL, FURTHER))),
                sizes=(1,),
            ),
        ),
        HOLDS,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C8-today",
        "the harder you try to allow vmas to be merged, the less efficient anon_vma becomes",
        "What shares more can visit more vmas in reclaim's walks. It is not so at every step: merging shortens lists.",
        (
            Can(NEW, NEVER, "walk", EXEC),
            Can(FURTHER, NEW, "walk", PLAIN),
            Can(ALL, NEVER, "walk", PLAIN),
            Can(NEVER, NEW, "walk", EXEC, is_claim=False),
            Grows(
                "n vmas that differ in protection in turn, all mapped, then all written",
                ascending,
                longest_list_after,
                "the longest list",
                ((NEVER, "1", lambda _: 1), *((k, "n", lambda n: n) for k in (*CURRENT, ALL, FURTHER))),
                is_claim=False,
            ),
        ),
        HOLDS,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C9-today",
        "in the extreme there being one to span the whole address space, from which hangs every private vma",
        "The extreme costs walks and no merge: its boundaries are those that there would be without anon_vmas.",
        (
            *(cannot(ALL, REGARDLESS, "layout", s) for s in (PLAIN, EXEC, MOVE)),
            *(cannot(REGARDLESS, ALL, "layout", s) for s in (PLAIN, EXEC)),
            Can(ALL, REGARDLESS, "walk", PLAIN),
        ),
        HOLDS,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C10-today",
        "neighbouring vmas which could be mprotected into mergeable vmas should be allowed to share anon_vma",
        "The test at the first write is complete: it grants sharing wherever some mprotects make the two alike; and"
        " sound: it grants it nowhere else.",
        (
            *(
                never(k, "a_first_write_passes_over_a_neighbour", scope(noreserve=True), is_claim=False)
                for k in CURRENT
            ),
            *(never(k, "a_first_write_passes_over_a_neighbour", GUARD) for k in (MIDDLE, NEW)),
            *(never(k, "a_first_write_takes_a_strangers_anon_vma", scope(prot="R,RW,RWX")) for k in CURRENT),
        ),
        REFUTED,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C14-today",
        "a repetitive sequence of mprotects and faults may otherwise lead to distinct anon_vmas being allocated,"
        " preventing vma merge in subsequent mprotect",
        "Without the sharing there can be more vmas, and never fewer.",
        (
            *(Can(NEVER, NEW, "vmas", s) for s in (PLAIN, EXEC)),
            *(cannot(NEW, NEVER, by, s) for by in ("layout", "vmas") for s in (PLAIN, EXEC)),
        ),
        HOLDS,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C15-today",
        "Since only mprotect tries to remerge vmas",
        "No call but mprotect makes two vmas one that both stay as they are.",
        (*(never(kernel, "another_call_than_mprotect_joins_vmas", PLAIN) for kernel in CURRENT),),
        REFUTED,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C16-today",
        "Neither mlock nor madvise tries to remerge at present, so leave their flags as obstructing a merge",
        "mlock, munlock and madvise never make fewer vmas; and passing over their flags would gain nothing.",
        (
            *(never(kernel, "mlock_or_madvise_merges", MLOCK) for kernel in CURRENT),
            never(NEW, "mlock_or_madvise_merges", MADVISE),
            cannot(NEW, f"{NEW}+share-locked", "vmas", MLOCK),
            cannot(NEW, f"{NEW}+share-advised", "vmas", MADVISE),
        ),
        REFUTED,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C18-today",
        "There's no absolute need to look only at touching neighbours",
        "Searching further afield is safe, with mremap, too: rmap is right.",
        (*(Always(FURTHER, RMAP_IS_RIGHT, s) for s in (PLAIN, EXEC, MOVE)),),
        HOLDS,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C19-today",
        "it would probably just be a waste of time searching, or lead to too many vmas hanging off the same anon_vma",
        "Searching further afield never leaves fewer vmas.",
        (
            *(cannot(NEW, FURTHER, "vmas", s) for s in (PLAIN, EXEC)),
            *(cannot(FURTHER, NEW, "vmas", s, is_claim=False) for s in (PLAIN, EXEC)),
            *(cannot(FURTHER, REGARDLESS, "vmas", s, is_claim=False) for s in (PLAIN, EXEC)),
            Can(FURTHER, NEW, "walk", PLAIN, is_claim=False),
        ),
        REFUTED,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C20-today",
        "near = vma->vm_next; if (!near) goto try_prev;",
        "Neither order, next before previous or the other way round, can have more vmas than the other.",
        (
            *(cannot(NEW, PREV_FIRST, "vmas", s) for s in (PLAIN, EXEC)),
            *(cannot(PREV_FIRST, NEW, "vmas", s) for s in (PLAIN, EXEC)),
        ),
        REFUTED,
        "rmap 40, on current kernels",
    ),
    Claim(
        "C23-today",
        "the vmas on the list will be related by forking, or by splitting",
        "No vma joins the list of a vma that it was not split from.",
        (
            *(never(kernel, "a_first_write_joins_a_list", EXEC) for kernel in CURRENT),
            never(NEVER, "a_first_write_joins_a_list", EXEC, is_claim=False),
        ),
        REFUTED,
        "include/linux/rmap.h",
    ),
    Claim(
        "C24-today",
        "we're guaranteed no page can be pointing to this anon_vma once its vma list is empty",
        "No page refers to an anon_vma that was freed: on 6.12 and 6.18, whatever moves; on 6.16, without mremap.",
        (
            *(Always(k, ("nothing_refers_to_a_freed_anon_vma",), MOVE) for k in (OLD, NEW)),
            *(Always(k, ("nothing_refers_to_a_freed_anon_vma",), s) for k in CURRENT for s in (PLAIN, EXEC)),
            Always(MIDDLE, ("nothing_refers_to_a_freed_anon_vma",), MOVE, is_claim=False),
        ),
        HOLDS,
        "include/linux/rmap.h",
    ),
    Claim(
        "T-SAFE-2-today",
        "mprotect propagate anon_vma",
        "Without mremap, rmap is right.",
        (
            *(Always(kernel, RMAP_IS_RIGHT, s) for kernel in CURRENT for s in (PLAIN, EXEC)),
            *(Always(NEW, RMAP_IS_RIGHT, s) for s in (MLOCK, GUARD)),
        ),
        HOLDS,
        "safety",
    ),
    Claim(
        "T-SAFE-3-today",
        "the same, with mremap",
        "On 6.16, rmap stays right however copy_vma merges what mremap moves.",
        (Always(MIDDLE, RMAP_IS_RIGHT, MOVE), Always(f"{MIDDLE}+mremap-many", RMAP_IS_RIGHT, MOVE)),
        REFUTED,
        "safety",
    ),
    Claim(
        "T-SAFE-4-today",
        "the same, with what mremap moves bringing its anon_vma along",
        "On 6.18 with the fix of January 2026, and on 6.12, which does not merge so, rmap is right with mremap, too.",
        (*(Always(kernel, RMAP_IS_RIGHT, s) for kernel in (OLD, NEW) for s in (MOVE, MREMAP)),),
        BOUNDED,
        "safety",
    ),
    Claim(
        "T-SAFE-5-today",
        "the same, with fork",
        "On 6.18, whichever of two processes forks, writes and exits, walks find every mapping.",
        (Always(NEW, CHAINS_ARE_RIGHT, TWO_PROCESSES),),
        HOLDS,
        "safety",
    ),
)
