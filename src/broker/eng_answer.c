/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_answer.c - what products say, and what happens when they do not
 *
 * Sixth of the seven files (eng.h). Everything here comes from a product and
 * is believed in nothing: each answer is copied once, the copy is checked, and
 * whatever does not fit ends that product's session, counted, with its reason.
 *
 * A question that is not answered in time is a miss. A product that answered
 * nothing at all since that question was sent becomes *suspect*: one probe at
 * a time, all else gets its fallback at once. When it has answered nothing for
 * two deadlines it is ended and started anew.
 */
#include <string.h>

#include "broker/eng.h"

/* The answer holds for no more than the narrowest of those who gave it. */
static const uint8_t scope_width[] = {
	[BAILEY_SCOPE_ONCE] = 0,
	[BAILEY_SCOPE_OBJECT_EXE] = 1,
	[BAILEY_SCOPE_OBJECT] = 2,
};

static void answer_count(struct view_product *view, uint64_t took_ns)
{
	uint64_t us = took_ns / 1000;
	uint32_t place = us ? 63u - (uint32_t)__builtin_clzll(us) : 0;

	view->answered++;
	view->latency[place < VIEW_LATENCIES ? place : VIEW_LATENCIES - 1]++;
}

static void answer_opinion(struct engine *e, struct question *q,
			   struct session *s, const struct wire_answer *a)
{
	uint32_t bit = 1u << s->product;
	mono_t now = mono_now();

	q->owing &= ~(1u << s->index);
	s->slot[a->slot].settled = now;
	answer_count(&e->session[s->product].view, mono_between(q->read_at,
								now));
	if (a->has_finding && (!q->finding.size ||
			       a->verdict == BAILEY_VERDICT_DENY)) {
		q->finding = a->finding;
	}
	if (scope_width[a->scope] < scope_width[q->scope]) {
		q->scope = a->scope;
	}
	if (a->verdict == BAILEY_VERDICT_DENY) {
		q->denied |= bit;
		q->said_deny |= bit;
		if (!(q->observing & bit)) {
			q->by = VIEW_BY_PRODUCT;        /* not a fallback */
		}
	} else {
		q->allowed |= bit;
	}
	eng_poison_clear(e, q, s);
	q->waiting &= ~(1u << s->index);
	eng_verdict_settle(e, q);
}

/* The question that the slot's event is about, if this product still owes its
 * opinion on it; else null: too late. Asked again, a question is in a second
 * slot: what is said of the first one, its release too, is about what the
 * object was then. */
static struct question *answer_question(struct engine *e, struct session *s,
					const struct wire_answer *a)
{
	uint32_t index = s->slot[a->slot].question;
	struct question *q = index < ENG_QUESTIONS ? &e->question[index] : NULL;

	if (!q || q->id != a->id || !(q->owing & 1u << s->index) ||
	    q->slot[s->index] != a->slot) {
		return NULL;
	}
	return q;
}

static void clean_text(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (size_t i = 0; text[i]; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
			text[i] = '?';
		}
	}
}

static void clean_finding(struct bailey_finding *f)
{
	f->size = sizeof(*f);
	clean_text(f->rule, sizeof(f->rule));
	clean_text(f->title, sizeof(f->title));
	clean_text(f->technique, sizeof(f->technique));
}

static enum session_fault on_verdict(struct engine *e, struct session *s,
				     const struct wire_answer *a)
{
	struct question *q = answer_question(e, s, a);

	if ((a->verdict != BAILEY_VERDICT_ALLOW &&
	     a->verdict != BAILEY_VERDICT_DENY) ||
	    a->scope > BAILEY_SCOPE_OBJECT_EXE) {
		return SESSION_FAULT_ANSWER_VERDICT;
	}
	if (!q) {
		e->session[s->product].view.late++;
	} else {
		answer_opinion(e, q, s, a);
	}
	return SESSION_FAULT_NONE;
}

static enum session_fault on_extend(struct engine *e, struct session *s,
				    const struct wire_answer *a)
{
	struct question *q = answer_question(e, s, a);
	mono_t latest;

	if (!q) {
		e->session[s->product].view.late++;
		return SESSION_FAULT_NONE;
	}
	latest = mono_add(q->read_at, s->manifest.deadline_max_ms * MONO_MS);
	q->due[s->index] = mono_add(q->due[s->index], a->ms * MONO_MS);
	if (q->due[s->index].ns > latest.ns) {
		q->due[s->index] = latest;
	}
	return SESSION_FAULT_NONE;
}

static enum session_fault on_defer(struct engine *e, struct session *s,
				   const struct wire_answer *a)
{
	struct question *q = answer_question(e, s, a);
	uint32_t bit = 1u << s->index;

	if (!q) {
		e->session[s->product].view.late++;
		return SESSION_FAULT_NONE;
	}
	e->session[s->product].view.deferred++;
	q->owing &= ~bit;
	q->cacheable = 0;
	if ((q->waiting & bit) &&
	    eng_fallback(e, q, s, s->manifest.on_miss) == BAILEY_VERDICT_DENY) {
		q->denied |= 1u << s->product;
	}
	q->waiting &= ~bit;
	eng_verdict_settle(e, q);
	return SESSION_FAULT_NONE;
}

static enum session_fault on_report(struct engine *e, struct session *s,
				    const struct wire_answer *a)
{
	struct question *q = answer_question(e, s, a);

	if (q && a->has_finding) {
		q->finding = a->finding;
	}
	return SESSION_FAULT_NONE;
}

/* It knows better now: what is cached of the object falls; a deny is kept as
 * long as the object stays as it is (eng_cache.c). */
static enum session_fault on_revise(struct engine *e, struct session *s,
				    const struct wire_answer *a)
{
	if (a->verdict != BAILEY_VERDICT_ALLOW &&
	    a->verdict != BAILEY_VERDICT_DENY) {
		return SESSION_FAULT_ANSWER_VERDICT;
	}
	eng_revise(e, s, &a->object, a->verdict, &a->finding);
	return SESSION_FAULT_NONE;
}

static enum session_fault on_release(struct engine *e, struct session *s,
				     const struct wire_answer *a)
{
	struct question *q = answer_question(e, s, a);

	if (q) {                /* dropped without an opinion: a miss, now */
		q->due[s->index] = e->next_due = mono_now();
	}
	s->files_out -= s->slot[a->slot].file;
	s->slot[a->slot] = (struct slot){ .question = QUESTION_NONE };
	s->free_slot[s->free_count++] = (uint16_t)a->slot;
	s->view.held--;
	return SESSION_FAULT_NONE;
}

static enum session_fault (*const answer_handler[])(
	struct engine *, struct session *, const struct wire_answer *) = {
	[WIRE_ANSWER_VERDICT] = on_verdict,
	[WIRE_ANSWER_EXTEND] = on_extend,
	[WIRE_ANSWER_DEFER] = on_defer,
	[WIRE_ANSWER_REPORT] = on_report,
	[WIRE_ANSWER_REVISE] = on_revise,
	[WIRE_ANSWER_RELEASE] = on_release,
};

static enum session_fault answer_take(struct engine *e, struct session *s,
				      struct wire_answer *a)
{
	if (a->type >= sizeof(answer_handler) / sizeof(*answer_handler) ||
	    !answer_handler[a->type]) {
		return SESSION_FAULT_ANSWER_TYPE;
	}
	if (a->type != WIRE_ANSWER_REVISE) {
		if (a->slot >= WIRE_SLOTS) {
			return SESSION_FAULT_ANSWER_SLOT;
		}
		if (!a->id || s->slot[a->slot].id != a->id) {
			return SESSION_FAULT_ANSWER_ID;
		}
	}
	if (a->has_finding) {
		clean_finding(&a->finding);
	}
	return answer_handler[a->type](e, s, a);
}

static void answer_alive(struct engine *e, struct session *s)
{
	s->last_answer = mono_now();
	s->unanswered_since = (mono_t){ 0 };
	if (s->view.state == VIEW_STATE_SUSPECT) {
		s->view.state = VIEW_STATE_SERVING;
		s->view.since_ns = wall_now_ns();
		s->owed = 0;
		eng_last_forget(e, s);
	}
	s->probe = QUESTION_NONE;
}

int eng_answers_drain(struct engine *e, struct session *s)
{
	struct wire_answers *answers = e->region[s->index].answers;
	uint32_t head = atomic_load_explicit(&answers->head,
					     memory_order_acquire);
	uint32_t n = head - s->answers_taken;
	enum session_fault fault = SESSION_FAULT_NONE;
	struct wire_answer copy;

	if (!n) {
		return 0;
	}
	if (n > WIRE_ANSWERS) {
		eng_session_fault(e, s, SESSION_FAULT_ANSWER_HEAD);
		return 1;
	}
	while (s->answers_taken != head && fault == SESSION_FAULT_NONE) {
		memcpy(&copy, &answers->answer[s->answers_taken % WIRE_ANSWERS],
		       sizeof(copy));
		fault = answer_take(e, s, &copy);
		/* A successor begins with the one that we died over. */
		atomic_signal_fence(memory_order_seq_cst);
		s->answers_taken++;
	}
	if (fault != SESSION_FAULT_NONE) {
		eng_session_fault(e, s, fault);
		return 1;
	}
	answer_alive(e, s);
	atomic_store_explicit(&e->region[s->index].events->answers_taken,
			      s->answers_taken, memory_order_release);
	atomic_fetch_add_explicit(&e->table->progress, 1,
				  memory_order_relaxed);
	return (int)n;
}

/* ---- deadlines ---- */

static void due_stalled(struct engine *e, const struct question *q, mono_t now)
{
	struct stall *t = &e->stall[(uint32_t)q->asker.pid % ENG_STALLS];

	if (t->pid != q->asker.pid ||
	    mono_between(t->since, now) > ENG_STALL_WINDOW_NS) {
		*t = (struct stall){ .pid = q->asker.pid, .since = now };
	}
	t->waited_ns += mono_between(q->read_at, now);
}

static void due_suspect(struct engine *e, struct session *s,
			const struct question *q, mono_t now)
{
	uint64_t deadline = mono_between(q->read_at, q->due[s->index]);

	if (s->last_answer.ns >= q->read_at.ns) {
		return;         /* it works, this object is slow */
	}
	if (s->view.state == VIEW_STATE_SERVING) {
		s->view.state = VIEW_STATE_SUSPECT;
		s->view.since_ns = wall_now_ns();
		s->unanswered_since = q->read_at;
		s->owed = q->id;
		eng_last_hung(e, s, q);
	}
	if (s->probe == q->index) {
		s->probe = QUESTION_NONE;
	}
	if (s->unanswered_since.ns &&
	    mono_between(s->unanswered_since, now) >= 2 * deadline) {
		eng_session_fault(e, s, SESSION_FAULT_HUNG);
	}
}

static void due_miss(struct engine *e, struct question *q, struct session *s,
		     mono_t now)
{
	uint32_t bit = 1u << s->index;

	q->owing &= ~bit;
	q->missed |= 1u << s->product;
	q->cacheable = 0;
	e->session[s->product].view.missed++;
	if (!(q->unsent & bit)) {
		s->slot[q->slot[s->index]].settled = now;
	}
	if (q->waiting & bit) {
		q->waiting &= ~bit;
		e->view.missed++;
		due_stalled(e, q, now);
		if (eng_fallback(e, q, s, s->manifest.on_miss) ==
		    BAILEY_VERDICT_DENY) {
			q->denied |= 1u << s->product;
			q->by = VIEW_BY_MISS;
		}
	}
	if (q->unsent & bit) {          /* it has not seen it */
		q->unsent &= ~bit;
		e->unsent_count--;
	} else {
		if (s->last_answer.ns >= q->read_at.ns) {
			eng_poison_strike(e, q, s);
		}
		due_suspect(e, s, q, now);
	}
	eng_verdict_settle(e, q);
}

void eng_due_fire(struct engine *e, mono_t now)
{
	mono_t next = { UINT64_MAX };

	for (uint32_t n = 0; n < ENG_QUESTIONS; n++) {
		struct question *q = &e->question[n];

		for (uint32_t i = 0; q->state != QUESTION_FREE &&
				     i < HANDOFF_PRODUCTS; i++) {
			if (!(q->owing & 1u << i)) {
				continue;
			}
			if (q->due[i].ns <= now.ns) {
				due_miss(e, q, &e->session[i], now);
			} else if (q->due[i].ns < next.ns) {
				next = q->due[i];
			}
		}
	}
	e->next_due = next;
}

/* ---- the end of a session ---- */

/* Reply thread: from now on nothing is asked; the rest is done by
 * eng_session_drop() at the next turn. */
void eng_session_fault(struct engine *e, struct session *s,
		       enum session_fault fault)
{
	uint32_t expected = SESSION_FAULT_NONE;

	atomic_compare_exchange_strong(&s->fault, &expected, fault);
	if (fault != SESSION_FAULT_GONE && fault != SESSION_FAULT_CLOSED) {
		e->session[s->product].view.faults++;
	}
	atomic_store(&s->phase, SESSION_ENDING);
	eng_service_kick(e);
}

static void drop_miss(struct engine *e, struct question *q,
		      struct session *s, bool waited)
{
	q->missed |= 1u << s->product;
	if (waited && eng_fallback(e, q, s, s->manifest.on_miss) ==
			      BAILEY_VERDICT_DENY) {
		q->denied |= 1u << s->product;
		q->by = VIEW_BY_MISS;
	}
}

/* Everything that it still owes is answered by its fallback, at once; or by
 * the product's other process, if there is one that can be asked. */
void eng_session_drop(struct engine *e, struct session *s)
{
	struct session *former = eng_beside_back(e, s);
	uint32_t bit = 1u << s->index;
	uint32_t strikes = former ? 0 : 4;

	eng_last_collect(e, s);
	for (uint32_t n = 0; n < ENG_QUESTIONS; n++) {
		struct question *q = &e->question[n];
		bool waited = q->waiting & bit;

		if (q->state == QUESTION_FREE || !(q->owing & bit)) {
			continue;
		}
		if (strikes) {
			strikes--;
			eng_poison_strike(e, q, s);
		}
		s->owed = s->owed ? s->owed : q->id;
		q->owing &= ~bit;
		q->waiting &= ~bit;
		q->cacheable = 0;
		if (!former) {
			drop_miss(e, q, s, waited);
		} else if (waited) {
			eng_beside_ask(e, q, former);
		}
		eng_verdict_settle(e, q);
	}
	memset(s->slot, 0, sizeof(s->slot));
	s->files_out = 0;
	s->view.held = 0;
	s->view.state = VIEW_STATE_RESTARTING;
	s->view.since_ns = wall_now_ns();
	atomic_fetch_and(&e->active, ~bit);
	atomic_store(&s->phase, SESSION_DROPPED);
	eng_service_kick(e);
}
