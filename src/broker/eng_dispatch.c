/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_dispatch.c - the question goes to the products
 *
 * Fifth of the seven files (eng.h). One record is written into a free slot of
 * each product that subscribed, is serving, did not mute it and whose own
 * rules did not settle it. A product that cannot be asked now gets its
 * fallback at once; a fallback is never cached.
 *
 * The engine keeps every index of a ring itself and never reads one back from
 * memory that a product can write.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "broker/eng.h"

static const uint32_t kind_event[ENG_KINDS] = {
	[ENG_OPEN] = BAILEY_EVENT_FILE_OPEN,
	[ENG_EXEC] = BAILEY_EVENT_PROCESS_EXEC,
};

/* ---- filling a slot ---- */

static void slot_number(struct wire_event *w, enum bailey_field field,
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

static void slot_process(const struct engine *e, struct wire_event *w,
			 const struct session *s, int32_t pid)
{
	const struct process *p = process_table_find(e->processes, pid);

	slot_number(w, BAILEY_FIELD_PID, (uint64_t)pid);
	if (!p) {
		slot_number(w, BAILEY_FIELD_UNCERTAIN, 1);
		return;
	}
	slot_number(w, BAILEY_FIELD_PPID, (uint64_t)p->ppid);
	slot_number(w, BAILEY_FIELD_UID, p->uid);
	slot_number(w, BAILEY_FIELD_GID, p->gid);
	slot_number(w, BAILEY_FIELD_SESSION, (uint64_t)p->session);
	slot_number(w, BAILEY_FIELD_START_TIME, p->start_ns);
	slot_number(w, BAILEY_FIELD_GENERATION, p->generation);
	slot_number(w, BAILEY_FIELD_CGROUP, p->cgroup);
	slot_number(w, BAILEY_FIELD_UNCERTAIN, p->uncertain);
	if (p->exe_inode) {
		slot_number(w, BAILEY_FIELD_EXE_DEVICE, p->exe_device);
		slot_number(w, BAILEY_FIELD_EXE_INODE, p->exe_inode);
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

static void slot_object(struct wire_event *w, const struct question *q)
{
	size_t length;
	const char *path = eng_path(&length);

	slot_number(w, BAILEY_FIELD_DEVICE, q->object.device);
	slot_number(w, BAILEY_FIELD_INODE, q->object.inode);
	slot_number(w, BAILEY_FIELD_OBJECT_GENERATION, q->object.generation);
	slot_number(w, BAILEY_FIELD_SIZE, q->object.size);
	slot_number(w, BAILEY_FIELD_FILE_MODE, q->object.mode);
	slot_number(w, BAILEY_FIELD_OWNER, q->object.owner);
	slot_number(w, BAILEY_FIELD_LINKS, q->object.links);
	slot_number(w, BAILEY_FIELD_CHANGED, q->object.changed_ns);
	slot_number(w, BAILEY_FIELD_PATH_FOREIGN, q->path_foreign);
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

static struct wire_event *slot_begin(struct engine *e, struct session *s,
				     uint32_t slot, uint32_t kind, uint64_t id)
{
	struct wire_event *w = slot_of(e, s, slot);

	w->size = sizeof(*w);
	w->kind = kind;
	w->id = id;
	w->present = 0;
	w->flags = 0;
	memset(w->string, 0, sizeof(w->string));
	slot_number(w, BAILEY_FIELD_SEQUENCE, ++s->sequence);
	return w;
}

/* ---- queues and wake-ups ---- */

void eng_wake(struct engine *e, struct session *s)
{
	static const char byte = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&e->region[s->index].answers->product_sleeping,
				 memory_order_relaxed)) {
		/* Our own description, O_NONBLOCK: full means it is awake. */
		ssize_t n = write(s->wake_product, &byte, 1);
		(void)n;
	}
}

/* The slot is the product's from the moment that the queue's head moves, and
 * only then. `giving` tells a successor which one to take back if it did not,
 * and our own head moves last: equal heads say so (eng_succeed.c). */
static void slot_give(struct session *s, uint32_t slot,
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

static bool send_file(const struct session *s, const struct question *q,
		      uint32_t slot)
{
	struct wire_file file = { .id = q->id, .slot = slot };
	struct iovec iov = { &file, sizeof(file) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &q->fd, sizeof(int));
	return sendmsg(s->files, &m, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

/* ---- one product ---- */

/* It keeps many descriptors, one of them long after its answer: each holds a
 * file open that somebody may want to unmount or delete. */
static bool dispatch_overdue(const struct session *s)
{
	mono_t now = mono_now();

	if (s->files_out < ENG_FILES_OUT) {
		return false;
	}
	for (uint32_t i = 0; i < WIRE_SLOTS; i++) {
		if (s->slot[i].file && s->slot[i].settled.ns &&
		    mono_between(s->slot[i].settled, now) > ENG_RETURN_NS) {
			return true;
		}
	}
	return false;
}

bool eng_dispatch_one(struct engine *e, struct question *q, struct session *s)
{
	uint32_t bit = 1u << s->index;
	uint32_t deadline = atomic_load_explicit(&s->deadline_ms[q->kind],
						 memory_order_relaxed);
	struct wire_event *w;
	struct slot given;
	uint16_t slot;

	if (!s->free_count) {
		s->view.full++;
		return false;
	}
	slot = s->free_slot[s->free_count - 1];
	q->due[s->index] = mono_add(mono_now(), deadline * MONO_MS);
	w = slot_begin(e, s, slot, kind_event[q->kind], q->id);
	slot_number(w, BAILEY_FIELD_KIND_SEQUENCE, ++s->kind_sequence[q->kind]);
	slot_number(w, BAILEY_FIELD_TIME, q->read_at.ns);
	slot_number(w, BAILEY_FIELD_DEADLINE, q->due[s->index].ns);
	slot_process(e, w, s, q->asker.pid);
	slot_object(w, q);
	w->flags = WIRE_EVENT_QUESTION;
	if (S_ISREG(q->object.mode) &&
	    atomic_load_explicit(&s->want_file[q->kind],
				 memory_order_relaxed)) {
		if (dispatch_overdue(s)) {
			eng_session_fault(e, s, SESSION_FAULT_RETURN);
			return false;
		}
		if (!send_file(s, q, slot)) {
			s->view.full++;
			return false;
		}
		w->flags |= WIRE_EVENT_FILE;
	}
	s->free_count--;
	given = (struct slot){ .id = q->id, .question = q->index,
			       .file = w->flags & WIRE_EVENT_FILE };
	s->files_out += given.file;
	s->view.asked++;
	q->slot[s->index] = slot;
	q->asked |= bit;
	q->owing |= bit;
	if (q->due[s->index].ns < e->next_due.ns) {
		e->next_due = q->due[s->index];
	}
	slot_give(s, slot, &given, &e->region[s->index].events->questions,
		  &s->question_head);
	eng_wake(e, s);
	return true;
}

static bool starts_with(const char *path, size_t length, const char *prefix)
{
	size_t n = strnlen(prefix, 256);

	return n && length >= n && memcmp(path, prefix, n) == 0 &&
	       (prefix[n - 1] == '/' || length == n);
}

static bool dispatch_muted(const struct engine *e, const struct session *s,
			   const struct question *q)
{
	uint32_t now = atomic_load_explicit(&s->mute_now, memory_order_acquire);
	const struct process *p = NULL;
	size_t length;
	const char *path = eng_path(&length);

	for (uint32_t i = 0; i < s->mute_count[now]; i++) {
		const struct bailey_mute *m = &s->mutes[now][i];

		if (m->kind && m->kind != kind_event[q->kind]) {
			continue;
		}
		if (m->by == BAILEY_MUTE_UID && m->number == q->asker.uid) {
			return true;
		}
		if (m->by == BAILEY_MUTE_PATH && !q->path_foreign &&
		    starts_with(path, length, m->path)) {
			return true;
		}
		p = m->by == BAILEY_MUTE_EXE
			    ? process_table_find(e->processes, q->asker.pid)
			    : NULL;
		if (p && !p->exe_foreign &&
		    starts_with(p->exe_path, p->exe_path_length, m->path)) {
			return true;
		}
	}
	return false;
}

bool eng_granted(const struct session *s, enum eng_kind kind)
{
	for (size_t i = 0; i < MANIFEST_EVENTS && s->manifest.ask[i].kind;
	     i++) {
		if (s->manifest.ask[i].kind == kind_event[kind]) {
			return true;
		}
	}
	return false;
}

/* Its fallback stands for an enforcing product that cannot be asked now. */
static void dispatch_fallback(struct engine *e, struct question *q,
			      struct session *s, uint32_t policy)
{
	q->cacheable = 0;
	if (atomic_load(&s->mode) == BAILEY_MODE_ENFORCE &&
	    eng_fallback(e, q, s, policy) == BAILEY_VERDICT_DENY) {
		q->denied |= 1u << s->index;
		q->by = VIEW_BY_MISS;
	}
}

static struct stall *dispatch_stall(struct engine *e, const struct question *q)
{
	struct stall *t = &e->stall[(uint32_t)q->asker.pid % ENG_STALLS];

	if (t->pid != q->asker.pid ||
	    mono_between(t->since, q->read_at) > ENG_STALL_WINDOW_NS) {
		return NULL;
	}
	return t;
}

/* A task that already waited a whole deadline for nothing, in this window,
 * does not wait again: its questions share what is left. */
static bool dispatch_spent(struct engine *e, const struct question *q,
			   const struct session *s)
{
	const struct stall *t = dispatch_stall(e, q);

	return t && t->waited_ns >=
		    atomic_load(&s->deadline_ms[q->kind]) * MONO_MS;
}

static void dispatch_to(struct engine *e, struct question *q,
			struct session *s)
{
	uint32_t bit = 1u << s->index;
	bool enforce = atomic_load(&s->mode) == BAILEY_MODE_ENFORCE &&
		       atomic_load(&e->table->forced) == HANDOFF_NORMAL;

	if (eng_poisoned(e, q, s->index)) {
		e->view.poison++;
		dispatch_fallback(e, q, s, s->manifest.on_poison);
		q->by = VIEW_BY_POISON;
		return;
	}
	if (s->view.state == VIEW_STATE_SUSPECT &&
	    s->probe != QUESTION_NONE) {
		s->view.missed++;
		q->missed |= bit;
		dispatch_fallback(e, q, s, s->manifest.on_miss);
		return;
	}
	if (!eng_dispatch_one(e, q, s)) {
		dispatch_fallback(e, q, s, s->manifest.on_miss);
		return;
	}
	if (s->view.state == VIEW_STATE_SUSPECT) {
		s->probe = q->index;
	}
	if (!enforce) {
		q->observing |= bit;
	} else if (dispatch_spent(e, q, s)) {
		q->missed |= bit;
		dispatch_fallback(e, q, s, s->manifest.on_miss);
	} else {
		q->waiting |= bit;
	}
}

bool eng_holds(const struct engine *e, uint32_t product)
{
	return (atomic_load_explicit(&e->table->hold_products,
				     memory_order_relaxed) & 1u << product) &&
	       e->session[product].phase != SESSION_SERVING &&
	       atomic_load(&e->table->hold_until) > mono_now().ns;
}

static void dispatch_hold(struct engine *e, struct question *q,
			  uint32_t product)
{
	uint32_t bit = 1u << product;

	q->due[product] = (mono_t){ atomic_load(&e->table->hold_until) };
	if (q->due[product].ns < e->next_due.ns) {
		e->next_due = q->due[product];
	}
	q->waiting |= bit;
	q->owing |= bit;
	q->unsent |= bit;
	e->unsent_count++;
}

void eng_unsent_send(struct engine *e, struct session *s)
{
	uint32_t bit = 1u << s->index;

	for (uint32_t n = 0; n < ENG_QUESTIONS; n++) {
		struct question *q = &e->question[n];

		if (q->state != QUESTION_OPEN || !(q->unsent & bit)) {
			continue;
		}
		q->unsent &= ~bit;
		q->waiting &= ~bit;
		q->owing &= ~bit;
		e->unsent_count--;
		if (atomic_load(&s->deadline_ms[q->kind])) {
			eng_identify_path(e, q);
			dispatch_to(e, q, s);
		}
		eng_verdict_settle(e, q);
	}
}

uint32_t eng_dispatch(struct engine *e, struct question *q, uint32_t satisfied)
{
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *s = &e->session[i];

		if (eng_holds(e, i)) {
			dispatch_hold(e, q, i);
			continue;
		}
		if (!s->present) {
			continue;
		}
		/* Whoever is left out here may have to be asked next time, by
		 * another subject or name: nothing to keep. */
		if ((satisfied & 1u << i) || atomic_load(&s->suspended) ||
		    atomic_load(&s->bypass_until) > q->read_at.ns) {
			q->cacheable = 0;
			continue;
		}
		if (atomic_load_explicit(&s->phase, memory_order_acquire) !=
		    SESSION_SERVING) {
			if (eng_granted(s, q->kind)) {
				dispatch_fallback(e, q, s,
						  s->manifest.while_loading);
			}
			continue;
		}
		if (!atomic_load(&s->deadline_ms[q->kind])) {
			continue;
		}
		if (dispatch_muted(e, s, q)) {
			q->cacheable = 0;
		} else {
			dispatch_to(e, q, s);
		}
	}
	if (q->asked) {
		e->view.asked++;
	}
	return q->waiting;
}

/* ---- news ---- */

static const struct {
	uint32_t bit;
	uint32_t kind;
	enum bailey_field field;        /* 0: none */
} tell_table[] = {
	{ ENG_TELL_MODE, BAILEY_EVENT_MODE, BAILEY_FIELD_MODE_NOW },
	{ ENG_TELL_CONFIG, BAILEY_EVENT_CONFIG, 0 },
	{ ENG_TELL_STOP, BAILEY_EVENT_STOP, 0 },
};

static bool tell_one(struct engine *e, struct session *s, uint32_t kind,
		     enum bailey_field field, uint64_t value)
{
	struct wire_event *w;
	uint16_t slot;

	if (!s->free_count) {
		return false;           /* again when it gives one back */
	}
	slot = s->free_slot[--s->free_count];
	w = slot_begin(e, s, slot, kind, ++e->next_id);
	slot_number(w, BAILEY_FIELD_TIME, mono_now().ns);
	if (field) {
		slot_number(w, field, value);
	}
	slot_give(s, slot,
		  &(struct slot){ .id = w->id, .question = QUESTION_NONE },
		  &e->region[s->index].events->news, &s->news_head);
	eng_wake(e, s);
	return true;
}

void eng_tell(struct engine *e, struct session *s)
{
	uint32_t tell = atomic_load_explicit(&s->tell, memory_order_relaxed);

	for (size_t i = 0; tell && i < sizeof(tell_table) /
					      sizeof(*tell_table); i++) {
		if ((tell & tell_table[i].bit) &&
		    tell_one(e, s, tell_table[i].kind, tell_table[i].field,
			     atomic_load(&s->mode))) {
			atomic_fetch_and(&s->tell, ~tell_table[i].bit);
		}
	}
	if (s->news_told != s->view.news_lost &&
	    s->free_count > s->manifest.hold / 2 &&
	    tell_one(e, s, BAILEY_EVENT_LOST, BAILEY_FIELD_COUNT,
		     s->view.news_lost - s->news_told)) {
		s->news_told = s->view.news_lost;
	}
}


void eng_news(struct engine *e, struct session *s, uint32_t kind,
	      const struct process_record *record)
{
	struct wire_event *w;
	uint16_t slot;

	/* Half of the slots are kept for questions. */
	if (s->free_count <= s->manifest.hold / 2) {
		s->view.news_lost++;
		return;
	}
	slot = s->free_slot[--s->free_count];
	w = slot_begin(e, s, slot, kind, ++e->next_id);
	slot_number(w, BAILEY_FIELD_TIME, record->time_ns);
	slot_process(e, w, s, record->pid);
	if (kind == BAILEY_EVENT_PROCESS_EXIT) {
		slot_number(w, BAILEY_FIELD_EXIT_STATUS,
			    (uint64_t)record->status);
	}
	s->view.news++;
	slot_give(s, slot,
		  &(struct slot){ .id = w->id, .question = QUESTION_NONE },
		  &e->region[s->index].events->news, &s->news_head);
	eng_wake(e, s);
}
