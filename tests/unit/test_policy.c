/* SPDX-License-Identifier: Apache-2.0 */
/* Does the customer get what he wrote, and never less for a mistake? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "content/policy.h"

static char told[4096];

static void say(void *context, const struct manifest_error *error)
{
	size_t n = strlen(told);

	snprintf(told + n, sizeof(told) - n, "%s\n", error->text);
}

static int read_more(struct policy_set *set, const char *file,
		     const char *text)
{
	return policy_read(text, strlen(text), file, set, say, NULL);
}

static int read_one(struct policy_set *set, const char *text)
{
	memset(set, 0, sizeof(*set));
	told[0] = '\0';
	return read_more(set, "a.conf", text);
}

static struct policy of(const struct policy_set *set, const char *product,
			enum version_class class)
{
	char version[POLICY_PIN];
	struct policy policy;

	policy_resolve(set, product, class, NULL, &policy, version);
	assert_true(policy_sound(&policy));
	return policy;
}

static void test_all_keys(void **state)
{
	struct policy_set set;
	char version[POLICY_PIN];
	struct policy p;

	assert_int_equal(read_one(&set,
		"; ours\n[scan]\nring = late\ndelay = 2d\npause = yes\n"
		"pin = 2026.11.25\nwindow = mon-fri 22:00-04:00\n"
		"channel = local\noverride-allow = yes\n"
		"override-pause = yes\noverride-revert = 17\n"), 0);
	assert_string_equal(told, "");
	policy_resolve(&set, "scan", VERSION_DATA, NULL, &p, version);
	assert_int_equal(p.ring, LEASE_LATE);
	assert_int_equal(p.delay_s, 2 * 86400);
	assert_int_equal(p.pause, 1);
	assert_int_equal(p.pin, POLICY_PINNED);
	assert_string_equal(version, "2026.11.25");
	assert_int_equal(p.window.days, 0x3e);
	assert_int_equal(p.window.from_min, 22 * 60);
	assert_int_equal(p.window.to_min, 4 * 60);
	assert_int_equal(p.channel, POLICY_LOCAL);
	assert_int_equal(p.override_allow, 1);
	assert_int_equal(p.override_pause, 1);
	assert_int_equal(p.override_revert, 17);
	assert_int_equal(p.broken, 0);
	p = of(&set, "other", VERSION_CODE);
	assert_int_equal(p.ring, LEASE_GENERAL);
	assert_int_equal(p.pause, 0);
}

static void test_more_specific_wins(void **state)
{
	struct policy_set set;

	assert_int_equal(read_one(&set,
		"[scan data]\ndelay = 0s\n[scan]\npin = N-1\ndelay = 3h\n"
		"[* code]\nring = late\n[*]\ndelay = 1d\nring = early\n"), 0);
	assert_int_equal(of(&set, "scan", VERSION_DATA).delay_s, 0);
	assert_int_equal(of(&set, "scan", VERSION_CODE).delay_s, 3 * 3600);
	assert_int_equal(of(&set, "x", VERSION_CODE).delay_s, 86400);
	assert_int_equal(of(&set, "scan", VERSION_CODE).ring, LEASE_LATE);
	assert_int_equal(of(&set, "scan", VERSION_DATA).ring, LEASE_EARLY);
	assert_int_equal(of(&set, "scan", VERSION_DATA).pin, POLICY_BEHIND);
	assert_int_equal(of(&set, "scan", VERSION_DATA).behind, 1);
	/* A later file, key by key. */
	assert_int_equal(read_more(&set, "b.conf", "[scan]\npin = follow\n"),
			 0);
	assert_int_equal(of(&set, "scan", VERSION_CODE).pin, POLICY_FOLLOW);
	assert_int_equal(of(&set, "scan", VERSION_CODE).behind, 0);
	assert_int_equal(of(&set, "scan", VERSION_CODE).delay_s, 3 * 3600);
}

static void test_acts(void **state)
{
	struct policy_acts acts = { .pause = 1, .pinned = 1, .revert = 16,
				    .version = "15" };
	struct policy_set set;
	char version[POLICY_PIN];
	struct policy p;

	assert_int_equal(read_one(&set, "[*]\npin = N-2\n"
				  "override-revert = 17\n"), 0);
	policy_resolve(&set, "scan", VERSION_CODE, &acts, &p, version);
	assert_int_equal(p.pause, 1);
	assert_int_equal(p.pin, POLICY_PINNED);
	assert_int_equal(p.behind, 0);
	assert_string_equal(version, "15");
	assert_int_equal(p.override_revert, 16);
	assert_true(policy_sound(&p));
	acts = (struct policy_acts){ .revert = 20 };
	policy_resolve(&set, "scan", VERSION_CODE, &acts, &p, version);
	assert_int_equal(p.pause, 0);
	assert_int_equal(p.pin, POLICY_BEHIND);
	assert_string_equal(version, "");
	assert_int_equal(p.override_revert, 17);
}

/* One mistake holds those whom it concerns, and nobody else. */
static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *reason;
		int scan, other;        /* held */
	} table[] = {
		{ "[scan]\npause = yse\n", "a.conf:2: pause: `yse' is none "
		  "of: no yes", 1, 0 },
		{ "[scan]\n\ndelay = 9999d\n", "a.conf:3: delay: out of", 1,
		  0 },
		{ "[scan]\ndelay = 5\n", "a.conf:2: delay: `5' is not", 1, 0 },
		{ "[scan]\npaused = yes\n", "a.conf:2: unknown key paused in "
		  "[scan]", 1, 0 },
		{ "[scan]\nring = early\nring = late\n", "a.conf:3: ring is "
		  "set twice", 1, 0 },
		{ "[scan]\nring = early\n[x]\n[scan]\nring = late\n",
		  "a.conf:4: section [scan] stands twice", 1, 0 },
		{ "[scan]\nnonsense\n", "a.conf:2: not understood", 1, 0 },
		{ "[scan]\npin = a b\n", "a.conf:2: pin: `a b' is not a "
		  "version", 1, 0 },
		{ "[scan]\npin =\n", "pin", 1, 0 },
		{ "[scan]\noverride-revert = 0\n", "neither a version's "
		  "number", 1, 0 },
		{ "[scan]\nwindow = fri\n", "is not a window", 1, 0 },
		{ "[scan]\nwindow = fri 22:00-24:01\n", "is not a window", 1,
		  0 },
		{ "[scan]\nwindow = fri 24:00-24:00\n", "is not a window", 1,
		  0 },
		{ "[scan]\nwindow = fri 2:00-4:00\n", "is not a window", 1,
		  0 },
		{ "[scan]\nwindow = friday 02:00-04:00\n", "is not a window",
		  1, 0 },
		{ "[scan]\nwindow = fri 02:00-04:00 x\n", "is not a window",
		  1, 0 },
		{ "[scan data]\npause = maybe\n", "a.conf:2: pause", 0, 0 },
		{ "[*]\npause = maybe\n", "a.conf:2: pause", 1, 1 },
		{ "pause = yes\n[scan]\n", "a.conf:1: pause stands before", 1,
		  1 },
		{ "[scan] pause = yes\n", "a.conf:1: text after", 1, 0 },
		{ "[Scan]\npause = yes\n", "a.conf:1: [Scan] is not a "
		  "section", 1, 1 },
		{ "[scan both]\n", "a.conf:1: [scan both] is not", 1, 1 },
		{ "[ scan]\n", "a.conf:1: [ scan] is not", 1, 1 },
		{ "[scan\npause = yes\n", "a.conf:1: ", 1, 1 },
		{ "[scan]\n pause = yes\n", "begins with a space", 1, 0 },
		{ "[scan]\npause = \033\n", "byte 0x1b", 1, 0 },
	};
	struct policy_set set;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int n = read_one(&set, table[i].text);

		if (n != 1 || !strstr(told, table[i].reason)) {
			fail_msg("row %zu: %d %s", i, n, told);
		}
		if ((int)of(&set, "scan", VERSION_CODE).broken !=
		    table[i].scan ||
		    (int)of(&set, "other", VERSION_CODE).broken !=
		    table[i].other) {
			fail_msg("row %zu: holds others", i);
		}
	}
}

static void test_the_rest_goes_on(void **state)
{
	char big[80000];
	struct policy_set set;

	assert_int_equal(read_one(&set, "[scan]\npause = x\n[log]\n"
				  "ring = y\n[third]\nring = late\n"), 2);
	assert_non_null(strstr(told, "a.conf:2: pause"));
	assert_non_null(strstr(told, "a.conf:4: ring"));
	assert_int_equal(of(&set, "third", VERSION_CODE).ring, LEASE_LATE);
	assert_int_equal(of(&set, "third", VERSION_CODE).broken, 0);
	assert_int_equal(read_more(&set, "b.conf", "[log]\npause = yes\n"),
			 0);
	assert_int_equal(of(&set, "log", VERSION_CODE).pause, 1);
	assert_int_equal(of(&set, "log", VERSION_CODE).broken, 1);
	memset(big, '\n', sizeof(big));
	memset(&set, 0, sizeof(set));
	assert_int_equal(policy_read(big, sizeof(big), "c", &set, say, NULL),
			 1);
	assert_int_equal(set.broken, 1);
	memset(&set, 0, sizeof(set));
	assert_int_equal(policy_read("[scan]\0", 7, "c", &set, say, NULL), 1);
	assert_int_equal(set.broken, 1);
	assert_int_equal(read_one(&set, ""), 0);
	assert_int_equal(read_one(&set, "; only a comment"), 0);
}

static void test_too_many_sections(void **state)
{
	struct policy_set set;
	char text[4096];
	size_t n = 0;

	for (unsigned i = 0; i < POLICY_SECTIONS + 1; i++) {
		n += (size_t)sprintf(text + n, "[p%u]\npause = yes\n", i);
	}
	assert_int_equal(read_one(&set, text), 1);
	assert_int_equal(of(&set, "p0", VERSION_CODE).pause, 1);
	assert_int_equal(of(&set, "p64", VERSION_CODE).broken, 1);
	assert_int_equal(set.count, POLICY_SECTIONS);
}

static void test_window(void **state)
{
	static const struct {
		const char *window;
		uint32_t day, hour, minute;
		bool open;
		uint32_t wait_min;
	} table[] = {
		{ "always", 3, 3, 3, true, 0 },
		{ "daily 09:00-17:00", 3, 9, 0, true, 0 },
		{ "daily 09:00-17:00", 3, 16, 59, true, 0 },
		{ "daily 09:00-17:00", 3, 17, 0, false, 16 * 60 },
		{ "daily 09:00-17:00", 3, 8, 59, false, 1 },
		/* Over midnight: friday's ends on saturday. */
		{ "fri 22:00-04:00", 5, 21, 59, false, 1 },
		{ "fri 22:00-04:00", 5, 22, 0, true, 0 },
		{ "fri 22:00-04:00", 6, 3, 59, true, 0 },
		{ "fri 22:00-04:00", 6, 4, 0, false, 6 * 1440 + 18 * 60 },
		{ "fri 22:00-04:00", 5, 3, 0, false, 19 * 60 },
		/* Saturday's ends on sunday, over the week's end. */
		{ "sat 22:00-04:00", 0, 3, 59, true, 0 },
		{ "sat 22:00-04:00", 0, 4, 0, false, 6 * 1440 + 18 * 60 },
		{ "sat-mon 10:00-11:00", 0, 10, 30, true, 0 },
		{ "sat-mon 10:00-11:00", 2, 10, 30, false,
		  4 * 1440 - 30 },
		{ "mon,wed 00:00-24:00", 1, 23, 59, true, 0 },
		{ "mon,wed 00:00-24:00", 2, 0, 0, false, 1440 },
		{ "tue 12:00-12:00", 3, 11, 59, true, 0 },
		{ "tue 12:00-12:00", 3, 12, 0, false, 6 * 1440 },
	};
	struct policy_set set;
	char text[64];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint32_t wait = 0;
		struct policy p;
		bool open;

		snprintf(text, sizeof(text), "[*]\nwindow = %s\n",
			 table[i].window);
		assert_int_equal(read_one(&set, text), 0);
		p = of(&set, "scan", VERSION_CODE);
		open = policy_window_open(&p.window, table[i].day,
					  table[i].hour * 60 +
					  table[i].minute, &wait);
		if (open != table[i].open || wait != table[i].wait_min * 60) {
			fail_msg("row %zu: open %d, wait %u min", i, open,
				 wait / 60);
		}
	}
}

/* The wait is exact: one minute earlier it is closed. */
static void test_window_waits(void **state)
{
	for (uint32_t days = 1; days < 128; days += 3) {
		for (uint32_t from = 0; from < 1440; from += 97) {
			struct policy_window w = { days, from,
						   (from * 7 + 30) % 1441 };

			for (uint32_t now = 0; now < 7 * 1440; now += 53) {
				uint32_t wait = 0, unused, at;

				if (policy_window_open(&w, now / 1440,
						       now % 1440, &wait)) {
					continue;
				}
				at = (now + wait / 60) % (7 * 1440);
				assert_true(wait && wait % 60 == 0);
				assert_true(policy_window_open(&w, at / 1440,
					at % 1440, &unused));
				at = (at + 7 * 1440 - 1) % (7 * 1440);
				assert_false(policy_window_open(&w, at / 1440,
					at % 1440, &unused));
			}
		}
	}
}

static void test_effective(void **state)
{
	struct policy p = { .ring = LEASE_LATE, .delay_s = 5, .pause = 1,
			    .pin = POLICY_BEHIND, .behind = 2,
			    .window = { 1, 2, 3 }, .override_allow = 1 };
	struct policy out;

	policy_effective(&p, &out);
	assert_int_equal(out.ring, LEASE_GENERAL);
	assert_int_equal(out.delay_s + out.pause + out.pin + out.behind +
			 out.window.days, 0);
	p.ring = LEASE_EARLY;
	policy_effective(&p, &out);
	assert_int_equal(out.ring, LEASE_EARLY);
	p.override_pause = 1;
	policy_effective(&p, &out);
	assert_int_equal(out.pause, 1);
	assert_int_equal(out.override_allow, 0);
	p.override_pause = 0;
	p.override_revert = 9;
	policy_effective(&p, &out);
	assert_int_equal(out.behind, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_more_specific_wins),
		cmocka_unit_test(test_acts),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_the_rest_goes_on),
		cmocka_unit_test(test_too_many_sections),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_waits),
		cmocka_unit_test(test_effective),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
