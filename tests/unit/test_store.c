/* SPDX-License-Identifier: Apache-2.0 */
/* Does what is in use stay as it is whatever goes wrong, with a reason? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "content/store.h"
#include "lib/cut_disk.h"
#include "lib/made_version.h"

static struct made_source source;
static struct made_version made[8];
static struct cut_disk *cut;
static struct disk *disk;
static struct store *store;
static uint8_t boot;
static const struct store_words words = { STATE_BY_PERSON, "wanted", NULL,
					  0 };

static int group_setup(void **state)
{
	made_source_init(&source);
	for (unsigned i = 0; i < 8; i++) {
		made_version(&source, i + 1, 0, &made[i]);
	}
	return 0;
}

static void now(struct journal_time *ret_time)
{
	memset(ret_time, 0, sizeof(*ret_time));
	ret_time->wall_ns = 1000;
	ret_time->boot_id[0] = boot;
}

static int open_store(struct store **ret_store)
{
	struct store_setup setup = { .disk = disk, .product = MADE_PRODUCT,
				     .now = now };
	int r;

	setup.dir = cut_disk_top(cut);
	r = store_open(&setup, ret_store);
	disk->body->close(disk, setup.dir);
	return r;
}

static int setup(void **state)
{
	boot = 1;
	source.fault = MADE_NONE;
	cut = cut_disk_new();
	disk = cut_disk_disk(cut);
	assert_int_equal(open_store(&store), 0);
	assert_int_equal(store_recover(store), 0);
	return 0;
}

static int teardown(void **state)
{
	store = store_close(store);
	cut = cut_disk_free(cut);
	return 0;
}

/* Another process, after a kill. */
static int again(void)
{
	store = store_close(store);
	cut_disk_kill(cut);
	assert_int_equal(open_store(&store), 0);
	return store_recover(store);
}

static int admit(unsigned n)
{
	uint8_t hash[VERSION_HASH];

	return store_admit(store, made[n].text, made[n].length,
			   &source.source, &words, hash);
}

static void ready(unsigned n)
{
	assert_int_equal(admit(n), 0);
	assert_int_equal(store_note(store, STATE_EVENT_PREFLIGHTED,
				    made[n].hash, NULL, &words), 0);
}

static void trial(unsigned n)
{
	ready(n);
	assert_int_equal(store_activate(store, made[n].hash, &words), 0);
}

static void good(unsigned n)
{
	trial(n);
	assert_int_equal(store_trial_end(store, made[n].hash, &words), 0);
}

/* Both the state and the link; -1: nothing. */
static void in_use(int n)
{
	uint8_t hash[VERSION_HASH];
	int top = cut_disk_top(cut);

	if (n < 0) {
		assert_int_equal(store_current(store, hash), STORE_UNKNOWN);
		assert_int_equal(slot_pointed(disk, top, hash), 1);
	} else {
		assert_int_equal(store_current(store, hash), 0);
		assert_memory_equal(hash, made[n].hash, sizeof(hash));
		assert_int_equal(slot_pointed(disk, top, hash), 0);
		assert_memory_equal(hash, made[n].hash, sizeof(hash));
	}
	disk->body->close(disk, top);
}

static void is(unsigned n, enum state_id wanted)
{
	const struct state_version *v = state_find(store_state(store),
						   made[n].hash);

	assert_non_null(v);
	assert_string_equal(state_name(v->state), state_name(wanted));
}

static void reason_has(const char *text)
{
	if (strstr(store_reason(store), text) == NULL) {
		print_error("the reason is: %s\n", store_reason(store));
		fail();
	}
}

/* ---- the calls ---- */

static void test_life(void **state)
{
	uint8_t hash[VERSION_HASH];
	int files;

	in_use(-1);
	good(0);
	in_use(0);
	good(1);
	in_use(1);
	assert_int_equal(again(), 0);
	in_use(1);
	files = store_open_slot(store, made[1].hash, SLOT_FILES);
	assert_true(files >= 0);
	disk->body->close(disk, files);
	assert_int_equal(store_revert(store, NULL, &words, hash), 0);
	assert_memory_equal(hash, made[0].hash, sizeof(hash));
	in_use(0);
	assert_string_equal(store_reason(store), "");
}

static void test_refusals(void **state)
{
	uint8_t hash[VERSION_HASH];
	uint8_t nobody[VERSION_HASH] = { 1 };

	assert_int_equal(store_activate(store, nobody, &words),
			 STORE_UNKNOWN);
	assert_int_equal(store_revert(store, nobody, &words, hash),
			 STORE_UNKNOWN);
	assert_int_equal(store_revert(store, NULL, &words, hash), STORE_SAME);
	assert_int_equal(admit(0), 0);
	assert_int_equal(admit(0), STORE_SAME);
	assert_int_equal(store_activate(store, made[0].hash, &words),
			 STORE_NOT_NOW);
	reason_has("verified");
	assert_int_equal(store_trial_end(store, made[0].hash, &words),
			 STORE_NOT_NOW);
	assert_int_equal(store_trial_end(store, nobody, &words),
			 STORE_UNKNOWN);
	assert_int_equal(store_note(store, STATE_EVENT_GOOD, made[0].hash,
				    NULL, &words), -EINVAL);
	assert_int_equal(store_quarantine(store, made[0].hash, &words), 0);
	assert_int_equal(admit(0), STORE_BANNED);
	reason_has("wanted");
	assert_int_equal(store_activate(store, made[0].hash, &words),
			 STORE_BANNED);
	assert_int_equal(store_lift(store, made[0].hash, &words), 0);
	is(0, STATE_VERIFIED);
	good(1);
	assert_int_equal(store_activate(store, made[1].hash, &words),
			 STORE_SAME);
}

static void test_bad_descriptions(void **state)
{
	struct made_version other = made[0];
	uint8_t hash[VERSION_HASH];
	char *name = strstr(other.text, "\"" MADE_PRODUCT "\"");

	memcpy(name, "\"scam\"", 6);
	assert_int_equal(store_admit(store, other.text, other.length,
				     &source.source, &words, hash), -EBADMSG);
	reason_has("scam");
	assert_int_equal(store_admit(store, made[0].text, made[0].length - 1,
				     &source.source, &words, hash), -EBADMSG);
	reason_has("description");
	assert_int_equal(store_state(store)->count, 0);
	assert_int_equal(admit(0), 0);
}

static void test_faults(void **state)
{
	uint8_t a[JOURNAL_OBJECT] = { 1 }, b[JOURNAL_OBJECT] = { 2 };

	good(0);
	trial(1);
	assert_int_equal(store_fault(store, made[1].hash, a, &words), 0);
	in_use(1);
	assert_int_equal(store_fault(store, made[1].hash, b, &words),
			 STORE_BACK);
	in_use(0);
	is(1, STATE_QUARANTINED);
	trial(2);
	assert_int_equal(store_reproduced(store, made[2].hash, a, &words),
			 STORE_BACK);
	in_use(0);
	/* the last one there is */
	assert_int_equal(store_quarantine(store, made[0].hash, &words),
			 STORE_BACK);
	in_use(-1);
}

/* A fault that both versions have is no fault of the new one, and a person's
 * word counts: in the next process, too. */
static void test_forgiven(void **state)
{
	uint8_t a[JOURNAL_OBJECT] = { 1 }, b[JOURNAL_OBJECT] = { 2 };

	good(0);
	trial(1);
	assert_int_equal(store_fault(store, made[1].hash, a, &words), 0);
	assert_int_equal(store_note(store, STATE_EVENT_CLEARED, made[1].hash,
				    a, &words), 0);
	assert_int_equal(again(), 0);
	assert_int_equal(store_fault(store, made[1].hash, b, &words), 0);
	is(1, STATE_TRIAL);
	assert_int_equal(store_quarantine(store, made[1].hash, &words),
			 STORE_BACK);
	assert_int_equal(store_lift(store, made[1].hash, &words), 0);
	assert_int_equal(again(), 0);
	is(1, STATE_VERIFIED);
	assert_int_equal(admit(1), STORE_SAME);
}

static void test_customers(void **state)
{
	assert_int_equal(store_pin(store, made[3].hash, &words), 0);
	assert_int_equal(store_pin(store, made[3].hash, &words), STORE_SAME);
	assert_int_equal(store_pause(store, 99, &words), 0);
	assert_int_equal(store_remember(store, "lease", 5), 0);
	assert_int_equal(store_remember(store, "lease", 5), STORE_SAME);
	assert_int_equal(store_remember(store, made, STATE_MEMORY + 1),
			 -EMSGSIZE);
	assert_int_equal(again(), 0);
	assert_memory_equal(store_state(store)->host.pin, made[3].hash,
			    VERSION_HASH);
	assert_int_equal(store_state(store)->host.paused_until_s, 99);
	assert_memory_equal(store_state(store)->memory, "lease", 5);
	assert_int_equal(store_resume(store, &words), 0);
	assert_int_equal(store_resume(store, &words), STORE_SAME);
	assert_int_equal(store_pin(store, NULL, &words), 0);
	assert_int_equal(store_pin(store, NULL, &words), STORE_SAME);
}

static void test_tidy(void **state)
{
	for (unsigned n = 0; n < 5; n++) {
		good(n);
	}
	assert_int_equal(store_tidy(store, &made[0].hash, 1), 0);
	is(0, STATE_GOOD);
	is(1, STATE_FETCHED);
	is(2, STATE_GOOD);
	assert_int_equal(store_open_slot(store, made[1].hash, "."), -ENOENT);
	assert_int_equal(store_tidy(store, NULL, 0), 0);
	is(0, STATE_FETCHED);
	assert_int_equal(store_open_slot(store, made[0].hash, "."), -ENOENT);
	in_use(4);
}

struct last {
	struct journal_record record;
	unsigned count;
};

static int take_last(void *context, const struct journal_record *record)
{
	struct last *last = context;

	last->record = *record;
	last->count++;
	return 0;
}

static void test_history(void **state)
{
	struct store_words decided = { STATE_BY_LEASE, "line\none\033[2J",
				       "bucket=3", 8 };
	struct last last = { .count = 0 };

	good(0);
	assert_int_equal(store_note(store, STATE_EVENT_DECIDED, made[0].hash,
				    NULL, &decided), 0);
	assert_int_equal(store_history(store, 3, take_last, &last), 0);
	assert_int_equal(last.count, 3);
	assert_int_equal(last.record.type, STATE_EVENT_DECIDED);
	assert_int_equal(last.record.by, STATE_BY_LEASE);
	assert_string_equal(last.record.reason, "line?one?[2J");
	assert_memory_equal(last.record.payload, "bucket=3", 8);
	assert_int_equal(last.record.payload_size, 8);
}

/* ---- two at once ---- */

static void test_two_users(void **state)
{
	struct store *second = NULL;

	assert_int_equal(open_store(&second), -EWOULDBLOCK);
	assert_null(second);
	good(0);
	store = store_close(store);
	assert_int_equal(open_store(&second), 0);
	assert_int_equal(open_store(&store), -EWOULDBLOCK);
	assert_int_equal(store_recover(second), 0);
	store_close(second);
	assert_int_equal(again(), 0);
	in_use(0);
}

/* ---- a disk that fails ---- */

static int operation(unsigned i)
{
	uint8_t hash[VERSION_HASH];
	uint8_t object[JOURNAL_OBJECT] = { 1 };

	switch (i) {
	case 0:
		return admit(4);
	case 1:
		return store_note(store, STATE_EVENT_PREFLIGHTED,
				  made[3].hash, NULL, &words);
	case 2:
		return store_activate(store, made[2].hash, &words);
	case 3:
		return store_trial_end(store, made[1].hash, &words);
	case 4:
		return store_fault(store, made[1].hash, object, &words);
	case 5:
		return store_revert(store, NULL, &words, hash);
	case 6:
		return store_quarantine(store, made[1].hash, &words);
	case 7:
		return store_pin(store, made[2].hash, &words);
	case 8:
		return store_check(store, made[1].hash);
	default:
		return store_tidy(store, NULL, 0);
	}
}
#define OPERATION_COUNT 10u

/* 0 good, 1 on trial, 2 preflighted, 3 verified. */
static void prepare(void)
{
	good(0);
	trial(1);
	ready(2);
	assert_int_equal(admit(3), 0);
}

/* Where `current` leads now is where it leads after a cut of the power. */
static void current_is_for_good(void)
{
	struct cut_disk *after = cut_disk_cut(cut, CUT_NOTHING);
	uint8_t seen[VERSION_HASH] = { 0 }, kept[VERSION_HASH] = { 0 };
	int top = cut_disk_top(cut);

	assert_int_equal(slot_pointed(disk, top, seen), 0);
	disk->body->close(disk, top);
	top = cut_disk_top(after);
	assert_int_equal(slot_pointed(cut_disk_disk(after), top, kept), 0);
	assert_memory_equal(seen, kept, sizeof(seen));
	cut_disk_free(after);
}

/* The operation with the fault at each of its steps in turn: it fails with a
 * reason, what is in use is as it was, and on a disk that is well it works. */
static void each_step(enum cut_fault fault, int wanted)
{
	for (unsigned i = 0; i < OPERATION_COUNT; i++) {
		for (uint64_t step = 0;; step++) {
			int r;

			teardown(NULL);
			setup(NULL);
			prepare();
			cut_disk_fault(cut, fault, step);
			r = operation(i);
			cut_disk_fault(cut, CUT_NONE, 0);
			if (r >= 0) {
				break;
			}
			assert_int_equal(r, wanted);
			reason_has(strerror(-wanted));
			if (step % 2 == 0) {
				assert_true(store_recover(store) >= 0);
				current_is_for_good();
			} else {
				/* what any next call does */
				assert_true(store_remember(store, "x", 1) ==
					    0);
			}
			if (i != 5 && i != 6) {
				in_use(1);
			}
			assert_true(operation(i) >= 0);
			assert_true(again() >= 0);
		}
	}
}

static void test_full_disk(void **state)
{
	each_step(CUT_FULL, -ENOSPC);
}

static void test_read_only_disk(void **state)
{
	each_step(CUT_READ_ONLY, -EROFS);
}

static void test_failing_disk(void **state)
{
	each_step(CUT_ONCE, -EIO);
}

/* What there is can be read, and is not touched. */
static void test_start_read_only(void **state)
{
	prepare();
	cut_disk_fault(cut, CUT_READ_ONLY, 0);
	boot++;
	assert_int_equal(again(), -EROFS);
	reason_has(strerror(EROFS));
	in_use(1);
	assert_int_equal(admit(4), -EROFS);
	cut_disk_fault(cut, CUT_NONE, 0);
	assert_int_equal(admit(4), 0);
	in_use(1);
}

static int count_one(void *context, const char *name)
{
	unsigned *count = context;

	(*count)++;
	return 0;
}

static unsigned slots_there(void)
{
	int top = cut_disk_top(cut);
	int slots = disk->body->open_dir(disk, top, SLOT_SLOTS);
	unsigned count = 0;

	assert_int_equal(disk->body->list(disk, slots, count_one, &count), 0);
	disk->body->close(disk, slots);
	disk->body->close(disk, top);
	return count;
}

/* Half a slot does not stay to fill the disk further. */
static void test_full_disk_makes_room(void **state)
{
	good(0);
	cut_disk_fault(cut, CUT_FULL, 12);
	assert_int_equal(admit(1), -ENOSPC);
	assert_int_equal(slots_there(), 1);
	cut_disk_fault(cut, CUT_NONE, 0);
	in_use(0);
	assert_int_equal(admit(1), 0);
	assert_int_equal(slots_there(), 2);
}

/* ---- what others did to it ---- */

static void remove_in_top(const char *name)
{
	int top = cut_disk_top(cut);

	assert_int_equal(disk_remove_tree(disk, top, name), 0);
	disk->body->close(disk, top);
}

static void test_journal_lost(void **state)
{
	good(0);
	good(1);
	remove_in_top(JOURNAL_NAME);
	assert_int_equal(again(), 0);
	in_use(1);
	is(1, STATE_GOOD);
	/* the other slot is unknown now */
	assert_int_equal(store_state(store)->count, 1);
	assert_int_equal(store_open_slot(store, made[0].hash, "."), -ENOENT);
	good(2);
}

static void spoil(unsigned n, uint64_t offset)
{
	int files = store_open_slot(store, made[n].hash, SLOT_FILES);
	int file = disk->body->open_write(disk, files, made_path[0]);

	assert_int_equal(disk->body->write(disk, file, offset, "?", 1), 0);
	disk->body->close(disk, file);
	disk->body->close(disk, files);
}

static void test_journal_and_slot_lost(void **state)
{
	good(0);
	spoil(0, 7);
	remove_in_top(JOURNAL_NAME);
	assert_int_equal(again(), STORE_BACK);
	in_use(-1);
	good(0);
}

static void test_journal_damaged(void **state)
{
	uint8_t zeros[JOURNAL_RECORD] = { 0 };
	struct last last = { .count = 0 };
	int top, file;

	good(0);
	good(1);
	assert_int_equal(store_quarantine(store, made[1].hash, &words),
			 STORE_BACK);
	top = cut_disk_top(cut);
	file = disk->body->open_write(disk, top, JOURNAL_NAME);
	assert_int_equal(disk->body->write(disk, file, 4 * JOURNAL_RECORD,
					   zeros, sizeof(zeros)), 0);
	disk->body->close(disk, file);
	disk->body->close(disk, top);
	/* The record of a trial is gone; the quarantine behind it is not. */
	assert_true(again() >= 0);
	is(1, STATE_QUARANTINED);
	assert_int_equal(store_history(store, 1, take_last, &last), 0);
	assert_non_null(strstr(last.record.reason, "damaged"));
	good(2);
	assert_int_equal(again(), 0);
	in_use(2);
}

static void test_bit_rot(void **state)
{
	good(0);
	good(1);
	assert_int_equal(store_check(store, made[1].hash), 0);
	spoil(1, 7);
	assert_int_equal(store_check(store, made[1].hash), STORE_BACK);
	reason_has(made_path[0]);
	in_use(0);
	is(1, STATE_FETCHED);
	good(1);
	spoil(0, 7);
	assert_int_equal(store_check(store, made[0].hash), -EBADMSG);
	in_use(1);
}

/* A slot of another form is seen at the next start, and when it is wanted. */
static void test_slot_changed(void **state)
{
	uint8_t hash[VERSION_HASH];

	good(0);
	good(1);
	good(2);
	spoil(2, 5000);
	assert_int_equal(again(), STORE_BACK);
	in_use(1);
	good(3);
	spoil(1, 5000);
	assert_int_equal(store_revert(store, NULL, &words, hash), 0);
	assert_memory_equal(hash, made[0].hash, sizeof(hash));
	in_use(0);
	ready(4);
	spoil(4, 5000);
	assert_int_equal(store_activate(store, made[4].hash, &words),
			 -EBADMSG);
	in_use(0);
	is(4, STATE_FETCHED);
}

static void test_current_changed(void **state)
{
	int top;

	good(0);
	good(1);
	remove_in_top(SLOT_CURRENT);
	assert_int_equal(again(), STORE_BACK);
	in_use(1);
	top = cut_disk_top(cut);
	assert_int_equal(slot_point(disk, top, made[0].hash), 0);
	disk->body->close(disk, top);
	assert_int_equal(again(), STORE_BACK);
	in_use(1);
}

/* ---- boots ---- */

static void test_interrupted(void **state)
{
	good(0);
	trial(1);
	/* killed in the same boot: the trial goes on */
	assert_int_equal(again(), 0);
	in_use(1);
	boot++;
	assert_int_equal(again(), 0);
	in_use(1);
	boot++;
	assert_int_equal(again(), STORE_BACK);
	in_use(0);
	is(1, STATE_PREFLIGHTED);
}

static void test_orderly_boots(void **state)
{
	good(0);
	trial(1);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(store_stop(store), 0);
		boot++;
		assert_int_equal(again(), 0);
		in_use(1);
	}
	/* but a boot that does not end well counts again */
	boot++;
	assert_int_equal(again(), 0);
	boot++;
	assert_int_equal(again(), STORE_BACK);
	in_use(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),
		TEST(test_refusals),
		TEST(test_bad_descriptions),
		TEST(test_faults),
		TEST(test_forgiven),
		TEST(test_customers),
		TEST(test_tidy),
		TEST(test_history),
		TEST(test_two_users),
		TEST(test_full_disk),
		TEST(test_read_only_disk),
		TEST(test_failing_disk),
		TEST(test_start_read_only),
		TEST(test_full_disk_makes_room),
		TEST(test_journal_lost),
		TEST(test_journal_and_slot_lost),
		TEST(test_journal_damaged),
		TEST(test_bit_rot),
		TEST(test_slot_changed),
		TEST(test_current_changed),
		TEST(test_interrupted),
		TEST(test_orderly_boots),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
