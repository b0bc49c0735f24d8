/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a version, or what is known of one, ever lost or wrong after the power was
 * cut?
 *
 * Random operations on a disk in memory. Before each write, rename, sync and
 * every other step the power is cut in a copy of the disk, with what POSIX
 * permits to be lost (lib/cut_disk.h). The copy is recovered and looked at:
 *
 *   - what was written and synced before is there; at most the one record that
 *     was under way is there too; on top only what recovery is to do: abandon
 *     an activation, count an interruption
 *   - `current` leads to what is in use, or is not there if nothing is
 *   - each slot that is kept has each byte; nothing else lies beside them
 *   - it stays so: another cut at once changes nothing
 *
 * The real run is cut too, killed (its writes stay, not synced), and meets a
 * full disk, a read-only one, and failing steps; then it goes on.
 *
 * Arguments: CUTS SEED
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "content/store_internal.h"
#include "lib/cut_disk.h"
#include "lib/made_version.h"
#include "store_look.h"

#define VERSIONS 12u
#define OBJECTS 3u
#define OPERATIONS 50u
#define OPERATION_KINDS 13u
#define LONGEST 40u
#define HISTORY 6u

static uint64_t cuts_wanted = 100000, cuts, seed = 1, drawn;
static struct made_source source;
static struct made_version made[VERSIONS];
static uint8_t boot;                    /* of the host that runs now */

/* The run that is cut. */
static struct cut_disk *cut;
static struct store *store;
/* What `current` led to after the last call that was good; 0: nothing. */
static uint8_t promised[JOURNAL_HASH];
/* And where else in the call that is under way. */
static uint8_t led[JOURNAL_HASH];
/* What is known to be written and synced. */
static struct state known;
static uint64_t known_sequence;
static const char *doing = "";
/* How often each operation did something. */
static struct {
	const char *what;
	unsigned done;
} did[16];
static const char *at_step = "";

static uint64_t draw(uint64_t below)
{
	return hash_pair(seed, ++drawn) % below;
}

/* ---- what recovery is to make of a state ---- */

static void apply_own(struct state *state, enum state_event type,
		      const uint8_t *hash)
{
	struct journal_record record = { .type = type,
					 .by = STATE_BY_RECOVERY };

	record.time.boot_id[0] = boot;
	if (hash != NULL) {
		memcpy(record.hash, hash, JOURNAL_HASH);
	}
	assert_int_equal(state_apply(state, &record), STATE_MAY);
}

static void expect_recovery(struct state *state)
{
	const struct state_version *active = state_active(state);
	static const uint8_t none[JOURNAL_HASH];

	if (active != NULL && active->state == STATE_TRIAL) {
		if (state->host.stopped) {
			apply_own(state, STATE_EVENT_STARTED, NULL);
		} else if (state->host.boot_id[0] != boot) {
			apply_own(state, STATE_EVENT_INTERRUPTED,
				  active->hash);
		}
	}
	if (memcmp(state->activating, none, JOURNAL_HASH) != 0) {
		apply_own(state, STATE_EVENT_ABANDONED, state->activating);
	}
}

struct pending {
	struct state *state;
	unsigned steps;
};

/* Records beyond those that are known: those of a rewritten journal repeat
 * the state, those of the recovery that is tested (its boot) are expected
 * otherwise, one may be new. */
static int fold_pending(void *context, const struct journal_record *record)
{
	struct pending *pending = context;

	if (record->sequence <= known_sequence ||
	    record->time.boot_id[0] == boot) {
		return 0;
	}
	if (record->type != STATE_EVENT_BASE &&
	    record->type != STATE_EVENT_HOST &&
	    record->type != STATE_EVENT_VERSION &&
	    !(record->type == STATE_EVENT_REMEMBER &&
	      pending->state->count == 0)) {
		pending->steps++;
	}
	assert_int_equal(state_apply(pending->state, record), STATE_MAY);
	return 0;
}

/* ---- looking at what is there ---- */

__attribute__((noreturn, format(printf, 1, 2)))
static void wrong(const char *format, ...)
{
	va_list list;

	fprintf(stderr, "cut %" PRIu64 ", seed %" PRIu64 ", in %s before %s: ",
		cuts, seed, doing, at_step);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	fail();
	abort();
}

static const struct made_version *made_of(const uint8_t *hash)
{
	return store_look_made(made, VERSIONS, hash);
}

static void look_at_slot(const struct store *s, const uint8_t *hash)
{
	const char *fault = store_look_slot(s, made_of(hash));

	if (fault != NULL) {
		wrong("%s", fault);
	}
}

static void look_at_disk(struct store *s)
{
	const char *fault = store_look_disk(s, made, VERSIONS);

	if (fault != NULL) {
		wrong("%s", fault);
	}
}

static void same_state(const struct state *a, const struct state *b)
{
	const char *fault = store_look_same(a, b);

	if (fault != NULL) {
		wrong("%s", fault);
	}
}

/* ---- one cut ---- */

static void now(struct journal_time *ret_time)
{
	memset(ret_time, 0, sizeof(*ret_time));
	ret_time->wall_ns = 1 + drawn;
	ret_time->boot_id[0] = boot;
}

static struct store *open_on(struct cut_disk *disk)
{
	struct store_setup setup = {
		.disk = cut_disk_disk(disk), .product = MADE_PRODUCT,
		.now = now, .longest = LONGEST, .history = HISTORY,
	};
	struct store *opened = NULL;

	setup.dir = cut_disk_top(disk);
	if (store_open(&setup, &opened) < 0) {
		wrong("the store does not open");
	}
	setup.disk->body->close(setup.disk, setup.dir);
	return opened;
}

static void look_again(struct cut_disk *after, const struct state *state)
{
	struct cut_disk *again = cut_disk_cut(after, CUT_NOTHING);
	static struct state expected;
	struct store *s = open_on(again);

	boot++;
	expected = *state;
	expect_recovery(&expected);
	if (store_recover(s) < 0) {
		wrong("again: %s", store_reason(s));
	}
	same_state(&expected, &s->state);
	look_at_disk(s);
	boot--;
	store_close(s);
	cut_disk_free(again);
}

static void go_on(struct store *s)
{
	struct store_words words = { STATE_BY_PERSON, "goes on", NULL, 0 };

	if (store_note(s, STATE_EVENT_NOTE, made[0].hash, NULL, &words) != 0) {
		wrong("it does not go on: %s", store_reason(s));
	}
}

/* Where `current` leads, 0: nowhere. */
static void where(const struct store *s, uint8_t ret_hash[JOURNAL_HASH])
{
	if (slot_pointed(s->disk, s->dir, ret_hash) != 0) {
		memset(ret_hash, 0, JOURNAL_HASH);
	}
}

/* A start may come before the recovery: it finds what was promised, or where
 * the call under way has led, whole. */
static void look_before(struct store *s)
{
	uint8_t found[JOURNAL_HASH], seen[JOURNAL_HASH];

	where(s, found);
	where(store, seen);
	if (memcmp(seen, promised, sizeof(seen)) != 0) {
		memcpy(led, seen, sizeof(led));
	}
	if (memcmp(found, promised, sizeof(found)) != 0 &&
	    memcmp(found, led, sizeof(found)) != 0) {
		wrong("current leads back before the recovery");
	}
	if (!store_hash_none(found)) {
		s->slots = s->disk->body->open_dir(s->disk, s->dir,
						   SLOT_SLOTS);
		look_at_slot(s, found);
	}
}

static void cut_once(uint64_t cut_seed)
{
	static struct state expected;
	struct cut_disk *after = cut_disk_cut(cut, cut_seed);
	struct pending pending = { &expected, 0 };
	struct store *s = open_on(after);

	cuts++;
	look_before(s);
	boot++;
	if (store_recover(s) < 0) {
		wrong("recovery: %s", store_reason(s));
	}
	expected = known;
	if (journal_read(&s->journal, JOURNAL_MOST, fold_pending,
			 &pending) < 0) {
		wrong("the journal cannot be read");
	}
	if (pending.steps > 1) {
		wrong("%u records were not synced in time", pending.steps);
	}
	expect_recovery(&expected);
	same_state(&expected, &s->state);
	look_at_disk(s);
	if (draw(8) == 0) {
		look_again(after, &s->state);
		go_on(s);
	}
	boot--;
	store_close(s);
	cut_disk_free(after);
}

/* What the store knows is synced, as soon as it has read it all. */
static void learn(void)
{
	if (store->settled) {
		where(store, promised);
		memcpy(led, promised, sizeof(led));
	}
	if (store->loaded && store->journal.sequence != known_sequence) {
		known = store->state;
		known_sequence = store->journal.sequence;
	}
}

static void before_step(void *context, struct cut_disk *disk,
			const char *step)
{
	at_step = step;
	learn();
	/* Odd: a sample. */
	cut_once(hash_pair(seed, drawn) | 1);
	if (draw(4) == 0) {
		cut_once(draw(2) ? CUT_ALL : CUT_NOTHING);
	}
}

/* ---- the run ---- */

static int admit(const struct store_words *words)
{
	const struct made_version *v = &made[draw(VERSIONS)];
	uint8_t hash[VERSION_HASH];

	source.opened = 0;
	source.in = (unsigned)draw(4);
	source.fault = draw(6) ? MADE_NONE :
		(enum made_fault)draw(MADE_UNREADABLE + 1);
	return store_admit(store, v->text, v->length, &source.source, words,
			   hash);
}

static int change_host(const uint8_t *hash, const struct store_words *words)
{
	uint8_t bytes[40] = { (uint8_t)draw(256) };

	switch (draw(6)) {
	case 0:
		return store_pin(store, hash, words);
	case 1:
		return store_pin(store, NULL, words);
	case 2:
		return store_pause(store, draw(5), words);
	case 3:
		return store_resume(store, words);
	case 4:
		return store_remember(store, bytes, sizeof(bytes));
	default:
		return store_note(store, STATE_EVENT_DECIDED, hash, NULL,
				  words);
	}
}

/* Mostly what leads a version on: one at random would seldom get far. */
static const uint8_t *pick(uint32_t wanted)
{
	for (size_t i = 0; i < store->state.count; i++) {
		const struct state_version *v = &store->state.version[
			(i + draw(VERSIONS)) % store->state.count];

		if (v->state == wanted) {
			return made_of(v->hash)->hash;
		}
	}
	return made[draw(VERSIONS)].hash;
}

static int lead_on(const struct store_words *words)
{
	switch (draw(4)) {
	case 0:
		doing = "preflighted";
		return store_note(store, STATE_EVENT_PREFLIGHTED,
				  pick(STATE_VERIFIED), NULL, words);
	case 1:
		doing = "activate";
		return store_activate(store, pick(draw(4) ? STATE_PREFLIGHTED
						  : STATE_GOOD), words);
	case 2:
		doing = "trial_end";
		return store_trial_end(store, pick(STATE_TRIAL), words);
	default:
		doing = "admit";
		return admit(words);
	}
}

static int trouble(const struct store_words *words)
{
	uint8_t object[JOURNAL_OBJECT] = { (uint8_t)draw(OBJECTS) };
	uint8_t hash[JOURNAL_HASH];

	switch (draw(8)) {
	case 0:
	case 1:
		doing = "fault";
		return store_fault(store, pick(STATE_TRIAL), object, words);
	case 2:
		doing = "cleared";
		return store_note(store, STATE_EVENT_CLEARED,
				  pick(STATE_TRIAL), object, words);
	case 3:
		doing = "reproduced";
		return store_reproduced(store, pick(STATE_TRIAL), object,
					words);
	case 4:
		doing = "quarantine";
		return store_quarantine(store, pick(draw(2) ? STATE_GOOD :
						    STATE_VERIFIED), words);
	case 5:
		doing = "lift";
		return store_lift(store, pick(STATE_QUARANTINED), words);
	default:
		doing = "revert";
		return store_revert(store, draw(2) ? NULL : pick(STATE_GOOD),
				    words, hash);
	}
}

static int operate(void)
{
	struct store_words words = {
		.by = draw(2) ? STATE_BY_PERSON : STATE_BY_PUBLISHER,
		.reason = "chance",
	};

	switch (draw(12)) {
	case 0:
		doing = "tidy";
		return store_tidy(store, NULL, 0);
	case 1:
		doing = "stop";
		return store_stop(store);
	case 2:
		doing = "host";
		return change_host(made[draw(VERSIONS)].hash, &words);
	case 3:
	case 4:
	case 5:
		return trouble(&words);
	default:
		return lead_on(&words);
	}
}

static void count_done(void)
{
	size_t i = 0;

	while (did[i].what != NULL && strcmp(did[i].what, doing) != 0) {
		i++;
		assert_true(i < sizeof(did) / sizeof(did[0]));
	}
	did[i].what = doing;
	did[i].done++;
}

/* A new process, perhaps a new boot: the disk as it is, or after a cut. */
static void start_again(bool power)
{
	struct cut_disk *after;

	doing = power ? "recovery after a cut" : "recovery after a kill";
	cut_disk_watch(cut, NULL, NULL);
	store_close(store);
	cut_disk_kill(cut);
	if (power) {
		after = cut_disk_cut(cut, draw(1u << 30) | 1);
		cut_disk_free(cut);
		cut = after;
		boot++;
	}
	cut_disk_fault(cut, CUT_NONE, 0);
	store = open_on(cut);
	cut_disk_watch(cut, before_step, NULL);
	if (store_recover(store) < 0) {
		wrong("%s", store_reason(store));
	}
	learn();
}

/* The disk is as it should be again: the next call must work. */
static void heal(void)
{
	cut_disk_fault(cut, CUT_NONE, 0);
	doing = "recovery after a failure";
	if (store_recover(store) < 0) {
		wrong("%s", store_reason(store));
	}
	learn();
}

static void look_at_failure(int r)
{
	if (r < 0 && store_reason(store)[0] == '\0') {
		wrong("error %d without a reason", r);
	}
}

static void one_operation(void)
{
	uint64_t chance = draw(9);
	int r;

	if (chance < 4) {
		cut_disk_fault(cut, (enum cut_fault)(CUT_POWER + chance),
			       draw(1 + draw(30)));
	}
	r = operate();
	look_at_failure(r);
	if (r == 0 || r == STORE_BACK) {
		count_done();
	}
	learn();
	if (chance == 0) {
		start_again(draw(2));
	} else if (chance < 4 && draw(3) == 0) {
		start_again(draw(2));
	} else if (chance < 4) {
		heal();
	}
	look_at_disk(store);
}

static void one_run(void)
{
	boot = 1;
	memset(&known, 0, sizeof(known));
	memset(promised, 0, sizeof(promised));
	known_sequence = 0;
	cut = cut_disk_new();
	store = open_on(cut);
	cut_disk_watch(cut, before_step, NULL);
	doing = "first recovery";
	if (store_recover(store) < 0) {
		wrong("%s", store_reason(store));
	}
	learn();
	for (unsigned i = 0; i < OPERATIONS && cuts < cuts_wanted; i++) {
		one_operation();
		if (i % 25 == 24) {
			/* Also makes the disk in memory small again. */
			start_again(true);
		}
	}
	cut_disk_watch(cut, NULL, NULL);
	store_close(store);
	cut = cut_disk_free(cut);
}

static void test_cuts(void **state)
{
	made_source_init(&source);
	for (unsigned i = 0; i < VERSIONS; i++) {
		made_version(&source, i + 1, i / 2, &made[i]);
	}
	for (; cuts < cuts_wanted; seed++) {
		drawn = 0;
		one_run();
	}
	printf("%" PRIu64 " cuts", cuts);
	for (size_t i = 0; did[i].what != NULL; i++) {
		printf(", %s %u", did[i].what, did[i].done);
	}
	putchar('\n');
	/* Each of the operations, or it was not tested. */
	assert_non_null(did[OPERATION_KINDS - 1].what);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
	};

	if (argc > 1) {
		cuts_wanted = strtoull(argv[1], NULL, 10);
	}
	if (argc > 2) {
		seed = strtoull(argv[2], NULL, 10);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
