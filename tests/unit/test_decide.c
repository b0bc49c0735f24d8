/* SPDX-License-Identifier: Apache-2.0 */
/* Does every reason come when it should, and does a journal tell the same? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "decide_ready.h"

static bool told[DECIDE_REASONS];

static void want_(const struct decide_inputs *in, uint32_t action,
		  uint32_t reason, uint32_t target, int line)
{
	struct decision d = decide(in), same;
	struct decide_inputs again;
	uint8_t bytes[DECIDE_BYTES];
	int n;

	if (d.action != action || d.reason != reason || d.target != target) {
		fail_msg("line %d: %s %s %d, not %s %s %d", line,
			 decide_action_name(d.action),
			 decide_reason_name(d.reason), (int)d.target,
			 decide_action_name(action),
			 decide_reason_name(reason), (int)target);
	}
	n = decide_encode(in, bytes, sizeof(bytes));
	if (reason == DECIDE_BECAUSE_INPUT) {
		told[reason] = true;
		assert_int_equal(n, -EINVAL);
		return;
	}
	assert_true(n > 0);
	assert_int_equal(decide_decode(bytes, (size_t)n, &again), 0);
	same = decide(&again);
	assert_memory_equal(&d, &same, sizeof(d));
	told[reason] = true;
}

#define want(in, action, reason, target)                                      \
	want_(in, DECIDE_DO_##action, DECIDE_BECAUSE_##reason, target,        \
	      __LINE__)

static void test_steps(void **state)
{
	struct decide_inputs in = ready();

	want(&in, ACTIVATE, GO, NEXT);
	assert_int_equal(decide(&in).poll_s, 60 + 1000 % 31);
	assert_int_equal(decide(&in).accepted, 1);
	assert_int_equal(decide(&in).admitted, 1);
	in.version[NEXT].state = DECIDE_LISTED;
	want(&in, FETCH, GO, NEXT);
	in.version[NEXT].state = DECIDE_FETCHED;
	want(&in, FETCH, GO, NEXT);
	in.version[NEXT].state = DECIDE_VERIFIED;
	want(&in, PREFLIGHT, GO, NEXT);
	in.affordable = 0;
	want(&in, HOLD, UNAFFORDABLE, NEXT);
	in.lease.passes = 20;
	want(&in, HOLD, UNAFFORDABLE, NEXT);
	in.lease.passes_needed = 21;
	want(&in, HOLD, UNAFFORDABLE, NEXT);
	in.lease.passes_needed = 20;
	want(&in, ACTIVATE, PASSED_ELSEWHERE, NEXT);
	/* Interrupted on trial, or good once: the same road. */
	in.version[NEXT].state = DECIDE_TRIAL;
	want(&in, ACTIVATE, GO, NEXT);
	in.version[NEXT].state = DECIDE_GOOD;
	want(&in, ACTIVATE, GO, NEXT);
	in.running = NEXT;
	want(&in, NONE, CURRENT, NEXT);
	in.lease.release = RUNNING;
	want(&in, NONE, NEWER_RUNS, RUNNING);
	/* Nothing runs yet. */
	in = ready();
	in.running = DECIDE_NONE;
	want(&in, ACTIVATE, GO, NEXT);
}

static void test_lease(void **state)
{
	struct decide_inputs in = ready();

	in.bucket = 1999;
	want(&in, ACTIVATE, GO, NEXT);
	in.bucket = 2000;
	want(&in, HOLD, NOT_ADMITTED, NEXT);
	assert_int_equal(decide(&in).admitted, 0);
	in.policy[VERSION_CODE].ring = LEASE_EARLY;
	want(&in, ACTIVATE, GO, NEXT);
	in.policy[VERSION_CODE].ring = LEASE_LATE;
	want(&in, HOLD, NOT_ADMITTED, NEXT);
	/* A lease that serves the late ring first makes nobody earlier. */
	in.lease.bound[LEASE_LATE] = LEASE_BUCKETS;
	want(&in, HOLD, NOT_ADMITTED, NEXT);
	in.bucket = 1999;
	want(&in, ACTIVATE, GO, NEXT);
	/* Rings that take no part. */
	in.lease.rings = 3;
	in.lease.bound[LEASE_LATE] = 0;
	want(&in, ACTIVATE, GO, NEXT);
	in.lease.rings = 2;
	in.lease.bound[LEASE_EARLY] = 0;
	in.policy[VERSION_CODE].ring = LEASE_EARLY;
	want(&in, ACTIVATE, GO, NEXT);
	in.bucket = 2000;
	want(&in, HOLD, NOT_ADMITTED, NEXT);
	in.lease.rings = 0;
	in.bucket = 0;
	want(&in, HOLD, NOT_ADMITTED, NEXT);
	in = ready();
	in.lease.age_s = 299;
	want(&in, ACTIVATE, GO, NEXT);
	in.lease.age_s = 300;
	want(&in, HOLD, LEASE_EXPIRED, NEXT);
	assert_int_equal(decide(&in).accepted, 0);
	in.lease.age_s = 0;
	in.now_s = NOW + 299;
	want(&in, ACTIVATE, GO, NEXT);
	in.now_s = NOW + 300;
	want(&in, HOLD, LEASE_EXPIRED, NEXT);
	in.running = NEXT;
	want(&in, NONE, CURRENT, NEXT);
	in = ready();
	in.lease.given = 0;
	want(&in, HOLD, NO_LEASE, DECIDE_NONE);
	in = ready();
	in.lease.release = DECIDE_NONE;
	want(&in, HOLD, UNKNOWN, DECIDE_NONE);
	in.lease.age_s = 300;
	want(&in, HOLD, LEASE_EXPIRED, DECIDE_NONE);
}

static void test_jump(void **state)
{
	struct decide_inputs in = ready();

	/* Another release before: the first ring may open at once... */
	in.prior.same = 0;
	in.lease.bound[LEASE_GENERAL] = 0;
	in.policy[VERSION_CODE].ring = LEASE_EARLY;
	want(&in, ACTIVATE, GO, NEXT);
	/* ...two of them not within the time of the first. */
	in.lease.bound[LEASE_GENERAL] = 2000;
	want(&in, HOLD, LEASE_JUMP, NEXT);
	assert_int_equal(decide(&in).wait_s, 3600 - 60);
	assert_int_equal(decide(&in).accepted, 0);
	assert_int_equal(decide(&in).admitted, 0);
	in.prior.age_s = 3599;
	want(&in, HOLD, LEASE_JUMP, NEXT);
	in.prior.age_s = 3600;
	want(&in, ACTIVATE, GO, NEXT);
	/* A gate cannot shorten it by its own word. */
	in.prior.age_s = 60;
	in.lease.dwell_s[LEASE_EARLY] = 0;
	in.version[NEXT].bake_s = 10;
	want(&in, HOLD, LEASE_JUMP, NEXT);
	assert_int_equal(decide(&in).wait_s, 3600 - 60);
	/* Nor by leaving rings out. */
	in.lease.rings = 6;
	want(&in, HOLD, LEASE_JUMP, NEXT);
	in.prior.rings = 6;
	want(&in, ACTIVATE, GO, NEXT);
	/* The signed bake time is the least. */
	in = ready();
	in.prior.same = 0;
	in.prior.dwell_s[0] = in.lease.dwell_s[0] = 0;
	want(&in, HOLD, LEASE_JUMP, NEXT);
	assert_int_equal(decide(&in).wait_s, 3600 - 60);
	/* Urgent: as its publisher signed. */
	in = ready();
	in.prior.same = 0;
	in.version[NEXT].flags = DECIDE_IS_URGENT;
	in.version[NEXT].bake_s = 300;
	want(&in, HOLD, LEASE_JUMP, NEXT);
	assert_int_equal(decide(&in).wait_s, 300 - 60);
	/* All rings at once: the sum. */
	in = ready();
	in.prior.same = 0;
	in.lease.bound[LEASE_LATE] = 1;
	want(&in, HOLD, LEASE_JUMP, NEXT);
	assert_int_equal(decide(&in).wait_s, 3600 + 7200 - 60);
	in.prior.same = 1;
	in.prior.reach = 1;
	want(&in, HOLD, LEASE_JUMP, NEXT);
	assert_int_equal(decide(&in).wait_s, 7200 - 60);
	in.prior.reach = 2;
	want(&in, ACTIVATE, GO, NEXT);
	/* What was admitted here once is no news. */
	in.prior.same = 0;
	in.version[NEXT].flags = DECIDE_IS_LEASED;
	want(&in, ACTIVATE, GO, NEXT);
	/* A host that never had a lease. */
	in = ready();
	memset(&in.prior, 0, sizeof(in.prior));
	in.lease.bound[LEASE_LATE] = LEASE_BUCKETS;
	want(&in, ACTIVATE, GO, NEXT);
}

static void test_refused(void **state)
{
	static const struct {
		uint32_t flag, reason;
	} table[] = {
		{ DECIDE_IS_REVOKED, DECIDE_BECAUSE_REVOKED },
		{ DECIDE_IS_BARRED, DECIDE_BECAUSE_QUARANTINED_THERE },
		{ DECIDE_IS_HALTED, DECIDE_BECAUSE_HALTED },
		{ DECIDE_IS_EXPIRED, DECIDE_BECAUSE_EXPIRED },
		{ DECIDE_IS_MISFIT, DECIDE_BECAUSE_SCHEMA },
	};
	struct decide_inputs in;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		in = ready();
		in.version[NEXT].flags |= table[i].flag;
		want_(&in, DECIDE_DO_HOLD, table[i].reason, NEXT, __LINE__);
		in.policy[VERSION_CODE].channel = POLICY_LOCAL;
		want_(&in, DECIDE_DO_HOLD, table[i].reason, NEXT, __LINE__);
	}
	in = ready();
	in.version[NEXT].state = DECIDE_QUARANTINED;
	want(&in, HOLD, QUARANTINED, NEXT);
	in = ready();
	in.version[NEXT].retry_s = 90;
	want(&in, HOLD, RETRY, NEXT);
	assert_int_equal(decide(&in).wait_s, 90);
	in = ready();
	in.unhealthy = 1;
	want(&in, HOLD, UNHEALTHY, NEXT);
	in.version[NEXT].state = DECIDE_LISTED;
	want(&in, FETCH, GO, NEXT);
}

static void test_data(void **state)
{
	struct decide_inputs in = ready();
	struct decide_version *v = &in.version[NEXT];

	v->class = VERSION_DATA;
	want(&in, HOLD, NO_LIMITS, NEXT);
	in.limits = (struct decide_limits){
		.given = 1, .max_files = 3, .max_bytes = 4096,
		.min_interval_s = 600, .min_bake_s = 3600, .min_events = 1000
	};
	want(&in, ACTIVATE, GO, NEXT);
	in.data_known = 1;
	in.data_age_s = 599;
	want(&in, HOLD, INTERVAL, NEXT);
	assert_int_equal(decide(&in).wait_s, 1);
	in.data_age_s = 600;
	want(&in, ACTIVATE, GO, NEXT);
	v->files = 4;
	want(&in, HOLD, LIMITS, NEXT);
	v->files = 3;
	v->bytes = 4097;
	want(&in, HOLD, LIMITS, NEXT);
	v->bytes = 4096;
	v->bake_s = 3599;
	want(&in, HOLD, LIMITS, NEXT);
	v->bake_s = 3600;
	v->min_events = 999;
	want(&in, HOLD, LIMITS, NEXT);
	v->min_events = 1000;
	v->flags |= DECIDE_IS_FOREIGN;
	want(&in, HOLD, LIMITS, NEXT);
	/* Code has a quorum. */
	v->class = VERSION_CODE;
	want(&in, ACTIVATE, GO, NEXT);
	assert_int_equal(decide_bake_s(v, &in.limits), 3600);
	in.limits.min_bake_s = 7200;
	in.limits.min_events = 5000;
	assert_int_equal(decide_bake_s(v, &in.limits), 3600);
	assert_int_equal(decide_min_events(v, &in.limits), 1000);
	v->class = VERSION_DATA;
	assert_int_equal(decide_bake_s(v, &in.limits), 7200);
	assert_int_equal(decide_min_events(v, &in.limits), 5000);
}

static void test_must_go(void **state)
{
	struct decide_inputs in = ready();

	in.version[RUNNING].flags |= DECIDE_IS_REVOKED;
	want(&in, REVERT, REVOKED, OLDER);
	in.lease.given = 0;
	want(&in, REVERT, REVOKED, OLDER);
	in.version[OLDER].flags |= DECIDE_IS_REVOKED;
	want(&in, REVERT, REVOKED, OLDEST);
	in.version[OLDEST].state = DECIDE_VERIFIED;
	want(&in, HOLD, NO_OTHER, RUNNING);
	in.version[OLDEST].state = DECIDE_GOOD;
	in.version[RUNNING].floor = 15;
	want(&in, HOLD, NO_OTHER, RUNNING);
	in = ready();
	in.version[RUNNING].state = DECIDE_QUARANTINED;
	want(&in, REVERT, QUARANTINED, OLDER);
	in = ready();
	in.version[RUNNING].flags |= DECIDE_IS_BARRED;
	in.lease.age_s = 9999;
	want(&in, REVERT, QUARANTINED_THERE, OLDER);
	in.version[OLDER].flags |= DECIDE_IS_BARRED;
	want(&in, REVERT, QUARANTINED_THERE, OLDEST);
	in = ready();
	in.version[RUNNING].state = DECIDE_TRIAL;
	in.verdict = HEALTH_REVERT;
	want(&in, REVERT, TRIAL_FAULT, OLDER);
	in.policy[VERSION_CODE].override_pause = 1;
	want(&in, REVERT, TRIAL_FAULT, OLDER);
	/* A verdict on what is not on trial says nothing. */
	in = ready();
	in.verdict = HEALTH_REVERT;
	want(&in, ACTIVATE, GO, NEXT);
	/* Whatever is the matter with the host or its lease. */
	in = ready();
	in.lease.given = 0;
	in.unhealthy = 1;
	in.version[RUNNING].flags |= DECIDE_IS_EXPIRED | DECIDE_IS_HALTED;
	in.policy[VERSION_CODE].broken = 1;
	want(&in, HOLD, NO_LEASE, DECIDE_NONE);
}

static void test_roll_back(void **state)
{
	struct decide_inputs in = ready();

	in.lease.release = RUNNING;
	in.lease.roll_back = 1;
	in.lease.back = OLDEST;
	want(&in, REVERT, ROLL_BACK, OLDEST);
	in.version[OLDEST].state = DECIDE_LISTED;
	want(&in, REVERT, ROLL_BACK, OLDER);
	in.version[OLDER].state = DECIDE_LISTED;
	want(&in, HOLD, NO_OTHER, RUNNING);
	in = ready();
	in.lease.roll_back = 1;
	in.lease.back = OLDER;
	want(&in, REVERT, ROLL_BACK, OLDER);
	in.lease.age_s = 300;
	want(&in, HOLD, LEASE_EXPIRED, NEXT);
	in.lease.age_s = 0;
	in.policy[VERSION_CODE].pause = 1;
	want(&in, REVERT, ROLL_BACK, OLDER);
	in.policy[VERSION_CODE].override_pause = 1;
	want(&in, HOLD, OVERRIDE_PAUSE, RUNNING);
	/* Nor does the other class go on meanwhile. */
	in.version[NEXT].class = VERSION_DATA;
	want(&in, HOLD, OVERRIDE_PAUSE, RUNNING);
	in.version[NEXT].class = VERSION_CODE;
	in.policy[VERSION_CODE].override_pause = 0;
	in.policy[VERSION_CODE].pin = POLICY_PINNED;
	in.pinned[VERSION_CODE] = RUNNING;
	want(&in, NONE, PINNED, RUNNING);
	/* It runs that one, or an older one, already. */
	in = ready();
	in.lease.roll_back = 1;
	in.lease.back = RUNNING;
	want(&in, ACTIVATE, GO, NEXT);
	in.version[NEXT].flags |= DECIDE_IS_HALTED;
	want(&in, HOLD, HALTED, NEXT);
	/* To one that is not known: only from what is halted. */
	in = ready();
	in.lease.roll_back = 1;
	want(&in, ACTIVATE, GO, NEXT);
	in.version[RUNNING].flags |= DECIDE_IS_HALTED;
	want(&in, REVERT, ROLL_BACK, OLDER);
}

static void test_trial(void **state)
{
	struct decide_inputs in = ready();

	in.version[RUNNING].state = DECIDE_TRIAL;
	in.trial_s = 3500;
	want(&in, HOLD, ON_TRIAL, RUNNING);
	assert_int_equal(decide(&in).wait_s, 100);
	in.verdict = HEALTH_GOOD;       /* before its time: not believed */
	want(&in, HOLD, ON_TRIAL, RUNNING);
	in.trial_s = 3600;
	want(&in, NONE, TRIAL_GOOD, RUNNING);
	/* Its time is over, only events are missing: a newer one may come. */
	in.verdict = HEALTH_GO_ON;
	want(&in, ACTIVATE, GO, NEXT);
	in.lease.release = RUNNING;
	want(&in, HOLD, ON_TRIAL, RUNNING);
	/* Data bakes at least as long as its bounds say. */
	in = ready();
	in.version[RUNNING].state = DECIDE_TRIAL;
	in.version[RUNNING].class = VERSION_DATA;
	in.trial_s = 3600;
	in.limits = (struct decide_limits){ .given = 1, .min_bake_s = 3700 };
	want(&in, HOLD, ON_TRIAL, RUNNING);
	assert_int_equal(decide(&in).wait_s, 100);
}

static void test_customer(void **state)
{
	struct decide_inputs in = ready();
	struct policy *p = &in.policy[VERSION_CODE];

	p->delay_s = 86401;
	want(&in, HOLD, DELAYED, NEXT);
	assert_int_equal(decide(&in).wait_s, 1);
	in.version[NEXT].state = DECIDE_VERIFIED;
	want(&in, PREFLIGHT, GO, NEXT);
	in.version[NEXT].state = DECIDE_PREFLIGHTED;
	p->override_allow = 1;
	want(&in, ACTIVATE, GO, NEXT);
	p->override_allow = 0;
	p->delay_s = 86400;
	want(&in, ACTIVATE, GO, NEXT);
	p->pause = 1;
	want(&in, HOLD, PAUSED, NEXT);
	in.version[NEXT].state = DECIDE_LISTED;
	want(&in, HOLD, PAUSED, NEXT);
	p->override_allow = 1;
	want(&in, FETCH, GO, NEXT);
	in = ready();
	p->window = (struct policy_window){ 2, 22 * 60, 4 * 60 };
	want(&in, HOLD, WINDOW, NEXT);
	assert_int_equal(decide(&in).wait_s, 34 * 3600);
	p->override_allow = 1;
	want(&in, ACTIVATE, GO, NEXT);
	in = ready();
	p->broken = 1;
	want(&in, HOLD, POLICY_BROKEN, NEXT);
	p->override_allow = 1;
	want(&in, HOLD, POLICY_BROKEN, NEXT);
	in = ready();
	p->override_pause = p->override_allow = 1;
	want(&in, HOLD, OVERRIDE_PAUSE, NEXT);
	in = ready();
	p->override_revert = 17;
	want(&in, HOLD, OVERRIDE_REVERT, NEXT);
	p->override_revert = 16;
	want(&in, REVERT, OVERRIDE_REVERT, OLDER);
	p->override_revert = 15;
	in.lease.given = 0;
	want(&in, REVERT, OVERRIDE_REVERT, OLDEST);
	/* override-allow lifts the customer's `late', never the lease. */
	in = ready();
	p->ring = LEASE_LATE;
	p->override_allow = 1;
	want(&in, ACTIVATE, GO, NEXT);
	in.bucket = 2000;
	want(&in, HOLD, NOT_ADMITTED, NEXT);
	/* The other class's policy is not asked. */
	in = ready();
	in.policy[VERSION_DATA].pause = 1;
	want(&in, ACTIVATE, GO, NEXT);
}

static void test_pins(void **state)
{
	struct decide_inputs in = ready();
	struct policy *p = &in.policy[VERSION_CODE];

	p->pin = POLICY_PINNED;
	want(&in, HOLD, PIN_UNKNOWN, DECIDE_NONE);
	in.pinned[VERSION_CODE] = RUNNING;
	want(&in, NONE, PINNED, RUNNING);
	in.pinned[VERSION_CODE] = OLDER;
	want(&in, REVERT, PINNED, OLDER);
	in.lease.given = 0;
	want(&in, REVERT, PINNED, OLDER);
	in.pinned[VERSION_CODE] = NEXT;
	want(&in, HOLD, NO_LEASE, NEXT);
	in.lease.given = 1;
	in.pinned[VERSION_CODE] = OLDER;
	in.version[RUNNING].floor = 16;
	want(&in, HOLD, BELOW_FLOOR, OLDER);
	in.version[RUNNING].floor = 10;
	in.version[OLDER].state = DECIDE_PREFLIGHTED;
	want(&in, ACTIVATE, GO, OLDER);
	in.version[OLDER].flags = 0;
	want(&in, HOLD, NOT_ADMITTED, OLDER);
	in.pinned[VERSION_CODE] = NEXT;
	want(&in, ACTIVATE, GO, NEXT);
	in.bucket = 2000;
	want(&in, HOLD, NOT_ADMITTED, NEXT);
	in = ready();
	p->pin = POLICY_BEHIND;
	p->behind = 1;
	want(&in, NONE, CURRENT, RUNNING);
	p->behind = 2;
	want(&in, NONE, NEWER_RUNS, OLDER);
	in.running = OLDEST;
	in.version[OLDER].state = DECIDE_PREFLIGHTED;
	want(&in, ACTIVATE, GO, OLDER);
	in.version[OLDER].flags = 0;    /* never its turn */
	want(&in, HOLD, NOT_ADMITTED, OLDER);
	in.version[OLDER].flags = DECIDE_IS_LEASED | DECIDE_IS_REVOKED;
	want(&in, HOLD, REVOKED, OLDER);
	in.lease.release = OLDER;
	want(&in, HOLD, BEHIND, DECIDE_NONE);
	p->override_allow = 1;
	in.version[OLDER].flags = 0;
	want(&in, ACTIVATE, GO, OLDER);
}

static void test_local(void **state)
{
	struct decide_inputs in = ready();

	in.policy[VERSION_CODE].channel = POLICY_LOCAL;
	in.lease.given = 0;
	want(&in, ACTIVATE, LOCAL_GO, NEXT);
	in.version[NEXT].state = DECIDE_VERIFIED;
	want(&in, PREFLIGHT, LOCAL_GO, NEXT);
	in.affordable = 0;
	in.lease.passes = in.lease.passes_needed = 1;
	want(&in, HOLD, UNAFFORDABLE, NEXT);
	in.version[NEXT].class = VERSION_DATA;
	in.policy[VERSION_DATA].channel = POLICY_LOCAL;
	in.version[NEXT].state = DECIDE_PREFLIGHTED;
	want(&in, ACTIVATE, LOCAL_GO, NEXT);
	in.limits.given = 1;
	want(&in, HOLD, LIMITS, NEXT);
	in.versions = 0;
	in.running = in.lease.release = DECIDE_NONE;
	want(&in, NONE, NOTHING, DECIDE_NONE);
	/* The gate's class goes by the gate. */
	in = ready();
	in.policy[VERSION_DATA].channel = POLICY_LOCAL;
	want(&in, ACTIVATE, GO, NEXT);
	in.version[RUNNING].class = VERSION_DATA;
	in.lease.given = 0;
	want(&in, NONE, CURRENT, RUNNING);
}

static void test_bad_input(void **state)
{
	struct decide_inputs in = ready();
	uint8_t noise[sizeof(in)];

	in.running = LIST;
	want(&in, HOLD, INPUT, DECIDE_NONE);
	in = ready();
	in.versions = DECIDE_VERSIONS + 1;
	want(&in, HOLD, INPUT, DECIDE_NONE);
	in = ready();
	in.version[0].state = DECIDE_STATES;
	want(&in, HOLD, INPUT, DECIDE_NONE);
	in = ready();
	in.policy[0].ring = LEASE_RINGS;
	want(&in, HOLD, INPUT, DECIDE_NONE);
	in = ready();
	in.now_s = -1;
	want(&in, HOLD, INPUT, DECIDE_NONE);
	for (unsigned fill = 0; fill < 256; fill++) {
		memset(noise, (int)fill, sizeof(noise));
		memcpy(&in, noise, sizeof(in));
		assert_int_not_equal(decide(&in).action, DECIDE_DO_ACTIVATE);
	}
}

/* Every reason is one that the tests above have seen, and has its words. */
static void test_texts(void **state)
{
	for (uint32_t i = 0; i < DECIDE_REASONS; i++) {
		if (!told[i]) {
			fail_msg("no test of %s", decide_reason_name(i));
		}
		assert_true(strlen(decide_reason_text(i)) > 3);
		assert_true(strlen(decide_reason_by(i)) > 3);
		for (uint32_t j = 0; j < i; j++) {
			assert_string_not_equal(decide_reason_name(i),
						decide_reason_name(j));
		}
	}
	assert_string_equal(decide_reason_text(DECIDE_REASONS), "?");
	assert_string_equal(decide_action_name(DECIDE_DO_REVERT), "revert");
	assert_string_equal(decide_state_name(DECIDE_TRIAL), "trial");
	assert_string_equal(decide_state_name(99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_must_go),
		cmocka_unit_test(test_roll_back),
		cmocka_unit_test(test_trial),
		cmocka_unit_test(test_customer),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
