/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_fault.c - whose fault is it: the content's, or the object's?
 *
 * A product failed while a version was on trial. What it held is given to it
 * once more, in the preflight jail: with the new version, then with the one
 * before.
 *
 *   new fails, old does not   the version is quarantined
 *   both fail                 the object's fault: it is written down, and the
 *                             trial goes on with a new instance
 *   new does not fail         counted (content/state.h): on two different
 *                             objects, or three times, it is quarantined
 *
 * The fault counts after its replay, never before: what a user puts into two
 * files cannot revert content. Faults that come meanwhile wait for theirs.
 *
 * Until then a note in the journal says that one is pending. One whose replay
 * never came to an end, because the agent itself did, is counted by the next
 * agent as a crash without an object: three of them quarantine, two objects do
 * not. So content that fells the agent too goes, and a user's file would have
 * to fell it three times.
 */
#include <fcntl.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/text.h"

#define QUESTIONS_MS 300u       /* until LAST_QUESTIONS after the end */
#define OBJECT_BYTES (1u << 20) /* of an object that its key is made of */
#define LATE_NS MONO_S          /* from a fault to the word of it, but for
				 * what a hang takes to be known */
#define DENIED "denials: it denied more than max_denials on trial"

#define PENDING "pending"       /* payloads of notes */
#define CLEARED "cleared"

static const uint8_t no_object[JOURNAL_OBJECT];

static const struct {
	const char *name;
	bool charged;
} faults[AGENT_FAULTS] = {
#define ROW(sym, num, name, charged) [num] = { name, charged },
	AGENT_FAULT_TABLE(ROW)
#undef ROW
};

void agent_fault_drop(struct agent_fault_seen *f)
{
	for (size_t i = 0; i < f->held; i++) {
		fd_closep(&f->fd[i]);
	}
	*f = (struct agent_fault_seen){ 0 };
}

static void fault_reason(const struct agent_fault_seen *f, const char *what,
			 char ret_reason[AGENT_WHY])
{
	text_format(ret_reason, AGENT_WHY, "%s%s%s: %s",
		    f->fault < AGENT_FAULTS ? faults[f->fault].name : "fault",
		    f->text[0] ? ", " : "", f->text, what);
}

/* The same for the same content, wherever it lies. */
static void object_key(int fd, uint8_t ret_object[JOURNAL_OBJECT])
{
	cleanup_free uint8_t *bytes = malloc(OBJECT_BYTES);
	uint8_t hash[VERSION_HASH];
	ssize_t n = bytes ? pread(fd, bytes, OBJECT_BYTES, 0) : -1;

	if (n >= 0) {
		version_hash(bytes, (size_t)n, hash);
		memcpy(ret_object, hash, JOURNAL_OBJECT);
	}
}

static enum health_cause cause_of(bool reproduced)
{
	return reproduced ? HEALTH_REPRODUCED : HEALTH_UNCLEAR;
}

/* ---- what is journalled ---- */

static void count(struct agent_product_state *p, struct agent_fault_seen *f,
		  const char *what, bool reproduced)
{
	const uint8_t *object = memcmp(f->object, no_object, JOURNAL_OBJECT)
					? f->object : NULL;
	char reason[AGENT_WHY];
	struct store_words words = { .by = STATE_BY_TRIAL, .reason = reason };
	uint64_t key = 0;
	int r;

	fault_reason(f, what, reason);
	memcpy(&key, f->object, sizeof(key));
	health_fault(&p->health, cause_of(reproduced), key,
		     HEALTH_NOBODY);
	r = reproduced ? store_reproduced(p->store, f->hash, object, &words)
		       : store_fault(p->store, f->hash, object, &words);
	log_warning("%s: %s: %s%s", p->told.name, agent_short(f->hash).text,
		    reason, r == STORE_BACK ? "; it is in quarantine" : "");
	if (r == STORE_BACK) {
		agent_progress(p, f->hash, "trial", reason, true, ECANCELED);
	}
	agent_changed(p, r);
}

/* It was counted before, for this object: then that goes too. */
static bool was_counted(const struct agent_product_state *p,
			const struct agent_fault_seen *f)
{
	const struct state_version *v = state_find(store_state(p->store),
						   f->hash);

	for (uint32_t i = 0; v && i < v->objects; i++) {
		if (memcmp(v->object[i], f->object, JOURNAL_OBJECT) == 0) {
			return true;
		}
	}
	return false;
}

static void clear(struct agent_product_state *p, struct agent_fault_seen *f)
{
	char reason[AGENT_WHY];
	struct store_words words = { .by = STATE_BY_PREFLIGHT,
				     .reason = reason, .payload = CLEARED,
				     .payload_size = sizeof(CLEARED) };

	fault_reason(f, "the version before fails on it too", reason);
	log_notice("%s: %s", p->told.name, reason);
	agent_changed(p, store_note(p->store, was_counted(p, f)
				    ? STATE_EVENT_CLEARED : STATE_EVENT_NOTE,
				    f->hash, f->object, &words));
}

/* ---- what an agent's end cut short ---- */

static void pending(struct agent_product_state *p,
		    const struct agent_fault_seen *f)
{
	char reason[AGENT_WHY];
	struct store_words words = { .by = STATE_BY_TRIAL, .reason = reason,
				     .payload = PENDING,
				     .payload_size = sizeof(PENDING) };
	int r;

	fault_reason(f, "it is looked into", reason);
	r = store_note(p->store, STATE_EVENT_NOTE, f->hash, NULL, &words);
	if (r < 0) {
		log_warning("%s: %s", p->told.name, store_reason(p->store));
	}
}

struct lost {
	const uint8_t *hash;
	uint32_t open;                  /* pending, and not judged */
};

static bool says(const struct journal_record *r, const char *payload)
{
	return r->payload_size == strlen(payload) + 1 &&
	       memcmp(r->payload, payload, r->payload_size) == 0;
}

static int lost_record(void *context, const struct journal_record *r)
{
	struct lost *lost = context;
	bool note = r->type == STATE_EVENT_NOTE;

	if (!agent_hash_same(r->hash, lost->hash)) {
		return 0;
	}
	if (note && says(r, PENDING)) {
		lost->open++;
	} else if (r->type == STATE_EVENT_TRIAL) {
		lost->open = 0;         /* of an earlier trial */
	} else if ((r->type == STATE_EVENT_FAULT ||
		    r->type == STATE_EVENT_CLEARED ||
		    (note && says(r, CLEARED))) && lost->open) {
		lost->open--;
	}
	return 0;
}

void agent_faults_lost(struct agent_product_state *p)
{
	const struct state_version *v = state_active(store_state(p->store));
	struct store_words words = {
		.by = STATE_BY_RECOVERY,
		.reason = "it failed, and the agent ended before it could be "
			  "looked into",
	};
	uint8_t hash[VERSION_HASH];
	struct lost lost = { hash, 0 };

	if (!v || v->state != STATE_TRIAL) {
		return;
	}
	memcpy(hash, v->hash, sizeof(hash));
	if (store_history(p->store, JOURNAL_HISTORY, lost_record, &lost) < 0) {
		return;
	}
	for (uint32_t i = 0; i < lost.open && i < STATE_CRASHES; i++) {
		log_warning("%s: %s: %s", p->told.name,
			    agent_short(hash).text, words.reason);
		agent_changed(p, store_fault(p->store, hash, NULL, &words));
	}
}

/* ---- replays ---- */

static bool failed(const struct preflight_outcome *o)
{
	return o->verdict != PREFLIGHT_PASSED &&
	       !preflight_could_not_tell(o->verdict);
}

static struct agent_fault_seen *first(struct agent_product_state *p)
{
	struct agent_fault_seen *f = NULL;

	for (size_t i = 0; i < AGENT_FAULTS_WAITING; i++) {
		if (p->fault[i].ended &&
		    (!f || p->fault[i].at.ns < f->at.ns)) {
			f = &p->fault[i];
		}
	}
	return f;
}

void agent_replay_over(struct agent_product_state *p,
		       const struct preflight_outcome *outcome)
{
	const struct state_version *back = state_back(store_state(p->store));
	struct agent_fault_seen *f = first(p);
	bool new = p->step == AGENT_STEP_REPLAY_NEW;

	if (new && failed(outcome) && back) {
		agent_try_stop(p);
		agent_step(p, AGENT_STEP_REPLAY_OLD, 0);
		if (agent_try_preflight(p, back->hash, NULL, f) == 0) {
			return;
		}
	}
	agent_try_stop(p);
	agent_step(p, AGENT_STEP_IDLE, 0);
	if (new && !failed(outcome)) {
		count(p, f, "it did not come again in the jail", false);
	} else if (!new && failed(outcome)) {
		clear(p, f);
	} else if (!new && preflight_could_not_tell(outcome->verdict)) {
		count(p, f, "the version before could not be tried", false);
	} else {
		count(p, f, new ? "it comes again in the jail"
				: "it comes again in the jail, and not with "
				  "the version before", true);
	}
	agent_fault_drop(f);
	agent_think(p);
}

bool agent_faults(struct agent_product_state *p)
{
	struct agent_fault_seen *f;

	while ((f = first(p)) != NULL) {
		if (!f->told && mono_between(f->at, mono_now()) <
					QUESTIONS_MS * MONO_MS) {
			p->due = mono_add(f->at, QUESTIONS_MS * MONO_MS);
			return true;
		}
		if (f->held) {
			agent_step(p, AGENT_STEP_REPLAY_NEW, 0);
			memcpy(p->target, f->hash, VERSION_HASH);
			if (agent_try_preflight(p, f->hash, NULL, f) == 0) {
				return true;
			}
			agent_step(p, AGENT_STEP_IDLE, 0);
		}
		count(p, f, "nothing was being asked", false);
		agent_fault_drop(f);
		if (p->step != AGENT_STEP_IDLE) {
			return true;
		}
	}
	return false;
}

/* ---- what the monitor says ---- */

/* Whether its failure counts. One that began while it was on trial is told
 * when it is good already: a death as soon as it was seen, a hang after two
 * deadlines. Then the trial goes on. */
static bool is_tried(struct agent_product_state *p,
		     const uint8_t hash[VERSION_HASH])
{
	struct store_words words = {
		.by = STATE_BY_TRIAL,
		.reason = "it failed before it was known to be good",
	};
	const struct state_version *v;

	if (store_just_good(p->store, hash, LATE_NS +
			    2 * p->manifest.deadline_max_ms * MONO_MS)) {
		log_warning("%s: %s: %s", p->told.name,
			    agent_short(hash).text, words.reason);
		agent_changed(p, store_reopen(p->store, hash, &words));
	}
	v = state_find(store_state(p->store), hash);
	return v && v->state == STATE_TRIAL;
}

/* Without a replay: no single user's doing. */
static void quarantine(struct agent_product_state *p,
		       const uint8_t hash[VERSION_HASH], const char *reason)
{
	struct store_words words = { .by = STATE_BY_TRIAL, .reason = reason };

	agent_changed(p, store_quarantine(p->store, hash, &words));
	agent_progress(p, hash, "trial", reason, true, ECANCELED);
}

/* The end and the questions come in any order: whichever is first makes the
 * entry. Null: all are in use. A former one that never ended is given up. */
static struct agent_fault_seen *fault_of(struct agent_product_state *p,
					 uint32_t try, bool ended)
{
	struct agent_fault_seen *spare = NULL;

	for (size_t i = 0; i < AGENT_FAULTS_WAITING; i++) {
		struct agent_fault_seen *f = &p->fault[i];

		if (f->used && f->try == try &&
		    (ended ? !f->ended : !f->told)) {
			return f;
		}
		if (!f->used || (!f->ended && mono_between(f->at, mono_now()) >
						      MONO_S)) {
			spare = f;
		}
	}
	if (spare) {
		agent_fault_drop(spare);
		spare->used = true;
		spare->try = try;
		spare->at = mono_now();
	}
	return spare;
}

static void fault_take(struct agent_product_state *p,
		       const struct agent_message *m)
{
	struct agent_fault_seen extra = { .used = true, .try = m->try };
	struct agent_fault_seen *f = fault_of(p, m->try, true);
	bool full = !f;

	f = f ? f : &extra;
	f->ended = true;
	f->fault = m->fault;
	f->at = mono_now();
	memcpy(f->hash, m->hash, VERSION_HASH);
	text_format(f->text, sizeof(f->text), "%s", m->text);
	if (full) {
		count(p, f, "too many at once to replay", false);
	} else {
		pending(p, f);
	}
}

void agent_on_ended(struct agent_product_state *p,
		    const struct agent_message *m)
{
	bool charged = m->fault < AGENT_FAULTS && faults[m->fault].charged;

	if (m->frozen) {
		p->frozen = false;
		return;
	}
	if (m->try == p->runs_try) {
		p->serving = false;
	}
	if (!charged || !is_tried(p, m->hash)) {
		return;
	}
	if (m->fault == AGENT_FAULT_DENIALS) {
		quarantine(p, m->hash, DENIED);
		return;
	}
	if (m->fault == AGENT_FAULT_SCHEMA) {
		char reason[AGENT_WHY];

		text_format(reason, sizeof(reason), "%s: %s",
			    faults[m->fault].name, m->text);
		quarantine(p, m->hash, reason);
		return;
	}
	fault_take(p, m);
	if (p->step == AGENT_STEP_RELOADING ||
	    p->step == AGENT_STEP_RETURNING) {
		agent_step(p, AGENT_STEP_IDLE, 0);
	}
	agent_think(p);
}

void agent_on_questions(struct agent_product_state *p,
			const struct agent_message *m, int *fds,
			size_t fd_count)
{
	struct agent_fault_seen *f = fault_of(p, m->try, false);

	if (!f) {
		return;
	}
	f->told = true;
	for (size_t i = 0; i < fd_count && i < m->held && i < AGENT_HELD; i++) {
		f->kind[i] = m->kind[i];
		f->fd[i] = fd_take(&fds[i]);
		f->held++;
	}
	if (f->held) {
		object_key(f->fd[0], f->object);
	}
	if (f->ended) {
		agent_think(p);
	}
}

/* A former agent was told, or another fault came first. */
static bool was_tried(const struct agent_product_state *p,
		      const uint8_t hash[VERSION_HASH])
{
	const struct state_version *v = state_find(store_state(p->store),
						   hash);

	return v && v->state == STATE_QUARANTINED &&
	       (v->by == STATE_BY_TRIAL || v->by == STATE_BY_RECOVERY);
}

/* If the version is on trial it goes, and the product observes no longer than
 * it is asked; also if that could not be written now, and it goes later. */
void agent_on_alarm(struct agent_product_state *p,
		    const struct agent_message *m)
{
	bool tried = is_tried(p, m->hash);

	p->denied = tried || was_tried(p, m->hash);
	memcpy(p->denied_hash, m->hash, VERSION_HASH);
	if (tried) {
		quarantine(p, m->hash, DENIED);
	}
	agent_believe(p);
}

void agent_believe(struct agent_product_state *p)
{
	struct agent_message m = { 0 };

	if (!p->denied || !p->serving || !p->runs_known ||
	    agent_hash_same(p->runs, p->denied_hash)) {
		return;
	}
	p->denied = false;
	memcpy(m.hash, p->denied_hash, VERSION_HASH);
	agent_tell(p, AGENT_BELIEVE, &m);
}
