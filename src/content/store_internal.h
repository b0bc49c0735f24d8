/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content/store_internal.h - store.c (calls), store_fill.c (versions come in),
 * store_recover.c (making the disk agree), store_write.c (records)
 */
#ifndef CONTENT_STORE_INTERNAL_H
#define CONTENT_STORE_INTERNAL_H

#include <string.h>

#include "content/store.h"

struct store {
	struct disk *disk;              /* borrowed */
	int dir;                        /* own; holds the lock */
	int slots;                      /* own; -1 until it was opened */
	char product[VERSION_NAME];
	void (*now)(struct journal_time *ret_time);
	uint64_t longest, history;
	bool loaded;                    /* state is what the journal says */
	bool settled;                   /* the disk agrees with state */
	bool filling;                   /* half a slot is somebody's work... */
	bool unswept;                   /* ...and was left alone therefore */
	struct journal journal;
	struct state state;
	char reason[SLOT_REASON];
};

/* Sets the reason; returns r. */
__attribute__((format(printf, 3, 4)))
int store_say(struct store *store, int r, const char *format, ...);
/* The same for an errno. */
int store_say_errno(struct store *store, int r, const char *what);

/* A record about hash (null: the product), now. */
void store_record(const struct store *store, enum state_event type,
		  const uint8_t *hash, const struct store_words *words,
		  struct journal_record *ret_record);
/* By recovery, with a fixed reason. */
void store_own_record(const struct store *store, enum state_event type,
		      const uint8_t *hash, const char *reason,
		      struct journal_record *ret_record);
/* If permitted: into the journal, then into the state. 0, a condition, an
 * errno. Rewrites the journal where that is due. */
int store_append(struct store *store, struct journal_record *record) must_use;
int store_rewrite(struct store *store) must_use;
/* A first journal, from these records. */
int store_begin(struct store *store, struct journal_record *records,
		size_t count) must_use;

/* Makes `current` lead to what the state says is in use, after a look at its
 * slot. */
int store_point(struct store *store) must_use;
/* Before any change: what recovery does, if the last call left that open. */
int store_ready(struct store *store) must_use;
/* What was begun and failed is undone now, if that is possible; else before
 * the next change. The reason stays that of the failure. */
void store_undo(struct store *store);

/* What of a description is kept without its slot. */
void store_facts(const struct version *version,
		 struct state_facts *ret_facts);

static inline bool store_hash_none(const uint8_t hash[JOURNAL_HASH])
{
	static const uint8_t none[JOURNAL_HASH];

	return memcmp(hash, none, JOURNAL_HASH) == 0;
}

#endif
