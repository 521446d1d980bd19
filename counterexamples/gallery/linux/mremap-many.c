// SPDX-License-Identifier: GPL-2.0-only
/*
 * A move to a fixed place takes many vmas along (6.17). Before, it was refused, as the patch's author
 * regretted (C3, C4).
 *
 * mmap(0,1,RW); mmap(1,1,R); mremap(0,2->2)
 *
 * The picture behind each call is the address space after it on the model kernel linux-6.18: one cell
 * a page: . hole, - mapped but not writable, o writable; A and a the same in a vma with anon_vma A; |
 * a vma starts.
 *
 * A program sees where a vma starts and ends and what it allows, and which pages are its own.
 *
 * There is no control: nothing can be left out that leaves the same mapped and allowed in fewer vmas.
 * What counts is every step.
 *
 * Exit status: 0 reproduced, 1 not reproduced, 2 could not be set up, 77 skipped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 4

static long page_size;
static char *space;
static int maps;
static int pagemap;
static int different, wrong;

static char *at(long page)
{
	return space + page * page_size;
}

/* Room for PAGES pages in between of two that nothing merges with, and that nothing can grow over. */
static int carve_out(void)
{
	char *start = mmap(NULL, (PAGES + 2) * page_size, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		return -1;
	space = start + page_size;
	return munmap(space, PAGES * page_size);
}

/* the page that an address is, or a negative errno */
static long page_of(void *address)
{
	return address == MAP_FAILED ? -errno : ((char *)address - space) / page_size;
}

static long map(long page, long pages, int prot, int flags)
{
	flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	return page_of(mmap(at(page), pages * page_size, prot, flags, -1, 0));
}

static long move(long page, long old_pages, long new_pages, long to)
{
	return page_of(mremap(at(page), old_pages * page_size, new_pages * page_size, MREMAP_MAYMOVE | MREMAP_FIXED, at(to)));
}

/* "0-2:rw- 3-4:r--", from /proc/self/maps, without calling malloc, which could map something */
static const char *layout(void)
{
	static char text[1 << 18], found[64 * PAGES];
	ssize_t got, length = 0;
	char *end = found;
	int inside = 0;

	while ((got = pread(maps, text + length, sizeof(text) - 1 - length, length)) > 0)
		length += got;
	text[length] = 0;
	found[0] = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long from, to;
		char prot[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, prot) == 3) {
			inside = from >= (unsigned long)at(0) && to <= (unsigned long)at(PAGES);
			if (inside)
				end += sprintf(end, "%s%ld-%ld:%.3s", end == found ? "" : " ",
					       (long)(from - (unsigned long)space) / page_size,
					       (long)(to - (unsigned long)space) / page_size, prot);
		}
	}
	return found;
}

/* "0 2": the pages that are the process's own, there or swapped out, from /proc/self/pagemap */
static const char *own_pages(void)
{
	static char found[8 * PAGES];
	char *end = found;

	found[0] = 0;
	for (long page = 0; page < PAGES; page++) {
		unsigned long long bits;
		off_t where = (unsigned long)at(page) / page_size * sizeof(bits);

		if (pread(pagemap, &bits, sizeof(bits), where) != sizeof(bits))
			continue;
		/* swapped; or present (63), mapped by nobody else (56), which the page of zeroes is not, and of no file (61) */
		if (bits >> 62 & 1 || ((bits >> 63 & 1) && (bits >> 56 & 1) && !(bits >> 61 & 1)))
			end += sprintf(end, "%s%ld", end == found ? "" : " ", page);
	}
	return found;
}

#define STEP(call, returns, leaves, pages) step(__LINE__, #call, call, returns, leaves, pages)

static void step(int line, const char *call, long returned, long returns, const char *leaves, const char *pages)
{
	const char *left = layout();

	if (returned != returns) {
		printf("line %d: %s returned %ld, and not %ld\n", line, call, returned, returns);
		different = wrong = 1;
	}
	if (strcmp(left, leaves)) {
		printf("line %d: %s left %s, and not %s\n", line, call, *left ? left : "nothing", *leaves ? leaves : "nothing");
		different = 1;
	}
	left = own_pages();
	if (strcmp(left, pages)) {
		printf("line %d: %s left pages {%s}, and not {%s}\n", line, call, left, pages);
		different = wrong = 1;
	}
}

static void trace(void)
{
	STEP(map(0, 1, PROT_READ | PROT_WRITE, 0), 0, "0-1:rw-", ""); /* o . . . */
	STEP(map(1, 1, PROT_READ, 0), 1, "0-1:rw- 1-2:r--", "");      /* o|- . . */
	STEP(move(0, 2, 2, 2), 2, "2-3:rw- 3-4:r--", "");             /* . .|o|- */
}

int main(void)
{
	int reproduced;

	page_size = sysconf(_SC_PAGESIZE);
	maps = open("/proc/self/maps", O_RDONLY);
	if (maps < 0) {
		printf("skipped: there is no /proc/self/maps\n");
		return 77;
	}
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0) {
		printf("skipped: there is no /proc/self/pagemap\n");
		return 77;
	}
	if (carve_out()) {
		printf("could not be set up: there is no room for %d pages\n", PAGES + 2);
		return 2;
	}
	trace();
	reproduced = !different && !wrong;
	printf("%sreproduced%s\n", reproduced ? "" : "not ", reproduced && different ? ", but for these differences" : "");
	return !reproduced;
}
