/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker/eng_slot.h - one event in a product's region
 *
 * Reply thread. An event is written into a free slot, given by its number in
 * one of two queues (questions, news), and the product is woken if it sleeps.
 * The engine keeps every index itself and never reads one back from memory
 * that a product can write. Memory order: proto/wire.h.
 */
#ifndef BROKER_ENG_SLOT_H
#define BROKER_ENG_SLOT_H

#include "broker/eng.h"

/* An event without fields but its sequence number, in that slot. */
struct wire_event *eng_slot_begin(struct engine *e, struct session *s,
				  uint32_t slot, uint32_t kind, uint64_t id);
void eng_slot_number(struct wire_event *w, enum bailey_field field,
		     uint64_t value);
/* All that is known of that process, as far as this product may see it. */
void eng_slot_process(const struct engine *e, struct wire_event *w,
		      const struct session *s, int32_t pid);
void eng_slot_object(struct wire_event *w, const struct question *q);
/* Hands it over; the caller then calls eng_wake(). */
void eng_slot_give(struct session *s, uint32_t slot,
		   const struct slot *contents, struct wire_queue *queue,
		   uint32_t *head);

#endif
