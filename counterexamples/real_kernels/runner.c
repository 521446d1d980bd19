// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carries out traces on the kernel that it runs on, and says what it saw.
 *
 * Standard input, or the file /traces if this is the first process of a system, has a line for each trace:
 *
 *	PAGES KEEP OP...	the address space has so many pages; KEEP is 1 to see every step, 0 the last one
 *
 * After "two", the last argument, there are F fork and X exit, and before an OP of the other process a 1: what is to be
 * seen is that of both, with | in between, and nothing where there is no process.
 *
 * The argument before it, if there is one, says what is to be seen: "smaps", or the file of a BPF program (bpf.py) with the number
 * of the kernel's function that it attaches to before it.
 *
 * with an OP being a letter and numbers in between commas: m mmap (page, pages, prot, flags, file, offset), u munmap
 * (page, pages), p mprotect (page, pages, prot), w write, r read (page), W write through
 * /proc/self/mem (page), M mremap (page, old pages, new pages, flags, new
 * page), l mlock, k munlock, S mseal (page, pages), L mlock2 (page, pages, flags), a madvise (page, pages, advice), b mbind (page, pages, mode);
 * or !PROGRAM, a file to run with nothing but its exit status to be seen, as if it were a step of a trace.
 *
 * Standard output has a line for each step that was to be seen: what the call returned, a page number or a negative
 * errno, and a letter for each page: . if nothing is mapped there, else a to h for prot 0 to 7 where a vma starts, and
 * A to H where it goes on. Instead of letters there are, with smaps, a word for each vma: START-END:FLAGS:PAGES, with the
 * flags as smaps has them and the number of anonymous pages; and with BPF START-END:FLAGS:OFFSET:POLICY:CHAIN, the flags
 * in hexadecimal, the offset of anonymous memory from where the address space begins, and for each anon_vma of the chain,
 * newest first, '.' and the number that it got when it was first come to, or '*' and that for the vma's own; then, of
 * that, :CHILDREN,VMAS as it counts them.
 *
 * A trace ends with an empty line; "begin" stands before them all, "end" after. Each runs in an address space of its own,
 * which it finds empty: the one of this process, around which nothing else is ever mapped but, behind it, a page that
 * cannot be merged with.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ARENA 0x100000000000UL
#define MOST_PAGES 256
#define LINE 65536
#define FILES 4
#define FILE_PAGES (1L << 20) /* more than an offset of six digits */
#define MSEAL 462
#define LINKS 8

static long page_size;
static long pages;
static int maps = -1;
static int memory = -1;
static int program = -1;
static int iterator = -1;
static int is_smaps;
static int is_of_two;
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

/* A store through /proc/self/mem. */
static long force(long page)
{
	return pwrite(memory, "", 1, ARENA + page * page_size) == 1 ? 0 : -errno;
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
	int flags = (n[3] & MAP_SHARED ? 0 : MAP_PRIVATE) | MAP_FIXED | (int)n[3];
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
	case 'W':
		return force(n[0]);
	case 'M':
		return page_of(mremap(at(n[0]), n[1] * page_size, n[2] * page_size, (int)n[3], at(n[4])));
	case 'l':
		return result_of(mlock(at(n[0]), n[1] * page_size));
	case 'k':
		return result_of(munlock(at(n[0]), n[1] * page_size));
	case 'a':
		return result_of(madvise(at(n[0]), n[1] * page_size, (int)n[2]));
	case 'L':
		return result_of(syscall(SYS_mlock2, at(n[0]), n[1] * page_size, (int)n[2]));
	case 'S':
		return result_of(syscall(MSEAL, at(n[0]), n[1] * page_size, 0));
	case 'b': {
		unsigned long nodes = 1;

		return result_of(syscall(SYS_mbind, at(n[0]), n[1] * page_size, n[2], n[2] ? &nodes : NULL, n[2] ? 8UL : 0UL, 0));
	}
	}
	errno = EINVAL;
	die("an unknown operation");
	return 0;
}

/* All of a file of /proc/self that has lines in the order of addresses, up to the first one of a vma above the arena. */
static void read_maps(void)
{
	unsigned long above = ARENA + pages * page_size;
	ssize_t got, length = 0;

	do {
		got = pread(maps, text + length, sizeof(text) - 1 - length, length);
		if (got < 0)
			die("/proc/self");
		length += got;
		text[length] = 0;
		for (ssize_t line = length - 1; got && !is_smaps && line > 0; line--)
			if (text[line - 1] == '\n') {
				got = strtoul(text + line, NULL, 16) < above;
				break;
			}
	} while (got);
}

static char *next_line(char *line)
{
	line = strchr(line, '\n');
	return line && line[1] ? line + 1 : NULL;
}

/* A letter for each page, from /proc/self/maps. */
static void look_at_maps(char *seen)
{
	unsigned long above = ARENA + pages * page_size;

	read_maps();
	memset(seen, '.', pages);
	seen[pages] = 0;
	for (char *line = text; line; line = next_line(line)) {
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

/* A word for each vma, from /proc/self/smaps. */
static void look_at_smaps(char *seen)
{
	unsigned long above = ARENA + pages * page_size;
	int inside = 0;
	long anonymous = 0;

	read_maps();
	*seen = 0;
	for (char *line = text; line; line = next_line(line)) {
		char *rest;

		if (line[0] < 'A' || line[0] > 'Z') {
			unsigned long start = strtoul(line, &rest, 16), end = strtoul(rest + 1, &rest, 16);

			inside = start >= ARENA && end <= above;
			if (inside)
				seen += sprintf(seen, " %ld-%ld:", (long)(start - ARENA) / page_size, (long)(end - ARENA) / page_size);
		} else if (inside && !strncmp(line, "Anonymous:", 10)) {
			anonymous = strtol(line + 10, NULL, 10) * 1024 / page_size;
		} else if (inside && !strncmp(line, "VmFlags:", 8)) {
			/* VM_SOFTDIRTY is not looked at by anything */
			for (rest = line + 9; *rest != '\n'; rest += 3)
				if (strncmp(rest, "sd", 2)) {
					*seen++ = rest[0];
					*seen++ = rest[1];
				}
			seen += sprintf(seen, ":%ld", anonymous);
		}
	}
}

/* What bpf.py has for each vma. */
struct seen_vma {
	uint64_t start, end, flags, pgoff, file, policy, anon_vma, num_children, num_active_vmas, chain[LINKS];
};

/* A word for each vma, as the kernel has it. */
static void look_at_vmas(char *seen)
{
	static struct seen_vma vmas[MOST_PAGES + 2];
	union bpf_attr attr = {.iter_create = {.link_fd = iterator}};
	ssize_t got, length = 0;
	int fd = syscall(SYS_bpf, BPF_ITER_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		die("BPF_ITER_CREATE");
	while ((got = read(fd, (char *)vmas + length, sizeof(vmas) - length)) > 0)
		length += got;
	if (got < 0)
		die("BPF iterator");
	close(fd);
	*seen = 0;
	for (struct seen_vma *vma = vmas; (char *)vma < (char *)vmas + length; vma++) {
		if (vma->start >= ARENA + pages * page_size)
			continue;
		seen += sprintf(seen, " %ld-%ld:%lx:%ld:%d:", (long)(vma->start - ARENA) / page_size,
				(long)(vma->end - ARENA) / page_size, (unsigned long)vma->flags,
				(long)(vma->pgoff - (vma->file ? 0 : ARENA / page_size)), vma->policy != 0);
		for (int link = 0; link < LINKS && vma->chain[link]; link++)
			seen += sprintf(seen, "%s@%lx", vma->chain[link] == vma->anon_vma ? "*" : ".",
					(unsigned long)vma->chain[link]);
		if (vma->anon_vma)
			seen += sprintf(seen, ":%ld,%ld", (long)vma->num_children, (long)vma->num_active_vmas);
	}
}

/* In place of each address of an anon_vma, after an @, the number that it gets when it is first come to. */
static void number_anon_vmas(char *seen)
{
	static unsigned long known[8 * MOST_PAGES];
	int count = 0, number;
	char *to = seen;

	while (*seen) {
		unsigned long anon_vma;

		if (*seen != '@') {
			*to++ = *seen++;
			continue;
		}
		anon_vma = strtoul(seen + 1, &seen, 16);
		for (number = 0; number < count && known[number] != anon_vma; number++)
			;
		known[number] = anon_vma;
		count += number == count;
		to += sprintf(to, "%d", number + 1);
	}
	*to = 0;
}

static void look(char *seen)
{
	if (iterator >= 0)
		look_at_vmas(seen);
	else if (is_smaps)
		look_at_smaps(seen);
	else
		look_at_maps(seen);
	if (!*seen)
		strcpy(seen, "-");
	else if (*seen == ' ')
		memmove(seen, seen + 1, strlen(seen));
	for (; *seen; seen++)
		if (*seen == ' ')
			*seen = ';';
}

/* Look at this process from here on. */
static void look_at_self(void)
{
	union bpf_iter_link_info of = {.task = {.pid = getpid()}};
	union bpf_attr link = {0};

	maps = open(is_smaps ? "/proc/self/smaps" : "/proc/self/maps", O_RDONLY);
	if (maps < 0)
		die("/proc/self/maps");
	memory = open("/proc/self/mem", O_RDWR);
	if (memory < 0)
		die("/proc/self/mem");
	if (program < 0)
		return;
	link.link_create.prog_fd = program;
	link.link_create.attach_type = BPF_TRACE_ITER;
	link.link_create.iter_info = (uintptr_t)&of;
	link.link_create.iter_info_len = sizeof(of);
	iterator = syscall(SYS_bpf, BPF_LINK_CREATE, &link, sizeof(link));
	if (iterator < 0)
		die("BPF_LINK_CREATE");
}

/* Load the program in the file. */
static void load_program(const char *path)
{
	static char code[1 << 16], log[1 << 16];
	union bpf_attr load = {0};
	uint32_t function;
	int fd = open(path, O_RDONLY);
	ssize_t length = fd < 0 ? -1 : read(fd, code, sizeof(code));

	if (length < (ssize_t)sizeof(function))
		die(path);
	close(fd);
	memcpy(&function, code, sizeof(function));
	load.prog_type = BPF_PROG_TYPE_TRACING;
	load.expected_attach_type = BPF_TRACE_ITER;
	load.attach_btf_id = function;
	load.insns = (uintptr_t)(code + 8);
	load.insn_cnt = (length - 8) / 8;
	load.license = (uintptr_t) "GPL";
	load.log_buf = (uintptr_t)log;
	load.log_size = sizeof(log);
	load.log_level = 1;
	program = syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (program < 0) {
		fprintf(stderr, "%s", log);
		die("BPF_PROG_LOAD");
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

static void show(long result, char *seen)
{
	look(seen);
	number_anon_vmas(seen);
	printf("%ld %s\n", result, seen);
}

static long carry_out_text(char **line)
{
	long n[6] = {0};
	char op = *(*line)++;

	for (int i = 0; i < 6; i++) {
		n[i] = strtol(*line, line, 10);
		if (**line != ',')
			break;
		(*line)++;
	}
	return carry_out(op, n);
}

static void carry_out_trace(char *line)
{
	static char seen[1 << 16];
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
		result = carry_out_text(&line);
		if (keep)
			show(result, seen);
	}
	if (!keep)
		show(result, seen);
	putchar('\n');
	munmap(at(0), pages * page_size);
}

/* What is sealed stays until its process is gone. */
static void carry_out_in_child(char *line)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		look_at_self();
		carry_out_trace(line);
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		die("a child");
}

/*
 * Two processes. Each carries out what comes over its socket, and answers with what it returned and what it sees: the
 * first reads from sockets[0], the other from sockets[1]. Both are children of the process that has the traces.
 */
static int sockets[2][2];

static void work(int which)
{
	static char op[LINE], seen[1 << 16], answer[(1 << 16) + 32];
	long result = 0;

	close(sockets[0][0]);
	close(sockets[1][0]);
	for (;;) {
		ssize_t length;
		char *text = op;

		look(seen);
		length = sprintf(answer, "%ld %s", result, seen);
		if (send(sockets[which][1], answer, length, 0) != length)
			_exit(2);
		length = recv(sockets[which][1], op, sizeof(op) - 1, 0);
		if (length <= 0 || *op == 'X')
			_exit(0);
		op[length] = 0;
		result = 0;
		if (*op == 'F') {
			long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

			result = child < 0 ? -errno : 0;
			if (child == 0) {
				which = 1 - which;
				look_at_self();
			}
		} else if (*op != 'V') {
			result = carry_out_text(&text);
		}
	}
}

static long ask(int which, const char *op, char *seen)
{
	static char answer[(1 << 16) + 32];
	ssize_t length;
	char *rest;
	long result;

	if (op && send(sockets[which][0], op, strlen(op), 0) < 0)
		die("send");
	length = recv(sockets[which][0], answer, sizeof(answer) - 1, 0);
	if (length <= 0)
		die("recv");
	answer[length] = 0;
	result = strtol(answer, &rest, 10);
	strcpy(seen, rest + 1);
	return result;
}

static void show_both(long result, char seen[2][1 << 16])
{
	static char both[1 << 18];

	sprintf(both, "%s|%s", seen[0], seen[1]);
	number_anon_vmas(both);
	printf("%ld %s\n", result, both);
}

static void carry_out_in_two(char *line)
{
	static char seen[2][1 << 16];
	long keep, result = 0;
	int there[2] = {1, 0};
	pid_t child;
	char *op;

	pages = strtol(line, &line, 10);
	keep = strtol(line, &line, 10);
	munmap(at(0), pages * page_size);
	put_barrier();
	for (int which = 0; which < 2; which++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets[which]))
			die("socketpair");
	fflush(stdout);
	child = fork();
	if (child == 0) {
		look_at_self();
		work(0);
	}
	if (child < 0)
		die("fork");
	seen[1][0] = 0;
	ask(0, NULL, seen[0]);
	for (op = strtok(line, " \n"); op; op = strtok(NULL, " \n")) {
		int which = *op == '1';

		op += which;
		if (!there[which] || (*op == 'F' && there[1 - which]) || (*op == 'X' && !there[1 - which])) {
			result = -EINVAL;
		} else if (*op == 'X') {
			if (send(sockets[which][0], op, 1, 0) < 0 || waitpid(-1, NULL, 0) < 0)
				die("exit");
			there[which] = 0;
			seen[which][0] = 0;
			result = 0;
		} else {
			result = ask(which, op, seen[which]);
			if (*op == 'F') {
				there[1 - which] = 1;
				ask(1 - which, NULL, seen[1 - which]);
			}
		}
		/* what one does shows in the counts of the other */
		for (int other = 0; other < 2; other++)
			if (there[other])
				ask(other, "V", seen[other]);
		if (keep)
			show_both(result, seen);
	}
	if (!keep)
		show_both(result, seen);
	putchar('\n');
	for (int which = 0; which < 2; which++) {
		close(sockets[which][0]);
		close(sockets[which][1]);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}

int main(int argc, char **argv)
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
	is_of_two = argc > 1 && !strcmp(argv[argc - 1], "two");
	argc -= is_of_two;
	is_smaps = argc > 1 && !strcmp(argv[1], "smaps");
	if (argc > 1 && !is_smaps)
		load_program(argv[1]);
	look_at_self();
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
		else if (is_of_two)
			carry_out_in_two(line);
		else if (strchr(line, 'S'))
			carry_out_in_child(line);
		else
			carry_out_trace(line);
	puts("end");
	return 0;
}
