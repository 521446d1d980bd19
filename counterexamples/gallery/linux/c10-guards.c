// SPDX-License-Identifier: GPL-2.0-only
/*
 * C10 on current kernels: a guard region gives what never was writable an anon_vma, and no VM_ACCOUNT;
 * so the first write beside it takes another, and when mprotect makes the two alike they stay two.
 *
 * mmap(0,1,R); mmap(1,1,RW); madvise(0,1,GUARD_INSTALL); write(1); mprotect(0,1,RW)
 *
 * The picture behind each call is the address space after it on the model kernel linux-6.18: one cell
 * a page: . hole, - mapped but not writable, o writable; A and a the same in a vma with anon_vma A; |
 * a vma starts.
 *
 * A program sees where a vma starts and ends and what it allows, with lo, sr, rr, dc, lf, wf, dd, hg,
 * nh, mg, sl of its VmFlags, and so whether vmas were merged. It does not see anon_vmas, nor what the
 * mapping of a page points at: of these there are only the effects here.
 *
 * The control is the same without the accesses, which ends as A A. Reproduced is that every call
 * returns what it should and the same is mapped and allowed after it, and that the first ends with as
 * many vmas as it should, 2, and the control too, 1. Which of two neighbours a page between them is
 * merged with is said, but does not count.
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

#define PAGES 2

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

static long result(long returned)
{
	return returned < 0 ? -errno : returned;
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

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

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

/* "0-2:rw- 3-4:r--", from /proc/self/smaps, without calling malloc, which could map something */
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
		if (inside && !strncmp(line, "VmFlags:", 8))
			for (const char *flag = "lo\0sr\0rr\0dc\0lf\0wf\0dd\0hg\0nh\0mg\0sl\0"; *flag; flag += 3)
				if (strstr(line + 8, flag))
					end += sprintf(end, ",%s", flag);
	}
	return found;
}

/* what is at each page of a layout, whatever is one vma there and what is two */
static void by_page(const char *layout, char what[PAGES][16])
{
	long from, to;

	memset(what, 0, PAGES * sizeof(*what));
	for (const char *word = layout; word && *word; word = strchr(word, ' ')) {
		char flags[16];

		word += *word == ' ';
		if (sscanf(word, "%ld-%ld:%15[^ ]", &from, &to, flags) != 3)
			return;
		for (long page = from; page < to; page++)
			strcpy(what[page], flags);
	}
}

static int vmas(void)
{
	int found = 0;

	for (const char *word = layout(); word; word = strchr(word + 1, ' '))
		found += *word != 0;
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
		char one[PAGES][16], two[PAGES][16];

		by_page(left, one);
		by_page(leaves, two);
		wrong |= memcmp(one, two, sizeof(one)) != 0;
		printf("line %d: %s left %s, and not %s\n", line, call, *left ? left : "nothing", *leaves ? leaves : "nothing");
		different = 1;
	}
}

static void trace(void)
{
	STEP(map(0, 1, PROT_READ, 0), 0, "0-1:r--");                                            /* - . */
	STEP(map(1, 1, PROT_READ | PROT_WRITE, 0), 1, "0-1:r-- 1-2:rw-");                       /* -|o */
	STEP(result(madvise(at(0), page_size, MADV_GUARD_INSTALL)), 0, "0-1:r-- 1-2:rw-");      /* a|o */
	STEP(store(1), 0, "0-1:r-- 1-2:rw-");                                                   /* a|B */
	STEP(result(mprotect(at(0), page_size, PROT_READ | PROT_WRITE)), 0, "0-1:rw- 1-2:rw-"); /* A|B */
}

static void control(void)
{
	STEP(map(0, 1, PROT_READ, 0), 0, "0-1:r--");                                       /* - . */
	STEP(map(1, 1, PROT_READ | PROT_WRITE, 0), 1, "0-1:r-- 1-2:rw-");                  /* -|o */
	STEP(result(madvise(at(0), page_size, MADV_GUARD_INSTALL)), 0, "0-1:r-- 1-2:rw-"); /* a|o */
	STEP(result(mprotect(at(0), page_size, PROT_READ | PROT_WRITE)), 0, "0-2:rw-");    /* A A */
}

int main(void)
{
	int reproduced;

	page_size = sysconf(_SC_PAGESIZE);
	maps = open("/proc/self/smaps", O_RDONLY);
	if (maps < 0) {
		printf("skipped: there is no /proc/self/smaps\n");
		return 77;
	}
	if (carve_out()) {
		printf("could not be set up: there is no room for %d pages\n", PAGES + 2);
		return 2;
	}
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	trace();
	/* what counts is what is kept apart, and that it is for this cause: not which neighbour got the page between */
	reproduced = vmas() == 2;
	munmap(space, PAGES * page_size);
	control();
	reproduced &= vmas() == 1 && !wrong;
	printf("%sreproduced%s\n", reproduced ? "" : "not ", reproduced && different ? ", but for these differences" : "");
	return !reproduced;
}
