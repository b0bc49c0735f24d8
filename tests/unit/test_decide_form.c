/* SPDX-License-Identifier: Apache-2.0 */
/* Are inputs filled in as the lease says, and do they fit a journal? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "decide_ready.h"

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
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
