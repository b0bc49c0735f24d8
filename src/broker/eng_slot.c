/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/eng_slot.h"

#include <string.h>

void eng_slot_number(struct wire_event *w, enum bailey_field field,
		     uint64_t value)
{
	w->number[field] = (int64_t)value;
	w->present |= 1ull << field;
}

static void slot_string(struct wire_event *w, enum bailey_field field,
			const char *bytes, size_t length)
{
	if (length + 1 > WIRE_SLOT_SIZE - w->size || length > UINT16_MAX) {
		return;         /* does not fit: absent, never cut short */
	}
	w->string[field - 40] = (struct wire_string){
		.offset = (uint16_t)w->size, .length = (uint16_t)length };
	memcpy((char *)w + w->size, bytes, length);
	((char *)w)[w->size + length] = '\0';
	w->size += (uint32_t)length + 1;
	w->present |= 1ull << field;
}

void eng_slot_process(const struct engine *e, struct wire_event *w,
		      const struct session *s, int32_t pid)
{
	const struct process *p = process_table_find(e->processes, pid);

	eng_slot_number(w, BAILEY_FIELD_PID, (uint64_t)pid);
	if (!p) {
		eng_slot_number(w, BAILEY_FIELD_UNCERTAIN, 1);
		return;
	}
	eng_slot_number(w, BAILEY_FIELD_PPID, (uint64_t)p->ppid);
	eng_slot_number(w, BAILEY_FIELD_UID, p->uid);
	eng_slot_number(w, BAILEY_FIELD_GID, p->gid);
	eng_slot_number(w, BAILEY_FIELD_SESSION, (uint64_t)p->session);
	eng_slot_number(w, BAILEY_FIELD_START_TIME, p->start_ns);
	eng_slot_number(w, BAILEY_FIELD_GENERATION, p->generation);
	eng_slot_number(w, BAILEY_FIELD_CGROUP, p->cgroup);
	eng_slot_number(w, BAILEY_FIELD_UNCERTAIN, p->uncertain);
	if (p->exe_inode) {
		eng_slot_number(w, BAILEY_FIELD_EXE_DEVICE, p->exe_device);
		eng_slot_number(w, BAILEY_FIELD_EXE_INODE, p->exe_inode);
	}
	slot_string(w, BAILEY_FIELD_COMM, p->comm,
		    strnlen(p->comm, sizeof(p->comm)));
	if (p->exe_path_length) {
		slot_string(w, BAILEY_FIELD_EXE_PATH, p->exe_path,
			    p->exe_path_length);
	}
	if (s->manifest.see_arguments && p->arguments_length) {
		slot_string(w, BAILEY_FIELD_ARGUMENTS, p->arguments,
			    p->arguments_length);
	}
}

void eng_slot_object(struct wire_event *w, const struct question *q)
{
	size_t length;
	const char *path = eng_path(&length);

	eng_slot_number(w, BAILEY_FIELD_DEVICE, q->object.device);
	eng_slot_number(w, BAILEY_FIELD_INODE, q->object.inode);
	eng_slot_number(w, BAILEY_FIELD_OBJECT_GENERATION,
			q->object.generation);
	eng_slot_number(w, BAILEY_FIELD_SIZE, q->object.size);
	eng_slot_number(w, BAILEY_FIELD_FILE_MODE, q->object.mode);
	eng_slot_number(w, BAILEY_FIELD_OWNER, q->object.owner);
	eng_slot_number(w, BAILEY_FIELD_LINKS, q->object.links);
	eng_slot_number(w, BAILEY_FIELD_CHANGED, q->object.changed_ns);
	eng_slot_number(w, BAILEY_FIELD_PATH_FOREIGN, q->path_foreign);
	if (length) {
		slot_string(w, BAILEY_FIELD_PATH, path, length);
	}
}

static struct wire_event *slot_of(const struct engine *e,
				  const struct session *s, uint32_t slot)
{
	return (struct wire_event *)((char *)e->region[s->index].events +
				     WIRE_SLOTS_OFFSET +
				     (size_t)slot * WIRE_SLOT_SIZE);
}

struct wire_event *eng_slot_begin(struct engine *e, struct session *s,
				  uint32_t slot, uint32_t kind, uint64_t id)
{
	struct wire_event *w = slot_of(e, s, slot);

	w->size = sizeof(*w);
	w->kind = kind;
	w->id = id;
	w->present = 0;
	w->flags = 0;
	memset(w->string, 0, sizeof(w->string));
	eng_slot_number(w, BAILEY_FIELD_SEQUENCE, ++s->sequence);
	return w;
}

void eng_wake(struct engine *e, struct session *s)
{
	static const char byte = 1;

	atomic_thread_fence(memory_order_seq_cst);
	e->looking |= 1u << s->index;
	if (atomic_load_explicit(&e->region[s->index].answers->product_sleeping,
				 memory_order_relaxed)) {
		e->looking &= ~(1u << s->index);
		/* Our own description, O_NONBLOCK: full means it is awake. */
		ssize_t n = write(s->wake_product, &byte, 1);
		(void)n;
	}
}

/* The slot is the product's from the moment that the queue's head moves, and
 * only then. `giving` tells a successor which one to take back if it did not,
 * and our own head moves last: equal heads say so (eng_succeed.c). */
void eng_slot_give(struct session *s, uint32_t slot,
		   const struct slot *contents, struct wire_queue *queue,
		   uint32_t *head)
{
	s->giving = slot + 1;
	atomic_signal_fence(memory_order_seq_cst);
	s->slot[slot] = *contents;
	queue->slot[*head % WIRE_QUEUE] = slot;
	atomic_store_explicit(&queue->head, *head + 1, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	s->giving = 0;
	atomic_signal_fence(memory_order_seq_cst);
	*head += 1;
	s->view.held++;
}

