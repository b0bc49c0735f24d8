/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "queue.h"

void queue_init(struct queue *ret_queue)
{
	memset(ret_queue, 0, sizeof(*ret_queue));
	pthread_mutex_init(&ret_queue->lock, NULL);
	pthread_cond_init(&ret_queue->filled, NULL);
}

static struct queue_item *at(struct queue *queue, unsigned i)
{
	return &queue->item[(queue->first + i) % SCAN_QUEUE];
}

static int has_room(struct queue *queue, int64_t uid)
{
	unsigned of_uid = 0;

	for (unsigned i = 0; i < queue->count; i++) {
		of_uid += at(queue, i)->uid == uid;
	}
	return queue->count < SCAN_QUEUE && of_uid < SCAN_QUEUE_UID;
}

int queue_put(struct queue *queue, const struct queue_item *item)
{
	int result = QUEUE_FULL;

	pthread_mutex_lock(&queue->lock);
	if (has_room(queue, item->uid)) {
		*at(queue, queue->count) = *item;
		queue->count++;
		pthread_cond_signal(&queue->filled);
		result = 0;
	}
	pthread_mutex_unlock(&queue->lock);
	return result;
}

void queue_take(struct queue *queue, struct queue_item *ret_item)
{
	pthread_mutex_lock(&queue->lock);
	while (queue->count == 0) {
		pthread_cond_wait(&queue->filled, &queue->lock);
	}
	*ret_item = *at(queue, 0);
	queue->first = (queue->first + 1) % SCAN_QUEUE;
	queue->count--;
	pthread_mutex_unlock(&queue->lock);
}
