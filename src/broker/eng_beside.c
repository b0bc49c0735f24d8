/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_beside.c - two processes of one product: standby, switch, and back
 *
 * New content is tried beside the old. The second process has a session of its
 * own, in a place of the table that is no product's. It loads, publishes rules
 * and becomes ready as *standby*: not asked, no news, its rules and mutes not
 * in force, what it says not believed.
 *
 * The switch is one store: `asked`, in the product's place, names the process
 * that counts. Counters, mode, brake, suspension and bypass are the product's
 * and stay. Questions that are open then are answered by the former process,
 * which is *kept*: when it holds nothing more the monitor hears that it may be
 * frozen.
 *
 * While one is kept the other is on trial. If it ends, hangs, breaks the
 * protocol or denies too much, the reply thread stores `asked` again and asks
 * the kept one what the other had not answered, with a new deadline. Nobody is
 * waited for; the monitor is told, and thaws.
 *
 * A worker may die between any two stores: `kept` goes before `asked` on the
 * way there, `asked` before `kept` on the way back, and one that is kept and
 * asked at once is not kept. The monitor is told whenever `asked` is not what
 * it was told last; twice does no harm.
 */
#include <stdio.h>
#include <string.h>

#include "broker/eng.h"

#define BESIDE_LOOK_MS 5        /* is the kept one idle? */
#define BESIDE_IDLE_NS (500 * MONO_MS)  /* events that it holds on to */

uint32_t eng_asked(const struct engine *e, uint32_t product)
{
	return atomic_load_explicit(&e->session[product].asked,
				    memory_order_acquire);
}

bool eng_is_asked(const struct engine *e, const struct session *s)
{
	return eng_asked(e, s->product) == s->index;
}

struct session *eng_kept_beside(struct engine *e, uint32_t product)
{
	uint32_t kept = atomic_load(&e->session[product].kept);
	struct session *s;

	if (!kept || kept - 1 == eng_asked(e, product)) {
		return NULL;
	}
	s = &e->session[kept - 1];
	return atomic_load(&s->phase) == SESSION_SERVING ? s : NULL;
}

/* ---- service thread ---- */

static void beside_tell(struct engine *e, uint32_t product,
			enum session_fault fault)
{
	uint32_t asked = eng_asked(e, product);
	struct handoff_message m = { .type = HANDOFF_SWITCHED,
				     .index = product, .number = asked,
				     .fault = eng_fault_agent(fault) };

	snprintf(m.text, sizeof(m.text), "%s", eng_fault_text(fault));
	eng_monitor_tell(&m);
	e->session[product].asked_told = asked;
}

/* It ended while it was being switched to: the reply thread dropped it before
 * it was asked, and did not go back. */
static void switch_undo(struct engine *e, uint32_t product, uint32_t to)
{
	struct session *p = &e->session[product];
	struct session *former = eng_kept_beside(e, product);
	uint32_t phase = atomic_load(&e->session[to].phase);

	if (eng_asked(e, product) == to && former &&
	    phase != SESSION_SERVING && phase != SESSION_ENDING) {
		atomic_store(&p->asked, former->index);
		atomic_store(&p->kept, 0);
	}
}

void eng_switch(struct engine *e, uint32_t product, uint32_t to)
{
	struct session *p = &e->session[product];
	uint32_t former = eng_asked(e, product);

	/* Not again: a successor acts on what its predecessor died over. */
	if (to < HANDOFF_PRODUCTS && to != former && p->present &&
	    e->session[to].product == product &&
	    e->session[to].phase == SESSION_SERVING) {
		p->switched = mono_now();
		p->idle_told = 0;
		p->served = true;
		atomic_store(&p->kept, former + 1);
		atomic_store(&p->asked, to);
		eng_verdicts_expire(e);
		eng_reply_kick(e);
		eng_grace(e);
		eng_spin_advise(e);
	}
	if (to < HANDOFF_PRODUCTS) {
		switch_undo(e, product, to);
	}
	beside_tell(e, product, SESSION_FAULT_NONE);
}

void eng_switch_back(struct engine *e, uint32_t product)
{
	struct session *s = &e->session[eng_asked(e, product)];

	if (eng_kept_beside(e, product) && s->phase == SESSION_SERVING) {
		eng_session_fail(e, s, SESSION_FAULT_BACK);
		return;         /* told when the reply thread has done it */
	}
	beside_tell(e, product, SESSION_FAULT_NONE);
}

/* The monitor ends the kept one next: that is no fault. */
void eng_trial_end(struct engine *e, uint32_t product)
{
	struct session *kept = eng_kept_beside(e, product);

	if (kept) {
		kept->gone = true;
	}
	atomic_store(&e->session[product].kept, 0);
}

static bool beside_idle(const struct session *p, const struct session *kept)
{
	uint64_t limit = p->manifest.deadline_max_ms * MONO_MS;

	limit = limit > BESIDE_IDLE_NS ? limit : BESIDE_IDLE_NS;
	return kept->view.held == 0 ||
	       mono_between(p->switched, mono_now()) > limit;
}

int eng_beside_watch(struct engine *e)
{
	int ms = -1;

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		struct session *p = &e->session[i];
		struct session *kept = eng_kept_beside(e, i);

		if (eng_asked(e, i) != p->asked_told) {
			beside_tell(e, i, p->back_fault);
		}
		if (!kept || p->idle_told) {
			continue;
		}
		if (beside_idle(p, kept)) {
			eng_monitor_tell(&(struct handoff_message){
				.type = HANDOFF_IDLE, .index = kept->index,
				.instance = kept->instance });
			p->idle_told = 1;
		} else {
			ms = BESIDE_LOOK_MS;
		}
	}
	return ms;
}

uint32_t eng_beside_view(const struct engine *e, uint32_t product)
{
	uint32_t asked = eng_asked(e, product);

	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		const struct session *s = &e->session[i];

		if (i == asked || s->product != product || s->socket < 0) {
			continue;
		}
		if (e->session[product].kept == i + 1) {
			return VIEW_BESIDE_KEPT;
		}
		return s->phase == SESSION_SERVING ? VIEW_BESIDE_STANDBY
						   : VIEW_BESIDE_LOADING;
	}
	return VIEW_BESIDE_NONE;
}

/* ---- reply thread ---- */

struct session *eng_beside_back(struct engine *e, struct session *s)
{
	struct session *p = &e->session[s->product];
	struct session *former = p->present ? eng_kept_beside(e, s->product)
					    : NULL;

	if (!eng_is_asked(e, s)) {      /* the kept one; or it was done */
		struct session *asked = &e->session[eng_asked(e, p->index)];

		return p->present && asked->phase == SESSION_SERVING ? asked
								     : NULL;
	}
	if (!former) {
		return NULL;
	}
	/* It stood still, which was not its fault. */
	former->last_answer = mono_now();
	former->unanswered_since = (mono_t){ 0 };
	former->probe = QUESTION_NONE;
	former->view.state = VIEW_STATE_SERVING;
	p->denial_count = 0;
	/* Who waited for the other one in vain may wait for this one. */
	memset(e->stall, 0, sizeof(e->stall));
	p->back_fault = atomic_load(&s->fault);
	atomic_store(&p->asked, former->index);
	atomic_store(&p->kept, 0);
	eng_verdicts_expire(e);
	return former;
}

void eng_beside_ask(struct engine *e, struct question *q, struct session *to)
{
	uint32_t bit = 1u << to->index;

	if (q->owing & bit) {
		return;         /* asked it before the switch */
	}
	eng_identify_path(e, q);
	if (eng_dispatch_one(e, q, to)) {
		q->waiting |= bit;
		return;
	}
	q->missed |= 1u << to->product;
	if (eng_fallback(e, q, to, to->manifest.on_miss) ==
	    BAILEY_VERDICT_DENY) {
		q->denied |= 1u << to->product;
		q->by = VIEW_BY_MISS;
	}
}
