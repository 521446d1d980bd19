// SPDX-License-Identifier: GPL-2.0-only
/*
@HEADER@
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
@if ACCESS
#include <setjmp.h>
#include <signal.h>
@end ACCESS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
@if SYSCALL
#include <sys/syscall.h>
@end SYSCALL
#include <unistd.h>
@if KSELFTEST

#include "../kselftest_harness.h"
@end KSELFTEST

#define PAGES @PAGES@
#define SPACE ((char *)0x100000000000UL) /* nothing else is ever mapped near it */

static long page_size;
static int maps;
@if PROGRAM
static int different;
@end PROGRAM

static char *at(long page)
{
	return SPACE + page * page_size;
}

@if RESULT
static long result(long returned)
{
	return returned < 0 ? -errno : returned;
}

@end RESULT
@if PAGE_OF
/* the page that an address is, or a negative errno */
static long page_of(void *address)
{
	return address == MAP_FAILED ? -errno : ((char *)address - SPACE) / page_size;
}

@end PAGE_OF
@if MAP
static long map(long page, long pages, int prot, int flags)
{
	flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	return page_of(mmap(at(page), pages * page_size, prot, flags, -1, 0));
}

@end MAP
@if MAP_FILE
static long map_file(int file, long offset, long page, long pages, int prot, int flags)
{
	static int files[@FILES@];
	int *fd = &files[file - 1];

	if (!*fd) {
		*fd = memfd_create("file", 0);
		if (*fd < 0 || ftruncate(*fd, (offset + 2 * PAGES) * page_size))
			exit(2);
	}
	return page_of(mmap(at(page), pages * page_size, prot, MAP_PRIVATE | MAP_FIXED | flags, *fd, offset * page_size));
}

@end MAP_FILE
@if MOVE
static long move(long page, long old_pages, long new_pages, long to)
{
	return page_of(mremap(at(page), old_pages * page_size, new_pages * page_size, MREMAP_MAYMOVE | MREMAP_FIXED, at(to)));
}

@end MOVE
@if RESIZE
static long resize(long page, long old_pages, long new_pages)
{
	return page_of(mremap(at(page), old_pages * page_size, new_pages * page_size, 0));
}

@end RESIZE
@if MOVE_AND_KEEP
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static long move_and_keep(long page, long pages, long to)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

	return page_of(mremap(at(page), pages * page_size, pages * page_size, flags, at(to)));
}

@end MOVE_AND_KEEP
@if GUARDS
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

@end GUARDS
@if SEAL
static long seal(long page, long pages)
{
	return result(syscall(462 /* mseal */, at(page), pages * page_size, 0UL));
}

@end SEAL
@if MBIND
#define MPOL_DEFAULT 0
#define MPOL_BIND 2
#define MPOL_INTERLEAVE 3

static long set_policy(long page, long pages, int mode)
{
	unsigned long node = 1; /* the first */

	return result(syscall(SYS_mbind, at(page), pages * page_size, mode, mode ? &node : NULL, mode ? 8UL : 0UL, 0));
}

@end MBIND
@if ACCESS
static sigjmp_buf fault;

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

@end ACCESS
@if STORE
static long store(long page)
{
	if (sigsetjmp(fault, 1))
		return -EFAULT;
	*(volatile char *)at(page) = 1;
	return 0;
}

@end STORE
@if LOAD
static long load(long page)
{
	if (sigsetjmp(fault, 1))
		return -EFAULT;
	(void)*(volatile char *)at(page);
	return 0;
}

@end LOAD
/* "0-2:rw- 3-4:r--", from @MAPS@, without calling malloc, which could map something */
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
			for (const char *flag = "@FLAGS@"; *flag; flag += 3)
				if (strstr(line + 8, flag))
					end += sprintf(end, ",%s", flag);
		}
	}
	return found;
}

@if KSELFTEST
#define STEP(call, returns, leaves)		\
	do {					\
		EXPECT_EQ(returns, call);	\
		EXPECT_STREQ(leaves, layout());	\
	} while (0)

FIXTURE(space)
{
	void *start;
};

FIXTURE_SETUP(space)
{
	page_size = sysconf(_SC_PAGESIZE);
	maps = open("@MAPS@", O_RDONLY);
	if (maps < 0)
		SKIP(return, "there is no @MAPS@");
	self->start = mmap(SPACE, PAGES * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ((void *)SPACE, self->start);
	ASSERT_EQ(0, munmap(SPACE, PAGES * page_size));
@if ACCESS
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
@end ACCESS
}

FIXTURE_TEARDOWN(space)
{
	munmap(self->start, PAGES * page_size);
	close(maps);
}

TEST_F(space, trace)
{
@TRACE@
}
@if HAS_CONTROL

TEST_F(space, control)
{
@CONTROL@
}
@end HAS_CONTROL

TEST_HARNESS_MAIN
@end KSELFTEST
@if PROGRAM
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

@if HAS_CONTROL
static int vmas(void)
{
	int found = 0;

	for (const char *at = layout(); at; at = strchr(at + 1, ' '))
		found += *at != 0;
	return found;
}

@end HAS_CONTROL
static void trace(void)
{
@TRACE@
}
@if HAS_CONTROL

static void control(void)
{
@CONTROL@
}
@end HAS_CONTROL

int main(void)
{
	int reproduced;
	void *space;

	page_size = sysconf(_SC_PAGESIZE);
	maps = open("@MAPS@", O_RDONLY);
	if (maps < 0) {
		printf("skipped: there is no @MAPS@\n");
		return 77;
	}
	space = mmap(SPACE, PAGES * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (space != SPACE || munmap(SPACE, PAGES * page_size)) {
		printf("could not be set up: %p is taken\n", (void *)SPACE);
		return 2;
	}
@if ACCESS
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
@end ACCESS
	trace();
@if HAS_CONTROL
	/* what counts is what is kept apart, and that it is for this cause: not which neighbour got the page between */
	reproduced = vmas() == @APART@;
	munmap(SPACE, PAGES * page_size);
	control();
	reproduced &= vmas() == @TOGETHER@;
@end HAS_CONTROL
@if NO_CONTROL
	reproduced = !different;
@end NO_CONTROL
	printf("%sreproduced%s\n", reproduced ? "" : "not ", reproduced && different ? ", but for these differences" : "");
	return !reproduced;
}
@end PROGRAM
