// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a child of fork, memory that the parent had written takes in its neighbour nevertheless, if it
 * grows up to it with mremap: that does not ask whose child it is.
 *
 * mmap(0,1,RW); write(0); fork(); p1: mmap(2,1,RW); p1: mremap(0,1,2)
 *
 * The picture behind each call is the address space after it on the model kernel linux-6.18: one cell
 * a page: . hole, - mapped but not writable, o writable; A and a the same in a vma with anon_vma A; |
 * a vma starts.
 *
 * A program sees where a vma starts and ends and what it allows, and so whether vmas were merged. It
 * does not see anon_vmas, nor what the mapping of a page points at: of these there are only the
 * effects here.
 *
 * Here the mapping of page 0 points at an anon_vma that its vma is not on, and no program sees that,
 * nor does this one. It sees the layout that goes with it. A kernel that has this layout can still
 * have handed the anon_vma over. What can be seen of a lost page, by those who have swap and time: it
 * never leaves memory (its bit 62 in /proc/self/pagemap stays 0, after MADV_PAGEOUT, too).
 *
 * There is no control: nothing can be left out that leaves the same mapped and allowed in fewer vmas.
 * What counts is every step.
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
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 3

static long page_size;
static char *space;
static int maps;
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

static long resize(long page, long old_pages, long new_pages)
{
	return page_of(mremap(at(page), old_pages * page_size, new_pages * page_size, 0));
}

/* fork: the child goes on, and looks at itself; the parent, which keeps what it has, waits and ends as the child does */
static long become_child(void)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		return -errno;
	if (child) {
		if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
			_exit(2);
		_exit(WEXITSTATUS(status));
	}
	close(maps);
	maps = open("/proc/self/maps", O_RDONLY);
	return maps < 0 ? -errno : 0;
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

#define STEP(call, returns, leaves) step(__LINE__, #call, call, returns, leaves)

static void step(int line, const char *call, long returned, long returns, const char *leaves)
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
}

static void trace(void)
{
	STEP(map(0, 1, PROT_READ | PROT_WRITE, 0), 0, "0-1:rw-");         /* o . . */
	STEP(store(0), 0, "0-1:rw-");                                     /* A . . */
	STEP(become_child(), 0, "0-1:rw-");                               /* B . . */
	STEP(map(2, 1, PROT_READ | PROT_WRITE, 0), 2, "0-1:rw- 2-3:rw-"); /* B .|o */
	STEP(resize(0, 1, 2), 0, "0-3:rw-");                              /* B B B */
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
	if (carve_out()) {
		printf("could not be set up: there is no room for %d pages\n", PAGES + 2);
		return 2;
	}
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	trace();
	reproduced = !different && !wrong;
	printf("%sreproduced%s\n", reproduced ? "" : "not ", reproduced && different ? ", but for these differences" : "");
	return !reproduced;
}
