/* SPDX-License-Identifier: Apache-2.0 */
/* Handles of events: counted, one per slot; and the accessors. */
#include "client/client.h"

#include "client/slot.h"

struct bailey_event *client_event_take(struct bailey_client *client,
				       uint32_t slot)
{
	struct bailey_event *event = &client->event[slot];
	const struct wire_event *wire;
	int64_t deadline;

	wire = (const void *)(client->slot_base +
			      (size_t)slot * WIRE_SLOT_SIZE);
	if (slot_number(wire, BAILEY_FIELD_DEADLINE, &deadline) < 0) {
		deadline = 0;
	}
	event->client = client;
	event->wire = wire;
	event->id = wire->id;
	event->kind = wire->kind;
	event->flags = wire->flags;
	event->slot = slot;
	event->deadline = deadline > 0 ? (uint64_t)deadline : 0;
	event->decided = false;
	event->content = (struct record_content){ 0 };
	atomic_store_explicit(&event->file, -1, memory_order_relaxed);
	if (event->kind == BAILEY_EVENT_CONTENT) {
		client_content_take(client, event);
	}
	client_ref(client);
	atomic_store_explicit(&event->refs, 1, memory_order_release);
	return event;
}

struct bailey_event *bailey_event_ref(struct bailey_event *event)
{
	if (event != NULL) {
		atomic_fetch_add_explicit(&event->refs, 1,
					  memory_order_relaxed);
	}
	return event;
}

void bailey_event_unref(struct bailey_event *event)
{
	struct bailey_client *client;

	if (event == NULL ||
	    atomic_fetch_sub_explicit(&event->refs, 1,
				      memory_order_acq_rel) != 1) {
		return;
	}
	client = event->client;
	if (client_is_child(client)) {
		return;
	}
	pthread_mutex_lock(&client->lock);
	client_file_drop(client, event);
	client_release(client, event);
	pthread_mutex_unlock(&client->lock);
	client_unref(client);
}

unsigned bailey_event_kind(const struct bailey_event *event)
{
	return event->kind;
}

uint64_t bailey_event_id(const struct bailey_event *event)
{
	return event->id;
}

int bailey_event_is_question(const struct bailey_event *event)
{
	return (event->flags & WIRE_EVENT_QUESTION) != 0;
}

int bailey_event_number(const struct bailey_event *event,
			enum bailey_field field, int64_t *ret_value)
{
	return slot_number(event->wire, (unsigned)field, ret_value);
}

int bailey_event_string(const struct bailey_event *event,
			enum bailey_field field,
			struct bailey_string *ret_value)
{
	return slot_string(event->wire, (unsigned)field, ret_value);
}

int bailey_event_object(const struct bailey_event *event,
			struct bailey_object *ret_object)
{
	int64_t device, inode, generation;

	if (slot_number(event->wire, BAILEY_FIELD_DEVICE, &device) < 0 ||
	    slot_number(event->wire, BAILEY_FIELD_INODE, &inode) < 0 ||
	    slot_number(event->wire, BAILEY_FIELD_OBJECT_GENERATION,
			&generation) < 0) {
		return -ENODATA;
	}
	ret_object->device = (uint64_t)device;
	ret_object->inode = (uint64_t)inode;
	ret_object->generation = (uint64_t)generation;
	return 0;
}
