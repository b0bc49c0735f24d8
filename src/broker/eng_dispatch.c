/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_dispatch.c - the question goes to the products
 *
 * Fifth of the seven files (eng.h). One record is written into a free slot of
 * each product that subscribed, is serving, did not mute it and whose own
 * rules did not settle it. A product that cannot be asked now gets its
 * fallback at once; a fallback is never cached.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/pass.h"
#include "broker/eng_slot.h"

/* Nobody behind the socket: it is gone, though nobody has said so yet. */
static bool send_file(struct engine *e, struct session *s,
		      const struct question *q, uint32_t slot)
{
	struct wire_file file = { .id = q->id, .slot = slot };
	int r = pass_send(s->files, &file, sizeof(file), &q->fd, 1,
			  MSG_DONTWAIT);

	if (r == -EPIPE || r == -ECONNRESET) {
		eng_session_fault(e, s, SESSION_FAULT_CLOSED);
	}
	return r == 0;
}

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
		e->session[s->product].view.full++;
		return false;
	}
	slot = s->free_slot[s->free_count - 1];
	q->due[s->index] = mono_add(mono_now(), deadline * MONO_MS);
	w = eng_slot_begin(e, s, slot, eng_kind_event[q->kind], q->id);
	eng_slot_number(w, BAILEY_FIELD_KIND_SEQUENCE,
			++s->kind_sequence[q->kind]);
	eng_slot_number(w, BAILEY_FIELD_TIME, q->read_at.ns);
	eng_slot_number(w, BAILEY_FIELD_DEADLINE, q->due[s->index].ns);
	eng_slot_process(e, w, s, q->asker.pid);
	eng_slot_object(w, q);
	w->flags = WIRE_EVENT_QUESTION;
	if (S_ISREG(q->object.mode) &&
	    atomic_load_explicit(&s->want_file[q->kind],
				 memory_order_relaxed)) {
		if (dispatch_overdue(s)) {
			eng_session_fault(e, s, SESSION_FAULT_RETURN);
			return false;
		}
		if (!send_file(e, s, q, slot)) {
			e->session[s->product].view.full++;
			return false;
		}
		w->flags |= WIRE_EVENT_FILE;
	}
	s->free_count--;
	given = (struct slot){ .id = q->id, .question = q->index,
			       .file = w->flags & WIRE_EVENT_FILE };
	s->files_out += given.file;
	e->session[s->product].view.asked++;
	q->slot[s->index] = slot;
	q->asked |= bit;
	q->owing |= bit;
	if (q->due[s->index].ns < e->next_due.ns) {
		e->next_due = q->due[s->index];
	}
	eng_slot_give(s, slot, &given, &e->region[s->index].events->questions,
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

		if (m->kind && m->kind != eng_kind_event[q->kind]) {
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
		if (s->manifest.ask[i].kind == eng_kind_event[kind]) {
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
	if (atomic_load(&e->session[s->product].mode) == BAILEY_MODE_ENFORCE &&
	    eng_fallback(e, q, s, policy) == BAILEY_VERDICT_DENY) {
		q->denied |= 1u << s->product;
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
	struct session *product = &e->session[s->product];
	uint32_t bit = 1u << s->product;
	bool enforce = atomic_load(&product->mode) == BAILEY_MODE_ENFORCE &&
		       atomic_load(&e->table->forced) == HANDOFF_NORMAL;

	if (eng_poisoned(e, q, s)) {
		e->view.poison++;
		dispatch_fallback(e, q, s, s->manifest.on_poison);
		q->by = VIEW_BY_POISON;
		return;
	}
	if (s->view.state == VIEW_STATE_SUSPECT &&
	    s->probe != QUESTION_NONE) {
		product->view.missed++;
		q->missed |= bit;
		dispatch_fallback(e, q, s, s->manifest.on_miss);
		return;
	}
	if (!eng_dispatch_one(e, q, s)) {
		s = s->phase >= SESSION_ENDING ? eng_beside_back(e, s) : NULL;
		if (!s || !eng_dispatch_one(e, q, s)) {
			dispatch_fallback(e, q, product,
					  product->manifest.on_miss);
			return;
		}
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
		q->waiting |= 1u << s->index;
	}
}

uint32_t eng_concerned(const struct engine *e)
{
	return atomic_load_explicit(&e->told, memory_order_acquire) |
	       atomic_load_explicit(&e->table->hold_products,
				    memory_order_relaxed);
}

bool eng_holds(const struct engine *e, uint32_t product)
{
	return (atomic_load_explicit(&e->table->hold_products,
				     memory_order_relaxed) & 1u << product) &&
	       e->session[eng_asked(e, product)].phase != SESSION_SERVING &&
	       atomic_load(&e->table->hold_until) > mono_now().ns;
}

static void dispatch_hold(struct engine *e, struct question *q,
			  uint32_t session)
{
	uint32_t bit = 1u << session;

	q->due[session] = (mono_t){ atomic_load(&e->table->hold_until) };
	if (q->due[session].ns < e->next_due.ns) {
		e->next_due = q->due[session];
	}
	q->waiting |= bit;
	q->owing |= bit;
	q->unsent |= bit;
	e->unsent_count++;
}

/* It was held before rules were there: what they say now decides. */
static bool unsent_ruled(struct engine *e, struct question *q)
{
	struct ruling ruling;

	eng_rules_judge(e, q, &ruling);
	q->ruled_allow = ruling.satisfied;
	if (ruling.verdict == BAILEY_VERDICT_NONE) {
		return false;
	}
	q->rule_line = ruling.line;
	q->cacheable = 0;
	e->view.ruled++;
	eng_verdict_apply(e, q, ruling.verdict, ruling.by);
	return true;
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
		if (unsent_ruled(e, q)) {
			continue;
		}
		if (atomic_load(&s->deadline_ms[q->kind]) &&
		    !(q->ruled_allow & 1u << s->product)) {
			eng_identify_path(e, q);
			dispatch_to(e, q, s);
		}
		eng_verdict_settle(e, q);
	}
}

/* Null if it does not serve; one that is ending has another one beside it,
 * perhaps. One look: the service thread may end it at any time, and whoever is
 * asked then is passed on by eng_session_drop(). */
static struct session *dispatch_serving(struct engine *e, struct session *s)
{
	uint32_t phase = atomic_load_explicit(&s->phase, memory_order_acquire);

	return phase >= SESSION_ENDING    ? eng_beside_back(e, s)
	       : phase == SESSION_SERVING ? s
					  : NULL;
}

uint32_t eng_dispatch(struct engine *e, struct question *q, uint32_t satisfied)
{
	for ENG_EACH(i, eng_concerned(e)) {
		const struct session *product = &e->session[i];
		struct session *s = &e->session[eng_asked(e, i)];
		struct session *serves;

		if (eng_holds(e, i)) {
			dispatch_hold(e, q, s->index);
			continue;
		}
		if (!product->present) {
			continue;
		}
		serves = dispatch_serving(e, s);
		/* Whoever is left out here may have to be asked next time, by
		 * another subject or name: nothing to keep. */
		if ((satisfied & 1u << i) || atomic_load(&product->suspended) ||
		    atomic_load(&product->bypass_until) > q->read_at.ns) {
			q->cacheable = 0;
			continue;
		}
		if (!serves) {
			if (eng_granted(s, q->kind)) {
				dispatch_fallback(e, q, s,
						  s->manifest.while_loading);
			}
			continue;
		}
		s = serves;
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

