/* SPDX-License-Identifier: Apache-2.0 */
/* store_fill.c - a version comes in: its records, and its slot between them */
#include <stdlib.h>
#include <string.h>

#include "content/store_internal.h"

/* What was begun and failed is undone now, if that is possible; else before
 * the next change. The reason is that of the failure. */
void store_undo(struct store *store)
{
	char reason[SLOT_REASON];

	if (store->settled) {
		return;
	}
	memcpy(reason, store->reason, sizeof(reason));
	/* What it returns, the next call will find again. */
	(void)!store_ready(store);
	memcpy(store->reason, reason, sizeof(reason));
}

void store_facts(const struct version *version,
		 struct state_facts *ret_facts)
{
	static_assert(VERSION_TEXT == STATE_NAME, "a version's name fits");

	memset(ret_facts, 0, sizeof(*ret_facts));
	ret_facts->number = version->number;
	ret_facts->floor = version->floor;
	ret_facts->kind = version->kind;
	memcpy(ret_facts->name, version->version,
	       strlen(version->version));
}

/* Where unchanged files come from: what is in use, else the newest slot. */
static const uint8_t *last_slot(const struct store *store)
{
	const struct state *state = &store->state;
	const struct state_version *last = state_active(state);

	for (size_t i = 0; last == NULL && i < state->count; i++) {
		if (state->version[i].kept) {
			last = &state->version[i];
		}
	}
	return last != NULL ? last->hash : NULL;
}

static int may_admit(struct store *store, const struct version *version,
		     const uint8_t hash[JOURNAL_HASH])
{
	const struct state_version *v = state_find(&store->state, hash);

	if (strcmp(version->product, store->product) != 0) {
		return store_say(store, -EBADMSG, "it is content of \"%s\"",
				 version->product);
	}
	if (v != NULL && v->state == STATE_QUARANTINED) {
		return store_say(store, STORE_BANNED, "it is in quarantine: "
				 "%s", state_reason(&store->state, v));
	}
	return v != NULL && v->kept ? STORE_SAME : 0;
}

static int record_fetched(struct store *store, const struct version *version,
			  const uint8_t hash[JOURNAL_HASH],
			  const struct store_words *words)
{
	struct state_facts facts;
	struct store_words with = *words;
	struct journal_record record;

	if (state_find(&store->state, hash) != NULL) {
		return 0;
	}
	store_facts(version, &facts);
	with.payload = &facts;
	with.payload_size = sizeof(facts);
	store_record(store, STATE_EVENT_FETCHED, hash, &with, &record);
	return store_append(store, &record);
}

static int take(struct store_filling *filling, const void *description,
		size_t length)
{
	filling->description = malloc(length + 1);
	if (filling->description == NULL) {
		return -ENOMEM;
	}
	memcpy(filling->description, description, length);
	filling->making.description = filling->description;
	filling->making.length = length;
	return 0;
}

static void filling_fini(struct store_filling *filling)
{
	filling->version = version_free(filling->version);
	free(filling->description);
	filling->description = NULL;
}

static int begin(struct store *store, const struct store_words *words,
		 struct store_filling *filling)
{
	struct slot_making *making = &filling->making;
	const uint8_t *last;
	int r = may_admit(store, filling->version, filling->hash);

	r = r != 0 ? r : record_fetched(store, filling->version,
					filling->hash, words);
	if (r != 0) {
		return r;
	}
	making->disk = store->disk;
	making->slots = store->slots;
	making->version = filling->version;
	last = last_slot(store);
	if (last != NULL) {
		memcpy(filling->last, last, JOURNAL_HASH);
		making->last = filling->last;
	}
	return 0;
}

int store_fill_begin(struct store *store, const void *description,
		     size_t length, struct slot_source *source,
		     const struct store_words *words,
		     struct store_filling *ret_filling)
{
	struct store_filling *f = ret_filling;
	struct json_fault fault;
	int r = store_ready(store);

	if (r < 0) {
		return r;
	}
	if (store->filling) {
		return store_say(store, STORE_NOT_NOW,
				 "another version's slot is being filled");
	}
	memset(f, 0, sizeof(*f));
	f->making.source = source;
	version_hash(description, length, f->hash);
	r = version_parse(description, length, &f->version, &fault);
	if (r < 0) {
		return store_say(store, r, "description: %s", fault.text);
	}
	r = take(f, description, length);
	r = r < 0 ? store_say_errno(store, r, "slot") : begin(store, words, f);
	if (r != 0) {
		filling_fini(f);
		return r;
	}
	store->filling = true;
	return 0;
}

void store_fill_copy(struct store_filling *filling)
{
	filling->result = slot_make(&filling->making, filling->reason);
}

int store_fill_end(struct store *store, struct store_filling *filling,
		   const struct store_words *words)
{
	struct journal_record record;
	int r = store_ready(store);

	if (r == 0 && filling->result < 0) {
		r = store_say(store, filling->result, "%s", filling->reason);
	}
	if (r == 0) {
		store_record(store, STATE_EVENT_VERIFIED, filling->hash,
			     words, &record);
		r = store_append(store, &record);
	}
	store->filling = false;
	/* Half a slot, or one that no record speaks of, must go again; and
	 * what was not swept meanwhile. */
	store->settled &= r == 0 && !store->unswept;
	store_undo(store);
	filling_fini(filling);
	return r;
}

int store_admit(struct store *store, const void *description, size_t length,
		struct slot_source *source, const struct store_words *words,
		uint8_t ret_hash[JOURNAL_HASH])
{
	struct store_filling filling;
	int r = store_fill_begin(store, description, length, source, words,
				 &filling);

	version_hash(description, length, ret_hash);
	if (r != 0) {
		return r;
	}
	store_fill_copy(&filling);
	return store_fill_end(store, &filling, words);
}
