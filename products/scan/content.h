/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/content.h - the rules in use, and how they are exchanged
 *
 * New rules are compiled beside the old. From then on each thread, before its
 * next object, makes its scanner anew for them; who is inside an object ends it
 * with the old ones. The last thread that leaves a set frees it. If the new
 * ones are of no use, the old stay.
 *
 * Threads: all. One mutex, taken for a few pointers; content_load() compiles
 * without it, one at a time.
 */
#ifndef SCAN_CONTENT_H
#define SCAN_CONTENT_H

#include <pthread.h>
#include <stdatomic.h>

#include <bailey/client.h>

#include "engine.h"
#include "ruleset.h"

#define CONTENT_SETS 3u         /* in use at once: then -EBUSY */

struct content_set {
	struct ruleset rules;
	unsigned users;         /* engines; plus 1 while it is the newest */
};

struct content {
	struct bailey_client *client;   /* borrowed */
	pthread_mutex_t lock;
	pthread_mutex_t loading;
	_Atomic unsigned newest;        /* index */
	struct content_set set[CONTENT_SETS];
};

/* Loads for the first time. 0, or an error of ruleset_load(). */
int content_init(struct content *ret_content, struct bailey_client *client)
	__attribute__((warn_unused_result));
/* An engine for the newest set. */
int content_engine(struct content *content, struct engine *ret_engine)
	__attribute__((warn_unused_result));
/* From the content directory as it is now. 0, or why the old rules stay. */
int content_load(struct content *content)
	__attribute__((warn_unused_result));
/* Makes the engine one of the newest set, if it is not; null-safe. */
void content_follow(struct content *content, struct engine *engine);

/* There is a newer one; null-safe. */
int content_is_old(const struct content *content, const struct engine *engine);

const struct ruleset *content_rules(const struct content *content);

#endif
