/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_trial.c - is the version on trial worse than the one before?
 *
 * Counters of the engine, looked at once a second while a version is on trial
 * and every ten seconds before, become what content/health.h bets on. The
 * engine counts distinct objects and users that were denied, and how many of
 * the objects are one user's who has most; so many observations are made of
 * them, the rest spread over the other users: one user who opens one file a
 * thousand times is one observation, and a thousand files are one user's.
 */
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"

#define OBSERVED_MOST 512u      /* a look */
#define USER_MOST 1u            /* who has most of what was denied */
#define USER_ALLOWED 1000u      /* where users of allowed answers begin */

bool agent_on_trial(const struct agent_product_state *p)
{
	const struct state_version *v;

	if (!p->trial || !p->store) {
		return false;
	}
	v = state_active(store_state(p->store));
	return v && v->state == STATE_TRIAL &&
	       agent_hash_same(v->hash, p->trial_hash) &&
	       agent_hash_same(v->hash, p->runs);
}

uint64_t agent_trial_s(const struct agent_product_state *p)
{
	return p->trial ? mono_between(p->trial_since, mono_now()) / MONO_S
			: 0;
}

/* What runs is on trial by the journal: it is watched from now on. The bake
 * time of an agent that came anew begins anew: nothing shortens it. */
void agent_trial_begin(struct agent_product_state *p)
{
	const struct state_version *v = state_active(store_state(p->store));
	cleanup_version struct version *version = NULL;
	struct decide_version taken = { 0 };
	struct health_goal goal;

	if (!v || v->state != STATE_TRIAL || !agent_hash_same(v->hash,
							      p->runs) ||
	    (p->trial && agent_hash_same(v->hash, p->trial_hash))) {
		return;
	}
	if (store_version(p->store, v->hash, &version) < 0) {
		return;
	}
	taken.class = version->kind;
	taken.bake_s = version->bake_s;
	taken.min_events = version->min_events < UINT32_MAX
				   ? (uint32_t)version->min_events
				   : UINT32_MAX;
	goal.bake_ms = decide_bake_s(&taken, &p->limits) * 1000ull;
	goal.min_events = decide_min_events(&taken, &p->limits);
	health_begin(&p->health, &goal);
	p->trial = true;
	p->trial_since = mono_now();
	p->counted_known = false;
	p->agent->view_next = mono_now();
	memcpy(p->trial_hash, v->hash, VERSION_HASH);
	agent_progress(p, v->hash, "trial", "", false, 0);
}

static uint64_t more(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : 0;        /* a new engine */
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void observe(struct agent_product_state *p, uint64_t n, uint64_t first,
		    uint64_t users, uint32_t user, bool denied, bool missed)
{
	for (uint64_t i = 0; i < least(n, OBSERVED_MOST); i++) {
		struct health_observation o = {
			.object = first + i + 1,
			.user = user + (uint32_t)(i % (users ? users : 1)),
			.denied = denied, .missed = missed,
		};

		health_observe(&p->health, &o);
	}
}

static void observations(struct agent_product_state *p,
			 const struct view_product *now,
			 const struct health_delta *d)
{
	const struct view_product *before = &p->counted;
	uint64_t objects = more(now->denied_objects, before->denied_objects);
	uint64_t most = least(objects, more(now->denied_most,
					    before->denied_most));
	uint64_t allowed = more(d->answered, d->denied);
	uint64_t first = now->denied_objects << 20;

	observe(p, most, first, 1, USER_MOST, true, false);
	observe(p, objects - most, first | OBSERVED_MOST,
		more(now->denied_users, 1), USER_MOST + 1, true, false);
	observe(p, allowed, 1ull << 62 | now->answered, 16, USER_ALLOWED,
		false, false);
	observe(p, d->missed, 1ull << 61 | now->missed, 16, USER_ALLOWED,
		false, true);
}

void agent_trial_counted(struct agent_product_state *p,
			 const struct view_product *now)
{
	const struct view_product *b = &p->counted;
	mono_t at = mono_now();
	struct health_delta d = { 0 };

	if (p->counted_known && p->serving) {
		d.elapsed_ms = mono_between(p->counted_at, at) / MONO_MS;
		d.asked = more(now->asked, b->asked);
		d.answered = more(now->answered, b->answered);
		d.missed = more(now->missed, b->missed);
		d.denied = more(now->denied, b->denied) +
			   more(now->would_deny, b->would_deny);
		d.news = more(now->news, b->news);
		d.news_lost = more(now->news_lost, b->news_lost);
		d.processor_us = more(now->cpu_ns, b->cpu_ns) / 1000;
		d.memory_bytes = now->memory;
		for (size_t i = 0; i < VIEW_LATENCIES; i++) {
			d.latency[i + 1] = more(now->latency[i],
						b->latency[i]);
		}
		observations(p, now, &d);
		health_count(&p->health, &d);
	}
	p->counted = *now;
	p->counted_known = true;
	p->counted_at = at;
	if (agent_on_trial(p) && p->step == AGENT_STEP_IDLE) {
		enum health_measure why;
		enum health_verdict verdict = health_verdict(&p->health, &why);

		if (verdict == HEALTH_REVERT) {
			log_warning("%s: on trial: %s", p->told.name,
				    health_measure_text(why));
		}
		agent_think(p);
	}
}
