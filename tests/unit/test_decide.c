/* SPDX-License-Identifier: Apache-2.0 */
/* Does every reason come when it should, and does a journal tell the same? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "content/decide.h"

#define NOW 1795348800ll        /* 2026-11-22T12:00:00Z, a Sunday */

enum { OLDEST, OLDER, RUNNING, NEXT, LIST };    /* numbers 14 to 17 */

/* A host that runs 16, with 15 and 14 kept; 17 is leased to it and passed. */
static struct decide_inputs ready(void)
{
	struct decide_inputs in;

	decide_begin(&in);
	in.now_s = NOW;
	in.weekday = 0;
	in.minute = 12 * 60;
	in.bucket = 1000;
	in.affordable = 1;
	in.versions = LIST;
	for (uint32_t i = 0; i < LIST; i++) {
		in.version[i] = (struct decide_version){
			.number = 14 + i, .floor = 10, .state = DECIDE_GOOD,
			.flags = DECIDE_IS_LEASED, .files = 3, .bytes = 4096,
			.bake_s = 3600, .min_events = 1000, .seen_s = 86400
		};
	}
	in.version[NEXT].state = DECIDE_PREFLIGHTED;
	in.version[NEXT].flags = 0;
	in.running = RUNNING;
	in.lease = (struct decide_lease){
		.given = 1, .release = NEXT, .back = DECIDE_NONE,
		.bound = { LEASE_BUCKETS, 2000, 0 }, .rings = 7,
		.dwell_s = { 3600, 7200, 0 }, .poll_s = 60, .jitter_s = 30,
		.valid_until_s = NOW + 300, .life_s = 300
	};
	in.prior = (struct decide_prior){
		.known = 1, .same = 1, .reach = 2, .rings = 7,
		.dwell_s = { 3600, 7200, 0 }, .age_s = 60
	};
	return in;
}

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
	want(&in, HOLD, OVERRIDE_PAUSE, NEXT);
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

/* The largest inputs there are fit a record; nothing longer or shorter is
 * taken for them. */
static void test_size(void **state)
{
	struct decide_inputs in = ready(), again;
	uint8_t bytes[DECIDE_BYTES], other[DECIDE_BYTES];
	uint32_t most = UINT32_MAX;
	int n;

	in.now_s = in.lease.valid_until_s = DECIDE_TIME_MOST_S;
	in.trust = 2;
	in.weekday = 6;
	in.minute = 1439;
	for (int i = 0; i < (int)LEASE_RINGS; i++) {
		in.lease.bound[i] = LEASE_BUCKETS;
		in.lease.dwell_s[i] = in.prior.dwell_s[i] =
			LEASE_DWELL_MOST_S;
	}
	in.lease.passes = in.lease.passes_needed = most;
	in.lease.poll_s = in.lease.jitter_s = LEASE_POLL_MOST_S;
	in.lease.age_s = in.lease.life_s = in.prior.age_s = in.trial_s =
		in.data_age_s = DECIDE_AGE_MOST_S;
	in.bucket = LEASE_BUCKETS - 1;
	in.versions = DECIDE_VERSIONS;
	for (uint32_t i = 0; i < DECIDE_VERSIONS; i++) {
		in.version[i] = (struct decide_version){
			.number = INT64_MAX, .floor = INT64_MAX, .class = 1,
			.state = DECIDE_QUARANTINED, .flags = 255,
			.files = VERSION_FILES, .bytes = VERSION_TOTAL_BYTES,
			.bake_s = VERSION_BAKE_S, .min_events = most,
			.seen_s = DECIDE_AGE_MOST_S,
			.retry_s = DECIDE_AGE_MOST_S
		};
	}
	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		in.policy[i] = (struct policy){
			.ring = 2, .delay_s = POLICY_DELAY_MOST_S, .pause = 1,
			.pin = POLICY_BEHIND, .behind = 2, .channel = 1,
			.override_allow = 1, .override_pause = 1,
			.override_revert = INT64_MAX, .broken = 1,
			.window = { 127, 1439, 1440 }
		};
	}
	in.limits = (struct decide_limits){
		1, VERSION_FILES, VERSION_TOTAL_BYTES, DECIDE_AGE_MOST_S,
		VERSION_BAKE_S, most
	};
	n = decide_encode(&in, bytes, sizeof(bytes));
	print_message("largest: %d bytes\n", n);
	assert_true(n > 0);
	assert_int_equal(decide_decode(bytes, (size_t)n, &again), 0);
	assert_int_equal(decide_encode(&again, other, sizeof(other)), n);
	assert_memory_equal(bytes, other, (size_t)n);
	assert_int_equal(decide_encode(&in, bytes, (size_t)n - 1), -ENOSPC);
	for (int i = 0; i < n; i++) {
		assert_int_equal(decide_decode(bytes, (size_t)i, &again),
				 -EBADMSG);
	}
	in = ready();
	n = decide_encode(&in, bytes, sizeof(bytes));
	print_message("ordinary: %d bytes\n", n);
	bytes[n] = 0;
	assert_int_equal(decide_decode(bytes, (size_t)n + 1, &again),
			 -EBADMSG);
	/* A longer form of a number is not one. */
	memmove(bytes + 2, bytes + 1, (size_t)n);
	bytes[0] |= 0x80;
	bytes[1] = 0;
	assert_int_equal(decide_decode(bytes, (size_t)n + 1, &again),
			 -EBADMSG);
}

/* From a lease as it is signed to what concerns this host. */
static void test_fill(void **state)
{
	uint8_t hash[LIST][VERSION_HASH] = { { 1 }, { 2 }, { 3 }, { 4 } };
	struct lease lease = {
		.class = VERSION_CODE, .number = 17, .hash = { 4 },
		.rings = 7, .strata = 2, .poll_s = 60, .dwell_s = { 5, 6, 7 },
		.stratum = {
			{ .name = "*", .listed = 3, .bound = { 9, 8 },
			  .passes_listed = 1, .passes = 3 },
			{ .name = "el9", .listed = 2, .bound = { 0, 77 } },
		},
		.roll_back = 1, .roll_back_to = { 2 },
		.halted = { 1, { { 3 } } }, .quarantined = { 1, { { 1 } } },
		.valid_until_s = NOW, .passes_needed = 4
	};
	struct lease_prior prior;
	struct decide_inputs in = ready();
	const char *const names[LIST] = { "14", "fifteen", "2026.11", "next" };

	lease_remember(&lease, "el9", &prior);
	decide_lease(&in, &lease, "el9", &prior, hash);
	assert_int_equal(in.lease.release, NEXT);
	assert_int_equal(in.lease.back, OLDER);
	assert_int_equal(in.lease.bound[LEASE_EARLY], 9);
	assert_int_equal(in.lease.bound[LEASE_GENERAL], 77);
	assert_int_equal(in.lease.bound[LEASE_LATE], 0);
	assert_int_equal(in.lease.passes, 3);
	assert_int_equal(in.prior.known, 1);
	assert_int_equal(in.prior.same, 1);
	assert_int_equal(in.prior.reach, 2);
	assert_int_equal(in.prior.dwell_s[2], 7);
	assert_int_equal(in.version[RUNNING].flags & DECIDE_IS_HALTED,
			 DECIDE_IS_HALTED);
	assert_int_equal(in.version[OLDEST].flags & DECIDE_IS_BARRED,
			 DECIDE_IS_BARRED);
	assert_true(decide_sound(&in));
	/* A newer lease that does not say so any more. */
	lease.halted.count = lease.quarantined.count = 0;
	lease.number = 18;
	lease.roll_back = 0;
	lease.hash[0] = 4;
	prior.hash[0] = 5;
	decide_lease(&in, &lease, "deb", &prior, hash);
	assert_int_equal(in.lease.release, DECIDE_NONE);
	assert_int_equal(in.lease.back, DECIDE_NONE);
	assert_int_equal(in.prior.same, 0);
	assert_int_equal(in.lease.bound[LEASE_GENERAL], 8);
	assert_int_equal(in.version[RUNNING].flags & DECIDE_IS_HALTED, 0);
	assert_int_equal(in.version[OLDEST].flags & DECIDE_IS_BARRED, 0);
	decide_lease(&in, NULL, "deb", NULL, hash);
	assert_int_equal(in.lease.given, 0);
	assert_int_equal(in.prior.known, 0);
	assert_int_equal(decide_pin(&in, "15", names, hash), OLDER);
	assert_int_equal(decide_pin(&in, "fifteen", names, hash), OLDER);
	assert_int_equal(decide_pin(&in, "03000000", names, hash), RUNNING);
	assert_int_equal(decide_pin(&in, "0300000", names, hash),
			 DECIDE_NONE);
	assert_int_equal(decide_pin(&in, "", names, hash), DECIDE_NONE);
	assert_int_equal(decide_pin(&in, "N-1", names, hash), DECIDE_NONE);
}

static void test_limits(void **state)
{
	static const char good[] =
		"{\"format\":1,\"schemas\":[\"scan-rules/1\",\"b\"],"
		"\"max_bytes\":1000,\"max_files\":10,\"min_interval_s\":60,"
		"\"min_bake_s\":300,\"min_events\":50}";
	static const char *const bad[] = {
		"", "[]", "{}", "{\"format\":2}",
		"{\"format\":1,\"schemas\":[\"../x\"],\"max_bytes\":1,"
		"\"max_files\":1,\"min_interval_s\":1,\"min_bake_s\":1,"
		"\"min_events\":1}",
		"{\"format\":1,\"schemas\":[],\"max_bytes\":-1,"
		"\"max_files\":1,\"min_interval_s\":1,\"min_bake_s\":1,"
		"\"min_events\":1}",
		"{\"format\":1,\"schemas\":[],\"max_bytes\":1,\"more\":1,"
		"\"max_files\":1,\"min_interval_s\":1,\"min_bake_s\":1,"
		"\"min_events\":1}",
	};
	char schema[DECIDE_SCHEMAS][VERSION_TEXT];
	struct decide_limits limits = { .given = 0 };
	struct lease_error error = { .text = "" };
	uint32_t count = 0;

	if (decide_limits_parse(good, strlen(good), &limits, schema, &count,
				&error)) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(count, 2);
	assert_string_equal(schema[0], "scan-rules/1");
	assert_int_equal(limits.given, 1);
	assert_int_equal(limits.max_bytes, 1000);
	assert_int_equal(limits.min_events, 50);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error.text[0] = '\0';
		assert_int_equal(decide_limits_parse(bad[i], strlen(bad[i]),
				 &limits, schema, &count, &error), -EBADMSG);
		assert_true(error.text[0]);
	}
	assert_int_equal(limits.max_bytes, 1000);
	assert_int_equal(count, 2);
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
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
