/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a load do what it says, and end whole? Processes of one run that live
 * on would storm in the next, and write into its notes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/bench_load.h"

static const char *trivial;
static struct server server;
static struct load *load;

static int set_up(void **state)
{
	load = load_new();
	return load == NULL || server_start_none(&server, trivial) != 0 ||
	       load_files(&server) != 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	server_stop(&server);
	load = load_free(load);
	return 0;
}

static void is_nobody_left_after_each_stop(void **state)
{
	for (int i = 0; i < 20; i++) {
		int status;

		assert_int_equal(load_start(load, &server, LOAD_ALL), 0);
		assert_int_equal(load_crowd(load, &server, "storm", 100, 1000),
				 0);
		ns_sleep_ms(20);
		load_stop(load);
		assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
		assert_int_equal(load_backwards(load), 0);
	}
}

static void does_each_kind_keep_its_pace(void **state)
{
	uint32_t to;

	assert_int_equal(load_start(load, &server, LOAD_ALL), 0);
	ns_sleep_ms(1000);
	to = load_now_us(load);
	load_stop(load);
	assert_in_range(load_count(load, LOAD_OPENS, true, 0, to), 20, 110);
	assert_in_range(load_count(load, LOAD_EXECS, true, 0, to), 2, 12);
	/* nobody denies here: evil is allowed, and that is seen */
	assert_in_range(load_count(load, LOAD_EVIL_ADMIN, true, 0, to), 50,
			510);
	assert_in_range(load_count(load, LOAD_EVIL_CWD, true, 0, to), 50, 510);
	assert_int_equal(load_count(load, LOAD_OPENS, false, 0, to), 0);
	assert_int_equal(load_dropped(load), 0);
	assert_true(load_last_allowed_us(load, LOAD_EVIL_RULE, 0, to) > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_nobody_left_after_each_stop),
		cmocka_unit_test(does_each_kind_keep_its_pace),
	};

	if (geteuid() != 0) {
		puts("needs root: mount namespaces");
		return 77;
	}
	if (argc != 2) {
		return 2;
	}
	trivial = argv[1];
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
