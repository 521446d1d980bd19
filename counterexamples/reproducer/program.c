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
@if FORK
#include <sys/wait.h>
@end FORK
#include <unistd.h>
@if KSELFTEST

#include "../kselftest_harness.h"
@end KSELFTEST

#define PAGES @PAGES@

static long page_size;
static char *space;
static int maps;
@if PAGEMAP
static int pagemap;
@end PAGEMAP
@if PROGRAM
static int different, wrong;
@end PROGRAM

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
	return address == MAP_FAILED ? -errno : ((char *)address - space) / page_size;
}

@end PAGE_OF
@if MAP
static long map(long page, long pages, int prot, int flags)
{
	flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	return page_of(mmap(at(page), pages * page_size, prot, flags, -1, 0));
}

@end MAP
@if MAP_SHARED
static long map_shared(long page, long pages, int prot, int flags)
{
	flags |= MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
	return page_of(mmap(at(page), pages * page_size, prot, flags, -1, 0));
}

@end MAP_SHARED
@if MAP_FILE_ALONE
static long map_file(int file, long offset, long page, long pages, int prot, int flags)
{
	static int files[@FILES@];
	int *fd = &files[file - 1];

	if (!*fd) {
		*fd = memfd_create("file", 0);
		if (*fd < 0 || ftruncate(*fd, @FILE_PAGES@ * page_size))
			exit(2);
	}
	return page_of(mmap(at(page), pages * page_size, prot, MAP_PRIVATE | MAP_FIXED | flags, *fd, offset * page_size));
}

@end MAP_FILE_ALONE
@if SHARE_FILE
static int file_of(int file)
{
	static int files[@FILES@];
	int *fd = &files[file - 1];

	if (!*fd) {
		*fd = memfd_create("file", 0);
		if (*fd < 0 || ftruncate(*fd, @FILE_PAGES@ * page_size))
			exit(2);
	}
	return *fd;
}

static long share_file(int file, long offset, long page, long pages, int prot, int flags)
{
	flags |= MAP_SHARED | MAP_FIXED;
	return page_of(mmap(at(page), pages * page_size, prot, flags, file_of(file), offset * page_size));
}

@end SHARE_FILE
@if MAP_FILE_TOO
static long map_file(int file, long offset, long page, long pages, int prot, int flags)
{
	flags |= MAP_PRIVATE | MAP_FIXED;
	return page_of(mmap(at(page), pages * page_size, prot, flags, file_of(file), offset * page_size));
}

@end MAP_FILE_TOO
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
@if FORK
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
	maps = open("@MAPS@", O_RDONLY);
	return maps < 0 ? -errno : 0;
}

@end FORK
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
	long returned = result(syscall(SYS_mbind, at(page), pages * page_size, mode, mode ? &node : NULL, mode ? 8UL : 0UL, 0));

	if (returned == -ENOSYS) {
		printf("skipped: this kernel has no memory policies\n");
		exit(@SKIPPED@);
	}
	return returned;
}

@end MBIND
@if NORESERVE
static int never_overcommits(void)
{
	char mode = '0';
	int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY);

	if (fd >= 0 && read(fd, &mode, 1) != 1)
		mode = '0';
	close(fd);
	return mode == '2';
}

@end NORESERVE
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
@if FORCE
/* a write that does not ask for permission */
static long force(long page)
{
	int memory = open("/proc/self/mem", O_RDWR);
	long written = memory < 0 ? -1 : pwrite(memory, "", 1, (off_t)(unsigned long)at(page));

	written = written == 1 ? 0 : -errno;
	close(memory);
	return written;
}

@end FORCE
/* "0-2:rw- 3-4:r--", from @MAPS@, without calling malloc, which could map something */
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
@if SMAPS
		if (inside && !strncmp(line, "VmFlags:", 8))
			for (const char *flag = "@FLAGS@"; *flag; flag += 3)
				if (strstr(line + 8, flag))
					end += sprintf(end, ",%s", flag);
@end SMAPS
	}
	return found;
}

@if PAGEMAP
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

@end PAGEMAP
@if KSELFTEST
@if PAGEMAP
#define STEP(call, returns, leaves, pages)		\
	do {						\
		EXPECT_EQ(returns, call);		\
		EXPECT_STREQ(leaves, layout());		\
		EXPECT_STREQ(pages, own_pages());	\
	} while (0)
@end PAGEMAP
@if NO_PAGEMAP
#define STEP(call, returns, leaves)		\
	do {					\
		EXPECT_EQ(returns, call);	\
		EXPECT_STREQ(leaves, layout());	\
	} while (0)
@end NO_PAGEMAP

FIXTURE(space)
{
	void *start;
};

FIXTURE_SETUP(space)
{
	page_size = sysconf(_SC_PAGESIZE);
@if NORESERVE
	if (never_overcommits())
		SKIP(return, "MAP_NORESERVE is ignored here: /proc/sys/vm/overcommit_memory is 2");
@end NORESERVE
	maps = open("@MAPS@", O_RDONLY);
	if (maps < 0)
		SKIP(return, "there is no @MAPS@");
@if PAGEMAP
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0)
		SKIP(return, "there is no /proc/self/pagemap");
@end PAGEMAP
	ASSERT_EQ(0, carve_out());
	self->start = space;
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
@if HAS_CONTROL
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

@end HAS_CONTROL
@if PAGEMAP
#define STEP(call, returns, leaves, pages) step(__LINE__, #call, call, returns, leaves, pages)

static void step(int line, const char *call, long returned, long returns, const char *leaves, const char *pages)
@end PAGEMAP
@if NO_PAGEMAP
#define STEP(call, returns, leaves) step(__LINE__, #call, call, returns, leaves)

static void step(int line, const char *call, long returned, long returns, const char *leaves)
@end NO_PAGEMAP
{
	const char *left = layout();

	if (returned != returns) {
		printf("line %d: %s returned %ld, and not %ld\n", line, call, returned, returns);
		different = wrong = 1;
	}
	if (strcmp(left, leaves)) {
@if HAS_CONTROL
		char one[PAGES][16], two[PAGES][16];

		by_page(left, one);
		by_page(leaves, two);
		wrong |= memcmp(one, two, sizeof(one)) != 0;
@end HAS_CONTROL
		printf("line %d: %s left %s, and not %s\n", line, call, *left ? left : "nothing", *leaves ? leaves : "nothing");
		different = 1;
	}
@if PAGEMAP
	left = own_pages();
	if (strcmp(left, pages)) {
		printf("line %d: %s left pages {%s}, and not {%s}\n", line, call, left, pages);
		different = wrong = 1;
	}
@end PAGEMAP
}

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

	page_size = sysconf(_SC_PAGESIZE);
@if NORESERVE
	if (never_overcommits()) {
		printf("skipped: MAP_NORESERVE is ignored here: /proc/sys/vm/overcommit_memory is 2\n");
		return 77;
	}
@end NORESERVE
	maps = open("@MAPS@", O_RDONLY);
	if (maps < 0) {
		printf("skipped: there is no @MAPS@\n");
		return 77;
	}
@if PAGEMAP
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0) {
		printf("skipped: there is no /proc/self/pagemap\n");
		return 77;
	}
@end PAGEMAP
	if (carve_out()) {
		printf("could not be set up: there is no room for %d pages\n", PAGES + 2);
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
	munmap(space, PAGES * page_size);
	control();
	reproduced &= vmas() == @TOGETHER@ && !wrong;
@end HAS_CONTROL
@if NO_CONTROL
	reproduced = !different && !wrong;
@end NO_CONTROL
	printf("%sreproduced%s\n", reproduced ? "" : "not ", reproduced && different ? ", but for these differences" : "");
	return !reproduced;
}
@end PROGRAM
