// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carries out traces on the kernel that it runs on, and says what it saw.
 *
 * Standard input, or the file /traces if this is the first process of a system, has a line for each trace:
 *
 *	PAGES KEEP OP...	the address space has so many pages; KEEP is 1 to see every step, 0 the last one
 *
 * with an OP being a letter and numbers in between commas: m mmap (page, pages, prot, flags, file, offset), u munmap
 * (page, pages), p mprotect (page, pages, prot), w write, r read (page), M mremap (page, old pages, new pages, flags, new
 * page), l mlock, k munlock (page, pages), a madvise (page, pages, advice), b mbind (page, pages, mode);
 * or !PROGRAM, a file to run with nothing but its exit status to be seen, as if it were a step of a trace.
 *
 * Standard output has a line for each step that was to be seen: what the call returned, a page number or a negative
 * errno, and a letter for each page: . if nothing is mapped there, else a to h for prot 0 to 7 where a vma starts, and
 * A to H where it goes on. A trace ends with an empty line; "begin" stands before them all, "end" after. Each finds its
 * address space empty: the one of this process, around which nothing else is ever mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ARENA 0x100000000000UL
#define MOST_PAGES 256
#define LINE 65536
#define FILES 4
#define FILE_PAGES (1L << 20) /* more than an offset of six digits */

static long page_size;
static long pages;
static int maps = -1;
static int files[FILES];
static sigjmp_buf fault;
static char text[1 << 20];

static void die(const char *what)
{
	fprintf(stderr, "runner: %s: %s\n", what, strerror(errno));
	exit(2);
}

static char *at(long page)
{
	return (char *)ARENA + page * page_size;
}

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

/* A store or a load, or -EFAULT if it is answered with a signal. */
static long touch(long page, int write)
{
	volatile char *byte = at(page);

	if (sigsetjmp(fault, 1))
		return -EFAULT;
	if (write)
		*byte = 1;
	else
		(void)*byte;
	return 0;
}

static int file_of(long number)
{
	if (number < 1 || number > FILES)
		return -1;
	if (files[number - 1] < 0) {
		files[number - 1] = memfd_create("file", 0);
		if (files[number - 1] < 0 || ftruncate(files[number - 1], FILE_PAGES * page_size))
			die("memfd_create");
	}
	return files[number - 1];
}

/* What a call that returns an address, or MAP_FAILED, returned: the page, or a negative errno. */
static long page_of(void *address)
{
	if (address == MAP_FAILED)
		return -errno;
	return ((char *)address - (char *)ARENA) / page_size;
}

static long result_of(long returned)
{
	return returned < 0 ? -errno : returned;
}

static long carry_out(char op, const long *n)
{
	int flags = MAP_PRIVATE | MAP_FIXED | (int)n[3];
	int fd = file_of(n[4]);

	switch (op) {
	case 'm':
		if (fd < 0)
			flags |= MAP_ANONYMOUS;
		return page_of(mmap(at(n[0]), n[1] * page_size, n[2], flags, fd, n[5] * page_size));
	case 'u':
		return result_of(munmap(at(n[0]), n[1] * page_size));
	case 'p':
		return result_of(mprotect(at(n[0]), n[1] * page_size, n[2]));
	case 'w':
	case 'r':
		return touch(n[0], op == 'w');
	case 'M':
		return page_of(mremap(at(n[0]), n[1] * page_size, n[2] * page_size, (int)n[3], at(n[4])));
	case 'l':
		return result_of(mlock(at(n[0]), n[1] * page_size));
	case 'k':
		return result_of(munlock(at(n[0]), n[1] * page_size));
	case 'a':
		return result_of(madvise(at(n[0]), n[1] * page_size, (int)n[2]));
	case 'b': {
		unsigned long nodes = 1;

		return result_of(syscall(SYS_mbind, at(n[0]), n[1] * page_size, n[2], n[2] ? &nodes : NULL, n[2] ? 8UL : 0UL, 0));
	}
	}
	errno = EINVAL;
	die("an unknown operation");
	return 0;
}

/* A letter for each page, from /proc/self/maps. */
static void look(char *seen)
{
	unsigned long above = ARENA + pages * page_size;
	ssize_t got, length = 0;

	memset(seen, '.', pages);
	seen[pages] = 0;
	do {
		/* whole lines in the order of addresses: one above the arena is the last that matters */
		got = pread(maps, text + length, sizeof(text) - 1 - length, length);
		if (got < 0)
			die("/proc/self/maps");
		length += got;
		text[length] = 0;
		for (ssize_t line = length - 1; got && line > 0; line--)
			if (text[line - 1] == '\n') {
				got = strtoul(text + line, NULL, 16) < above;
				break;
			}
	} while (got);
	for (char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		char *rest;
		unsigned long start = strtoul(line, &rest, 16), end = strtoul(rest + 1, &rest, 16);
		long first = (long)(start - ARENA) / page_size, last = (long)(end - ARENA) / page_size;
		int prot = (rest[1] == 'r') + 2 * (rest[2] == 'w') + 4 * (rest[3] == 'x');

		if (start < ARENA || end > above)
			continue;
		for (long page = first; page < last; page++)
			seen[page] = (page == first ? 'a' : 'A') + prot;
	}
}

/* A page behind the address space, so that nothing grows out of it. */
static void put_barrier(void)
{
	static long where;

	if (where == pages)
		return;
	if (where)
		munmap(at(where), page_size);
	where = pages;
	if (mmap(at(where), page_size, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		die("mmap");
}

static void run_program(char *path)
{
	int status;
	pid_t child;

	path[strcspn(path, "\n")] = 0;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		close(STDOUT_FILENO);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork");
	printf("%d .\n\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void carry_out_trace(char *line)
{
	char seen[MOST_PAGES + 1];
	long keep, result = 0;

	pages = strtol(line, &line, 10);
	keep = strtol(line, &line, 10);
	if (pages < 1 || pages > MOST_PAGES) {
		errno = EINVAL;
		die("a trace of no pages, or of too many");
	}
	munmap(at(0), pages * page_size);
	put_barrier();
	while (*(line += strspn(line, " \n"))) {
		long n[6] = {0};
		char op = *line++;

		for (int i = 0; i < 6; i++) {
			n[i] = strtol(line, &line, 10);
			if (*line != ',')
				break;
			line++;
		}
		result = carry_out(op, n);
		if (keep) {
			look(seen);
			printf("%ld %s\n", result, seen);
		}
	}
	if (!keep) {
		look(seen);
		printf("%ld %s\n", result, seen);
	}
	putchar('\n');
	munmap(at(0), pages * page_size);
}

int main(void)
{
	static char line[LINE], out[1 << 16];
	struct sigaction action = {.sa_handler = on_fault};
	FILE *traces = stdin;
	int is_init = getpid() == 1;
	pid_t child = 0;

	setvbuf(stdout, out, _IOFBF, sizeof(out));
	if (is_init) {
		mount("proc", "/proc", "proc", 0, NULL);
		traces = fopen("/traces", "r");
		if (!traces)
			die("/traces");
		/* a kernel has a lot to say about the first process, and nothing about another */
		child = fork();
		if (child < 0)
			die("fork");
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	if (child > 0) {
		tcdrain(STDOUT_FILENO);
		reboot(RB_POWER_OFF);
	}
	page_size = sysconf(_SC_PAGESIZE);
	memset(files, -1, sizeof(files));
	maps = open("/proc/self/maps", O_RDONLY);
	if (maps < 0)
		die("/proc/self/maps");
	if (mmap((void *)ARENA, (MOST_PAGES + 1) * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
	    (void *)ARENA)
		die("the address space for traces is taken");
	munmap((void *)ARENA, (MOST_PAGES + 1) * page_size);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	puts("begin");
	while (fgets(line, sizeof(line), traces))
		if (*line == '!')
			run_program(line + 1);
		else
			carry_out_trace(line);
	puts("end");
	return 0;
}
