/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_storm.c - one user's crowd of askers waits for the others
 *
 * Every answer wakes every waiter of the group, in the kernel: a hundred
 * threads of one user that open all the time are a hundred waiters, each woken
 * by each answer: 0.25 ms on two processors, of whoever answers and of all
 * others (an innocent open beside them took 30 ms, 40 times its time alone).
 *
 * So when one uid's questions fill our reads for STORM_SURE_NS, more than
 * STORM_UNREAD for each processor, and another uid asks, too, that uid's
 * answers are kept for STORM_LASTS_NS, and written one by one between the
 * others' questions: none while a product is asked, unless that takes
 * STORM_HOLD_NS, and after each a pause of STORM_PAUSE times what it took. Then
 * it is looked whether it still storms, for STORM_AGAIN_NS. A crowd that came
 * at once and does something between its opens is gone once it is answered:
 * pauses would only keep it in the queue. What a uid gets is what it would have
 * got. Root's are never kept. While a storm lasts the monitor lets the engine
 * go before other tasks; not always, because then it goes before who asked went
 * to sleep, which costs a third (decision 017).
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
#define STORM_LASTS_NS (3 * MONO_S)
#define STORM_SURE_NS (400 * MONO_MS)
#define STORM_AGAIN_NS (30 * MONO_MS)   /* if it is not over for a second */
#define STORM_GAP_NS (50 * MONO_MS)     /* none is without a pause */
#define STORM_BESIDE_NS (100 * MONO_MS) /* another uid asked, too */

static struct storm *storm_of(struct engine *e, uint32_t uid)
{
	return &e->storms.of[uid % STORM_UIDS];
}

static bool storm_disturbs(const struct engine *e, uint32_t uid, mono_t now)
{
	for (uint32_t i = 0; i < STORM_UIDS; i++) {
		const struct storm *s = &e->storms.of[i];

		if (s->asked.ns && s->uid != uid &&
		    mono_between(s->asked, now) < STORM_BESIDE_NS) {
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

/* It filled a read once more: for long enough? */
static void storm_goes_on(struct engine *e, uint32_t uid, mono_t now)
{
	struct storm *s = storm_of(e, uid);
	bool again = mono_between(s->until, now) < MONO_S;

	if (mono_between(s->last, now) > STORM_GAP_NS) {
		s->since = now;
	}
	s->last = now;
	if (s->until.ns < now.ns && mono_between(s->since, now) >=
				    (again ? STORM_AGAIN_NS : STORM_SURE_NS)) {
		s->until = mono_add(now, STORM_LASTS_NS);
		/* As one task among a hundred we would answer when all hundred
		 * wait. The monitor looks four times a second. */
		atomic_store(&e->table->storm_until, s->until.ns);
	}
}

void eng_storm_look(struct engine *e, const int32_t *pids, uint32_t count)
{
	mono_t now = mono_now();
	uint32_t most, uid = storm_majority(e, pids, count, now, &most);

	e->unread = count == ENG_READ_EVENTS ? e->unread + count : 0;
	if (uid != 0 && most >= STORM_MOST &&
	    e->unread + STORM_UNREAD > e->processors * STORM_UNREAD &&
	    storm_disturbs(e, uid, now)) {
		storm_goes_on(e, uid, now);
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
