/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_updater_plan.c - is the next try when the lease says, later after
 * failures, never at once and never not at all?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "update/updater.h"

static const uint64_t randoms[] = { 0, 1, 999, 123456789, UINT64_MAX / 2,
				    UINT64_MAX };

#define RANDOMS (sizeof(randoms) / sizeof(randoms[0]))

static void assert_between(struct updater_plan plan,
			   struct updater_outcome outcome, uint64_t low_s,
			   uint64_t high_s)
{
	size_t i;

	for (i = 0; i < RANDOMS; i++) {
		struct updater_plan copy = plan;
		uint64_t ms = updater_plan_next(&copy, &outcome, randoms[i]);

		if (ms < low_s * 1000 || ms > high_s * 1000) {
			fail_msg("%llu ms, not %llu to %llu s",
				 (unsigned long long)ms,
				 (unsigned long long)low_s,
				 (unsigned long long)high_s);
		}
	}
}

static void a_lease_sets_the_interval(void **state)
{
	const struct updater_plan none = { .failures = 0 };
	const struct updater_outcome lease = { .reached = 1, .poll_s = 60,
					       .jitter_s = 30 };
	const struct updater_outcome gone = { .reached = 1 };
	const struct updater_outcome low = { .reached = 1, .poll_s = 1 };
	const struct updater_outcome high = { .reached = 1,
		.poll_s = UINT32_MAX, .jitter_s = UINT32_MAX };

	(void)state;
	assert_between(none, lease, 60, 90);
	assert_between(none, gone, 3600, 3960);
	assert_between(none, low, UPDATER_POLL_LEAST_S, UPDATER_POLL_LEAST_S);
	assert_between(none, high, UPDATER_POLL_MOST_S,
		       2 * UPDATER_POLL_MOST_S);
}

static void failures_wait_longer_and_longer(void **state)
{
	const struct updater_outcome bad = { .error = -ECONNREFUSED };
	struct updater_plan plan = { .failures = 0 };
	uint64_t last = 0, ms = 0;
	unsigned i;

	(void)state;
	assert_between(plan, bad, 30, 60);
	for (i = 0; i < 100; i++) {
		ms = updater_plan_next(&plan, &bad, UINT64_MAX);
		assert_true(ms + 3600000 / 2 >= last);
		assert_true(ms >= 30000 && ms <= 3600000);
		last = ms;
	}
	assert_true(ms >= 1800000);
	assert_int_equal(plan.failures, 100);
	plan.failures = UINT32_MAX;
	assert_between(plan, bad, 1800, 3600);
}

static void a_good_one_forgives(void **state)
{
	const struct updater_outcome good = { .reached = 1, .poll_s = 60 };
	struct updater_plan plan = { .failures = 50 };

	(void)state;
	assert_int_equal(updater_plan_next(&plan, &good, 7), 60000);
	assert_int_equal(plan.failures, 0);
}

/* A missing blob is no reason to hear later of a halt. */
static void what_is_missing_does_not_slow_the_lease(void **state)
{
	const struct updater_outcome part = { .reached = 1, .poll_s = 60,
					      .error = -ENOENT };
	const struct updater_plan plan = { .failures = 50 };

	(void)state;
	assert_between(plan, part, 1, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_sets_the_interval),
		cmocka_unit_test(failures_wait_longer_and_longer),
		cmocka_unit_test(a_good_one_forgives),
		cmocka_unit_test(what_is_missing_does_not_slow_the_lease),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
