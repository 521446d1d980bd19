/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Of the kernel's tools/testing/selftests/kselftest_harness.h, what a generated test uses: to try the test out where there
 * are no kernel sources. Each test runs in a process of its own; exit status: 0 all pass, 1 one fails, 4 all are skipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIXTURE(fixture) struct fixture##_data
#define FIXTURE_SETUP(fixture) static void fixture##_setup(struct fixture##_data *self)
#define FIXTURE_TEARDOWN(fixture) static void fixture##_teardown(struct fixture##_data *self)

#define TEST_F(fixture, test)							\
	static void fixture##_##test(void);					\
	static void run_##fixture##_##test(void)				\
	{									\
		static struct fixture##_data data;				\
										\
		fixture##_setup(&data);						\
		if (!skipped)							\
			fixture##_##test();					\
		fixture##_teardown(&data);					\
	}									\
	__attribute__((constructor)) static void add_##fixture##_##test(void)	\
	{									\
		add_test(#fixture "." #test, run_##fixture##_##test);		\
	}									\
	static void fixture##_##test(void)

#define EXPECT_THAT(holds, what)							\
	do {										\
		if (!(holds)) {								\
			printf("line %d: expected %s\n", __LINE__, what);		\
			failed = 1;							\
		}									\
	} while (0)
#define EXPECT_EQ(expected, seen) EXPECT_THAT((expected) == (seen), #expected ": " #seen)
#define EXPECT_STREQ(expected, seen) EXPECT_THAT(!strcmp(expected, seen), #expected ": " #seen)
#define ASSERT_EQ(expected, seen)		\
	do {					\
		EXPECT_EQ(expected, seen);	\
		if (failed)			\
			exit_test();		\
	} while (0)
#define SKIP(statement, text)			\
	do {					\
		printf("SKIP %s\n", text);	\
		skipped = 1;			\
		statement;			\
	} while (0)
#define TEST_HARNESS_MAIN	\
	int main(void)		\
	{			\
		return run_tests();	\
	}

static int failed, skipped, tests;
static struct {
	const char *name;
	void (*run)(void);
} all_tests[8];

static inline void add_test(const char *name, void (*run)(void))
{
	all_tests[tests].name = name;
	all_tests[tests++].run = run;
}

static inline void exit_test(void)
{
	fflush(stdout);
	_exit(failed ? 1 : skipped ? 4 : 0);
}

static inline int run_tests(void)
{
	int worst = 0, skips = 0;

	for (int test = 0; test < tests; test++) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (child == 0) {
			all_tests[test].run();
			exit_test();
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			return 1;
		skips += WIFEXITED(status) && WEXITSTATUS(status) == 4;
		if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 4))
			worst = 1;
		printf("%s %s\n", WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "ok" : "not ok", all_tests[test].name);
	}
	return worst ? 1 : skips == tests ? 4 : 0;
}
