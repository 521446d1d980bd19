// SPDX-License-Identifier: GPL-2.0-only
/*
 * A refused munmap leaves a vma more, and no limit stops it: a process comes to have more vmas than vm.max_map_count.
 *
 * The last of many pages is sealed. munmap from each page on to the end is refused, with EPERM, after it has cut the vma
 * at its start. munmap minds the limit only where it would cut a hole into one vma, as otherwise it ends with no more
 * vmas than before; but here it does not come to unmapping. So there is a vma more for each call, beyond the limit, too.
 *
 * Exit status: 0 reproduced, 1 not reproduced, 2 could not be set up, 77 skipped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BEYOND 1000 /* the limit, by so many */

static long lines_of_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	long lines = 0;
	int letter;

	if (!maps)
		return -1;
	while ((letter = fgetc(maps)) != EOF)
		lines += letter == '\n';
	fclose(maps);
	return lines;
}

int main(void)
{
	long page_size = sysconf(_SC_PAGESIZE), limit = 0, pages, refused = 0, vmas;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	char *start;

	if (!file || fscanf(file, "%ld", &limit) != 1 || limit > 1L << 20) {
		printf("skipped: vm.max_map_count is not to be had, or too large to be passed\n");
		return 77;
	}
	fclose(file);
	pages = limit + BEYOND;
	start = mmap(NULL, pages * page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED) {
		printf("could not be set up: mmap: %s\n", strerror(errno));
		return 2;
	}
	if (syscall(462 /* mseal */, start + (pages - 1) * page_size, page_size, 0UL)) {
		printf("skipped: mseal: %s\n", strerror(errno));
		return 77;
	}
	for (long page = 1; page < pages - 1; page++)
		if (munmap(start + page * page_size, (pages - page) * page_size) && errno == EPERM)
			refused++;
	vmas = lines_of_maps();
	printf("vm.max_map_count is %ld; after %ld refused calls there are %ld vmas\n", limit, refused, vmas);
	printf("%sreproduced\n", vmas > limit ? "" : "not ");
	return !(vmas > limit);
}
