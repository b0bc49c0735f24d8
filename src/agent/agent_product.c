/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_product.c - the steps of a product: decide, act, wait, decide again
 *
 * See the drawing in agent.h. Each change is in the journal before the monitor
 * hears of it; whatever comes back, the next thought begins from the journal
 * and from what runs.
 */
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/text.h"

#define THINK_MOST_S 60u        /* again, without news */
#define THINK_TURNS 8u          /* decisions in one thought */
#define SWITCH_S 10u
#define START_SLACK_S 15u       /* beside start_s */

/* ---- what runs becomes what the journal says ---- */

static bool is_active(const struct agent_product_state *p,
		      const uint8_t hash[VERSION_HASH])
{
	uint8_t current[VERSION_HASH];

	return store_current(p->store, current) == STORE_DONE &&
	       agent_hash_same(current, hash);
}

static void restart(struct agent_product_state *p, enum agent_step step)
{
	agent_step(p, step, p->manifest.start_s + START_SLACK_S);
	if (p->told.reload == MANIFEST_RELOAD_LIVE && p->serving &&
	    !agent_hash_none(p->target)) {
		agent_tell(p, AGENT_LIVE, NULL);
	} else {
		agent_tell(p, AGENT_RESTART, NULL);
	}
}

bool agent_align(struct agent_product_state *p)
{
	static const uint8_t none[VERSION_HASH];
	const struct state_version *active = state_active(
						store_state(p->store));
	/* Without one in use: what the product was installed with. */
	const uint8_t *hash = active ? active->hash : none;

	if (!p->serving || !p->runs_known || agent_hash_same(hash, p->runs)) {
		return false;
	}
	memcpy(p->target, hash, VERSION_HASH);
	if (p->frozen && agent_hash_same(p->frozen_hash, hash)) {
		agent_step(p, AGENT_STEP_RETURNING, SWITCH_S);
		agent_tell(p, AGENT_SWITCH_BACK, NULL);
	} else if (p->told.reload == MANIFEST_RELOAD_PARALLEL && active &&
		   active->state == STATE_TRIAL && !p->frozen) {
		agent_step(p, AGENT_STEP_STANDBY,
			   p->manifest.start_s + START_SLACK_S);
		agent_try_parallel(p, active->hash);
	} else {
		if (p->frozen) {        /* nobody wants that one any more */
			agent_tell(p, AGENT_TRIAL_END, NULL);
			p->frozen = false;
		}
		restart(p, AGENT_STEP_RETURNING);
	}
	return true;
}

/* A former agent may have been killed between the record and the word. */
static void frozen_release(struct agent_product_state *p)
{
	const struct state_version *active = state_active(
						store_state(p->store));

	if (p->frozen && p->serving && p->runs_known && active &&
	    active->state == STATE_GOOD &&
	    agent_hash_same(active->hash, p->runs)) {
		agent_tell(p, AGENT_TRIAL_END, NULL);
		p->frozen = false;
	}
}

void agent_changed(struct agent_product_state *p, int result)
{
	if (result < 0) {
		text_format(p->trouble, sizeof(p->trouble), "%s",
			    store_reason(p->store));
		log_error("%s: %s", p->told.name, p->trouble);
		return;
	}
	if (!agent_on_trial(p)) {
		p->trial = false;
	}
	p->untidy |= result == STORE_BACK;
	/* A preflight can wait, what runs cannot. */
	if (result == STORE_BACK && p->step != AGENT_STEP_RETURNING) {
		agent_try_stop(p);
		agent_step(p, AGENT_STEP_IDLE, 0);
		(void)agent_align(p);
	}
}

void agent_revert(struct agent_product_state *p, const uint8_t *to,
		  uint32_t by, const char *reason)
{
	struct store_words words = { .by = by, .reason = reason };
	uint8_t left[VERSION_HASH], now[VERSION_HASH];
	int r;

	if (store_current(p->store, left) != STORE_DONE) {
		return;
	}
	r = store_revert(p->store, to, &words, now);
	if (r == STORE_DONE) {
		log_warning("%s: back from %s to %s: %s", p->told.name,
			    agent_short(left).text, agent_short(now).text,
			    reason);
		agent_put_off(p, left);
		agent_progress(p, left, "done", reason, true, ECANCELED);
		r = STORE_BACK;
	}
	agent_changed(p, r);
}

/* ---- activation ---- */

static int activate(struct agent_product_state *p,
		    const uint8_t hash[VERSION_HASH])
{
	cleanup_version struct version *version = NULL;
	struct store_words words = {
		.by = agent_by(p->decision.reason),
		.reason = decide_reason_text(p->decision.reason),
	};
	int r;

	if (is_active(p, hash)) {
		return 0;
	}
	r = store_activate(p->store, hash, &words);
	if (r != STORE_DONE) {
		text_format(p->trouble, sizeof(p->trouble), "%s",
			    store_reason(p->store));
		agent_put_off(p, hash);
		return r < 0 ? r : -EAGAIN;
	}
	if (store_version(p->store, hash, &version) == 0 &&
	    version->kind == VERSION_DATA) {
		p->memory.data_at_s = agent_now_s(p);
		agent_memory_save(p);
	}
	log_notice("%s: %s is in use, on trial", p->told.name,
		   agent_short(hash).text);
	return 0;
}

static void activation_begin(struct agent_product_state *p,
			     const uint8_t hash[VERSION_HASH])
{
	memcpy(p->target, hash, VERSION_HASH);
	agent_progress(p, hash, "activate", "", false, 0);
	if (p->frozen) {        /* of a trial that only lacked events */
		agent_tell(p, AGENT_TRIAL_END, NULL);
		p->frozen = false;
	}
	if (p->told.reload == MANIFEST_RELOAD_PARALLEL && p->serving) {
		agent_step(p, AGENT_STEP_STANDBY,
			   p->manifest.start_s + START_SLACK_S);
		agent_try_parallel(p, hash);
	} else if (activate(p, hash) == 0) {
		restart(p, AGENT_STEP_RELOADING);
	}
}

/* ---- preflight ---- */

static void preflight_begin(struct agent_product_state *p,
			    const uint8_t hash[VERSION_HASH])
{
	const struct state_version *active = state_active(
						store_state(p->store));
	int r;

	memcpy(p->target, hash, VERSION_HASH);
	p->baseline_known = false;
	agent_progress(p, hash, "preflight", "", false, 0);
	if (active && !agent_hash_same(active->hash, hash)) {
		agent_step(p, AGENT_STEP_BASELINE, 0);
		r = agent_try_preflight(p, active->hash, hash, NULL);
	} else {
		agent_step(p, AGENT_STEP_CANDIDATE, 0);
		r = agent_try_preflight(p, hash, hash, NULL);
	}
	if (r < 0) {
		agent_on_try_over(p, strerror(-r), false);
	}
}

/* Once may have been the host's load. */
static bool may_be_load(enum preflight_verdict verdict)
{
	return verdict == PREFLIGHT_MISS || verdict == PREFLIGHT_SLOW ||
	       verdict == PREFLIGHT_NOT_READY;
}

static void preflight_act(struct agent_product_state *p,
			  const struct preflight_result *result)
{
	const struct preflight_outcome *o = &result->candidate;
	char reason[PREFLIGHT_TEXT + 32], figures[160];
	struct store_words words = { .by = STATE_BY_PREFLIGHT,
				     .reason = reason, .payload = figures };
	bool again = agent_put_off_times(p, p->target) == 0;

	text_format(reason, sizeof(reason), "%s: %s",
		    preflight_verdict_name(o->verdict), o->text);
	text_format(figures, sizeof(figures), "asked=%u median_us=%llu "
		    "memory=%llu ratio_percent=%u", o->figures.asked,
		    (unsigned long long)(o->figures.median_ns / 1000),
		    (unsigned long long)o->figures.memory_bytes,
		    result->ratio_percent);
	words.payload_size = strlen(figures);
	log_notice("%s: preflight of %s: %s", p->told.name,
		   agent_short(p->target).text, reason);
	if (o->verdict == PREFLIGHT_PASSED) {
		agent_put_off_end(p, p->target);
		agent_changed(p, store_note(p->store, STATE_EVENT_PREFLIGHTED,
					    p->target, NULL, &words));
		return;
	}
	if (preflight_could_not_tell(o->verdict) ||
	    (again && may_be_load(o->verdict))) {
		agent_put_off(p, p->target);
		agent_changed(p, store_note(p->store, STATE_EVENT_PUT_OFF,
					    p->target, NULL, &words));
		agent_progress(p, p->target, "preflight", reason, false, 0);
		return;
	}
	if (o->verdict == PREFLIGHT_SCHEMA) {
		/* Not its fault: it may fit the code of tomorrow. */
		agent_changed(p, store_note(p->store, STATE_EVENT_UNFIT,
					    p->target, NULL, &words));
	} else {
		agent_changed(p, store_quarantine(p->store, p->target,
						  &words));
	}
	agent_progress(p, p->target, "preflight", reason, true, EBADMSG);
}

void agent_preflight_over(struct agent_product_state *p,
			  const struct preflight_outcome *outcome)
{
	struct preflight_result result;
	int r;

	if (outcome->schema[0]) {
		p->code_known = true;
		p->code_fields = outcome->fields;
		memcpy(p->code_schema, outcome->schema,
		       sizeof(p->code_schema));
	}
	if (p->step == AGENT_STEP_BASELINE) {
		p->baseline = *outcome;
		p->baseline_known = true;
		agent_try_stop(p);
		agent_step(p, AGENT_STEP_CANDIDATE, 0);
		r = agent_try_preflight(p, p->target, p->target, NULL);
		if (r < 0) {
			agent_on_try_over(p, strerror(-r), false);
		}
		return;
	}
	preflight_judge(outcome, p->baseline_known ? &p->baseline : NULL,
			&result);
	agent_try_stop(p);
	agent_step(p, AGENT_STEP_IDLE, 0);
	preflight_act(p, &result);
	agent_think(p);
}

void agent_on_try_over(struct agent_product_state *p, const char *why,
		       bool charged)
{
	enum agent_step step = p->step;
	struct preflight_outcome unclear = { .verdict = PREFLIGHT_UNCLEAR };
	struct store_words words = { .by = STATE_BY_TRIAL, .reason = why };

	text_format(unclear.text, sizeof(unclear.text), "%s", why);
	if (step == AGENT_STEP_REPLAY_NEW || step == AGENT_STEP_REPLAY_OLD) {
		agent_replay_over(p, &unclear);
		return;
	}
	if (step == AGENT_STEP_BASELINE || step == AGENT_STEP_CANDIDATE) {
		/* Without a baseline it is tried all the same. */
		agent_preflight_over(p, &unclear);
		return;
	}
	agent_try_stop(p);
	agent_step(p, AGENT_STEP_IDLE, 0);
	agent_put_off(p, p->target);
	log_warning("%s: %s beside the version in use: %s", p->told.name,
		    agent_short(p->target).text, why);
	if (charged) {
		agent_changed(p, store_fault(p->store, p->target, NULL,
					     &words));
	}
	if (is_active(p, p->target)) {
		/* It does not even load: the former one goes on. */
		agent_revert(p, NULL, STATE_BY_TRIAL, why);
	}
	agent_progress(p, p->target, "activate", why, true, ECANCELED);
	agent_think(p);
}

/* ---- thinking ---- */

/* A trial ended, and what runs is what should. A try has none open now. */
static void tidy(struct agent_product_state *p)
{
	uint8_t used[2][JOURNAL_HASH];
	int r;

	if (!p->untidy) {
		return;
	}
	p->untidy = false;
	memcpy(used[0], p->runs, JOURNAL_HASH);
	memcpy(used[1], p->frozen_hash, JOURNAL_HASH);
	r = store_tidy(p->store, (const uint8_t (*)[JOURNAL_HASH])used,
		       p->frozen ? 2 : 1);
	if (r < 0) {
		log_warning("%s: %s", p->told.name, store_reason(p->store));
	}
}

static void trial_good(struct agent_product_state *p)
{
	struct store_words words = {
		.by = STATE_BY_TRIAL,
		.reason = decide_reason_text(DECIDE_BECAUSE_TRIAL_GOOD),
	};
	uint8_t hash[VERSION_HASH];
	int r;

	memcpy(hash, p->trial_hash, sizeof(hash));
	r = store_trial_end(p->store, hash, &words);
	if (r != STORE_DONE) {
		agent_changed(p, r);
		return;
	}
	p->trial = false;
	frozen_release(p);
	log_notice("%s: %s is good", p->told.name, agent_short(hash).text);
	agent_progress(p, hash, "done", "good", true, 0);
	p->untidy = true;
}

/* Over many objects and users, as health.h demands: not one user's doing. */
static void trial_bad(struct agent_product_state *p)
{
	enum health_measure why = HEALTH_FAULTS;
	char reason[AGENT_WHY];
	struct store_words words = { .by = STATE_BY_TRIAL, .reason = reason };
	uint8_t hash[VERSION_HASH];

	(void)health_verdict(&p->health, &why);
	text_format(reason, sizeof(reason), "%s: %s",
		    health_measure_name(why), health_measure_text(why));
	memcpy(hash, p->trial_hash, sizeof(hash));
	log_warning("%s: back from %s: %s", p->told.name,
		    agent_short(hash).text, words.reason);
	agent_changed(p, store_quarantine(p->store, hash, &words));
	agent_progress(p, hash, "trial", words.reason, true, ECANCELED);
}

/* It should go, and none behind it was ever good here: one that is on trial
 * goes all the same, back to what the product was installed with. One that was
 * good stays, and there is an alarm. */
static void first_bad(struct agent_product_state *p,
		      const struct decide_inputs *in, uint32_t index)
{
	const struct decide_version *v = &in->version[index];

	if (v->state != DECIDE_TRIAL) {
		return;
	}
	if (in->verdict == HEALTH_REVERT) {
		trial_bad(p);
	} else if (v->flags & (DECIDE_IS_REVOKED | DECIDE_IS_BARRED)) {
		agent_revert(p, NULL, STATE_BY_PUBLISHER,
			     decide_reason_text(v->flags & DECIDE_IS_REVOKED
				     ? DECIDE_BECAUSE_REVOKED
				     : DECIDE_BECAUSE_QUARANTINED_THERE));
	}
}

/* Waiting will not help. */
static bool is_refusal(uint32_t reason)
{
	static const uint32_t refusals[] = {
		DECIDE_BECAUSE_REVOKED, DECIDE_BECAUSE_QUARANTINED,
		DECIDE_BECAUSE_QUARANTINED_THERE, DECIDE_BECAUSE_EXPIRED,
		DECIDE_BECAUSE_BELOW_FLOOR, DECIDE_BECAUSE_SCHEMA,
		DECIDE_BECAUSE_NO_LIMITS, DECIDE_BECAUSE_LIMITS,
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		if (refusals[i] == reason) {
			return true;
		}
	}
	return false;
}

/* True: decide again at once. */
static bool act(struct agent_product_state *p, const struct decision *d,
		const struct agent_inputs *i)
{
	const uint8_t *hash = d->target == DECIDE_NONE ? NULL
						       : i->hash[d->target];

	switch (d->action) {
	case DECIDE_DO_FETCH:
		return !p->filling && agent_fill_begin(p, hash);
	case DECIDE_DO_PREFLIGHT:
		preflight_begin(p, hash);
		return false;
	case DECIDE_DO_ACTIVATE:
		activation_begin(p, hash);
		return false;
	case DECIDE_DO_REVERT:
		if (d->reason == DECIDE_BECAUSE_TRIAL_FAULT) {
			trial_bad(p);
		} else {
			agent_revert(p, hash, STATE_BY_PUBLISHER,
				     decide_reason_text(d->reason));
		}
		return false;
	case DECIDE_DO_NONE:
		if (d->reason == DECIDE_BECAUSE_TRIAL_GOOD) {
			trial_good(p);
			return !p->trial;
		}
		return false;
	default:
		if (d->reason == DECIDE_BECAUSE_NO_OTHER) {
			first_bad(p, &i->in, d->target);
		} else if (hash && !is_active(p, hash)) {
			agent_progress(p, hash, "wait",
				       decide_reason_text(d->reason), true,
				       is_refusal(d->reason) ? EBADMSG : 0);
		}
		return false;
	}
}

void agent_think(struct agent_product_state *p)
{
	struct agent_inputs inputs;
	struct decision d = { 0 };
	uint64_t s;

	if (!p->present || !p->store || !p->agent->begun ||
	    p->step != AGENT_STEP_IDLE) {
		return;
	}
	p->due = mono_add(mono_now(), THINK_MOST_S * MONO_S);
	if (agent_faults(p) || agent_align(p)) {
		return;
	}
	frozen_release(p);
	agent_open_staging(p);
	if (p->refresh) {
		agent_staging_look(p);
	}
	agent_policies_read(p->agent);
	for (unsigned n = 0; n < THINK_TURNS && p->step == AGENT_STEP_IDLE;
	     n++) {
		d = agent_decide(p, &inputs);
		if (!act(p, &d, &inputs)) {
			break;
		}
	}
	if (p->step == AGENT_STEP_IDLE) {
		tidy(p);
	}
	agent_alarm_update(p);
	s = d.wait_s && d.wait_s < THINK_MOST_S ? d.wait_s : THINK_MOST_S;
	p->due = mono_add(mono_now(), s * MONO_S);
}

void agent_product_tick(struct agent_product_state *p)
{
	mono_t now = mono_now();
	enum agent_step step = p->step;

	if (!p->present || !p->store) {
		return;
	}
	if (step == AGENT_STEP_IDLE) {
		if (now.ns >= p->due.ns) {
			agent_think(p);
		}
		return;
	}
	if (p->try.run || (p->try.id && p->try.limit.ns &&
			   now.ns >= p->try.limit.ns)) {
		agent_try_turn(p);
		return;
	}
	if (!p->limit.ns || now.ns < p->limit.ns) {
		return;
	}
	log_warning("%s: no word from the monitor while %s", p->told.name,
		    agent_step_name(step));
	if (step == AGENT_STEP_STANDBY) {
		agent_on_try_over(p, "not ready in time", true);
		return;
	}
	agent_step(p, AGENT_STEP_IDLE, 0);
	if (agent_on_trial(p)) {
		agent_revert(p, NULL, STATE_BY_TRIAL, "not ready in time");
	}
	if (p->step == AGENT_STEP_IDLE) {
		agent_think(p);
	}
}

/* ---- what the monitor says ---- */

static void standby_ready(struct agent_product_state *p)
{
	struct agent_message m = { .try = p->try.id };

	if (activate(p, p->target) < 0) {
		agent_try_stop(p);
		agent_step(p, AGENT_STEP_IDLE, 0);
		return;
	}
	agent_step(p, AGENT_STEP_SWITCHING, SWITCH_S);
	agent_tell(p, AGENT_SWITCH, &m);
}

void agent_on_ready(struct agent_product_state *p,
		    const struct agent_message *m)
{
	if (m->type == AGENT_TRY_READY) {
		standby_ready(p);
		return;
	}
	p->serving = p->wanted = p->runs_known = true;
	p->runs_try = m->try;
	memcpy(p->runs, m->hash, VERSION_HASH);
	if (p->step == AGENT_STEP_RELOADING ||
	    p->step == AGENT_STEP_RETURNING) {
		agent_step(p, AGENT_STEP_IDLE, 0);
	}
	agent_believe(p);
	agent_trial_begin(p);
	agent_think(p);
}

void agent_on_switched(struct agent_product_state *p,
		       const struct agent_message *m)
{
	if (p->step != AGENT_STEP_SWITCHING || m->try != p->try.id) {
		return;
	}
	p->frozen = true;
	memcpy(p->frozen_hash, p->runs, VERSION_HASH);
	memcpy(p->runs, p->target, VERSION_HASH);
	p->runs_try = m->try;
	p->runs_known = p->serving = true;
	p->try.id = 0;          /* it is the product now */
	agent_try_drop(p);
	agent_step(p, AGENT_STEP_IDLE, 0);
	agent_trial_begin(p);
	agent_think(p);
}

void agent_on_switched_back(struct agent_product_state *p,
			    const struct agent_message *m)
{
	if (m->fault != AGENT_FAULT_NONE) {
		log_warning("%s: the former instance is asked again after "
			    "%llu us: %s", p->told.name,
			    (unsigned long long)(m->number / 1000), m->text);
	}
	p->frozen = false;
	p->serving = p->runs_known = true;
	p->runs_try = m->try;
	memcpy(p->runs, m->hash, VERSION_HASH);
	if (p->step == AGENT_STEP_RETURNING ||
	    p->step == AGENT_STEP_SWITCHING) {
		agent_try_drop(p);
		agent_step(p, AGENT_STEP_IDLE, 0);
	}
	p->trial = false;
	agent_believe(p);
	/* What ended is told next; a fault is looked at before all else. */
	p->due = mono_add(mono_now(), 500 * MONO_MS);
}

void agent_on_content_done(struct agent_product_state *p,
			   const struct agent_message *m)
{
	struct store_words words = { .by = STATE_BY_TRIAL,
				     .reason = "it was refused by the product "
					       "that should load it" };
	uint8_t hash[VERSION_HASH];

	if (p->step != AGENT_STEP_RELOADING &&
	    p->step != AGENT_STEP_RETURNING) {
		return;
	}
	memcpy(hash, p->target, sizeof(hash));
	agent_step(p, AGENT_STEP_IDLE, 0);
	if (m->number == 0) {
		p->runs_known = true;
		memcpy(p->runs, m->hash, VERSION_HASH);
		agent_believe(p);
		agent_trial_begin(p);
	} else if (is_active(p, hash)) {
		/* The former one is still loaded. */
		agent_changed(p, store_fault(p->store, hash, NULL, &words));
		if (is_active(p, hash)) {
			agent_revert(p, NULL, STATE_BY_TRIAL, words.reason);
		}
	}
	agent_think(p);
}

void agent_on_refused(struct agent_product_state *p,
		      const struct agent_message *m)
{
	char why[AGENT_WHY];

	if (m->refused == AGENT_BELIEVE) {
		return;                 /* a person chose meanwhile */
	}
	text_format(why, sizeof(why), "the monitor refused: %s", m->text);
	log_warning("%s: %s", p->told.name, why);
	if (m->refused == AGENT_TRY_START) {
		if (m->try == p->try.id) {
			agent_on_try_over(p, why, false);
		}
		return;
	}
	if (m->refused == AGENT_SWITCH && p->step == AGENT_STEP_SWITCHING) {
		agent_on_try_over(p, why, false);
		return;
	}
	if (m->refused == AGENT_SWITCH_BACK) {
		p->frozen = false;      /* there is none: another way */
	}
	if (p->step == AGENT_STEP_RETURNING ||
	    p->step == AGENT_STEP_RELOADING) {
		agent_step(p, AGENT_STEP_IDLE, 0);
		p->due = mono_add(mono_now(), MONO_S);
	}
}
