/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/seen.h - what thorough scans found, so that a large file is not read
 * again at each open
 *
 * Key: the object and its size, change time, owner and mode. Those do not
 * move when somebody stores through a mapping that he already has, so a *clean*
 * entry is firm only if nobody but root can write the file; of any other file
 * it stands for SCAN_SEEN_SOFT_MS. An *evil* entry stands until the key
 * changes. A *pending* one says that the scan is queued or running.
 *
 * Bounds: SCAN_SEEN entries in sets of four; when a set is full its oldest
 * goes, which costs one more scan. Threads: all; one mutex, held for a few
 * comparisons.
 */
#ifndef SCAN_SEEN_H
#define SCAN_SEEN_H

#include <pthread.h>
#include <stdint.h>

#include <bailey/event.h>

#include "limits.h"

struct seen_key {
	struct bailey_object object;
	uint64_t size, changed, owner, mode;
};

enum seen_state {
	SEEN_NOT,
	SEEN_PENDING,
	SEEN_CLEAN,
	SEEN_EVIL
};

struct seen_entry {
	struct seen_key key;
	enum seen_state state;
	uint64_t when;                  /* ns, CLOCK_MONOTONIC */
	struct bailey_finding finding;  /* SEEN_EVIL */
};

struct seen {
	pthread_mutex_t lock;
	struct seen_entry entry[SCAN_SEEN];
};

void seen_init(struct seen *ret_seen);

/* 1 if only root can write it: regular, owned by root, not group- or world-
 * writable. */
int seen_is_firm(const struct seen_key *key);

/* What is known; with SEEN_EVIL also why. */
enum seen_state seen_find(struct seen *seen, const struct seen_key *key,
			  uint64_t now, struct bailey_finding *ret_finding);

void seen_clear(struct seen *seen);

/* finding: for SEEN_EVIL, else null. SEEN_NOT forgets the key. */
void seen_put(struct seen *seen, const struct seen_key *key,
	      enum seen_state state, uint64_t now,
	      const struct bailey_finding *finding);

#endif
