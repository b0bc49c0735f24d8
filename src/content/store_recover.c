/* SPDX-License-Identifier: Apache-2.0 */
/* store_recover.c - reads the journal and makes the disk agree with it */
#include <string.h>

#include "content/store_internal.h"

/* ---- reading it ---- */

static int fold(void *context, const struct journal_record *record)
{
	/* What this program does not know changes nothing. */
	(void)state_apply(context, record);
	return 0;
}

static int open_slots(struct store *store)
{
	struct disk *disk = store->disk;
	int r;

	if (store->slots >= 0) {
		return 0;
	}
	r = disk->body->open_dir(disk, store->dir, SLOT_SLOTS);
	if (r == -ENOENT) {
		r = disk->body->make_dir(disk, store->dir, SLOT_SLOTS);
		if (r == 0) {
			r = disk->body->open_dir(disk, store->dir,
						 SLOT_SLOTS);
		}
	}
	if (r < 0) {
		return store_say_errno(store, r, SLOT_SLOTS);
	}
	/* Its name is synced with the journal's, below. */
	store->slots = r;
	return 0;
}

/* 1: the whole slot that `current` leads to; 0: there is none. */
static int adoptable(struct store *store, struct journal_record *ret_record)
{
	cleanup_version struct version *version = NULL;
	char reason[SLOT_REASON];
	uint8_t hash[VERSION_HASH];
	struct state_facts facts;
	struct store_words words = {
		.by = STATE_BY_RECOVERY, .payload = &facts,
		.payload_size = sizeof(facts),
		.reason = "the journal was lost; this slot was in use, whole",
	};
	int r = slot_pointed(store->disk, store->dir, hash);

	if (r != 0) {
		return r < 0 ? r : 0;
	}
	r = slot_check(store->disk, store->slots, hash, true, reason);
	r = r < 0 ? r : store_version(store, hash, &version);
	if (r < 0) {
		return r == -ENOENT || r == -EBADMSG ? 0 : r;
	}
	store_facts(version, &facts);
	store_record(store, STATE_EVENT_ADOPTED, hash, &words, ret_record);
	return 1;
}

static int begin_journal(struct store *store)
{
	struct journal_record records[2];
	int r = adoptable(store, &records[1]);

	if (r < 0) {
		return store_say_errno(store, r, SLOT_CURRENT);
	}
	store_own_record(store, STATE_EVENT_START, NULL, r == 0 ?
			 "the first journal here" : "the journal was lost",
			 &records[0]);
	return store_begin(store, records, 1 + (size_t)r);
}

static int load(struct store *store)
{
	int r = open_slots(store);

	if (r < 0) {
		return r;
	}
	state_init(&store->state);
	r = journal_open(&store->journal, fold, &store->state);
	if (r == -ENOENT || (r == 0 && store->journal.count == 0)) {
		r = begin_journal(store);
		if (r < 0) {
			return r;
		}
	} else if (r < 0) {
		return store_say_errno(store, r, "journal");
	}
	store->loaded = true;
	return 0;
}

/* ---- what it says about the time since ---- */

static int note_damage(struct store *store)
{
	struct journal_record record;
	int r;

	if (store->journal.breaks == 0) {
		return 0;
	}
	store_own_record(store, STATE_EVENT_NOTE, NULL, "records of the "
			 "journal were damaged and passed over", &record);
	r = store_rewrite(store);
	return r < 0 ? r : store_append(store, &record);
}

/* A version on trial may be why the host went down. */
static int note_interruption(struct store *store)
{
	const struct state_version *active = state_active(&store->state);
	struct journal_record record;

	if (active == NULL || active->state != STATE_TRIAL) {
		return 0;
	}
	store_own_record(store, STATE_EVENT_INTERRUPTED, active->hash,
			 "the host went down while it was on trial", &record);
	if (store->state.host.stopped) {
		store_own_record(store, STATE_EVENT_STARTED, NULL,
				 "the trial goes on", &record);
	} else if (memcmp(store->state.host.boot_id, record.time.boot_id,
			  sizeof(record.time.boot_id)) == 0) {
		return 0;
	}
	return store_append(store, &record);
}

static int abandon(struct store *store)
{
	struct journal_record record;

	if (store_hash_none(store->state.activating)) {
		return 0;
	}
	store_own_record(store, STATE_EVENT_ABANDONED,
			 store->state.activating, "its activation was cut "
			 "short: what was in use before still is", &record);
	return store_append(store, &record);
}

/* ---- making the disk agree ---- */

static bool is_kept(void *context, const uint8_t hash[VERSION_HASH])
{
	const struct state_version *v = state_find(context, hash);

	return v != NULL && v->kept;
}

/* First of all: it makes room on a full disk. Never what is in use or where it
 * would go back to, but half slots and those already given up. Later, if one
 * is being filled. */
static int sweep(struct store *store)
{
	int r;

	store->unswept = store->filling;
	if (store->filling) {
		return 0;
	}
	r = slot_sweep(store->disk, store->slots, is_kept, &store->state);
	return r < 0 ? store_say_errno(store, r, "removing old slots") : 0;
}

/* 0: its slot is there. 1: it was not; the state has gone back. */
static int look_at(struct store *store, const struct state_version *active)
{
	struct journal_record record;
	char reason[SLOT_REASON];
	int r = slot_check(store->disk, store->slots, active->hash, false,
			   reason);

	if (r == 0 || (r != -EBADMSG && r != -ENOENT)) {
		return r < 0 ? store_say(store, r, "%s", reason) : 0;
	}
	store_own_record(store, STATE_EVENT_DAMAGED, active->hash, reason,
			 &record);
	r = store_append(store, &record);
	return r != 0 ? r : 1;
}

static bool leads_there(struct store *store,
			const struct state_version *active)
{
	uint8_t hash[VERSION_HASH];
	int r = slot_pointed(store->disk, store->dir, hash);

	return active == NULL ? r == 1 :
		r == 0 && memcmp(hash, active->hash, VERSION_HASH) == 0;
}

int store_point(struct store *store)
{
	const struct state_version *active;
	int r;

	store->settled = false;
	do {
		active = state_active(&store->state);
		r = active != NULL ? look_at(store, active) : 0;
	} while (r == 1);
	if (r != 0) {
		return r;
	}
	/* Synced in any case: who was killed here had only renamed. */
	r = leads_there(store, active) ?
		store->disk->body->sync(store->disk, store->dir) :
		slot_point(store->disk, store->dir,
			   active != NULL ? active->hash : NULL);
	if (r < 0) {
		return store_say_errno(store, r, SLOT_CURRENT);
	}
	store->settled = true;
	return 0;
}

/* A condition here would be a record of our own that the state refuses. */
static int settle(struct store *store)
{
	int r = store->loaded ? 0 : load(store);

	r = r != 0 ? r : sweep(store);
	r = r != 0 || !store->journal.sick ? r : store_rewrite(store);
	r = r != 0 ? r : note_damage(store);
	r = r != 0 ? r : note_interruption(store);
	r = r != 0 ? r : abandon(store);
	r = r != 0 ? r : store_point(store);
	return r > 0 ? -EIO : r;
}

int store_ready(struct store *store)
{
	store->reason[0] = '\0';
	return store->settled ? 0 : settle(store);
}

int store_recover(struct store *store)
{
	uint8_t before[VERSION_HASH] = { 0 }, after[VERSION_HASH] = { 0 };
	int had = slot_pointed(store->disk, store->dir, before);
	int r;

	store->settled = false;
	r = store_ready(store);
	if (r < 0) {
		return r;
	}
	return slot_pointed(store->disk, store->dir, after) != had ||
		memcmp(before, after, VERSION_HASH) != 0 ? STORE_BACK : 0;
}
