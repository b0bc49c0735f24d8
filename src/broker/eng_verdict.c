/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_verdict.c - opinions become one answer
 *
 * Last of the seven files (eng.h). Any deny wins, all who decided are kept.
 * Before an allow that came from a product the object is looked at once more:
 * if it changed since the question, the product is asked again, at most twice.
 * One atomic token decides who answers; after the answer come counters, the
 * record, the cache and the close.
 */
#include "base/hash.h"
#include "broker/eng.h"

#define RECHECKS 2u

enum bailey_verdict eng_fallback(struct engine *e, struct question *q,
				 struct session *s, uint32_t policy)
{
	(void)e;
	(void)q;
	(void)s;
	/* MANIFEST_RULES: rules were applied at intake and did not match. */
	return policy == MANIFEST_DENY ? BAILEY_VERDICT_DENY
				       : BAILEY_VERDICT_ALLOW;
}

/* The object changed while the product looked at it: what it said may be about
 * something else. Before a program runs, a writer is a change too, one that was
 * there when the product began or is there now: stores through a mapping move
 * no time stamp. (Who may write what another opens, may do so afterwards: for
 * an open a writer says nothing.) */
static bool verdict_outdated(struct question *q)
{
	bool wrote = q->had_writer;
	struct object now;

	if (q->kind == ENG_EXEC) {
		q->had_writer = eng_object_is_written(q->fd);
	}
	if (eng_identify_object(q->fd, &now) < 0) {
		return false;
	}
	if (!eng_object_same(&now, &q->object)) {
		q->object = now;
		return true;
	}
	return wrote || q->had_writer;
}

static bool verdict_ask_again(struct engine *e, struct question *q)
{
	uint32_t decided = q->allowed & ~q->observing;
	bool asked = false;

	e->view.changed++;
	q->rechecks++;
	q->cacheable = 0;
	eng_identify_path(e, q);
	for ENG_EACH(i, decided) {
		struct session *s = &e->session[eng_asked(e, i)];

		q->allowed &= ~(1u << i);
		if (s->phase == SESSION_SERVING && eng_dispatch_one(e, q, s)) {
			q->waiting |= 1u << s->index;
			asked = true;
			continue;
		}
		q->missed |= 1u << i;   /* what it said is of another object */
		if (eng_fallback(e, q, s, s->manifest.on_miss) ==
		    BAILEY_VERDICT_DENY) {
			q->denied |= 1u << i;
			q->by = VIEW_BY_MISS;
		}
	}
	return asked;
}

/* Beyond the table each denial counts, whether its object is new or not. */
static uint32_t brake_known(const struct session *s)
{
	return s->denial_count < ENG_DENIAL_OBJECTS ? s->denial_count
						    : ENG_DENIAL_OBJECTS;
}

/* Files that a user made say little about a product: of each owner but root
 * at most half of what trips the brake is counted, so that nobody switches a
 * product off by planting what it is there to find. */
static bool brake_counts(const struct session *s, const struct object *denied)
{
	uint32_t same = 0;

	for (uint32_t i = 0; denied->owner != 0 && i < brake_known(s); i++) {
		same += s->denial_owner[i] == denied->owner;
	}
	return same <= s->manifest.max_denials / 2;
}

/* Further denials than max_denials distinct objects in the window are not
 * applied: the product is put into observe, with an alarm; on trial it gives
 * way to its former process. s is the product's place. */
bool eng_verdict_brake(struct engine *e, struct session *s,
		       const struct object *denied, mono_t now)
{
	uint64_t object = denied->inode ^ denied->device << 40;
	uint64_t window = s->manifest.max_denials_window_s * MONO_S;

	if (!s->manifest.max_denials) {
		return false;
	}
	if (atomic_load(&s->mode) != BAILEY_MODE_ENFORCE) {
		return true;            /* asked before it was to observe */
	}
	if (mono_between(s->denial_window, now) > window) {
		s->denial_window = now;
		s->denial_count = 0;
	}
	for (uint32_t i = 0; i < brake_known(s); i++) {
		if (s->denial_object[i] == object) {
			return false;
		}
	}
	if (!brake_counts(s, denied)) {
		return false;
	}
	if (s->denial_count < s->manifest.max_denials) {
		if (s->denial_count < ENG_DENIAL_OBJECTS) {
			s->denial_owner[s->denial_count] = denied->owner;
			s->denial_object[s->denial_count] = object;
		}
		s->denial_count++;
		return false;
	}
	if (eng_kept_beside(e, s->index)) {     /* the new content's doing */
		struct session *asked = &e->session[eng_asked(e, s->index)];

		if (asked->phase == SESSION_SERVING) {
			eng_session_fault(e, asked, SESSION_FAULT_DENIALS);
		}
		return true;
	}
	s->denial_count = 0;            /* for when it is believed again */
	atomic_store(&s->mode, BAILEY_MODE_OBSERVE);
	atomic_store(&s->alarm, 1);
	eng_verdicts_expire(e);
	eng_service_kick(e);
	return true;
}

/* How many objects and users the denials of this content are about, applied
 * or not. A file is its owner's, if that is not root, whoever opens it: what
 * one user planted and all of them find is one user's (content/health.h). */
static void verdict_sketch(const struct engine *e, struct session *s,
			   const struct question *q)
{
	uint64_t object = hash_pair(q->object.inode ^ e->seed,
				    q->object.device);
	uint32_t uid = q->object.owner ? q->object.owner : q->asker.uid;
	uint64_t user = hash_pair(uid ^ e->seed, 0);
	const struct session *asked = &e->session[eng_asked(e, s->index)];
	uint32_t content = asked->index | asked->serial << 8;

	if (s->sketched != content) {
		s->sketched = content;
		s->denied_object = (struct eng_sketch){ 0 };
		s->denied_user = (struct eng_sketch){ 0 };
	}
	s->view.denied_objects = eng_sketch_add(&s->denied_object, object);
	s->view.denied_users = eng_sketch_add(&s->denied_user, user);
}

/* Which of the denials count; the rest is recorded as would-deny. */
static uint32_t verdict_denials(struct engine *e, struct question *q)
{
	uint32_t counted = 0;

	for ENG_EACH(i, q->denied) {
		struct session *s = &e->session[i];

		q->would = BAILEY_VERDICT_DENY;
		if (q->said_deny & 1u << i) {
			verdict_sketch(e, s, q);
		}
		if ((q->observing & 1u << i) ||
		    ((q->said_deny & 1u << i) &&
		     eng_verdict_brake(e, s, &q->object, q->read_at))) {
			s->view.would_deny++;
		} else {
			counted |= 1u << i;
		}
	}
	return counted;
}

static void verdict_release(struct engine *e, struct question *q)
{
	if (q->state == QUESTION_ANSWERED && !q->owing) {
		eng_question_free(e, q);
	}
}

/* A late opinion of an observing product, or that there will be none: only
 * recorded. */
static void verdict_observed(struct engine *e, struct question *q)
{
	if (q->would != BAILEY_VERDICT_DENY && q->denied & q->observing) {
		verdict_denials(e, q);
		e->view.would_deny++;
		eng_decision_record(e, q);
	} else if (!q->owing && q->missed & q->observing) {
		eng_decision_record(e, q);
	}
	verdict_release(e, q);
}

void eng_verdict_settle(struct engine *e, struct question *q)
{
	uint32_t counted;

	if (q->state != QUESTION_OPEN) {
		verdict_observed(e, q);
		return;
	}
	if (q->waiting && !(q->denied & ~q->observing)) {
		return;
	}
	counted = q->denied ? verdict_denials(e, q) : 0;
	if (counted) {
		for ENG_EACH(i, counted) {
			e->session[i].view.denied++;
		}
		eng_verdict_apply(e, q, BAILEY_VERDICT_DENY,
				  q->by ? q->by : VIEW_BY_PRODUCT);
		return;
	}
	if (q->waiting) {
		return;
	}
	if (q->allowed & ~q->observing && verdict_outdated(q)) {
		if (q->rechecks < RECHECKS && verdict_ask_again(e, q)) {
			return;
		}
		q->cacheable = 0;
		if (q->kind == ENG_EXEC) {      /* like ETXTBSY */
			eng_verdict_apply(e, q, BAILEY_VERDICT_DENY,
					  VIEW_BY_CHANGED);
			return;
		}
		if (q->denied & ~q->observing) {        /* by a fallback */
			eng_verdict_settle(e, q);
			return;
		}
	}
	eng_verdict_apply(e, q, BAILEY_VERDICT_ALLOW,
			  q->missed ? VIEW_BY_MISS
			  : q->allowed & ~q->observing ? VIEW_BY_PRODUCT
			  : q->observing ? VIEW_BY_OBSERVE : q->by);
}

static void verdict_followers(struct engine *e, struct question *q)
{
	uint32_t next = q->follower;

	q->follower = QUESTION_NONE;
	while (next != QUESTION_NONE) {
		struct question *f = &e->question[next];

		next = f->follower;
		f->follower = QUESTION_NONE;
		eng_verdict_apply(e, f, q->verdict, q->by);
	}
}

void eng_verdict_apply(struct engine *e, struct question *q,
		       enum bailey_verdict verdict, enum view_by by)
{
	uint32_t open = QUESTION_OPEN;
	struct twin *twin = &e->twin[(uint32_t)q->asker.pid % ENG_TWINS];

	if (!atomic_compare_exchange_strong(&q->state, &open,
					    QUESTION_ANSWERED)) {
		return;
	}
	if (verdict == BAILEY_VERDICT_DENY) {
		q->would = BAILEY_VERDICT_DENY;
		if (atomic_load(&e->table->forced) == HANDOFF_OBSERVE) {
			verdict = BAILEY_VERDICT_ALLOW;
			e->view.would_deny++;
		}
	}
	eng_storm_answer(e, q, verdict);
	q->verdict = (uint8_t)verdict;
	q->by = (uint8_t)by;
	if (verdict == BAILEY_VERDICT_DENY) {
		e->view.denied++;
	} else {
		e->view.allowed++;
	}
	if (q->kind == ENG_EXEC && twin->pid == q->asker.pid &&
	    twin->inode == q->object.inode) {
		twin->verdict = (uint8_t)verdict;
	}
	eng_uncharge(e, q);
	if (q->cacheable && q->asked && !q->missed && !q->observing &&
	    by == VIEW_BY_PRODUCT) {
		eng_cache_enter(e, q);
	}
	eng_decision_record(e, q);
	e->leader[q->index] = 0;
	verdict_followers(e, q);
	verdict_release(e, q);
}
