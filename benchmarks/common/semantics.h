/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The benchmark's address space of VN pages, for C programs. A page is one byte, a cell: 0 unmapped, otherwise its
 * protection in the low two bits, R or RW, and its anon_vma above them, 0 while it has none. A vma is a maximal run of
 * equal cells. Operations take a page range [start, end) and a state that tidy() has left.
 */
#include <stdbool.h>

#pragma GCC optimize("no-tree-loop-distribute-patterns") /* the ranges are too short for calls of memset */

typedef unsigned char cell;
enum { UNMAPPED = 0, R = 1, RW = 3, PROT = 3, ANON_SHIFT = 2 };

static inline bool same_prot(cell a, cell b)
{
	return !((a ^ b) & PROT);
}

/* One protection, and one anon_vma or none on either side. */
static inline bool mergeable(cell a, cell b)
{
	return same_prot(a, b) && (a == b || a <= PROT || b <= PROT);
}

/* Merge neighbours from left to right, then number the anon_vmas by first appearance. */
static inline void tidy(cell *pages)
{
	cell number[VN + 1] = { 0 }, numbered = 0;

	for (int start = 0, end; start < VN; start = end) {
		cell vma = pages[start];

		for (end = start + 1; end < VN && mergeable(vma, pages[end]); end++)
			vma |= pages[end];
		if (vma > PROT) {
			cell *anon = &number[vma >> ANON_SHIFT];

			if (!*anon)
				*anon = ++numbered;
			vma = (vma & PROT) | *anon << ANON_SHIFT;
		}
		for (int page = start; page < end; page++)
			pages[page] = vma;
	}
}

static inline void fill(cell *pages, int start, int end, cell value)
{
	for (int page = start; page < end; page++)
		pages[page] = value;
	tidy(pages);
}

static inline void map(cell *pages, int start, int end, cell prot)
{
	fill(pages, start, end, prot);
}

static inline bool can_unmap(const cell *pages, int start, int end)
{
	for (int page = start; page < end; page++)
		if (pages[page])
			return true;
	return false;
}

static inline void unmap(cell *pages, int start, int end)
{
	fill(pages, start, end, UNMAPPED);
}

static inline bool can_protect(const cell *pages, int start, int end)
{
	for (int page = start; page < end; page++)
		if (!pages[page])
			return false;
	return true;
}

static inline void protect(cell *pages, int start, int end, cell prot)
{
	for (int page = start; page < end; page++)
		pages[page] = (pages[page] & ~PROT) | prot;
	tidy(pages);
}

static inline bool can_fault(const cell *pages, int page)
{
	return pages[page] == RW;
}

/* The vma takes the anon_vma of the next one, else of the one before, else a new one. */
static inline void fault(cell *pages, int page)
{
	int start = page, end = page + 1;
	cell anon = 0;

	while (start > 0 && pages[start - 1] == RW)
		start--;
	while (end < VN && pages[end] == RW)
		end++;
	if (end < VN)
		anon = pages[end] >> ANON_SHIFT;
	if (!anon && start > 0)
		anon = pages[start - 1] >> ANON_SHIFT;
	if (!anon) {
		for (int other = 0; other < VN; other++)
			if (pages[other] >> ANON_SHIFT > anon)
				anon = pages[other] >> ANON_SHIFT;
		anon++;
	}
	fill(pages, start, end, RW | anon << ANON_SHIFT);
}

/* Holds everywhere: no two neighbours could merge. */
static inline bool inv(const cell *pages)
{
	for (int page = 1; page < VN; page++)
		if (pages[page] != pages[page - 1] && mergeable(pages[page - 1], pages[page]))
			return false;
	return true;
}

/* Broken in five operations: no two neighbours differ in their anon_vma alone. */
static inline bool frag(const cell *pages)
{
	for (int page = 1; page < VN; page++)
		if (pages[page] != pages[page - 1] && same_prot(pages[page - 1], pages[page]))
			return false;
	return true;
}
