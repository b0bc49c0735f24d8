/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_storm.c - one user's crowd of askers is answered by the clock
 *
 * Every answer wakes every waiter of the group, in the kernel: a hundred
 * threads of one user that open all the time are a hundred waiters, each woken
 * by each answer, and take the processors from everybody (an innocent open
 * beside them took 30 ms, 40 times its time alone). Answers that are written
 * back to back wake each waiter about once.
 *
 * So while more questions of one uid are unread than STORM_UNREAD for each
 * processor, and another uid asks, too, that uid's answers are kept and written
 * together when STORM_TICK_NS are over. What it gets is what it would have got.
 * Root's are never kept. While a storm lasts the monitor lets the engine go
 * before other tasks; not always, because then it goes before who asked went to
 * sleep, which costs a third (decision 017).
 *
 * Reply thread only. Bounds: ENG_LATE answers, the next one has all of them
 * written; ENG_STORMS uids, direct-mapped, newest wins. A kept answer stands in
 * the shared table: a successor, or the monitor, writes it (eng_succeed.c).
 */
#include "broker/eng.h"

#define STORM_UNREAD 8u
#define STORM_MOST (ENG_READ_EVENTS * 3 / 4)    /* of a read, by one uid */
#define STORM_TICK_NS (1 * MONO_MS)
#define STORM_LASTS_NS (100 * MONO_MS)
#define STORM_FIRST_NS (500 * MONO_MS)

static struct storm *storm_of(struct engine *e, uint32_t uid)
{
	return &e->storm[uid % ENG_STORMS];
}

static bool storm_disturbs(const struct engine *e, uint32_t uid, mono_t now)
{
	for (uint32_t i = 0; i < ENG_STORMS; i++) {
		const struct storm *s = &e->storm[i];

		if (s->asked.ns && s->uid != uid &&
		    mono_between(s->asked, now) < STORM_LASTS_NS) {
			return true;
		}
	}
	return false;
}

/* The uid that asks most, by a majority vote, and how many of them are its:
 * exact for whoever has three quarters. */
static uint32_t storm_majority(struct engine *e, const int32_t *pids,
			       uint32_t count, mono_t now, uint32_t *ret_count)
{
	uint32_t uid = 0, lead = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct process *p = process_table_find(e->processes,
							     pids[i]);
		uint32_t other = p && !p->exited ? p->uid : 0;
		struct storm *s = storm_of(e, other);

		if (s->uid != other) {
			*s = (struct storm){ .uid = other };
		}
		s->asked = now;
		uid = lead ? uid : other;
		lead = other == uid ? lead + 1 : lead - 1;
	}
	*ret_count = (count + lead) / 2;
	return uid;
}

void eng_storm_look(struct engine *e, const int32_t *pids, uint32_t count)
{
	mono_t now = mono_now();
	uint32_t most, uid = storm_majority(e, pids, count, now, &most);

	e->unread = count == ENG_READ_EVENTS ? e->unread + count : 0;
	if (uid != 0 && most >= STORM_MOST &&
	    e->unread + STORM_UNREAD > e->processors * STORM_UNREAD &&
	    storm_disturbs(e, uid, now)) {
		storm_of(e, uid)->until = mono_add(now, STORM_LASTS_NS);
		/* As one task among a hundred we would answer when all hundred
		 * wait. The monitor looks four times a second. */
		atomic_store(&e->table->storm_until,
			     mono_add(now, STORM_FIRST_NS).ns);
	}
}

/* In place of eng_source_answer(). */
void eng_storm_answer(struct engine *e, const struct question *q,
		      enum bailey_verdict verdict)
{
	const struct storm *s = storm_of(e, q->asker.uid);

	if (q->asker.uid == 0 || s->uid != q->asker.uid ||
	    s->until.ns < q->read_at.ns) {
		eng_source_answer(e, q->fd, verdict);
		return;
	}
	if (e->late_count == ENG_LATE) {
		eng_storm_flush(e);
	}
	if (!e->late_count) {
		e->late_until = mono_add(mono_now(), STORM_TICK_NS);
	}
	eng_source_note(e, q->fd, verdict);
	e->late[e->late_count++] = (struct late){ q->fd, verdict, false };
	e->late_at[q->fd] = (uint16_t)e->late_count;
	e->view.held_back++;
}

/* True: closed after its answer, by eng_storm_flush(). */
bool eng_storm_close(struct engine *e, int fd)
{
	if (!e->late_at[fd]) {
		return false;
	}
	e->late[e->late_at[fd] - 1].close = true;
	return true;
}

void eng_storm_flush(struct engine *e)
{
	for (uint32_t i = 0; i < e->late_count; i++) {
		eng_source_answer(e, e->late[i].fd, e->late[i].verdict);
	}
	for (uint32_t i = 0; i < e->late_count; i++) {
		e->late_at[e->late[i].fd] = 0;
		if (e->late[i].close) {
			eng_close_later(e, e->late[i].fd);
		}
	}
	e->late_count = 0;
}
