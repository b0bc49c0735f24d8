/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does the scanner keep its bounds: time, parts of a file, memory of verdicts,
 * queue?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "budget.h"
#include "limits.h"
#include "plan.h"
#include "queue.h"
#include "seen.h"

#define MS BUDGET_MS

static void budget_leaves_an_eighth_of_the_deadline(void **state)
{
	uint64_t ns = 0;

	assert_int_equal(budget_for(1000 * MS, 1100 * MS, 1010 * MS, &ns), 0);
	assert_int_equal(ns, 90 * MS - 100 * MS / 8);
}

static void budget_margin_is_clamped(void **state)
{
	uint64_t ns = 0;

	assert_int_equal(budget_for(0, 10 * MS, 0, &ns), 0);
	assert_int_equal(ns, 8 * MS);
	assert_int_equal(budget_for(0, 1000 * MS, 0, &ns), 0);
	assert_int_equal(ns, 980 * MS);
}

static void budget_says_when_nothing_is_left(void **state)
{
	uint64_t ns = 7;

	assert_int_equal(budget_for(0, 100 * MS, 99 * MS, &ns), BUDGET_NONE);
	assert_int_equal(budget_for(0, 100 * MS, 100 * MS, &ns), BUDGET_NONE);
	assert_int_equal(budget_for(0, 100 * MS, 500 * MS, &ns), BUDGET_NONE);
	assert_int_equal(budget_for(0, 0, 0, &ns), BUDGET_NONE);
	assert_int_equal(ns, 7);
}

static void budget_survives_any_clock(void **state)
{
	uint64_t ns = 0;

	assert_int_equal(budget_for(UINT64_MAX, 1, UINT64_MAX, &ns),
			 BUDGET_NONE);
	assert_int_equal(budget_for(0, UINT64_MAX, 0, &ns), 0);
	assert_int_equal(ns, UINT64_MAX - 20 * MS);
	assert_int_equal(budget_for(UINT64_MAX, 100 * MS, 0, &ns), 0);
	assert_int_equal(ns, 98 * MS);
}

static void a_file_of_buffer_size_is_one_span(void **state)
{
	struct plan_span span;

	assert_int_equal(plan_span(PLAN_QUICK, 0, 0, &span), PLAN_END);
	for (int kind = PLAN_QUICK; kind <= PLAN_THOROUGH; kind++) {
		assert_int_equal(plan_span(kind, SCAN_BUFFER, 0, &span), 0);
		assert_int_equal(span.offset, 0);
		assert_int_equal(span.length, SCAN_BUFFER);
		assert_int_equal(plan_span(kind, SCAN_BUFFER, 1, &span),
				 PLAN_END);
	}
	assert_false(plan_is_partial(SCAN_BUFFER));
	assert_true(plan_is_partial(SCAN_BUFFER + 1ull));
}

static void a_large_file_is_two_edges_at_first(void **state)
{
	const uint64_t size = 5ull << 30;
	struct plan_span span;

	assert_int_equal(plan_span(PLAN_QUICK, size, 0, &span), 0);
	assert_int_equal(span.offset, 0);
	assert_int_equal(span.length, SCAN_EDGE);
	assert_int_equal(plan_span(PLAN_QUICK, size, 1, &span), 0);
	assert_int_equal(span.offset + span.length, size);
	assert_int_equal(plan_span(PLAN_QUICK, size, 2, &span), PLAN_END);
}

/* Each byte in a window, neighbours share SCAN_OVERLAP, nothing past the end */
static void check_windows(uint64_t size)
{
	struct plan_span span = { 0, 0 };
	uint64_t covered = 0;
	uint64_t i = 0;

	for (; plan_span(PLAN_THOROUGH, size, i, &span) == 0; i++) {
		assert_true(span.length > 0 && span.length <= SCAN_BUFFER);
		assert_true(i == 0 || span.offset + SCAN_OVERLAP == covered);
		covered = span.offset + span.length;
		assert_true(covered <= size);
	}
	assert_int_equal(covered, size);
	assert_int_equal(plan_span(PLAN_THOROUGH, size, i + 1, &span),
			 PLAN_END);
}

static void windows_cover_a_large_file(void **state)
{
	const uint64_t step = SCAN_BUFFER - SCAN_OVERLAP;

	check_windows(SCAN_BUFFER + 1ull);
	check_windows(SCAN_BUFFER + step - 1);
	check_windows(SCAN_BUFFER + step);
	check_windows(SCAN_BUFFER + step + 1);
	check_windows((1ull << 32) + 12345);
}

static struct seen seen;

static struct seen_key key_number(uint64_t inode)
{
	struct seen_key key = {
		.object = { 1, inode, 1 },
		.size = 1u << 30,
		.changed = 5,
		.owner = 1000,
		.mode = S_IFREG | 0644,
	};

	return key;
}

static void a_clean_verdict_about_a_users_file_is_short(void **state)
{
	struct seen_key key = key_number(7);
	struct bailey_finding finding;

	seen_init(&seen);
	seen_put(&seen, &key, SEEN_CLEAN, 10, NULL);
	assert_int_equal(seen_find(&seen, &key, 10, &finding), SEEN_CLEAN);
	assert_int_equal(seen_find(&seen, &key,
				   11 + SCAN_SEEN_SOFT_MS * MS, &finding),
			 SEEN_NOT);
}

static void a_clean_verdict_about_roots_file_stands(void **state)
{
	struct seen_key key = key_number(7);
	struct bailey_finding finding;

	key.owner = 0;
	assert_true(seen_is_firm(&key));
	seen_init(&seen);
	seen_put(&seen, &key, SEEN_CLEAN, 10, NULL);
	assert_int_equal(seen_find(&seen, &key, 1000000 * MS, &finding),
			 SEEN_CLEAN);
	key.mode |= S_IWGRP;
	assert_false(seen_is_firm(&key));
	assert_int_equal(seen_find(&seen, &key, 10, &finding), SEEN_NOT);
}

static void an_evil_verdict_stands_until_the_file_changes(void **state)
{
	struct bailey_finding in = { .size = sizeof(in), .rule = "r" };
	struct seen_key key = key_number(7);
	struct bailey_finding out;

	seen_init(&seen);
	seen_put(&seen, &key, SEEN_EVIL, 10, &in);
	assert_int_equal(seen_find(&seen, &key, 1000000 * MS, &out),
			 SEEN_EVIL);
	assert_string_equal(out.rule, "r");
	key.changed++;
	assert_int_equal(seen_find(&seen, &key, 10, &out), SEEN_NOT);
}

static void a_new_state_of_an_object_replaces_the_old(void **state)
{
	struct seen_key key = key_number(7);
	struct bailey_finding finding;
	unsigned used = 0;

	seen_init(&seen);
	for (key.changed = 0; key.changed < 100; key.changed++) {
		seen_put(&seen, &key, SEEN_PENDING, 10, NULL);
	}
	for (unsigned i = 0; i < SCAN_SEEN; i++) {
		used += seen.entry[i].state != SEEN_NOT;
	}
	assert_int_equal(used, 1);
	key.changed = 99;
	seen_put(&seen, &key, SEEN_NOT, 10, NULL);
	assert_int_equal(seen_find(&seen, &key, 10, &finding), SEEN_NOT);
}

static void a_full_memory_forgets_the_oldest(void **state)
{
	struct bailey_finding finding;
	unsigned found = 0;

	seen_init(&seen);
	for (uint64_t i = 0; i < 10 * SCAN_SEEN; i++) {
		struct seen_key key = key_number(i);

		seen_put(&seen, &key, SEEN_CLEAN, i, NULL);
		assert_int_equal(seen_find(&seen, &key, i, &finding),
				 SEEN_CLEAN);
	}
	for (uint64_t i = 0; i < 10 * SCAN_SEEN; i++) {
		struct seen_key key = key_number(i);

		found += seen_find(&seen, &key, i, &finding) != SEEN_NOT;
	}
	assert_true(found > 0 && found <= SCAN_SEEN);
}

static void one_user_cannot_fill_the_queue(void **state)
{
	static struct queue queue;
	struct queue_item item = { .uid = 1000 };
	struct queue_item taken;
	unsigned in = 0;

	queue_init(&queue);
	while (queue_put(&queue, &item) == 0) {
		in++;
	}
	assert_int_equal(in, SCAN_QUEUE_UID);
	for (item.uid = 0; in < SCAN_QUEUE; item.uid++) {
		in += queue_put(&queue, &item) == 0;
	}
	item.uid = 99;
	assert_int_equal(queue_put(&queue, &item), QUEUE_FULL);
	queue_take(&queue, &taken);
	assert_int_equal(taken.uid, 1000);
	assert_int_equal(queue_put(&queue, &item), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(budget_leaves_an_eighth_of_the_deadline),
		cmocka_unit_test(budget_margin_is_clamped),
		cmocka_unit_test(budget_says_when_nothing_is_left),
		cmocka_unit_test(budget_survives_any_clock),
		cmocka_unit_test(a_file_of_buffer_size_is_one_span),
		cmocka_unit_test(a_large_file_is_two_edges_at_first),
		cmocka_unit_test(windows_cover_a_large_file),
		cmocka_unit_test(a_clean_verdict_about_a_users_file_is_short),
		cmocka_unit_test(a_clean_verdict_about_roots_file_stands),
		cmocka_unit_test(an_evil_verdict_stands_until_the_file_changes),
		cmocka_unit_test(a_new_state_of_an_object_replaces_the_old),
		cmocka_unit_test(a_full_memory_forgets_the_oldest),
		cmocka_unit_test(one_user_cannot_fill_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
