// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adjacent vmas that differ in nothing but their anon_vma are never merged: rmap 40 does not share
 * where neither touched the other when it was written.
 *
 * mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); mmap(1,1,RW)
 *
 * The picture behind each call is the address space after it on the model kernel rmap40: one cell a
 * page: . hole, - mapped but not writable, o writable; A and a the same in a vma with anon_vma A; | a
 * vma starts.
 *
 * A program sees where a vma starts and ends and what it allows, and so whether vmas were merged. It
 * does not see anon_vmas, nor what the mapping of a page points at: of these there are only the
 * effects here.
 *
 * The control is the same without the accesses, which ends as o o o. Reproduced is that the first ends
 * with as many vmas as it should, 2, and the control too, 1.
 *
 * Exit status: 0 reproduced, 1 not reproduced, 2 could not be set up, 77 skipped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 3
#define SPACE ((char *)0x100000000000UL) /* nothing else is ever mapped near it */

static long page_size;
static int maps;
static int different;

static char *at(long page)
{
	return SPACE + page * page_size;
}

/* the page that an address is, or a negative errno */
static long page_of(void *address)
{
	return address == MAP_FAILED ? -errno : ((char *)address - SPACE) / page_size;
}

static long map(long page, long pages, int prot, int flags)
{
	flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	return page_of(mmap(at(page), pages * page_size, prot, flags, -1, 0));
}

static sigjmp_buf fault;

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

static long store(long page)
{
	if (sigsetjmp(fault, 1))
		return -EFAULT;
	*(volatile char *)at(page) = 1;
	return 0;
}

/* "0-2:rw- 3-4:r--", from /proc/self/maps, without calling malloc, which could map something */
static const char *layout(void)
{
	static char text[1 << 18], found[64 * PAGES];
	unsigned long space = (unsigned long)SPACE;
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
			inside = from >= space && to <= space + PAGES * page_size;
			if (inside)
				end += sprintf(end, "%s%ld-%ld:%.3s", end == found ? "" : " ", (long)(from - space) / page_size,
					       (long)(to - space) / page_size, prot);
		} else if (inside && !strncmp(line, "VmFlags:", 8)) {
			for (const char *flag = "lo\0sr\0rr\0"; *flag; flag += 3)
				if (strstr(line + 8, flag))
					end += sprintf(end, ",%s", flag);
		}
	}
	return found;
}

#define STEP(call, returns, leaves) step(__LINE__, #call, call, returns, leaves)

static void step(int line, const char *call, long returned, long returns, const char *leaves)
{
	const char *left = layout();

	if (returned != returns) {
		printf("line %d: %s returned %ld, and not %ld\n", line, call, returned, returns);
		different = 1;
	}
	if (strcmp(left, leaves)) {
		printf("line %d: %s left %s, and not %s\n", line, call, left, leaves);
		different = 1;
	}
}

static int vmas(void)
{
	int found = 0;

	for (const char *at = layout(); at; at = strchr(at + 1, ' '))
		found += *at != 0;
	return found;
}

static void trace(void)
{
	STEP(map(0, 1, PROT_READ | PROT_WRITE, 0), 0, "0-1:rw-");         /* o . . */
	STEP(map(2, 1, PROT_READ | PROT_WRITE, 0), 2, "0-1:rw- 2-3:rw-"); /* o .|o */
	STEP(store(0), 0, "0-1:rw- 2-3:rw-");                             /* A .|o */
	STEP(store(2), 0, "0-1:rw- 2-3:rw-");                             /* A .|B */
	STEP(map(1, 1, PROT_READ | PROT_WRITE, 0), 1, "0-2:rw- 2-3:rw-"); /* A A|B */
}

static void control(void)
{
	STEP(map(0, 1, PROT_READ | PROT_WRITE, 0), 0, "0-1:rw-");         /* o . . */
	STEP(map(2, 1, PROT_READ | PROT_WRITE, 0), 2, "0-1:rw- 2-3:rw-"); /* o .|o */
	STEP(map(1, 1, PROT_READ | PROT_WRITE, 0), 1, "0-3:rw-");         /* o o o */
}

int main(void)
{
	int reproduced;
	void *space;

	page_size = sysconf(_SC_PAGESIZE);
	maps = open("/proc/self/maps", O_RDONLY);
	if (maps < 0) {
		printf("skipped: there is no /proc/self/maps\n");
		return 77;
	}
	space = mmap(SPACE, PAGES * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (space != SPACE || munmap(SPACE, PAGES * page_size)) {
		printf("could not be set up: %p is taken\n", (void *)SPACE);
		return 2;
	}
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	trace();
	/* what counts is what is kept apart, and that it is for this cause: not which neighbour got the page between */
	reproduced = vmas() == 2;
	munmap(SPACE, PAGES * page_size);
	control();
	reproduced &= vmas() == 1;
	printf("%sreproduced%s\n", reproduced ? "" : "not ", reproduced && different ? ", but for these differences" : "");
	return !reproduced;
}
