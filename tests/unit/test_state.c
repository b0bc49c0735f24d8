/* SPDX-License-Identifier: Apache-2.0 */
/* What does a version become, and where does a product go back to? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "content/state.h"

static struct state s;
static uint64_t sequence;
static uint8_t boot;

static int setup(void **state)
{
	state_init(&s);
	sequence = 0;
	boot = 1;
	return 0;
}

static struct journal_record record_of(enum state_event type, unsigned n)
{
	struct journal_record record = { .type = type,
					 .sequence = ++sequence,
					 .by = STATE_BY_PERSON };

	record.hash[0] = (uint8_t)n;
	record.hash[1] = (uint8_t)(n >> 8);
	record.time.boot_id[0] = boot;
	snprintf(record.reason, sizeof(record.reason), "record %d of %u",
		 (int)type, n);
	return record;
}

static int try_event(enum state_event type, unsigned n)
{
	struct journal_record record = record_of(type, n);

	return state_apply(&s, &record);
}

static void event(enum state_event type, unsigned n)
{
	assert_int_equal(try_event(type, n), STATE_MAY);
}

static int try_fetch(unsigned n, uint64_t floor)
{
	struct journal_record record = record_of(STATE_EVENT_FETCHED, n);
	struct state_facts facts = { .number = n, .floor = floor };

	snprintf(facts.name, sizeof(facts.name), "v%u", n);
	memcpy(record.payload, &facts, sizeof(facts));
	record.payload_size = sizeof(facts);
	return state_apply(&s, &record);
}

static const struct state_version *version(unsigned n)
{
	struct journal_record record = record_of(STATE_EVENT_NOTE, n);
	const struct state_version *v = state_find(&s, record.hash);

	assert_non_null(v);
	return v;
}

static void is(unsigned n, enum state_id wanted)
{
	assert_string_equal(state_name(version(n)->state),
			    state_name(wanted));
}

static unsigned active(void)
{
	const struct state_version *v = state_active(&s);

	return v != NULL ? (unsigned)v->facts.number : 0;
}

static unsigned back(void)
{
	const struct state_version *v = state_back(&s);

	return v != NULL ? (unsigned)v->facts.number : 0;
}

static void ready(unsigned n, uint64_t floor)
{
	assert_int_equal(try_fetch(n, floor), STATE_MAY);
	event(STATE_EVENT_VERIFIED, n);
	event(STATE_EVENT_PREFLIGHTED, n);
}

static void begin(unsigned n)
{
	event(STATE_EVENT_ACTIVATING, n);
	event(STATE_EVENT_TRIAL, n);
}

static void good(unsigned n)
{
	ready(n, 0);
	begin(n);
	event(STATE_EVENT_GOOD, n);
}

static void fault(unsigned n, unsigned object)
{
	struct journal_record record = record_of(STATE_EVENT_FAULT, n);

	record.object[0] = (uint8_t)object;
	assert_int_equal(state_apply(&s, &record), STATE_MAY);
}

static void cleared(unsigned n, unsigned object)
{
	struct journal_record record = record_of(STATE_EVENT_CLEARED, n);

	record.object[0] = (uint8_t)object;
	assert_int_equal(state_apply(&s, &record), STATE_MAY);
}

/* ---- the way up ---- */

static void test_life(void **state)
{
	assert_int_equal(try_fetch(1, 0), STATE_MAY);
	is(1, STATE_FETCHED);
	assert_int_equal(try_event(STATE_EVENT_PREFLIGHTED, 1),
			 STATE_NOT_FROM_HERE);
	event(STATE_EVENT_VERIFIED, 1);
	is(1, STATE_VERIFIED);
	assert_int_equal(try_event(STATE_EVENT_ACTIVATING, 1),
			 STATE_NOT_FROM_HERE);
	event(STATE_EVENT_PREFLIGHTED, 1);
	assert_int_equal(try_event(STATE_EVENT_TRIAL, 1),
			 STATE_NOT_FROM_HERE);
	event(STATE_EVENT_ACTIVATING, 1);
	is(1, STATE_PREFLIGHTED);
	assert_int_equal(active(), 0);
	event(STATE_EVENT_TRIAL, 1);
	is(1, STATE_TRIAL);
	assert_int_equal(active(), 1);
	event(STATE_EVENT_GOOD, 1);
	is(1, STATE_GOOD);
	assert_string_equal(state_reason(&s, version(1)), "record 23 of 1");
}

/* Nothing but these leads up: no record skips a step. */
static void test_no_skip(void **state)
{
	static const enum state_event up[] = {
		STATE_EVENT_VERIFIED, STATE_EVENT_PREFLIGHTED,
		STATE_EVENT_ACTIVATING, STATE_EVENT_TRIAL, STATE_EVENT_GOOD,
	};

	for (size_t done = 0; done < 5; done++) {
		setup(NULL);
		assert_int_equal(try_fetch(1, 0), STATE_MAY);
		for (size_t i = 0; i < done; i++) {
			event(up[i], 1);
		}
		for (size_t next = 0; next < 5; next++) {
			struct state before = s;

			if (next == done || (done == 3 && next == 2)) {
				continue;
			}
			assert_int_not_equal(try_event(up[next], 1),
					     STATE_MAY);
			s.refused = before.refused;
			assert_memory_equal(&s, &before, sizeof(s));
		}
	}
}

static void test_abandoned(void **state)
{
	good(1);
	ready(2, 0);
	event(STATE_EVENT_ACTIVATING, 2);
	assert_int_equal(try_event(STATE_EVENT_ABANDONED, 1),
			 STATE_NOT_FROM_HERE);
	event(STATE_EVENT_ABANDONED, 2);
	is(2, STATE_PREFLIGHTED);
	assert_int_equal(active(), 1);
	begin(2);
	assert_int_equal(active(), 2);
}

/* ---- quarantine ---- */

static void test_three_crashes(void **state)
{
	good(1);
	ready(2, 0);
	begin(2);
	fault(2, 0);
	fault(2, 7);
	is(2, STATE_TRIAL);
	fault(2, 7);
	is(2, STATE_QUARANTINED);
	assert_int_equal(active(), 1);
	assert_int_equal(try_event(STATE_EVENT_ACTIVATING, 2),
			 STATE_NOT_FROM_HERE);
}

static void test_two_objects(void **state)
{
	good(1);
	ready(2, 0);
	begin(2);
	fault(2, 7);
	is(2, STATE_TRIAL);
	fault(2, 8);
	is(2, STATE_QUARANTINED);
	assert_int_equal(active(), 1);
}

/* A file that also the version before crashes on is not the content's. */
static void test_a_users_file(void **state)
{
	good(1);
	ready(2, 0);
	begin(2);
	for (unsigned object = 1; object < 40; object++) {
		fault(2, object);
		is(2, STATE_TRIAL);
		cleared(2, object);
	}
	assert_int_equal(version(2)->crashes, 0);
	assert_int_equal(version(2)->objects, 0);
	fault(2, 1);
	fault(2, 2);
	is(2, STATE_QUARANTINED);
}

/* A good one is past counting; a reproduced fault counts at any time. */
static void test_faults_of_a_good_one(void **state)
{
	good(1);
	good(2);
	for (unsigned object = 0; object < 10; object++) {
		fault(2, object);
	}
	is(2, STATE_GOOD);
	event(STATE_EVENT_REPRODUCED, 2);
	is(2, STATE_QUARANTINED);
	assert_int_equal(active(), 1);
}

/* Going back and forth does not forgive. */
static void test_crashes_add_up(void **state)
{
	good(1);
	ready(2, 0);
	for (unsigned i = 1; i < STATE_CRASHES; i++) {
		begin(2);
		fault(2, 0);
		event(STATE_EVENT_REVERTED, 1);
		is(2, STATE_PREFLIGHTED);
	}
	begin(2);
	fault(2, 0);
	is(2, STATE_QUARANTINED);
	assert_int_equal(version(2)->reverts, STATE_CRASHES);
}

static void test_first_ever_is_bad(void **state)
{
	ready(1, 0);
	begin(1);
	for (unsigned i = 0; i < STATE_CRASHES; i++) {
		fault(1, 0);
	}
	is(1, STATE_QUARANTINED);
	assert_int_equal(active(), 0);
	assert_int_equal(back(), 0);
}

static void lift_by(unsigned n, enum state_by by, int wanted)
{
	struct journal_record record = record_of(STATE_EVENT_LIFTED, n);

	record.by = by;
	assert_int_equal(state_apply(&s, &record), wanted);
}

/* What is lifted starts again; a publisher's statement counts once. */
static void test_lift(void **state)
{
	good(1);
	good(2);
	event(STATE_EVENT_QUARANTINED, 2);
	lift_by(2, STATE_BY_PUBLISHER, STATE_MAY);
	is(2, STATE_VERIFIED);
	event(STATE_EVENT_QUARANTINED, 2);
	lift_by(2, STATE_BY_PUBLISHER, STATE_NOT_FROM_HERE);
	is(2, STATE_QUARANTINED);
	event(STATE_EVENT_REMOVING, 2);
	is(2, STATE_QUARANTINED);
	lift_by(2, STATE_BY_PERSON, STATE_MAY);
	is(2, STATE_FETCHED);
	lift_by(2, STATE_BY_PERSON, STATE_NOT_FROM_HERE);
	/* one of which only the hash was ever known */
	event(STATE_EVENT_QUARANTINED, 9);
	is(9, STATE_QUARANTINED);
	assert_int_equal(try_fetch(9, 0), STATE_NOT_FROM_HERE);
	lift_by(9, STATE_BY_PERSON, STATE_MAY);
	assert_int_equal(try_fetch(9, 0), STATE_MAY);
}

/* ---- going back ---- */

static void test_back(void **state)
{
	good(1);
	good(2);
	good(3);
	assert_int_equal(active(), 3);
	assert_int_equal(back(), 2);
	event(STATE_EVENT_REVERTED, 2);
	is(3, STATE_GOOD);
	assert_int_equal(active(), 2);
	/* not to where one just came from */
	assert_int_equal(back(), 1);
	event(STATE_EVENT_QUARANTINED, 2);
	assert_int_equal(active(), 1);
	/* but rather there than to nothing */
	assert_int_equal(back(), 3);
	event(STATE_EVENT_QUARANTINED, 1);
	assert_int_equal(active(), 3);
	event(STATE_EVENT_QUARANTINED, 3);
	assert_int_equal(active(), 0);
}

static void test_floor(void **state)
{
	good(1);
	good(2);
	ready(3, 2);
	begin(3);
	/* one on trial sets no floor yet */
	assert_int_equal(s.host.floor, 0);
	event(STATE_EVENT_GOOD, 3);
	assert_int_equal(s.host.floor, 2);
	assert_int_equal(try_event(STATE_EVENT_REVERTED, 1),
			 STATE_NOT_FROM_HERE);
	event(STATE_EVENT_QUARANTINED, 3);
	assert_int_equal(active(), 2);
	assert_int_equal(back(), 0);
	assert_int_equal(try_event(STATE_EVENT_ACTIVATING, 1),
			 STATE_NOT_FROM_HERE);
}

static void test_floor_over_itself(void **state)
{
	ready(3, 2000);
	begin(3);
	event(STATE_EVENT_GOOD, 3);
	assert_int_equal(s.host.floor, 3);
}

/* A fault of its trial was told when it was good already. */
static void test_reopened(void **state)
{
	good(1);
	good(2);
	assert_int_equal(try_event(STATE_EVENT_REOPENED, 1),
			 STATE_NOT_FROM_HERE);  /* not in use */
	event(STATE_EVENT_REOPENED, 2);
	is(2, STATE_TRIAL);
	assert_int_equal(active(), 2);
	assert_int_equal(back(), 1);
	assert_int_equal(try_event(STATE_EVENT_REOPENED, 2),
			 STATE_NOT_FROM_HERE);
	fault(2, 1);
	fault(2, 2);
	is(2, STATE_QUARANTINED);
	assert_int_equal(active(), 1);
}

static void test_passed_over(void **state)
{
	good(1);
	ready(2, 0);
	ready(3, 0);
	begin(2);
	begin(3);
	is(2, STATE_PREFLIGHTED);
	is(3, STATE_TRIAL);
	assert_int_equal(back(), 1);
}

static void test_withdrawn(void **state)
{
	assert_int_equal(try_event(STATE_EVENT_WITHDRAWN, 0),
			 STATE_NOT_FROM_HERE);
	ready(1, 0);
	begin(1);
	event(STATE_EVENT_WITHDRAWN, 0);
	is(1, STATE_PREFLIGHTED);
	assert_int_equal(active(), 0);
}

static void test_interrupted(void **state)
{
	good(1);
	ready(2, 0);
	begin(2);
	event(STATE_EVENT_INTERRUPTED, 2);
	is(2, STATE_TRIAL);
	event(STATE_EVENT_INTERRUPTED, 2);
	is(2, STATE_PREFLIGHTED);
	assert_int_equal(active(), 1);
	begin(2);
	event(STATE_EVENT_INTERRUPTED, 2);
	assert_int_equal(active(), 1);
	begin(2);
	event(STATE_EVENT_INTERRUPTED, 2);
	is(2, STATE_QUARANTINED);
}

/* ---- slots ---- */

static bool needed(unsigned n)
{
	return state_needs(&s, version(n));
}

static void test_what_is_kept(void **state)
{
	const struct state_version *newest[STATE_KEPT];

	for (unsigned n = 1; n <= 5; n++) {
		good(n);
	}
	assert_int_equal(state_newest(&s, newest), STATE_KEPT);
	for (unsigned i = 0; i < STATE_KEPT; i++) {
		assert_int_equal(newest[i]->facts.number, 5 - i);
	}
	assert_false(needed(1));
	assert_false(needed(2));
	assert_true(needed(3));
	event(STATE_EVENT_PINNED, 1);
	assert_true(needed(1));
	for (unsigned n = 6; n <= 8; n++) {
		ready(n, 0);
	}
	assert_false(needed(6));
	assert_true(needed(7));
	assert_true(needed(8));
	event(STATE_EVENT_ACTIVATING, 6);
	assert_true(needed(6));
	assert_int_equal(try_event(STATE_EVENT_REMOVING, 6),
			 STATE_NOT_FROM_HERE);
	event(STATE_EVENT_REMOVING, 2);
	is(2, STATE_FETCHED);
	assert_int_equal(try_event(STATE_EVENT_REMOVING, 2),
			 STATE_NOT_FROM_HERE);
}

static void test_damaged(void **state)
{
	good(1);
	good(2);
	event(STATE_EVENT_DAMAGED, 2);
	is(2, STATE_FETCHED);
	assert_int_equal(active(), 1);
	/* It starts again from there. */
	event(STATE_EVENT_VERIFIED, 2);
	is(2, STATE_VERIFIED);
}

static void test_full(void **state)
{
	for (unsigned n = 1; n <= STATE_VERSIONS; n++) {
		assert_int_equal(try_fetch(n, 0), STATE_MAY);
	}
	for (unsigned n = 2; n <= STATE_VERSIONS; n++) {
		event(STATE_EVENT_QUARANTINED, n);
	}
	/* the one that is only fetched makes room */
	assert_int_equal(try_fetch(1000, 0), STATE_MAY);
	assert_int_equal(s.count, STATE_VERSIONS);
	event(STATE_EVENT_QUARANTINED, 1000);
	assert_int_equal(try_fetch(1001, 0), STATE_FULL);
	assert_int_equal(try_event(STATE_EVENT_QUARANTINED, 1001),
			 STATE_FULL);
	for (unsigned n = 2; n <= STATE_VERSIONS; n++) {
		is(n, STATE_QUARANTINED);
	}
}

static void test_host(void **state)
{
	struct journal_record record = record_of(STATE_EVENT_PAUSED, 0);

	record.number = 77;
	assert_int_equal(state_apply(&s, &record), STATE_MAY);
	assert_int_equal(s.host.paused, 1);
	assert_int_equal(s.host.paused_until_s, 77);
	event(STATE_EVENT_RESUMED, 0);
	assert_int_equal(s.host.paused, 0);
	assert_int_equal(s.host.paused_until_s, 0);
	event(STATE_EVENT_PINNED, 5);
	assert_int_equal(s.host.pin[0], 5);
	event(STATE_EVENT_UNPINNED, 0);
	assert_int_equal(s.host.pin[0], 0);
	event(STATE_EVENT_STOPPED, 0);
	assert_int_equal(s.host.stopped, 1);
	event(STATE_EVENT_NOTE, 0);
	assert_int_equal(s.host.stopped, 0);
	/* what is about a version names it, and the reverse */
	assert_int_equal(try_event(STATE_EVENT_PINNED, 0), STATE_NO_RECORD);
	assert_int_equal(try_event(STATE_EVENT_STOPPED, 1), STATE_NO_RECORD);
	assert_int_equal(try_event(STATE_EVENT_QUARANTINED, 0),
			 STATE_NO_RECORD);
	assert_int_equal(try_event((enum state_event)63, 1),
			 STATE_NO_RECORD);
	assert_int_equal(try_event((enum state_event)12345, 1),
			 STATE_NO_RECORD);
}

/* ---- any order ---- */

static void always(const struct state *before)
{
	size_t trials = 0;
	const struct state_version *a = state_active(&s);

	for (size_t i = 0; i < s.count; i++) {
		const struct state_version *v = &s.version[i];

		trials += v->state == STATE_TRIAL;
		assert_true(v->state != STATE_TRIAL || v == a);
		if (v->state != STATE_QUARANTINED) {
			assert_int_equal(v->kept, v->state != STATE_FETCHED);
		}
	}
	assert_true(trials <= 1);
	if (a != NULL) {
		assert_true(a->state == STATE_TRIAL ||
			    a->state == STATE_GOOD);
	} else {
		assert_int_equal(s.host.active[0], 0);
	}
	/* Without a good one in use, none that could be was passed over. */
	if (a == NULL && state_active(before) != NULL &&
	    state_active(before)->state == STATE_GOOD) {
		assert_null(state_back(before));
	}
}

static void one_at_random(uint64_t r, struct journal_record *ret_record)
{
	unsigned n = (unsigned)(r >> 8 & 7);
	struct state_facts facts = { .number = n + 1, .floor = r >> 16 & 3 };

	*ret_record = record_of((enum state_event)(r % 50), n);
	ret_record->by = r >> 24 & 7;
	ret_record->object[0] = r >> 28 & 3;
	ret_record->number = r >> 40;
	if (ret_record->type == STATE_EVENT_FETCHED ||
	    ret_record->type == STATE_EVENT_ADOPTED) {
		memcpy(ret_record->payload, &facts, sizeof(facts));
		ret_record->payload_size = sizeof(facts);
	}
}

static void saved(void)
{
	static struct state again;
	struct journal_record record;

	state_init(&again);
	for (size_t i = 0; state_save(&s, i, &record) == 0; i++) {
		assert_int_equal(state_apply(&again, &record), STATE_MAY);
	}
	again.refused = s.refused;
	assert_memory_equal(&again, &s, sizeof(s));
}

static void test_any_order(void **state)
{
	static struct state before;
	unsigned reached[STATES] = { 0 };
	struct journal_record record;

	for (uint64_t i = 0; i < 200000; i++) {
		int may;

		one_at_random(hash_mix(i + 1), &record);
		if (record.type <= STATE_EVENT_VERSION) {
			continue;
		}
		before = s;
		may = state_may(&s, &record);
		assert_int_equal(state_apply(&s, &record), may);
		if (may != STATE_MAY) {
			before.refused++;
			assert_memory_equal(&s, &before, sizeof(s));
		}
		always(&before);
		if (i % 512 == 0) {
			saved();
		}
		for (size_t k = 0; k < s.count; k++) {
			reached[s.version[k].state]++;
		}
	}
	for (unsigned i = STATE_FETCHED; i < STATES; i++) {
		assert_true(reached[i] > 0);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),
		TEST(test_no_skip),
		TEST(test_abandoned),
		TEST(test_three_crashes),
		TEST(test_two_objects),
		TEST(test_a_users_file),
		TEST(test_faults_of_a_good_one),
		TEST(test_crashes_add_up),
		TEST(test_first_ever_is_bad),
		TEST(test_lift),
		TEST(test_back),
		TEST(test_floor),
		TEST(test_floor_over_itself),
		TEST(test_reopened),
		TEST(test_passed_over),
		TEST(test_withdrawn),
		TEST(test_interrupted),
		TEST(test_what_is_kept),
		TEST(test_damaged),
		TEST(test_full),
		TEST(test_host),
		TEST(test_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
