/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eng_intake.c - a question enters: whose is it, may it wait at all?
 *
 * Second of the seven files (eng.h). In this order: the broker's own questions
 * are allowed; the off-switch allows; the asker is identified as it is after
 * its latest exec; the second question of one exec gets the first one's
 * answer; rules decide; the cache decides; the uid is charged for waiting; the
 * products are asked.
 */
#include <string.h>
#include <sys/fanotify.h>

#include "base/hash.h"
#include "broker/eng.h"

#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x00040000
#endif

#define TWIN_NS (1u * MONO_S)

static void intake_give_way(struct engine *e)
{
	for (uint32_t i = 0; i < ENG_QUESTIONS; i++) {
		if (e->question[i].state == QUESTION_ANSWERED) {
			e->question[i].owing = 0;
			eng_question_free(e, &e->question[i]);
			return;
		}
	}
}

struct question *eng_question_new(struct engine *e)
{
	struct question *q;

	/* Full of questions that have their answer and of which only an opinion
	 * is awaited: one of those gives way. ENG_OPEN_TOTAL leaves such. */
	if (e->used_count == ENG_QUESTIONS) {
		intake_give_way(e);
	}
	if (e->used_count == ENG_QUESTIONS) {
		return NULL;
	}
	q = &e->question[e->free_question[e->used_count++]];
	q->asked = q->waiting = q->owing = 0;
	q->allowed = q->denied = q->missed = q->said_deny = 0;
	q->observing = q->ruled_allow = q->unsent = 0;
	q->scope = BAILEY_SCOPE_OBJECT;
	q->follower = QUESTION_NONE;
	q->rechecks = 0;
	q->had_writer = 0;
	q->by = VIEW_BY_NOBODY;
	q->verdict = q->would = BAILEY_VERDICT_NONE;
	q->cacheable = 1;
	q->charged = 0;
	q->rule_line = 0;
	q->path_foreign = false;
	q->path_length = 0;
	q->path[0] = '\0';
	q->finding.size = 0;
	q->object.inode = 0;    /* not known yet: eng_succeed.c blames by it */
	return q;
}

void eng_question_free(struct engine *e, struct question *q)
{
	if (q->fd >= 0) {
		if (!eng_storm_close(e, q->fd)) {
			eng_close_later(e, q->fd);
		}
		q->fd = -1;
	}
	atomic_store_explicit(&q->state, QUESTION_FREE, memory_order_release);
	e->free_question[--e->used_count] = q->index;
}

static bool intake_own(const struct engine *e, int32_t pid)
{
	uint32_t n = atomic_load_explicit(&e->table->own_count,
					  memory_order_acquire);

	for (uint32_t i = 0; i < n && i < HANDOFF_OWN; i++) {
		if (atomic_load_explicit(&e->table->own[i],
					 memory_order_relaxed) == pid) {
			return true;
		}
	}
	return false;
}

/* exec asks twice about one file: first OPEN_EXEC, then OPEN. */
static struct twin *intake_twin(struct engine *e, const struct question *q)
{
	struct twin *t = &e->twin[(uint32_t)q->asker.pid % ENG_TWINS];

	if (t->pid == q->asker.pid && t->inode == q->object.inode &&
	    t->device == q->object.device && q->read_at.ns < t->until.ns) {
		return t;
	}
	return NULL;
}

/* The uid's counter, or a free one; at most ENG_OPEN_TOTAL are in use. */
static uint32_t intake_uid_slot(const struct engine *e, uint32_t uid)
{
	uint32_t at = (uint32_t)hash_mix(uid ^ e->seed) % ENG_UIDS;

	while (e->uid_open[at].count && e->uid_open[at].uid != uid) {
		at = (at + 1) % ENG_UIDS;
	}
	return at;
}

static bool intake_charge(struct engine *e, struct question *q)
{
	uint32_t at = intake_uid_slot(e, q->asker.uid);

	if (e->open_count >= e->table->open_total ||
	    (q->asker.uid != 0 &&
	     e->uid_open[at].count >= e->table->open_per_uid)) {
		return false;
	}
	e->uid_open[at].uid = q->asker.uid;
	e->uid_open[at].count++;
	e->open_count++;
	atomic_store_explicit(&e->table->open_questions, e->open_count,
			      memory_order_relaxed);
	q->charged = at + 1;
	return true;
}

void eng_uncharge(struct engine *e, struct question *q)
{
	if (!q->charged) {
		return;
	}
	e->uid_open[q->charged - 1].count--;
	q->charged = 0;
	e->open_count--;
	atomic_store_explicit(&e->table->open_questions, e->open_count,
			      memory_order_relaxed);
}

static void intake_remember_exec(struct engine *e, const struct question *q)
{
	struct twin *t = &e->twin[(uint32_t)q->asker.pid % ENG_TWINS];

	t->pid = q->asker.pid;
	t->device = q->object.device;
	t->inode = q->object.inode;
	t->until = mono_add(q->read_at, TWIN_NS);
	t->verdict = 0;         /* set by eng_verdict_apply */
}

static uint32_t intake_key(const struct engine *e, const struct question *q)
{
	uint64_t h = hash_pair(q->object.inode ^ e->seed,
			       (uint64_t)q->asker.pid << 1 | q->kind);

	return (uint32_t)h | 1;
}

/* Same asker, same object as it is, same name: one answer serves both. */
static struct question *intake_leader(struct engine *e,
				      const struct question *q)
{
	uint32_t key = intake_key(e, q);

	for (uint32_t i = 0; i < ENG_QUESTIONS; i++) {
		struct question *o = &e->question[i];

		if (e->leader[i] != key) {
			continue;
		}
		if (o != q && o->state == QUESTION_OPEN && o->waiting &&
		    o->asker.pid == q->asker.pid && o->kind == q->kind &&
		    o->asker.start_ns == q->asker.start_ns &&
		    o->asker.generation == q->asker.generation &&
		    eng_object_same(&o->object, &q->object) &&
		    o->path_length == q->path_length &&
		    memcmp(o->path, q->path, q->path_length) == 0) {
			return o;
		}
	}
	return NULL;
}

static bool intake_blamed(const struct engine *e, const struct question *q)
{
	for (size_t i = 0; i < ENG_DEATHS; i++) {
		if (e->death[i].count >= 2 &&
		    e->death[i].inode == q->object.inode &&
		    e->death[i].device == q->object.device &&
		    e->death[i].uid == q->asker.uid) {
			return true;
		}
	}
	return false;
}

static bool intake_somebody_asks(const struct engine *e, enum eng_kind kind)
{
	for ENG_EACH(i, eng_concerned(e)) {
		const struct session *s = &e->session[eng_asked(e, i)];

		if (eng_holds(e, i)) {
			return true;
		}
		if (!e->session[i].present) {
			continue;
		}
		/* one that loads has not subscribed yet: its fallback, and
		 * what it said before, stand meanwhile */
		if (atomic_load_explicit(&s->phase, memory_order_acquire) !=
				    SESSION_SERVING
			    ? eng_granted(s, kind)
			    : atomic_load_explicit(&s->deadline_ms[kind],
						   memory_order_relaxed) != 0) {
			return true;
		}
	}
	return false;
}

/* Products: rules first, then what is cached, then the question itself. */
static void intake_decide(struct engine *e, struct question *q)
{
	struct ruling ruling;
	enum bailey_verdict cached;
	struct question *leader;

	eng_rules_judge(e, q, &ruling);
	q->ruled_allow = ruling.satisfied;
	if (ruling.verdict != BAILEY_VERDICT_NONE) {
		q->rule_line = ruling.line;
		q->cacheable = 0;
		e->view.ruled++;
		eng_verdict_apply(e, q, ruling.verdict, ruling.by);
		return;
	}
	if (!intake_somebody_asks(e, q->kind)) {
		q->cacheable = 0;
		eng_verdict_apply(e, q, BAILEY_VERDICT_ALLOW, VIEW_BY_NOBODY);
		return;
	}
	if (!ruling.ask && eng_cache_find(e, q, &cached)) {
		q->cacheable = 0;
		e->view.cached++;
		eng_verdict_apply(e, q, cached, VIEW_BY_CACHE);
		return;
	}
	if (!q->path_length) {
		eng_identify_path(e, q);
	}
	if (!intake_charge(e, q)) {
		q->cacheable = 0;
		e->view.overload++;
		eng_verdict_apply(e, q,
				  e->table->overload_denies
					  ? BAILEY_VERDICT_DENY
					  : BAILEY_VERDICT_ALLOW,
				  VIEW_BY_OVERLOAD);
		return;
	}
	leader = e->open_count > 1 ? intake_leader(e, q) : NULL;
	if (leader) {
		q->follower = leader->follower;
		leader->follower = q->index;
		q->cacheable = 0;
		e->view.coalesced++;
		return;
	}
	q->had_writer = q->kind == ENG_EXEC && eng_object_is_written(q->fd);
	e->leader[q->index] = intake_key(e, q);
	eng_dispatch(e, q, ruling.satisfied);
	eng_verdict_settle(e, q);
}

/* Answers without a question of our own: nothing is looked at or recorded. */
static void intake_pass(struct engine *e, int fd, uint64_t *counter)
{
	*counter += 1;
	eng_source_answer(e, fd, BAILEY_VERDICT_ALLOW);
	e->view.allowed++;
	eng_close_later(e, fd);
}

/* Workers died over it, or it cannot be looked at: nobody is asked. What was
 * denied before, and rules, hold all the same; then the strictest on_poison. */
static void intake_untouched(struct engine *e, struct question *q)
{
	enum bailey_verdict verdict = BAILEY_VERDICT_ALLOW;
	struct ruling ruling;

	eng_rules_judge(e, q, &ruling);
	for ENG_EACH(i, eng_concerned(e)) {
		const struct session *s = &e->session[i];

		if (s->present && eng_granted(s, q->kind) &&
		    atomic_load(&s->mode) == BAILEY_MODE_ENFORCE &&
		    s->manifest.on_poison == MANIFEST_DENY) {
			verdict = BAILEY_VERDICT_DENY;
		}
	}
	if (ruling.verdict != BAILEY_VERDICT_NONE) {
		q->rule_line = ruling.line;
		eng_verdict_apply(e, q, ruling.verdict, ruling.by);
		return;
	}
	eng_verdict_apply(e, q, eng_cache_denies(e, q) ? BAILEY_VERDICT_DENY
						       : verdict,
			  VIEW_BY_SUCCESSOR);
}

void eng_intake(struct engine *e, int fd, uint64_t mask, int32_t pid)
{
	struct question *q;
	struct twin *twin;

	e->view.questions++;
	atomic_store_explicit(&e->table->verdict[fd], HANDOFF_VERDICT_NONE,
			      memory_order_relaxed);
	if (intake_own(e, pid)) {
		intake_pass(e, fd, &e->view.own);
		return;
	}
	q = atomic_load(&e->table->forced) == HANDOFF_OFF
		    ? NULL : eng_question_new(e);
	if (!q) {               /* switched off, or the table is full */
		intake_pass(e, fd, atomic_load(&e->table->forced) ==
			    HANDOFF_OFF ? &e->view.off : &e->view.overload);
		return;
	}
	q->fd = fd;
	q->id = ++e->next_id;
	q->asker.pid = pid;
	q->read_at = mono_now();
	q->kind = mask & FAN_OPEN_EXEC_PERM ? ENG_EXEC : ENG_OPEN;
	q->epoch = atomic_load_explicit(&e->epoch, memory_order_acquire);
	atomic_store_explicit(&q->state, QUESTION_OPEN, memory_order_relaxed);
	e->current = q->index;
	eng_identify_asker(e, pid, &q->asker);
	if (eng_identify_object(fd, &q->object) < 0 || intake_blamed(e, q)) {
		q->cacheable = 0;
		intake_untouched(e, q);
		e->current = QUESTION_NONE;
		return;
	}
	twin = q->kind == ENG_OPEN ? intake_twin(e, q) : NULL;
	if (twin && twin->verdict) {
		q->cacheable = 0;
		e->view.twins++;
		eng_verdict_apply(e, q, twin->verdict, VIEW_BY_TWIN);
		twin->verdict = 0;      /* once */
	} else {
		if (q->kind == ENG_EXEC) {
			intake_remember_exec(e, q);
		}
		intake_decide(e, q);
	}
	e->current = QUESTION_NONE;
}
