/* SPDX-License-Identifier: Apache-2.0 */
/* Is a lease read as it is written, and nothing else taken for one? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "content/lease.h"

#define H(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c  \
	c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c

#define HEAD "\"format\":1,\"product\":\"scan\"," \
	"\"release\":\"content/scan/code/17.json\",\"hash\":\"" H("a") "\"," \
	"\"salt\":\"00112233445566778899\","
#define RINGS "\"rings\":[\"early\",\"general\",\"late\"],"
#define BOUNDS "\"admitted\":{\"early\":{\"*\":281474976710656}," \
	"\"general\":{\"*\":1000,\"k6.1-deb12\":7},\"late\":{}},"
#define UNTIL "\"valid_until\":\"2026-11-22T12:05:00Z\""

static int parse(const char *text, struct lease *ret_lease,
		 struct lease_error *ret_error)
{
	return lease_parse(text, strlen(text), "scan", ret_lease, ret_error);
}

static struct lease good(const char *text)
{
	struct lease_error error = { .text = "" };
	struct lease lease;

	if (parse(text, &lease, &error)) {
		fail_msg("%s", error.text);
	}
	return lease;
}

static void test_whole(void **state)
{
	struct lease l = good("{" HEAD RINGS BOUNDS UNTIL ","
		"\"issued\":\"2026-11-22T12:00:00Z\","
		"\"dwell_s\":{\"early\":60,\"general\":3600},"
		"\"poll_s\":45,\"jitter_s\":15,\"halted\":[\"" H("b") "\"],"
		"\"quarantined\":[\"" H("c") "\",\"" H("d") "\"],"
		"\"roll_back_to\":\"" H("e") "\",\"passes\":{\"*\":9},"
		"\"passes_needed\":20}");
	uint8_t hash[VERSION_HASH];

	assert_string_equal(l.product, "scan");
	assert_int_equal(l.class, VERSION_CODE);
	assert_int_equal(l.number, 17);
	assert_int_equal(l.hash[31], 0xaa);
	assert_int_equal(l.salt_length, 10);
	assert_int_equal(l.salt[9], 0x99);
	assert_int_equal(l.rings, 7);
	assert_int_equal(lease_bound(&l, "x", LEASE_EARLY), LEASE_BUCKETS);
	assert_int_equal(lease_bound(&l, "x", LEASE_GENERAL), 1000);
	assert_int_equal(lease_bound(&l, "k6.1-deb12", LEASE_GENERAL), 7);
	assert_int_equal(lease_bound(&l, "k6.1-deb12", LEASE_EARLY),
			 LEASE_BUCKETS);
	assert_int_equal(lease_bound(&l, "x", LEASE_LATE), 0);
	assert_int_equal(lease_reach(&l, "x"), 2);
	assert_int_equal(l.dwell_s[LEASE_GENERAL], 3600);
	assert_int_equal(l.dwell_s[LEASE_LATE], 0);
	assert_int_equal(l.poll_s, 45);
	assert_int_equal(l.jitter_s, 15);
	assert_int_equal(l.valid_until_s, 1795349100);
	assert_int_equal(lease_signed_s(&l), 1795348800);
	assert_int_equal(l.roll_back, 1);
	assert_int_equal(lease_passes(&l, "x"), 9);
	assert_int_equal(l.passes_needed, 20);
	memset(hash, 0xdd, sizeof(hash));
	assert_true(lease_names(&l.quarantined, hash));
	assert_false(lease_names(&l.halted, hash));
}

static void test_least(void **state)
{
	struct lease l = good("{" HEAD "\"rings\":[\"general\"],"
			      "\"admitted\":{}," UNTIL
			      ",\"roll_back_to\":null}");

	assert_int_equal(l.poll_s, LEASE_POLL_S);
	assert_int_equal(l.jitter_s, 0);
	assert_int_equal(l.roll_back, 0);
	assert_int_equal(l.strata, 0);
	assert_int_equal(lease_reach(&l, "x"), 0);
	assert_int_equal(lease_signed_s(&l),
			 1795349100 - (int64_t)LEASE_LIFE_MOST_S);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} table[] = {
		{ "", "" }, { "[]", "" }, { "{}", "format" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"more\":1}", "more" },
		{ "{" HEAD RINGS BOUNDS "\"valid_until\":\"tomorrow\"}",
		  "valid_until" },
		{ "{" HEAD RINGS BOUNDS "\"valid_until\":1795349100}",
		  "valid_until" },
		{ "{" HEAD BOUNDS UNTIL "}", "rings" },
		{ "{" HEAD RINGS UNTIL "}", "admitted" },
		{ "{" HEAD "\"rings\":[]," BOUNDS UNTIL "}", "rings" },
		{ "{" HEAD "\"rings\":[\"late\",\"early\"]," BOUNDS UNTIL "}",
		  "rings" },
		{ "{" HEAD "\"rings\":[\"early\",\"early\"]," BOUNDS UNTIL
		  "}", "rings" },
		{ "{" HEAD "\"rings\":[\"early\",\"beta\"]," BOUNDS UNTIL
		  "}", "rings" },
		{ "{" HEAD "\"rings\":[\"early\"]," BOUNDS UNTIL "}",
		  "admitted" },
		{ "{" HEAD RINGS "\"admitted\":{\"early\":{\"*\":"
		  "281474976710657}}," UNTIL "}", "admitted" },
		{ "{" HEAD RINGS "\"admitted\":{\"early\":{\"*\":-1}},"
		  UNTIL "}", "admitted" },
		{ "{" HEAD RINGS "\"admitted\":{\"early\":{\"*\":1.0}},"
		  UNTIL "}", "" },
		{ "{" HEAD RINGS "\"admitted\":{\"early\":{\"A B\":1}},"
		  UNTIL "}", "stratum" },
		{ "{" HEAD RINGS "\"admitted\":{\"early\":5}," UNTIL "}",
		  "admitted" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"poll_s\":1}", "poll_s" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"jitter_s\":86401}",
		  "jitter_s" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"dwell_s\":{\"x\":1}}",
		  "dwell_s" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"dwell_s\":{\"early\":-1}}",
		  "dwell_s" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"halted\":[\"aa\"]}",
		  "halted" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"halted\":[\"" H("B")
		  "\"]}", "halted" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"halted\":[\"" H("b")
		  "\",\"" H("b") "\"]}", "twice" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"roll_back_to\":\"" H("a")
		  "\"}", "roll_back_to" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"issued\":"
		  "\"2026-11-22T12:05:01Z\"}", "issued" },
		{ "{" HEAD RINGS BOUNDS UNTIL ",\"issued\":"
		  "\"2026-08-01T00:00:00Z\"}", "issued" },
		{ "{" HEAD HEAD RINGS BOUNDS UNTIL "}", "" },
		{ "{\"format\":1,\"product\":\"other\"}", "" },
		{ "{\"format\":1,\"product\":\"scan\",\"release\":"
		  "\"content/other/code/17.json\",\"hash\":\"" H("a") "\"}",
		  "release" },
		{ "{\"format\":1,\"product\":\"scan\",\"release\":"
		  "\"content/scan/code/../17.json\",\"hash\":\"" H("a")
		  "\"}", "release" },
		{ "{\"format\":1,\"product\":\"scan\",\"release\":"
		  "\"content/scan/code/17.json\",\"hash\":\"" H("a") "\","
		  "\"salt\":\"0011223344556\"}", "salt" },
		{ "{\"format\":1,\"product\":\"scan\",\"release\":"
		  "\"content/scan/code/17.json\",\"hash\":\"" H("a") "\","
		  "\"salt\":\"00112233445566zz\"}", "salt" },
	};
	struct lease_error error;
	struct lease lease;

	memset(&lease, 0x77, sizeof(lease));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		error.text[0] = '\0';
		if (parse(table[i].text, &lease, &error) != -EBADMSG ||
		    !error.text[0] || !strstr(error.text, table[i].reason)) {
			fail_msg("row %zu: %s", i, error.text);
		}
	}
	for (size_t i = 0; i < sizeof(lease); i++) {
		assert_int_equal(((uint8_t *)&lease)[i], 0x77);
	}
}

static void test_size(void **state)
{
	char text[4096];
	struct lease_error error = { .text = "" };
	struct lease lease;
	int n = sprintf(text, "{" HEAD RINGS BOUNDS UNTIL "}");

	memset(text + n, ' ', sizeof(text) - (size_t)n);
	assert_int_equal(lease_parse(text, LEASE_BYTES, "scan", &lease,
				     &error), 0);
	assert_int_equal(lease_parse(text, LEASE_BYTES + 1, "scan", &lease,
				     &error), -EFBIG);
	/* Cut anywhere: refused. */
	for (int i = 0; i < n; i++) {
		assert_int_equal(lease_parse(text, (size_t)i, "scan", &lease,
					     &error), -EBADMSG);
	}
}

static void test_many(void **state)
{
	char text[LEASE_BYTES + 1], *at = text;
	struct lease_error error = { .text = "" };
	struct lease lease;

	for (unsigned strata = LEASE_STRATA; strata < LEASE_STRATA + 2;
	     strata++) {
		at = text + sprintf(text, "{" HEAD RINGS UNTIL
				    ",\"admitted\":{\"early\":{");
		for (unsigned i = 0; i < strata; i++) {
			at += sprintf(at, "%s\"s%u\":%u", i ? "," : "", i, i);
		}
		sprintf(at, "}}}");
		assert_int_equal(parse(text, &lease, &error),
				 strata > LEASE_STRATA ? -EBADMSG : 0);
	}
	assert_non_null(strstr(error.text, "strata"));
}

/* SHA-256 of the bytes 00..0f then "host", by sha256sum. */
static void test_bucket(void **state)
{
	struct lease lease = { .salt_length = 16 };
	uint64_t bucket = 0, other = 0, low = 0;

	for (unsigned i = 0; i < 16; i++) {
		lease.salt[i] = (uint8_t)i;
	}
	assert_int_equal(lease_bucket(&lease, "host", 4, &bucket), 0);
	assert_int_equal(bucket, 0xe4fe5e78a106ull);
	lease.salt[0] = 1;
	assert_int_equal(lease_bucket(&lease, "host", 4, &other), 0);
	assert_int_not_equal(bucket, other);
	assert_int_equal(lease_bucket(&lease, "", 0, &other), -EINVAL);
	/* Hosts spread evenly. */
	for (uint32_t i = 0; i < 10000; i++) {
		assert_int_equal(lease_bucket(&lease, &i, sizeof(i), &other),
				 0);
		assert_true(other < LEASE_BUCKETS);
		low += other < LEASE_BUCKETS / 10;
	}
	assert_in_range(low, 880, 1120);
}

static void test_jump(void **state)
{
	static const uint32_t before[] = { 10, 20, 40 }, now[] = { 1, 2, 80 };
	struct lease_jump jump = {
		.rings = 7, .before_s = before, .dwell_s = now, .bake_s = 5
	};
	static const uint64_t want[4][4] = {
		{ 0, 0, 10, 30 }, { 0, 0, 0, 20 }, { 0 }, { 0 }
	};

	for (jump.from = 0; jump.from < 4; jump.from++) {
		for (jump.to = 0; jump.to < 4; jump.to++) {
			assert_int_equal(lease_jump_s(&jump),
					 want[jump.from][jump.to]);
		}
	}
	jump.from = 0;
	jump.to = 3;
	jump.bake_s = 15;
	assert_int_equal(lease_jump_s(&jump), 15 + 20);
	jump.rings = 5;
	assert_int_equal(lease_jump_s(&jump), 15);
	jump.rings = 7;
	jump.urgent = true;
	jump.bake_s = 3;
	assert_int_equal(lease_jump_s(&jump), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_least),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
