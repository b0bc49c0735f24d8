/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/stat.h>

#include "budget.h"
#include "seen.h"

#define WAYS 4u
#define SETS (SCAN_SEEN / WAYS)

void seen_init(struct seen *ret_seen)
{
	memset(ret_seen, 0, sizeof(*ret_seen));
	pthread_mutex_init(&ret_seen->lock, NULL);
}

int seen_is_firm(const struct seen_key *key)
{
	return S_ISREG(key->mode) && key->owner == 0 &&
	       (key->mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Nobody gains by aiming at one set: it costs him a scan of his own file. */
static struct seen_entry *set_of(struct seen *seen, const struct seen_key *key)
{
	uint64_t h = key->object.inode * 0x9e3779b97f4a7c15ull ^
		     key->object.device * 0xbf58476d1ce4e5b9ull;

	return &seen->entry[(h >> 32) % SETS * WAYS];
}

static int is_same_object(const struct bailey_object *a,
			  const struct bailey_object *b)
{
	return a->inode == b->inode && a->device == b->device &&
	       a->generation == b->generation;
}

static int is_same(const struct seen_key *a, const struct seen_key *b)
{
	return is_same_object(&a->object, &b->object) && a->size == b->size &&
	       a->changed == b->changed && a->owner == b->owner &&
	       a->mode == b->mode;
}

static int is_stale(const struct seen_entry *entry, uint64_t now)
{
	uint64_t limit = SCAN_SEEN_SOFT_MS;

	if (entry->state == SEEN_EVIL ||
	    (entry->state == SEEN_CLEAN && seen_is_firm(&entry->key))) {
		return 0;
	}
	if (entry->state == SEEN_PENDING) {
		/* Its scan has a limit, and so has the queue before it. */
		limit = SCAN_THOROUGH_MS * (SCAN_QUEUE + 1);
	}
	/* Another thread's clock reading may be a little ahead of ours. */
	return now > entry->when && now - entry->when > limit * BUDGET_MS;
}

enum seen_state seen_find(struct seen *seen, const struct seen_key *key,
			  uint64_t now, struct bailey_finding *ret_finding)
{
	enum seen_state state = SEEN_NOT;
	struct seen_entry *set = set_of(seen, key);

	pthread_mutex_lock(&seen->lock);
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].state == SEEN_NOT || !is_same(&set[i].key, key)) {
			continue;
		}
		if (is_stale(&set[i], now)) {
			set[i].state = SEEN_NOT;
			continue;
		}
		state = set[i].state;
		if (state == SEEN_EVIL) {
			*ret_finding = set[i].finding;
		}
	}
	pthread_mutex_unlock(&seen->lock);
	return state;
}

/* The entry of this object, else a free one, else the oldest of the set. */
static struct seen_entry *place(struct seen_entry *set,
				const struct seen_key *key)
{
	struct seen_entry *best = &set[0];

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].state != SEEN_NOT &&
		    is_same_object(&set[i].key.object, &key->object)) {
			return &set[i];
		}
		if (best->state != SEEN_NOT &&
		    (set[i].state == SEEN_NOT || set[i].when < best->when)) {
			best = &set[i];
		}
	}
	return best;
}

void seen_put(struct seen *seen, const struct seen_key *key,
	      enum seen_state state, uint64_t now,
	      const struct bailey_finding *finding)
{
	struct seen_entry *entry;

	pthread_mutex_lock(&seen->lock);
	entry = place(set_of(seen, key), key);
	if (state != SEEN_NOT || is_same(&entry->key, key)) {
		entry->key = *key;
		entry->state = state;
		entry->when = now;
		if (finding != NULL) {
			entry->finding = *finding;
		}
	}
	pthread_mutex_unlock(&seen->lock);
}

void seen_clear(struct seen *seen)
{
	pthread_mutex_lock(&seen->lock);
	for (size_t i = 0; i < SCAN_SEEN; i++) {
		seen->entry[i].state = SEEN_NOT;
	}
	pthread_mutex_unlock(&seen->lock);
}
