# SPDX-License-Identifier: GPL-2.0-only
"""The claims of the patch "rmap 40 better anon_vma sharing", C1 to C24; what it must not break, T-SAFE-1 to 4; and H1.

The sentences are from the patch, and from the comments that it adds or leaves in place; the theorems are those of
docs/rules-2.6.md section 7. Policies are compared with the importer fix on both sides.
"""

from vmacheck.checker.claims.growth import LoopGrows
from vmacheck.checker.claims.parts import (
    BOUNDED,
    HOLDS,
    REFUTED,
    Always,
    Breaks,
    Can,
    Claim,
    Ends,
    EndsInThreads,
    Grows,
    Happens,
    NotChecked,
    cannot,
    never,
    scope,
    vmas_after,
)
from vmacheck.checker.claims.programs import (
    AT_ONCE,
    HUGHS_PROGRAM_2,
    ONE_BY_ONE,
    alternating,
    ascending,
    descending,
    fill_holes,
    find_vma_prevs,
    longest_list_after,
    program_1,
    program_2,
)

RMAP39, RMAP40 = "rmap39+importer", "rmap40+importer"
ANDREA, ANDREA_AA, ANDREA_RWX = "andrea+importer", "andrea-aa+importer", "andrea-rwx+importer"
ONE, FURTHER = "one-per-mm+importer", "further-afield+importer"
POLICIES = (RMAP39, ANDREA_AA, ANDREA, ANDREA_RWX, RMAP40, ONE, FURTHER)
ON_ONE_ENGINE = tuple(kernel for kernel in POLICIES if kernel != ANDREA_AA)
NEIGHBOURLY = (RMAP39, ANDREA_AA, ANDREA, ANDREA_RWX, RMAP40)
PLAIN, EXEC = scope(), scope(prot="RW,RWX")
MOVE, MOVE_4, MREMAP = scope(more="move"), scope(4, more="move"), scope(more="mremap")
MLOCK, MADVISE = scope(more="mlock,munlock"), scope(more="madvise")
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
TWO, THREE = scope(many=2), scope(many=3)
BOTH, STACK = scope(2, more="fork", many=2), scope(more="stack", many=2)
LOST_RACE = ("no_anon_vma_is_left_behind", "no_vma_has_a_freed_anon_vma", "kernel_bug_is_never_hit")
ON_ONE_LIST = ("vmas_end_on_the_list_of_their_anon_vma", "lists_are_whole_when_nobody_joins_them")


# ---- the claims ----------------------------------------------------------------------------------

CLAIMS = (
    Claim(
        "C1",
        "anon_vma rmap will always necessarily be more restrictive about vma merging than before",
        "Under every policy with anonmm's way to merge, the boundaries between vmas are a superset of anonmm's, and"
        " some program makes it strict.",
        (
            *(cannot("anonmm", kernel, "layout", s) for kernel in ON_ONE_ENGINE for s in (PLAIN, EXEC)),
            *(cannot("anonmm", RMAP40, "layout", s) for s in (MOVE, MLOCK, MADVISE, scope(more="mbind"))),
            *(cannot("anonmm", ANDREA_AA, "layout", s, is_claim=False) for s in (PLAIN, EXEC)),
            *(cannot("anonmm", kernel, "layout", scope(4)) for kernel in (RMAP39, RMAP40)),
            *(Can(kernel, "anonmm", "layout", MOVE) for kernel in ON_ONE_ENGINE),
            *(Can(kernel, "anonmm", "vmas", PLAIN, is_claim=False) for kernel in (RMAP39, ANDREA, RMAP40)),
            *(Can(kernel, "anonmm", "vmas", MLOCK, is_claim=False) for kernel in (RMAP39, RMAP40)),
            *(cannot(ONE, "anonmm", "vmas", s, is_claim=False) for s in (PLAIN, EXEC, scope(4))),
            Can("anonmm", ANDREA_AA, "layout", MADVISE, is_claim=False),
        ),
        HOLDS,
    ),
    Claim(
        "C2",
        "they are liable to be allocated different anon_vma heads, and from that point on be unmergeable",
        "Pages whose vmas have different anon_vmas keep them, whatever is mprotected, locked, advised or written; only"
        " mapping anew, unmapping or moving ends it.",
        (
            *(never(kernel, "a_page_changes_its_anon_vma_in_place", PLAIN) for kernel in POLICIES),
            never(RMAP40, "a_page_changes_its_anon_vma_in_place", scope(more="mlock,munlock,madvise")),
            Happens(RMAP40, "places_with_different_anon_vmas_become_one_vma", PLAIN, is_claim=False),
            Happens("rmap40", "a_page_changes_its_anon_vma_in_place", PLAIN, is_claim=False),
        ),
        HOLDS,
    ),
    Claim(
        "C3",
        "mremap refuses (-EFAULT) to span more than a single vma: so it is conceivable that some app has relied on vma"
        " merging prior to mremap in the past, and will now fail with anon_vma",
        "Some program has equal results up to a last mremap, which fails under the policy and succeeds under anonmm.",
        (
            *(Can(kernel, "anonmm", "result", MREMAP) for kernel in POLICIES),
            *(
                Can(k, "anonmm", "result", MREMAP, no_mremap_before=True)
                for k in (RMAP39, ANDREA_AA, ANDREA, ANDREA_RWX, RMAP40)
            ),
            *(cannot(k, "anonmm", "result", MREMAP, False, no_mremap_before=True) for k in (ONE, FURTHER)),
            Can(RMAP39, RMAP40, "result", MREMAP, is_claim=False),
            Can(ANDREA, RMAP40, "result", MREMAP, is_claim=False),
        ),
        HOLDS,
    ),
    Claim(
        "C4",
        "the right answer would be to extend mremap, which should not be exporting the kernel's implementation detail"
        " of vma to user interface",
        "An mremap that works through touching vmas that are alike never fails where anonmm's succeeds.",
        (
            cannot(f"{RMAP40}+copy-vma-import+extend-mremap", "anonmm", "result", MOVE_4),
            *(cannot(f"{kernel}+extend-mremap", "anonmm", "result", MREMAP) for kernel in ON_ONE_ENGINE),
        ),
        BOUNDED,
    ),
    Claim(
        "C5",
        "a reasonable repetitive sequence of syscalls and faults ends up with a large number of separate unmergeable"
        " vmas, instead of the single merged vma it could have",
        "Some loop leaves as many vmas as rounds, or half as many, where anonmm has one.",
        (
            *(LoopGrows(kernel, "anonmm", PLAIN) for kernel in (RMAP39, ANDREA, RMAP40)),
            *(LoopGrows(kernel, "anonmm", PLAIN, is_claim=False, wants=False) for kernel in (ONE, FURTHER)),
            Grows(
                "map, write, protect, page after page",
                program_1,
                vmas_after,
                "the number of vmas",
                (
                    (RMAP39, "n", lambda n: n),
                    *((k, "1", lambda _: 1) for k in ("anonmm", ANDREA_AA, ANDREA, RMAP40, ONE, FURTHER)),
                ),
            ),
            Grows(
                "every other page mapped and written, then the holes filled",
                fill_holes,
                vmas_after,
                "the number of vmas",
                (
                    *((k, "n/2", lambda n: n // 2) for k in NEIGHBOURLY),
                    *((k, "1", lambda _: 1) for k in ("anonmm", ONE, FURTHER)),
                ),
            ),
            Grows(
                "every other page of a reservation written while the others are read-only",
                program_2,
                vmas_after,
                "the number of vmas",
                (
                    *((k, "n/2", lambda n: n // 2) for k in (RMAP39, ANDREA, RMAP40)),
                    *((k, "1", lambda _: 1) for k in ("anonmm", ONE, FURTHER)),
                ),
            ),
        ),
        BOUNDED,
    ),
    Claim(
        "C6",
        "Andrea's mprotect-vma-merging patch fixed some such instances, but left other plausible cases unmerged",
        "Some program has fewer vmas under Andrea's sharing than under rmap39, and some has more than under rmap40.",
        (
            *(Can(RMAP39, ANDREA, "vmas", s) for s in (PLAIN, EXEC)),
            *(Can(ANDREA, RMAP40, "vmas", s) for s in (PLAIN, EXEC)),
            Ends(
                HUGHS_PROGRAM_2,
                4,
                ((RMAP39, 2), (ANDREA_AA, 2), (ANDREA, 2), ("anonmm", 1), (RMAP40, 1), (ONE, 1), (FURTHER, 1)),
                name="Hugh Dickins' second test",
            ),
        ),
        HOLDS,
    ),
    Claim(
        "C7",
        "There is no perfect solution",
        "After four calls each of the policies here has either made two vmas share, or loses a merge with the fifth.",
        (
            Ends(
                "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); mmap(1,1,RW)",
                3,
                (("anonmm", 1), *((k, 2) for k in NEIGHBOURLY), (ONE, 1), (FURTHER, 1)),
            ),
            Grows(
                "the first four of those calls",
                lambda _: "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2)",
                longest_list_after,
                "the longest list",
                (
                    *((k, "1", lambda _: 1) for k in NEIGHBOURLY),
                    *((k, "2", lambda _: 2) for k in (ONE, FURTHER)),
                ),
                sizes=(1,),
            ),
        ),
        HOLDS,
    ),
    Claim(
        "C8",
        "the harder you try to allow vmas to be merged, the less efficient anon_vma becomes",
        "A policy that shares more can visit more vmas in reclaim's walks. It is not so at every step: merging shortens"
        " lists.",
        (
            Can(RMAP40, RMAP39, "walk", EXEC),
            Can(FURTHER, RMAP40, "walk", PLAIN),
            Can(ONE, RMAP39, "walk", PLAIN),
            Can(ANDREA, RMAP40, "walk", PLAIN),
            Can(RMAP39, RMAP40, "walk", EXEC, is_claim=False),
            Can(RMAP39, RMAP40, "walk", PLAIN, is_claim=False),
            cannot(RMAP40, FURTHER, "walk", PLAIN, is_claim=False),
            Grows(
                "n vmas that differ in protection in turn, all mapped, then all written",
                ascending,
                longest_list_after,
                "the longest list",
                (
                    *((k, "1", lambda _: 1) for k in (RMAP39, ANDREA)),
                    *((k, "n", lambda n: n) for k in (RMAP40, ONE, FURTHER)),
                ),
                is_claim=False,
            ),
            Grows(
                "n vmas that differ in protection in turn, each mapped and written",
                alternating,
                longest_list_after,
                "the longest list",
                (
                    (RMAP39, "1", lambda _: 1),
                    *((k, "n", lambda n: n) for k in (ANDREA, RMAP40, ONE, FURTHER)),
                ),
                is_claim=False,
            ),
        ),
        HOLDS,
    ),
    Claim(
        "C9",
        "in the extreme there being one to span the whole address space, from which hangs every private vma; but anonmm"
        " rmap is clearly superior to that extreme",
        "anonmm never has a boundary that the extreme has not, and never visits more in its walks (where memory moves:"
        " with the repair of copy_vma, without which the extreme does not find its pages).",
        (
            *(cannot("anonmm", ONE, by, s) for by in ("layout", "walk", "lookups") for s in (PLAIN, EXEC)),
            *(cannot("anonmm", f"{ONE}+copy-vma-import", by, MOVE) for by in ("layout", "walk", "lookups")),
            Can(ONE, "anonmm", "walk", PLAIN),
            Can(ONE, "anonmm", "layout", MOVE),
            NotChecked(
                "moving a page that is shared across fork costs anonmm a copy, and the extreme none",
                "the second process here has no mremap",
                is_claim=False,
            ),
        ),
        HOLDS,
    ),
    Claim(
        "C10",
        "neighbouring vmas which could be mprotected into mergeable vmas should be allowed to share anon_vma",
        "The test at the first write is complete: it grants sharing wherever some mprotects make the two alike; and"
        " sound: it grants it nowhere else.",
        (
            never(RMAP40, "a_first_write_passes_over_a_neighbour", scope(prot="R,RW", noreserve=True)),
            never(RMAP40, "a_first_write_passes_over_a_neighbour", scope(4), is_claim=False),
            Ends(
                "mmap(0,1,RW); mmap(1,1,RW,NORESERVE); mprotect(1,1,R); mprotect(1,1,RW)",
                2,
                ((RMAP40, 1),),
                name="without the writes, the two that were passed over can be mprotected into one: this",
                is_claim=False,
            ),
            never(RMAP40, "a_first_write_takes_a_strangers_anon_vma", scope(prot="R,RW,RWX", noreserve=True)),
        ),
        REFUTED,
    ),
    Claim(
        "C11",
        "His implementation was to arrange this sharing when trying vma merge, but that seems to be too early",
        "Sharing at try-to-merge time can lose a merge that no sharing at all keeps.",
        (*(Can(ANDREA, RMAP39, "vmas", s) for s in (PLAIN, EXEC)),),
        HOLDS,
    ),
    Claim(
        "C12",
        "implements it in anon_vma_prepare, when handling the first write fault on a private vma: with better results",
        "For every program, rmap40 ends with no more vmas than Andrea's sharing.",
        (
            *(cannot(RMAP40, ANDREA, "vmas", s) for s in (PLAIN, EXEC)),
            cannot(RMAP40, ANDREA_AA, "vmas", PLAIN, is_claim=False),
            *(cannot(RMAP40, k, "vmas", MLOCK, is_claim=False) for k in (ANDREA, ANDREA_RWX)),
            *(Can(ANDREA, RMAP40, "vmas", s, is_claim=False) for s in (PLAIN, EXEC)),
        ),
        REFUTED,
    ),
    Claim(
        "C13",
        "The drawback is that this first write fault needs an extra find_vma_prev",
        "A fault looks up the previous vma only when a vma gets its anon_vma, and not where the next one answers: n"
        " times for n vmas written upwards, once downwards.",
        (
            Grows(
                "n touching vmas, written upwards",
                ascending,
                find_vma_prevs,
                "the number of look-ups",
                ((RMAP40, "n", lambda n: n), (RMAP39, "0", lambda _: 0)),
            ),
            Grows(
                "n touching vmas, written downwards",
                descending,
                find_vma_prevs,
                "the number of look-ups",
                ((RMAP40, "1", lambda _: 1),),
            ),
            Can(RMAP40, RMAP39, "find_vma_prev", PLAIN),
            never(RMAP40, "find_vma_prev_without_a_new_anon_vma", scope(more="mlock,munlock")),
        ),
        BOUNDED,
    ),
    Claim(
        "C14",
        "a repetitive sequence of mprotects and faults may otherwise lead to distinct anon_vmas being allocated,"
        " preventing vma merge in subsequent mprotect",
        "With the importer fix under both, rmap39 can have more vmas than rmap40, and never the other way round.",
        (
            *(Can(RMAP39, RMAP40, "vmas", s) for s in (PLAIN, EXEC, MADVISE)),
            *(cannot(RMAP40, RMAP39, by, s) for by in ("layout", "vmas") for s in (PLAIN, EXEC, scope(4), MOVE)),
            *(cannot(RMAP40, RMAP39, "layout", s) for s in (MLOCK, MADVISE, scope(noreserve=True))),
            Can("rmap40", "rmap39", "vmas", PLAIN, is_claim=False),
        ),
        HOLDS,
    ),
    Claim(
        "C15",
        "Since only mprotect tries to remerge vmas",
        "No call but mprotect makes two vmas one that both stay as they are.",
        (never(RMAP40, "another_call_than_mprotect_joins_vmas", PLAIN),),
        REFUTED,
    ),
    Claim(
        "C16",
        "Neither mlock nor madvise tries to remerge at present, so leave their flags as obstructing a merge",
        "mlock, munlock and madvise never make fewer vmas; and passing over their flags would gain nothing.",
        (
            never(RMAP40, "mlock_or_madvise_merges", scope(more="mlock,munlock,madvise")),
            cannot(RMAP40, "rmap40+ignore-locked+importer", "vmas", MLOCK),
            cannot(RMAP40, "rmap40+ignore-hints+importer", "vmas", MADVISE),
        ),
        REFUTED,
    ),
    Claim(
        "C17",
        "if (find_vma_prev(vma->vm_mm, vma->vm_start, &near) != vma) BUG();",
        "In every interleaving, also with a stack that grows in another thread, the look-up finds the vma.",
        (
            Always("rmap40", ("kernel_bug_is_never_hit",), STACK),
            Always("rmap40", ("kernel_bug_is_never_hit",), scope(4), is_claim=False),
            Breaks(RMAP40, "pages_are_found_through_their_anon_vma", STACK, is_claim=False),
        ),
        HOLDS,
    ),
    Claim(
        "C18",
        "There's no absolute need to look only at touching neighbours",
        "Searching further afield is safe, without mremap: rmap is right.",
        (*(Always(FURTHER, RMAP_IS_RIGHT, s) for s in (PLAIN, EXEC, scope(4))),),
        HOLDS,
    ),
    Claim(
        "C19",
        "it would probably just be a waste of time searching, or lead to too many vmas hanging off the same anon_vma",
        "Searching further afield never leaves fewer vmas.",
        (
            *(cannot(RMAP40, FURTHER, "vmas", s) for s in (PLAIN, EXEC)),
            *(cannot(FURTHER, RMAP40, "vmas", s, is_claim=False) for s in (PLAIN, EXEC)),
            *(cannot(FURTHER, RMAP40, "layout", s, is_claim=False) for s in (scope(4), MOVE)),
            *(cannot(FURTHER, "anonmm", "vmas", s, is_claim=False) for s in (PLAIN, EXEC, scope(4))),
            Can(FURTHER, "anonmm", "vmas", MLOCK, is_claim=False),
            cannot(ONE, "anonmm", "vmas", MLOCK, is_claim=False),
            Can(FURTHER, RMAP40, "walk", PLAIN, is_claim=False),
            *(cannot(FURTHER, ONE, "vmas", s, is_claim=False) for s in (PLAIN, EXEC, scope(4))),
        ),
        REFUTED,
    ),
    Claim(
        "C20",
        "near = vma->vm_next; if (!near) goto try_prev;",
        "Neither order, next before previous or the other way round, can have more vmas than the other.",
        (
            *(cannot(RMAP40, f"{RMAP40}+prev-first", "vmas", s) for s in (PLAIN, EXEC)),
            *(cannot(f"{RMAP40}+prev-first", RMAP40, "vmas", s) for s in (PLAIN, EXEC)),
        ),
        REFUTED,
    ),
    Claim(
        "C21",
        "page_table_lock to protect against threads",
        "Every vma ends on one list, once, however threads interleave, of one process or of two that share the list.",
        (
            Always("rmap40", ON_ONE_LIST, THREE),
            Always("rmap40", ("kernel_bug_is_never_hit", *ON_ONE_LIST), BOTH),
            Always("linux-2.6.8", ("kernel_bug_is_never_hit", *ON_ONE_LIST), BOTH, is_claim=False),
        ),
        REFUTED,
    ),
    Claim(
        "C22",
        "if (unlikely(allocated)) anon_vma_free(allocated);",
        "Whoever loses the race frees only the anon_vma that it allocated itself.",
        (
            Always("rmap40", LOST_RACE, THREE),
            Happens("rmap40", "a_fault_comes_too_late", TWO),
            Always(RMAP40, ("anon_vmas_are_freed_with_their_last_vma",), scope(4), is_claim=False),
        ),
        HOLDS,
    ),
    Claim(
        "C23",
        "the vmas on the list will be related by forking, or by splitting",
        "No vma joins the list of a vma that it was not split from.",
        (never(RMAP40, "a_first_write_joins_a_list", EXEC), never(RMAP39, "a_first_write_joins_a_list", EXEC, False)),
        REFUTED,
        "include/linux/rmap.h, left as it was",
    ),
    Claim(
        "C24",
        "we're guaranteed no page can be pointing to this anon_vma once its vma list is empty",
        "No page refers to an anon_vma that was freed.",
        (
            Always("rmap40", ("nothing_refers_to_a_freed_anon_vma",), PLAIN),
            Always(RMAP40, ("nothing_refers_to_a_freed_anon_vma",), scope(4), is_claim=False),
            Always(RMAP40, ("nothing_refers_to_a_freed_anon_vma",), MOVE, is_claim=False),
        ),
        REFUTED,
        "include/linux/rmap.h, left as it was",
    ),
    Claim(
        "T-SAFE-1",
        "the tree as it was posted",
        "Without the importer fix, rmap finds every page.",
        (*(Always(k.split("+")[0], ("rmap_finds_every_page",), PLAIN) for k in POLICIES),),
        REFUTED,
        "safety",
    ),
    Claim(
        "T-SAFE-2",
        "mprotect propagate anon_vma",
        "With the importer fix, and without mremap, rmap is right.",
        (
            *(Always(kernel, RMAP_IS_RIGHT, s) for kernel in POLICIES for s in (PLAIN, EXEC)),
            Always(RMAP40, RMAP_IS_RIGHT, scope(more="mlock,munlock,madvise")),
            *(Always(RMAP40, RMAP_IS_RIGHT, scope(more=more)) for more in ("brk", "mbind", "file")),
        ),
        HOLDS,
        "safety",
    ),
    Claim(
        "T-SAFE-3",
        "the same, with mremap",
        "With the importer fix, rmap stays right however copy_vma merges what mremap moves.",
        (*(Always(k, RMAP_IS_RIGHT, MREMAP) for k in (RMAP39, RMAP40, "linux-2.6.8")),),
        REFUTED,
        "safety",
    ),
    Claim(
        "T-SAFE-4",
        "the same, with copy_vma importing as mprotect does",
        "If what takes in moved pages gets their anon_vma, rmap is right with mremap, too.",
        (
            Always("linux-2.6.8+copy-vma-import", RMAP_IS_RIGHT, MOVE),
            Always("linux-2.6.8+copy-vma-import", RMAP_IS_RIGHT, MREMAP),
            *(Always(f"{k}+copy-vma-import", RMAP_IS_RIGHT, MOVE, is_claim=False) for k in (RMAP39, FURTHER)),
        ),
        BOUNDED,
        "safety",
    ),
    Claim(
        "H1",
        "two threads first-faulting adjacent vmas",
        "Each order of two first faults shares an anon_vma; together they can leave two, and vmas that nothing merges.",
        (
            Always("linux-2.6.8", ("faults_share_with_their_neighbours",), scope(prot="RW,RWX", many=1)),
            Breaks("linux-2.6.8", "faults_share_with_their_neighbours", scope(prot="RW,RWX", many=2)),
            EndsInThreads(AT_ONCE, "linux-2.6.8", 2, 2),
            EndsInThreads(ONE_BY_ONE, "linux-2.6.8", 2, 1),
        ),
        HOLDS,
        "docs/rules-2.6.md section 5",
    ),
)
