/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_decision.c - what was decided, for people: two rings in shared memory
 *
 * The reply thread writes an entry after the answer, then moves `head`; the
 * service thread reads. A reader that was overtaken sees it from `head` and
 * counts what it missed. Denials, and what would have been one, have a ring of
 * their own so that a storm of opens does not wash them away. The other ring
 * has all that was decided while somebody reads events, and at any time what a
 * product owed and did not say: its author asks what it stumbled over.
 */
#include <string.h>

#include "broker/eng.h"

const char *eng_fault_text(enum session_fault fault)
{
	static const char *const text[] = {
#define FAULT(sym, agent, words) [SESSION_FAULT_##sym] = words,
		SESSION_FAULT_TABLE(FAULT)
#undef FAULT
	};

	return text[fault];
}

uint32_t eng_fault_agent(enum session_fault fault)
{
	static const uint8_t number[] = {
#define FAULT(sym, agent, words) [SESSION_FAULT_##sym] = AGENT_FAULT_##agent,
		SESSION_FAULT_TABLE(FAULT)
#undef FAULT
	};

	return number[fault];
}

static void decision_exe(const struct engine *e, const struct question *q,
			 struct view_decision *d)
{
	const struct process *p = process_table_find(e->processes,
						     q->asker.pid);
	size_t n = 0;

	if (p && p->start_ns == q->asker.start_ns) {
		n = p->exe_path_length < sizeof(d->exe) - 1
			    ? p->exe_path_length : sizeof(d->exe) - 1;
		memcpy(d->exe, p->exe_path, n);
	}
	d->exe[n] = '\0';
}

/* Who decided or missed it; where nobody waited, who is asked meanwhile. */
static void decision_product(const struct engine *e, const struct question *q,
			     struct view_decision *d)
{
	uint32_t bits = d->deciders | d->missed;

	bits = bits ? bits : q->observing;
	d->product[0] = '\0';
	for (uint32_t i = 0; i < HANDOFF_PRODUCTS; i++) {
		if (bits & 1u << i) {
			memcpy(d->product, e->session[i].manifest.name,
			       sizeof(d->product));
			return;
		}
	}
}

static void decision_write(struct engine *e, struct decisions *ring,
			   const struct question *q)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct view_decision *d = &ring->entry[head % ring->size];

	d->head = (struct view_head){ VIEW_DECISION, sizeof(*d) };
	d->id = q->id;
	d->time_ns = wall_now_ns();
	d->took_ns = mono_between(q->read_at, mono_now());
	d->kind = eng_kind_event[q->kind];
	d->verdict = q->verdict;
	d->would = q->would ? q->would : q->verdict;
	d->by = q->by;
	d->deciders = q->would == BAILEY_VERDICT_DENY && q->denied
			      ? q->denied : q->allowed;
	d->missed = q->missed;
	d->pid = q->asker.pid;
	d->ppid = q->asker.ppid;
	d->uid = q->asker.uid;
	d->gid = q->asker.gid;
	d->device = q->object.device;
	d->inode = q->object.inode;
	d->generation = q->object.generation;
	d->changed_ns = q->object.changed_ns;
	d->size = q->object.size;
	d->scope = q->scope;
	d->rule_line = q->rule_line;
	d->path_foreign = q->path_foreign;
	memcpy(d->path, q->path, q->path_length);
	d->path[q->path_length] = '\0';
	decision_exe(e, q, d);
	decision_product(e, q, d);
	d->finding = q->finding;
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

/* A wake costs more than most answers. Readers are woken by the first entry
 * after a pause, then look by the clock (eng_service.c); in a storm also before
 * the ring has gone round. */
static void decision_tell(struct engine *e)
{
	bool full = e->events.head - e->events_told >= ENG_EVENTS / 4;

	if (full || !atomic_exchange(&e->telling, 1)) {
		e->events_told = e->events.head;
		eng_service_kick(e);
	}
}

void eng_decision_record(struct engine *e, struct question *q)
{
	bool denial = q->would == BAILEY_VERDICT_DENY;
	bool missed = q->missed || q->by == VIEW_BY_POISON;

	if (!denial && !missed && !atomic_load_explicit(&e->streaming,
					     memory_order_relaxed)) {
		return;
	}
	if (!q->path_length && q->fd >= 0) {
		eng_identify_path(e, q);
	}
	if (denial) {
		decision_write(e, &e->denials, q);
		atomic_store(&e->table->denials,
			     atomic_load(&e->denials.head));
	}
	decision_write(e, &e->events, q);
	decision_tell(e);
}
