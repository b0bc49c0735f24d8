/* SPDX-License-Identifier: Apache-2.0 */
/* What is still read of a journal that something happened to? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "content/journal.h"
#include "lib/cut_disk.h"

static struct cut_disk *cut;
static struct disk *disk;
static int top;
static struct journal journal;

/* numbers of the records that were visited */
static uint64_t seen[64];
static size_t seen_count;

static int visit(void *context, const struct journal_record *record)
{
	assert_true(seen_count < 64);
	seen[seen_count++] = record->number;
	return 0;
}

static int reopen(void)
{
	journal_fini(&journal);
	journal_init(&journal, disk, top);
	seen_count = 0;
	return journal_open(&journal, visit, NULL);
}

static int append(uint64_t number)
{
	struct journal_record record = { .type = 7, .number = number };

	snprintf(record.reason, sizeof(record.reason), "the %u.",
		 (unsigned)number);
	return journal_append(&journal, &record);
}

static void begin(void)
{
	struct journal_record record = { .type = 7, .number = 1 };

	assert_int_equal(journal_fresh_begin(&journal, 0), 0);
	assert_int_equal(journal_fresh_put(&journal, &record), 0);
	assert_int_equal(journal_fresh_end(&journal), 0);
}

static int setup(void **state)
{
	cut = cut_disk_new();
	disk = cut_disk_disk(cut);
	top = cut_disk_top(cut);
	journal_init(&journal, disk, top);
	begin();
	for (uint64_t i = 2; i <= 5; i++) {
		assert_int_equal(append(i), 0);
	}
	return 0;
}

static int teardown(void **state)
{
	journal_fini(&journal);
	disk->body->close(disk, top);
	cut_disk_free(cut);
	return 0;
}

static void assert_seen(size_t count)
{
	assert_int_equal(seen_count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(seen[i], i + 1);
	}
}

static void overwrite(uint64_t offset, const void *bytes, size_t size)
{
	int file = disk->body->open_write(disk, top, JOURNAL_NAME);

	assert_true(file >= 0);
	assert_int_equal(disk->body->write(disk, file, offset, bytes, size),
			 0);
	disk->body->close(disk, file);
}

static void copy_out(uint64_t place, struct journal_record *ret_record)
{
	int file = disk->body->open_read(disk, top, JOURNAL_NAME);

	assert_int_equal(disk->body->read(disk, file, place * JOURNAL_RECORD,
					  ret_record, sizeof(*ret_record)),
			 sizeof(*ret_record));
	disk->body->close(disk, file);
}

static void test_there_again(void **state)
{
	assert_int_equal(reopen(), 0);
	assert_seen(5);
	assert_int_equal(journal.breaks, 0);
	assert_false(journal.torn);
	assert_int_equal(append(6), 0);
	assert_int_equal(reopen(), 0);
	assert_seen(6);
}

static void test_none(void **state)
{
	assert_int_equal(disk->body->unlink(disk, top, JOURNAL_NAME), 0);
	assert_int_equal(reopen(), -ENOENT);
}

static void test_not_a_file(void **state)
{
	assert_int_equal(disk->body->unlink(disk, top, JOURNAL_NAME), 0);
	assert_int_equal(disk->body->make_link(disk, "elsewhere", top,
					       JOURNAL_NAME), 0);
	assert_int_equal(reopen(), -EBADMSG);
}

/* A tail of any length is passed over, and the next record takes its place. */
static void test_torn(void **state)
{
	uint8_t tail[2 * JOURNAL_RECORD];

	memset(tail, 0xa5, sizeof(tail));
	for (size_t n = 1; n < JOURNAL_RECORD; n += 101) {
		overwrite(5 * JOURNAL_RECORD, tail, n);
		assert_int_equal(reopen(), 0);
		assert_seen(5);
		assert_true(journal.torn);
		assert_int_equal(journal.breaks, 0);
	}
	assert_int_equal(append(6), 0);
	assert_int_equal(reopen(), 0);
	assert_seen(6);
	assert_false(journal.torn);
}

/* Any byte of the last record: it is as if it had not been written. */
static void test_last_changed(void **state)
{
	struct journal_record whole;

	copy_out(4, &whole);
	for (size_t i = 0; i < JOURNAL_RECORD; i++) {
		uint8_t byte = ((uint8_t *)&whole)[i] ^ 1;

		overwrite(4 * JOURNAL_RECORD + i, &byte, 1);
		assert_int_equal(reopen(), 0);
		assert_seen(4);
		byte ^= 1;
		overwrite(4 * JOURNAL_RECORD + i, &byte, 1);
	}
	assert_int_equal(reopen(), 0);
	assert_seen(5);
}

/* A damaged sector does not hide what was written after it. */
static void test_middle_changed(void **state)
{
	uint8_t zeros[512] = { 0 };

	overwrite(2 * JOURNAL_RECORD, zeros, sizeof(zeros));
	assert_int_equal(reopen(), 0);
	assert_int_equal(seen_count, 4);
	assert_int_equal(seen[1], 2);
	assert_int_equal(seen[2], 4);
	assert_int_equal(journal.breaks, 1);
	assert_false(journal.torn);
	assert_int_equal(append(6), 0);
	assert_int_equal(reopen(), 0);
	assert_int_equal(seen_count, 5);
	/* people see what stands behind the damage */
	seen_count = 0;
	assert_int_equal(journal_read(&journal, 100, visit, NULL), 0);
	assert_int_equal(seen_count, 3);
	assert_int_equal(seen[0], 4);
}

/* Behind damage only a record of the right number is one of this file. */
static void test_stale_behind_damage(void **state)
{
	uint8_t zeros[512] = { 0 };
	struct journal_record old;

	copy_out(1, &old);
	overwrite(2 * JOURNAL_RECORD, zeros, sizeof(zeros));
	overwrite(3 * JOURNAL_RECORD, &old, sizeof(old));
	assert_int_equal(reopen(), 0);
	assert_int_equal(seen_count, 3);
	assert_int_equal(seen[1], 2);
	assert_int_equal(seen[2], 5);
	assert_int_equal(journal.breaks, 2);
}

/* One that stood there before: older, doubled, or of another history. */
static void test_stale(void **state)
{
	struct journal_record old, fourth;

	for (uint64_t place = 0; place < 5; place++) {
		copy_out(place, &old);
		overwrite(5 * JOURNAL_RECORD, &old, sizeof(old));
		assert_int_equal(reopen(), 0);
		assert_seen(5);
		assert_true(journal.torn);
	}
	/* good in itself, with the right number, after another record */
	assert_int_equal(append(6), 0);
	copy_out(5, &old);
	copy_out(3, &fourth);
	journal.count = 4;
	journal.sequence = 4;
	memcpy(journal.digest, fourth.digest, JOURNAL_DIGEST);
	assert_int_equal(append(99), 0);
	overwrite(5 * JOURNAL_RECORD, &old, sizeof(old));
	assert_int_equal(reopen(), 0);
	assert_int_equal(seen_count, 5);
	assert_int_equal(seen[4], 99);
}

static void test_write_fails(void **state)
{
	cut_disk_fault(cut, CUT_FULL, 0);
	assert_int_equal(append(6), -ENOSPC);
	assert_int_equal(append(6), -ENOSPC);
	cut_disk_fault(cut, CUT_NONE, 0);
	assert_int_equal(append(6), 0);
	assert_int_equal(reopen(), 0);
	assert_seen(6);
}

static int rewrite(uint64_t history, uint64_t number)
{
	struct journal_record record = { .type = 8, .number = number };
	int r = journal_fresh_begin(&journal, history);

	r = r < 0 ? r : journal_fresh_put(&journal, &record);
	r = r < 0 ? r : journal_fresh_end(&journal);
	journal_fresh_drop(&journal);
	return r;
}

/* After a sync that failed nothing is appended to that file any more. */
static void test_sync_fails(void **state)
{
	cut_disk_fault(cut, CUT_ONCE, 1);
	assert_int_equal(append(6), -EIO);
	cut_disk_fault(cut, CUT_NONE, 0);
	assert_int_equal(append(6), -ESTALE);
	assert_int_equal(rewrite(100, 6), 0);
	assert_int_equal(append(7), 0);
	assert_int_equal(reopen(), 0);
	assert_seen(7);
}

static void test_rewrite(void **state)
{
	assert_int_equal(rewrite(2, 6), 0);
	assert_int_equal(append(7), 0);
	assert_int_equal(reopen(), 0);
	assert_int_equal(seen_count, 4);
	assert_int_equal(seen[0], 4);
	assert_int_equal(seen[3], 7);
	assert_int_equal(journal.breaks, 0);
}

/* Whatever fails while it is rewritten, the old one stands and goes on. */
static void test_rewrite_fails(void **state)
{
	uint64_t steps = 0;

	for (;; steps++) {
		int r;

		cut_disk_fault(cut, CUT_ONCE, steps);
		r = rewrite(2, 50);
		cut_disk_fault(cut, CUT_NONE, 0);
		if (r == 0) {
			break;
		}
		assert_int_equal(r, -EIO);
		if (!journal.sick) {
			/* before the rename */
			assert_int_equal(reopen(), 0);
			assert_seen(5);
		}
	}
	assert_true(steps > 5);
	assert_int_equal(append(51), 0);
}

/* A journal that can be read is there for good, its name too. */
static void test_open_is_for_good(void **state)
{
	struct cut_disk *after;
	struct journal again;
	int dir;

	cut_disk_lie(cut, false, true);
	assert_int_equal(rewrite(0, 60), 0);
	cut_disk_lie(cut, false, false);
	assert_int_equal(reopen(), 0);
	assert_int_equal(seen_count, 1);
	after = cut_disk_cut(cut, CUT_NOTHING);
	dir = cut_disk_top(after);
	journal_init(&again, cut_disk_disk(after), dir);
	seen_count = 0;
	assert_int_equal(journal_open(&again, visit, NULL), 0);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0], 60);
	journal_fini(&again);
	cut_disk_free(after);
}

static void test_read_only(void **state)
{
	cut_disk_fault(cut, CUT_READ_ONLY, 0);
	assert_int_equal(reopen(), 0);
	assert_seen(5);
	assert_int_equal(append(6), -ESTALE);
	assert_int_equal(rewrite(5, 6), -EROFS);
	cut_disk_fault(cut, CUT_NONE, 0);
	assert_int_equal(rewrite(5, 6), 0);
	assert_int_equal(append(7), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_there_again),
		TEST(test_none),
		TEST(test_not_a_file),
		TEST(test_torn),
		TEST(test_last_changed),
		TEST(test_middle_changed),
		TEST(test_stale),
		TEST(test_stale_behind_damage),
		TEST(test_write_fails),
		TEST(test_sync_fails),
		TEST(test_rewrite),
		TEST(test_rewrite_fails),
		TEST(test_open_is_for_good),
		TEST(test_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
