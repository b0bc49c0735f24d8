/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_storm.c - one user's crowd of askers waits for the others
 *
 * Every answer wakes every waiter of the group, in the kernel: a hundred
 * threads of one user that open all the time are a hundred waiters, each woken
 * by each answer: 0.25 ms on two processors, of whoever answers and of all
 * others (an innocent open beside them took 30 ms, 40 times its time alone).
 *
 * So while more questions of one uid wait than STORM_UNREAD for each
 * processor, and another uid asks, too, that uid's answers are kept, and
 * written one by one between the others' questions: none while a product is
 * asked, unless that takes STORM_HOLD_NS, and after each a pause of STORM_PAUSE
 * times what it took. What it gets is what it would have got. Root's are never
 * kept. While a storm lasts the monitor lets the engine go before other tasks;
 * not always, because then it goes before who asked went to sleep, which costs
 * a third (decision 017).
 *
 * Reply thread only. Bounds: STORM_KEPT answers, the next one has the first of
 * them written; STORM_UIDS uids, direct-mapped, newest wins. A kept answer
 * stands in the shared table: a successor, or the monitor, writes it
 * (eng_succeed.c).
 */
#include "broker/eng.h"

#define STORM_UNREAD 8u
#define STORM_MOST (ENG_READ_EVENTS * 3 / 4)    /* of a read, by one uid */
#define STORM_PAUSE 3u                  /* a quarter of the time is a storm's */
#define STORM_LEAST_NS (MONO_MS / 20)
#define STORM_HOLD_NS (2 * MONO_MS)
#define STORM_LASTS_NS (100 * MONO_MS)
#define STORM_FIRST_NS (500 * MONO_MS)

static struct storm *storm_of(struct engine *e, uint32_t uid)
{
	return &e->storms.of[uid % STORM_UIDS];
}

static bool storm_disturbs(const struct engine *e, uint32_t uid, mono_t now)
{
	for (uint32_t i = 0; i < STORM_UIDS; i++) {
		const struct storm *s = &e->storms.of[i];

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

/* As one task among a hundred we would answer when all hundred wait. The
 * monitor looks four times a second. */
static void storm_blows(struct engine *e, uint32_t uid, mono_t now)
{
	storm_of(e, uid)->until = mono_add(now, STORM_LASTS_NS);
	atomic_store(&e->table->storm_until,
		     mono_add(now, STORM_FIRST_NS).ns);
}

void eng_storm_look(struct engine *e, const int32_t *pids, uint32_t count)
{
	mono_t now = mono_now();
	uint32_t most, uid = storm_majority(e, pids, count, now, &most);

	e->unread = count == ENG_READ_EVENTS ? e->unread + count : 0;
	if (uid != 0 && most >= STORM_MOST &&
	    e->unread + STORM_UNREAD > e->processors * STORM_UNREAD &&
	    storm_disturbs(e, uid, now)) {
		storm_blows(e, uid, now);
	}
}

static void storm_write(struct engine *e)
{
	const struct storm_answer *l = &e->storms.kept[e->storms.first];
	mono_t began = mono_now(), now;
	uint64_t pause;

	eng_source_answer(e, l->fd, l->verdict);
	e->storms.at[l->fd] = 0;
	if (l->close) {
		eng_close_later(e, l->fd);
	}
	e->storms.first = (e->storms.first + 1) % STORM_KEPT;
	e->storms.count--;
	now = mono_now();
	pause = STORM_PAUSE * mono_between(began, now);
	e->storms.next = mono_add(now, pause < STORM_LEAST_NS ? STORM_LEAST_NS
							     : pause);
}

/* In place of eng_source_answer(). */
void eng_storm_answer(struct engine *e, const struct question *q,
		      enum bailey_verdict verdict)
{
	const struct storm *s = storm_of(e, q->asker.uid);
	uint32_t at;

	if (q->asker.uid == 0 || s->uid != q->asker.uid ||
	    s->until.ns < q->read_at.ns) {
		eng_source_answer(e, q->fd, verdict);
		return;
	}
	if (e->storms.count == STORM_KEPT) {
		storm_write(e);
	}
	if (!e->storms.count && e->storms.next.ns < q->read_at.ns) {
		e->storms.next = q->read_at;
	}
	at = (e->storms.first + e->storms.count++) % STORM_KEPT;
	eng_source_note(e, q->fd, verdict);
	e->storms.kept[at] = (struct storm_answer){ q->fd, verdict, false };
	e->storms.at[q->fd] = (uint16_t)(at + 1);
	e->view.held_back++;
	/* what is kept is not unread, and a storm all the same */
	if (e->storms.count > e->processors * STORM_UNREAD &&
	    storm_disturbs(e, q->asker.uid, q->read_at)) {
		storm_blows(e, q->asker.uid, q->read_at);
	}
}

/* True: closed after its answer, by storm_write(). */
bool eng_storm_close(struct engine *e, int fd)
{
	if (!e->storms.at[fd]) {
		return false;
	}
	e->storms.kept[e->storms.at[fd] - 1].close = true;
	return true;
}

mono_t eng_storm_due(const struct engine *e)
{
	if (!e->storms.count) {
		return (mono_t){ UINT64_MAX };
	}
	return e->open_count ? mono_add(e->storms.next, STORM_HOLD_NS)
			     : e->storms.next;
}

bool eng_storm_turn(struct engine *e, mono_t now)
{
	if (now.ns < eng_storm_due(e).ns) {
		return false;
	}
	storm_write(e);
	return true;
}
