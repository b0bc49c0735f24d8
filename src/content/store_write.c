/* SPDX-License-Identifier: Apache-2.0 */
/* store_write.c - records: made, permitted, written, applied */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "content/store_internal.h"

int store_say(struct store *store, int r, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(store->reason, sizeof(store->reason), format, list);
	va_end(list);
	return r;
}

int store_say_errno(struct store *store, int r, const char *what)
{
	return store_say(store, r, "%s: %s", what, strerror(-r));
}

/* One line: what would begin another, or move a terminal's cursor, is a
 * question mark. */
static void put_reason(char ret_reason[JOURNAL_REASON], const char *reason)
{
	size_t n;

	text_format(ret_reason, JOURNAL_REASON, "%s",
		    reason != NULL ? reason : "");
	n = strlen(ret_reason);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)ret_reason[i] < ' ' ||
		    ret_reason[i] == 0x7f) {
			ret_reason[i] = '?';
		}
	}
	memset(ret_reason + n, 0, JOURNAL_REASON - n);
}

void store_record(const struct store *store, enum state_event type,
		  const uint8_t *hash, const struct store_words *words,
		  struct journal_record *ret_record)
{
	memset(ret_record, 0, sizeof(*ret_record));
	ret_record->type = type;
	store->now(&ret_record->time);
	if (hash != NULL) {
		memcpy(ret_record->hash, hash, JOURNAL_HASH);
	}
	if (words == NULL) {
		return;
	}
	ret_record->by = words->by;
	put_reason(ret_record->reason, words->reason);
	if (words->payload != NULL) {
		ret_record->payload_size =
			words->payload_size < JOURNAL_PAYLOAD ?
			(uint32_t)words->payload_size : JOURNAL_PAYLOAD;
		memcpy(ret_record->payload, words->payload,
		       ret_record->payload_size);
	}
}

void store_own_record(const struct store *store, enum state_event type,
		      const uint8_t *hash, const char *reason,
		      struct journal_record *ret_record)
{
	struct store_words words = { .by = STATE_BY_RECOVERY,
				     .reason = reason };

	store_record(store, type, hash, &words, ret_record);
}

/* ---- into the journal ---- */

static int put_state(struct store *store)
{
	struct journal_record record;
	int r = journal_fresh_begin(&store->journal, store->history);

	for (size_t i = 0; r == 0; i++) {
		r = state_save(&store->state, i, &record);
		if (r != 0) {
			break;
		}
		store->now(&record.time);
		r = journal_fresh_put(&store->journal, &record);
	}
	return r < 0 ? r : journal_fresh_end(&store->journal);
}

int store_rewrite(struct store *store)
{
	int r = put_state(store);

	journal_fresh_drop(&store->journal);
	return r < 0 ? store_say_errno(store, r, "journal") : 0;
}

int store_begin(struct store *store, struct journal_record *records,
		size_t count)
{
	int r = journal_fresh_begin(&store->journal, 0);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = journal_fresh_put(&store->journal, &records[i]);
	}
	r = r < 0 ? r : journal_fresh_end(&store->journal);
	journal_fresh_drop(&store->journal);
	if (r < 0) {
		return store_say_errno(store, r, "journal");
	}
	state_init(&store->state);
	for (size_t i = 0; i < count; i++) {
		state_apply(&store->state, &records[i]);
	}
	return 0;
}

static int refusal(struct store *store, int may,
		   const struct journal_record *record)
{
	const struct state_version *v = state_find(&store->state,
						   record->hash);
	const char *what = state_event_name(record->type);

	switch (may) {
	case STATE_NOT_FROM_HERE:
		if (v == NULL && !store_hash_none(record->hash)) {
			return store_say(store, STORE_UNKNOWN, "%s: no such "
					 "version", what);
		}
		return store_say(store, STORE_NOT_NOW, "%s: not while it is "
				 "%s", what, state_name(v != NULL ? v->state :
							STATE_NONE));
	case STATE_FULL:
		return store_say(store, STORE_FULL, "%u versions are kept in "
				 "quarantine: lift some", STATE_VERSIONS);
	default:
		return store_say(store, -EINVAL, "%s: not a record", what);
	}
}

/* A journal that is long but sound can still take a record. */
static int make_room(struct store *store)
{
	int r = 0;

	if (store->journal.sick || store->journal.count >= store->longest) {
		r = store_rewrite(store);
	}
	return store->journal.sick || store->journal.count >= JOURNAL_MOST ?
		r : 0;
}

int store_append(struct store *store, struct journal_record *record)
{
	int r = state_may(&store->state, record);

	if (r != STATE_MAY) {
		return refusal(store, r, record);
	}
	r = make_room(store);
	if (r < 0) {
		return r;
	}
	r = journal_append(&store->journal, record);
	if (r < 0) {
		return store_say_errno(store, r, "journal");
	}
	state_apply(&store->state, record);
	return 0;
}
