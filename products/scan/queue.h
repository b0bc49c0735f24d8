/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan/queue.h - events that wait for a thorough scan
 *
 * First in, first out, SCAN_QUEUE entries, SCAN_QUEUE_UID of one asking user,
 * so that nobody's large files keep everybody else's from being read. Full: the
 * caller keeps the event and lets it go. Threads: any; blocking take.
 */
#ifndef SCAN_QUEUE_H
#define SCAN_QUEUE_H

#include <pthread.h>

#include <bailey/client.h>

#include "limits.h"
#include "seen.h"

struct queue_item {
	struct bailey_event *event;     /* one reference, owned */
	struct seen_key key;
	int64_t uid;                    /* who asked */
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	unsigned first, count;
	struct queue_item item[SCAN_QUEUE];
};

#define QUEUE_FULL 1

void queue_init(struct queue *ret_queue);
/* 0: the queue owns the event now. QUEUE_FULL: it still is the caller's. */
int queue_put(struct queue *queue, const struct queue_item *item)
	__attribute__((warn_unused_result));
/* Waits for an item and takes it. */
void queue_take(struct queue *queue, struct queue_item *ret_item);

#endif
