/* SPDX-License-Identifier: Apache-2.0 */
/* Does a wrong clock install what is expired, or lock the host out? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "content/clock.h"
#include "content/decide.h"

#define BUILT 1790000000ll
#define TRUE_S (BUILT + 40 * 86400)     /* what time it is really */
#define TEN_YEARS (10ll * 365 * 86400 + 2 * 86400)

static struct clock_reading reading(int64_t wall_s, uint64_t boot_s,
				    uint8_t boot)
{
	struct clock_reading r = { .wall_s = wall_s, .boot_ms = boot_s * 1000 };

	memset(r.boot, boot, sizeof(r.boot));
	return r;
}

static void test_right(void **state)
{
	struct clock_reading r = reading(TRUE_S, 100, 1);
	struct clock_floor floor;
	struct clock_now now;

	clock_floor_init(&floor, BUILT, &r);
	now = clock_now(&floor, &r);
	assert_int_equal(now.now_s, TRUE_S);
	assert_int_equal(now.trust, CLOCK_WALL);
	assert_int_equal(now.wrong_s, 0);
	assert_int_equal(clock_floor_raise(&floor, TRUE_S - 30, &r), 1);
	assert_int_equal(clock_floor_raise(&floor, TRUE_S - 31, &r), 0);
	assert_int_equal(clock_floor_raise(&floor, TRUE_S + CLOCK_SKEW_S,
					   &r), 1);
	assert_int_equal(floor.at_s, TRUE_S + CLOCK_SKEW_S);
}

static void test_behind(void **state)
{
	struct clock_reading r = reading(TRUE_S - TEN_YEARS, 100, 1);
	struct clock_floor floor;
	struct clock_now now;

	clock_floor_init(&floor, BUILT, &r);
	now = clock_now(&floor, &r);
	assert_int_equal(now.now_s, BUILT);
	assert_int_equal(now.trust, CLOCK_BEHIND);
	assert_int_equal(now.wrong_s, TRUE_S - TEN_YEARS - BUILT);
	/* A signature tells the time, boot time goes on from there. */
	assert_int_equal(clock_floor_raise(&floor, TRUE_S, &r), 1);
	r.boot_ms += 5000 * 1000;
	assert_int_equal(clock_now(&floor, &r).now_s, TRUE_S + 5000);
	/* The next boot, with the same wrong clock: not before that. */
	clock_floor_keep(&floor, &r);
	r = reading(TRUE_S - TEN_YEARS, 7, 2);
	assert_int_equal(clock_now(&floor, &r).now_s, TRUE_S + 5000);
	clock_floor_keep(&floor, &r);
	r.boot_ms += 60 * 1000;
	assert_int_equal(clock_now(&floor, &r).now_s, TRUE_S + 5060);
}

static void test_ahead(void **state)
{
	struct clock_reading r = reading(TRUE_S + TEN_YEARS, 100, 1);
	struct clock_floor floor;

	clock_floor_init(&floor, BUILT, &r);
	assert_int_equal(clock_now(&floor, &r).now_s, BUILT);
	assert_int_equal(clock_now(&floor, &r).trust, CLOCK_AHEAD);
	assert_int_equal(clock_floor_raise(&floor, TRUE_S, &r), 1);
	assert_int_equal(clock_now(&floor, &r).now_s, TRUE_S);
	/* Put right: believed at once, the floor was not spoiled. */
	r = reading(TRUE_S + 60, 160, 1);
	assert_int_equal(clock_now(&floor, &r).now_s, TRUE_S + 60);
	assert_int_equal(clock_now(&floor, &r).trust, CLOCK_WALL);
	/* Off for four years with a right clock: that is the time. */
	r = reading(TRUE_S + 4 * 365 * 86400ll, 1, 3);
	assert_int_equal(clock_now(&floor, &r).trust, CLOCK_WALL);
}

/* A stolen online key may sign any time: a plausible clock bounds it. */
static void test_signed_far_ahead(void **state)
{
	struct clock_reading r = reading(TRUE_S, 100, 1);
	struct clock_floor floor;

	clock_floor_init(&floor, BUILT, &r);
	assert_int_equal(clock_floor_raise(&floor, TRUE_S + TEN_YEARS, &r),
			 0);
	assert_int_equal(clock_floor_raise(&floor, TRUE_S + CLOCK_SKEW_S + 1,
					   &r), 0);
	assert_int_equal(clock_now(&floor, &r).now_s, TRUE_S);
	assert_int_equal(clock_floor_raise(&floor, INT64_MAX, &r), 0);
	assert_int_equal(clock_floor_raise(&floor, INT64_MIN, &r), 0);
	r.wall_s = 0;
	assert_int_equal(clock_floor_raise(&floor, BUILT + TEN_YEARS, &r), 0);
	assert_int_equal(clock_floor_raise(&floor, BUILT + CLOCK_PLAUSIBLE_S,
					   &r), 1);
}

static void test_suspend(void **state)
{
	struct clock_reading before = reading(TRUE_S, 100, 1), after;

	/* CLOCK_BOOTTIME goes on in suspend; the wall clock may not. */
	after = reading(TRUE_S, 100 + 7200, 1);
	assert_int_equal(clock_between_s(&before, TRUE_S, &after, TRUE_S),
			 7200);
	after = reading(TRUE_S, 50, 2);
	assert_int_equal(clock_between_s(&before, TRUE_S, &after,
					 TRUE_S + 30), 30);
	assert_int_equal(clock_between_s(&before, TRUE_S, &after,
					 TRUE_S - 30), 0);
	after = reading(TRUE_S, 50, 1);
	assert_int_equal(clock_between_s(&before, TRUE_S, &after, TRUE_S), 0);
}

static void test_any_values(void **state)
{
	static const int64_t odd[] = { INT64_MIN, -1, 0, 1, INT64_MAX };

	for (int i = 0; i < 5; i++) {
		for (int j = 0; j < 5; j++) {
			struct clock_reading r = reading(odd[i], 1, 1);
			struct clock_floor floor;

			clock_floor_init(&floor, odd[j], &r);
			r.boot_ms = UINT64_MAX;
			(void)clock_floor_raise(&floor, odd[i], &r);
			clock_floor_keep(&floor, &r);
			assert_true(clock_now(&floor, &r).now_s >=
				    floor.at_s);
		}
	}
}

/* ---- with a decision behind it ---- */

/* A version that is ready, a lease that ended at until_s; decided by what the
 * clock says when it comes and age_s later. */
static enum decide_action with(struct clock_floor *floor, int64_t wall_s,
			       int64_t until_s, uint32_t age_s)
{
	struct clock_reading r = reading(wall_s, 100, 1);
	struct clock_now came = clock_now(floor, &r);
	struct decide_inputs in;

	decide_begin(&in);
	in.versions = 1;
	in.version[0] = (struct decide_version){
		.number = 17, .state = DECIDE_PREFLIGHTED
	};
	in.affordable = 1;
	in.lease = (struct decide_lease){
		.given = 1, .release = 0, .back = DECIDE_NONE, .rings = 7,
		.bound = { 1, 1, 1 }, .poll_s = 60,
		.valid_until_s = until_s,
		.life_s = until_s > came.now_s
			? decide_age((uint64_t)(until_s - came.now_s)) : 0,
		.age_s = age_s
	};
	r.boot_ms += age_s * 1000ull;
	in.now_s = clock_now(floor, &r).now_s;
	assert_true(decide_sound(&in));
	return decide(&in).action;
}

static void test_decisions(void **state)
{
	static const int64_t wrong[] = { 0, TEN_YEARS, -TEN_YEARS };

	for (int i = 0; i < 3; i++) {
		struct clock_reading r = reading(TRUE_S + wrong[i], 100, 1);
		struct clock_floor floor;

		clock_floor_init(&floor, BUILT, &r);
		assert_int_equal(clock_floor_raise(&floor, TRUE_S - 60, &r),
				 1);
		/* What had ended when the last signature was made has. */
		assert_int_equal(with(&floor, r.wall_s, TRUE_S - 61, 0),
				 DECIDE_DO_HOLD);
		assert_int_equal(with(&floor, r.wall_s, BUILT - 1, 0),
				 DECIDE_DO_HOLD);
		/* A lease of now is good, and ends by the time since then. */
		assert_int_equal(with(&floor, r.wall_s, TRUE_S + 300, 0),
				 DECIDE_DO_ACTIVATE);
		assert_int_equal(with(&floor, r.wall_s, TRUE_S + 300, 361),
				 DECIDE_DO_HOLD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_signed_far_ahead),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_any_values),
		cmocka_unit_test(test_decisions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
