/* SPDX-License-Identifier: Apache-2.0 */
/* Does one user's crowd of askers take the host from the others? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/replay_engine.h"

#define ALLOW BAILEY_VERDICT_ALLOW
#define DENY BAILEY_VERDICT_DENY
#define NONE BAILEY_VERDICT_NONE
#define CROWD 40u
#define CROWD_UID 1000u
#define OTHER_UID 1001u
#define OTHER (REPLAY_PID + 500)
#define ROOT (REPLAY_PID + 501)

static struct replay *r;
static uint32_t asked[CROWD];
static int file;

static int setup(void **state)
{
	(void)state;
	r = replay_start(0);
	r->e->processors = 2;
	for (int i = 0; i < (int)CROWD; i++) {
		replay_process(r, REPLAY_PID + i, CROWD_UID, 77);
	}
	replay_process(r, OTHER, OTHER_UID, 78);
	replay_process(r, ROOT, 0, 79);
	file = replay_file(r, "text");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	replay_stop(r);
	return 0;
}

static void other_asks(void)
{
	uint32_t q = replay_open(r, file, OTHER);

	replay_turn(r);
	assert_int_equal(replay_answer(r, q), ALLOW);
}

static void crowd_asks(void)
{
	for (uint32_t i = 0; i < CROWD; i++) {
		asked[i] = replay_open(r, file, REPLAY_PID + (int)i);
	}
	replay_turn(r);
}

/* Kept answers are written one by one. */
static void calm(void)
{
	for (uint32_t i = 0; i < 30 * CROWD && r->e->storms.count; i++) {
		replay_advance(r->group, 5);
		replay_turn(r);
	}
	assert_int_equal(r->e->storms.count, 0);
}

/* For half a second its questions fill our reads. */
static void crowd_storms(void)
{
	for (int i = 0; i < 25; i++) {
		other_asks();
		crowd_asks();
		replay_advance(r->group, 20);
	}
	assert_true(r->e->view.held_back > 0);
	calm();
	other_asks();
}

static uint32_t crowd_answered(enum bailey_verdict verdict)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < CROWD; i++) {
		n += replay_answer(r, asked[i]) == verdict;
	}
	return n;
}

static void is_a_crowd_answered_at_once_when_nobody_else_asks(void **state)
{
	(void)state;
	crowd_asks();
	assert_int_equal(crowd_answered(ALLOW), CROWD);
	assert_int_equal(r->e->view.held_back, 0);
}

/* Each would only stay longer. */
static void is_a_crowd_that_came_at_once_answered_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		other_asks();
		crowd_asks();
		assert_int_equal(crowd_answered(ALLOW), CROWD);
		replay_advance(r->group, 200);
	}
	assert_int_equal(r->e->view.held_back, 0);
}

static void does_a_crowd_beside_others_wait_for_them(void **state)
{
	uint32_t q;

	(void)state;
	crowd_storms();
	crowd_asks();
	assert_true(crowd_answered(NONE) > CROWD / 2);
	/* an innocent in between does not */
	q = replay_open(r, file, OTHER);
	replay_turn(r);
	assert_int_equal(replay_answer(r, q), ALLOW);
	assert_true(crowd_answered(NONE) > CROWD / 2);
	calm();
	assert_int_equal(crowd_answered(ALLOW), CROWD);
	assert_true(r->e->view.held_back > CROWD / 2);
}

static void is_what_they_get_what_they_would_have_got(void **state)
{
	(void)state;
	replay_rules(r, "deny file.open uid 1000\n");
	crowd_storms();
	crowd_asks();
	calm();
	assert_int_equal(crowd_answered(DENY), CROWD);
}

static void is_the_storm_over_when_it_is_over(void **state)
{
	uint32_t q;

	(void)state;
	crowd_storms();
	replay_advance(r->group, 4000);
	other_asks();
	q = replay_open(r, file, REPLAY_PID);
	replay_turn(r);
	assert_int_equal(replay_answer(r, q), ALLOW);
}

static void is_a_kept_answer_given_by_a_successor(void **state)
{
	(void)state;
	replay_rules(r, "deny file.open uid 1000\n");
	crowd_storms();
	crowd_asks();
	assert_true(crowd_answered(NONE) > 0);
	replay_succeed(r);
	replay_turn(r);
	assert_int_equal(crowd_answered(DENY), CROWD);
}

/* Nobody may be waited for for ever: each descriptor is closed in the end. */
static void are_their_descriptors_closed(void **state)
{
	(void)state;
	crowd_storms();
	for (int round = 0; round < 50; round++) {
		crowd_asks();
		calm();
		assert_int_equal(crowd_answered(ALLOW), CROWD);
		other_asks();
	}
	assert_int_equal(r->e->storms.count, 0);
	assert_int_equal(r->e->used_count, 0);
	assert_int_equal(r->e->close.head, r->e->close.tail);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(is_a_crowd_answered_at_once_when_nobody_else_asks),
		TEST(is_a_crowd_that_came_at_once_answered_at_once),
		TEST(does_a_crowd_beside_others_wait_for_them),
		TEST(is_what_they_get_what_they_would_have_got),
		TEST(is_the_storm_over_when_it_is_over),
		TEST(is_a_kept_answer_given_by_a_successor),
		TEST(are_their_descriptors_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
