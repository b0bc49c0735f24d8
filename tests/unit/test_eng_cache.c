/* SPDX-License-Identifier: Apache-2.0 */
/* For whom, and how long, does a verdict hold? */
#include <fcntl.h>

#include "eng_case.h"

#define OBJECT_EXE BAILEY_SCOPE_OBJECT_EXE

static void is_the_scope_once_not_cached(void **state)
{
	int file = user_file("x");

	serve();
	open_file(file);
	answers(&p[0], ALLOW, ONCE);
	is_answered(open_file(file), NONE);
}

static void does_a_cached_verdict_hold_for_everybody(void **state)
{
	int file = user_file("x");

	serve();
	open_file(file);
	answers(&p[0], DENY, OBJECT);
	is_answered(open_by(file, PID + 1), DENY);
	assert_int_equal(r->e->view.cached, 1);
	assert_int_equal(replay_denial(r)->by, VIEW_BY_CACHE);
	assert_int_equal(fchmod(file, 0622), 0);        /* another ctime */
	is_answered(open_by(file, PID + 1), NONE);
}

static void does_object_and_executable_hold_for_that_program(void **state)
{
	int file = user_file("x");

	serve();
	open_file(file);
	answers(&p[0], ALLOW, OBJECT_EXE);
	is_answered(open_file(file), ALLOW);
	is_answered(open_by(file, PID + 1), NONE);      /* inode 78 */
}

static void is_the_narrower_scope_of_two_taken(void **state)
{
	int file = user_file("x");

	serve_two();
	open_file(file);
	answers(&p[0], ALLOW, OBJECT);
	answers(&p[1], ALLOW, ONCE);
	is_answered(open_file(file), NONE);
}

static void does_a_new_epoch_end_what_is_cached(void **state)
{
	int file = user_file("x");

	serve();
	open_file(file);
	answers(&p[0], ALLOW, OBJECT);
	is_answered(open_file(file), ALLOW);
	assert_int_equal(
		replay_product_rules(&p[0], "allow file.open uid 7\n"), 0);
	is_answered(open_file(file), NONE);
}

static void is_a_young_object_not_cached(void **state)
{
	int file = user_file("x");

	r->group->wall_offset_ns = -10 * (int64_t)MONO_S;
	serve();
	open_file(file);
	answers(&p[0], ALLOW, OBJECT);
	is_answered(open_file(file), NONE);
}

static void is_a_cached_verdict_unused_while_somebody_writes(void **state)
{
	int file = user_file("x");
	char path[32];

	serve();
	open_file(file);
	answers(&p[0], ALLOW, OBJECT);
	is_answered(open_file(file), ALLOW);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	replay_own(r, open(path, O_WRONLY | O_CLOEXEC));
	is_answered(open_file(file), NONE);
}

static void does_the_kernel_keep_what_nobody_can_write(void **state)
{
	if (geteuid() != 0) {
		skip();         /* only root's files are protected */
	}
	serve();
	open_file(replay_file(r, "x"));
	answers(&p[0], ALLOW, OBJECT);
	assert_int_equal(r->group->ignored, 1);
	open_file(user_file("x"));
	answers(&p[0], ALLOW, OBJECT);
	open_file(replay_file(r, "x"));
	answers(&p[0], DENY, OBJECT);
	assert_int_equal(r->group->ignored, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(is_the_scope_once_not_cached),
		T(does_a_cached_verdict_hold_for_everybody),
		T(does_object_and_executable_hold_for_that_program),
		T(is_the_narrower_scope_of_two_taken),
		T(does_a_new_epoch_end_what_is_cached),
		T(is_a_young_object_not_cached),
		T(is_a_cached_verdict_unused_while_somebody_writes),
		T(does_the_kernel_keep_what_nobody_can_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
