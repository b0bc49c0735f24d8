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
 */
#include <fcntl.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/text.h"

#define QUESTIONS_MS 300u       /* until LAST_QUESTIONS after the end */
#define OBJECT_BYTES (1u << 20) /* of an object that its key is made of */

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

static void clear(struct agent_product_state *p, struct agent_fault_seen *f)
{
	char reason[AGENT_WHY];
	struct store_words words = { .by = STATE_BY_PREFLIGHT,
				     .reason = reason };

	fault_reason(f, "the version before fails on it too", reason);
	log_notice("%s: %s", p->told.name, reason);
	agent_changed(p, store_note(p->store, STATE_EVENT_NOTE, f->hash, NULL,
				    &words));
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

static bool is_pending(const struct agent_product_state *p,
		       const uint8_t hash[VERSION_HASH])
{
	const struct state_version *v = state_find(store_state(p->store),
						   hash);

	return v && v->state == STATE_TRIAL;
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
	if (!charged || !is_pending(p, m->hash)) {
		return;
	}
	if (m->fault == AGENT_FAULT_DENIALS || m->fault == AGENT_FAULT_SCHEMA) {
		char reason[AGENT_WHY];
		struct store_words words = { .by = STATE_BY_TRIAL,
					     .reason = reason };

		text_format(reason, sizeof(reason), "%s: %s",
			    faults[m->fault].name, m->text);
		agent_changed(p, store_quarantine(p->store, m->hash, &words));
		agent_progress(p, m->hash, "trial", reason, true, ECANCELED);
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

/* Denials over many objects are no single user's doing. */
void agent_on_alarm(struct agent_product_state *p)
{
	struct store_words words = {
		.by = STATE_BY_TRIAL,
		.reason = health_measure_text(HEALTH_DENIALS),
	};

	if (agent_on_trial(p)) {
		uint8_t hash[VERSION_HASH];

		memcpy(hash, p->trial_hash, sizeof(hash));
		agent_changed(p, store_quarantine(p->store, hash, &words));
		agent_progress(p, hash, "trial", words.reason, true,
			       ECANCELED);
	}
}
