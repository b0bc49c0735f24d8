/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_decide.c - the inputs of a decision, gathered; the decision, journalled
 *
 * Versions that count: what runs, what the lease names, what metadata list,
 * then the newest that have a slot. What does not fit is older than all of
 * those. A decision is written when it is another than the last one.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/agent.h"
#include "base/text.h"
#include "content/schema.h"

static bool has(const struct agent_inputs *i, const uint8_t *hash)
{
	for (uint32_t k = 0; k < i->in.versions; k++) {
		if (agent_hash_same(i->hash[k], hash)) {
			return true;
		}
	}
	return false;
}

static bool misfits(const struct agent_product_state *p, const char *schema,
		    uint32_t fields)
{
	const struct schema code = { p->code_schema, p->code_fields };
	const struct schema version = { schema, fields };
	char why[AGENT_WHY];

	return p->code_known &&
	       schema_fit(&code, &version, why, sizeof(why)) != SCHEMA_FITS;
}

static bool foreign(const struct agent_product_state *p, const char *schema)
{
	for (uint32_t i = 0; i < p->limits_schemas; i++) {
		if (strcmp(p->limits_schema[i], schema) == 0) {
			return false;
		}
	}
	return p->limits.given;
}

static uint32_t retry_s(const struct agent_product_state *p,
			const uint8_t *hash)
{
	for (size_t i = 0; i < AGENT_PUT_OFF; i++) {
		if (agent_hash_same(p->put_off[i].hash, hash)) {
			return (uint32_t)((mono_between(mono_now(),
						p->put_off[i].until) +
					   MONO_S - 1) / MONO_S);
		}
	}
	return 0;
}

static uint32_t state_of(const struct state_version *v)
{
	static const uint32_t states[STATES] = {
		[STATE_FETCHED] = DECIDE_LISTED,
		[STATE_VERIFIED] = DECIDE_VERIFIED,
		[STATE_PREFLIGHTED] = DECIDE_PREFLIGHTED,
		[STATE_TRIAL] = DECIDE_TRIAL,
		[STATE_GOOD] = DECIDE_GOOD,
		[STATE_QUARANTINED] = DECIDE_QUARANTINED,
	};

	return v ? states[v->state] : DECIDE_LISTED;
}

static void add(struct agent_product_state *p, struct agent_inputs *i,
		const uint8_t *hash, const struct version *version)
{
	const struct state *state = store_state(p->store);
	const struct state_version *known = state_find(state, hash);
	struct decide_version *v = &i->in.version[i->in.versions];
	uint64_t bytes = 0;

	if (i->in.versions == DECIDE_VERSIONS || has(i, hash)) {
		return;
	}
	for (size_t k = 0; k < version->files; k++) {
		bytes += version->file[k].length;
	}
	*v = (struct decide_version){
		.number = version->number, .floor = version->floor,
		.class = version->kind, .state = state_of(known),
		.files = (uint32_t)version->files, .bytes = bytes,
		.bake_s = version->bake_s,
		.min_events = version->min_events < UINT32_MAX
				      ? (uint32_t)version->min_events
				      : UINT32_MAX,
		.seen_s = decide_age((uint64_t)(agent_now_s(p) -
						agent_seen_s(p, hash))),
		.retry_s = retry_s(p, hash),
	};
	v->flags = (agent_is_revoked(p, hash) ? DECIDE_IS_REVOKED : 0u) |
		   (version->urgent ? DECIDE_IS_URGENT : 0u) |
		   (agent_is_leased(p, hash) ? DECIDE_IS_LEASED : 0u) |
		   (misfits(p, version->schema, version->fields)
			    ? DECIDE_IS_MISFIT : 0u) |
		   (foreign(p, version->schema) ? DECIDE_IS_FOREIGN : 0u);
	memcpy(i->hash[i->in.versions], hash, VERSION_HASH);
	text_format(i->name[i->in.versions], VERSION_TEXT, "%s",
		    version->version);
	i->in.versions++;
}

static void add_kept(struct agent_product_state *p, struct agent_inputs *i,
		     const uint8_t *hash)
{
	cleanup_version struct version *version = NULL;

	if (i->in.versions < DECIDE_VERSIONS && !has(i, hash) &&
	    store_version(p->store, hash, &version) == 0) {
		add(p, i, hash, version);
	}
}

static void versions(struct agent_product_state *p, struct agent_inputs *i)
{
	const struct state *state = store_state(p->store);
	const struct state_version *active = state_active(state);
	const struct state_version *newest[STATE_KEPT];
	size_t n = state_newest(state, newest);

	if (active) {
		add_kept(p, i, active->hash);
		i->in.running = i->in.versions ? 0 : DECIDE_NONE;
	}
	if (n > 0) {            /* where it would go back to */
		add_kept(p, i, newest[0]->hash);
	}
	if (p->lease_given) {
		add_kept(p, i, p->lease.hash);
	}
	for (size_t k = p->listed_count; k > 0; k--) {
		add(p, i, p->listed[k - 1].hash, p->listed[k - 1].version);
	}
	for (size_t k = 1; k < n; k++) {
		add_kept(p, i, newest[k]->hash);
	}
	for (size_t k = 0; k < state->count; k++) {
		const struct state_version *v = &state->version[k];

		if (v->state == STATE_VERIFIED ||
		    v->state == STATE_PREFLIGHTED) {
			add_kept(p, i, v->hash);
		}
	}
}

/* ---- the rest ---- */

static void lease_in(struct agent_product_state *p, struct agent_inputs *i,
		     const struct clock_reading *now)
{
	const struct agent_memory *m = &p->memory;
	const struct lease *lease = p->lease_given ? &p->lease : NULL;
	int64_t now_s = i->in.now_s;

	decide_lease(&i->in, lease, p->agent->stratum, &m->prior, i->hash);
	if (m->prior.known) {
		i->in.prior.age_s = decide_age(clock_between_s(
			&m->prior_at, m->prior_at_s, now, now_s));
	}
	if (!lease) {
		return;
	}
	i->in.lease.age_s = decide_age(clock_between_s(&p->lease_at,
					p->lease_at_s, now, now_s));
	i->in.lease.life_s = lease->valid_until_s > p->lease_at_s
		? decide_age((uint64_t)(lease->valid_until_s - p->lease_at_s))
		: 0;
	if (lease_bucket(lease, p->agent->host, p->agent->host_length,
			 &i->in.bucket) < 0) {
		i->in.bucket = LEASE_BUCKETS - 1;       /* nobody knows whose
							 * turn it is */
	}
}

static void policy_in(struct agent_product_state *p, struct agent_inputs *i)
{
	const struct state *state = store_state(p->store);
	const struct state_host *host = &state->host;
	struct policy_acts acts = {
		.pause = host->paused &&
			 (!host->paused_until_s ||
			  (int64_t)host->paused_until_s > i->in.now_s),
		.pinned = !agent_hash_none(host->pin),
	};
	const char *names[DECIDE_VERSIONS];

	if (acts.pinned) {
		version_hex(host->pin, acts.version);
	}
	for (uint32_t k = 0; k < i->in.versions; k++) {
		names[k] = i->name[k];
	}
	for (uint32_t c = 0; c < LEASE_CLASSES; c++) {
		char text[POLICY_PIN];

		policy_resolve(&p->agent->policies, p->told.name, c, &acts,
			       &i->in.policy[c], text);
		i->in.pinned[c] = i->in.policy[c].pin == POLICY_PINNED
			? decide_pin(&i->in, text, names, i->hash)
			: DECIDE_NONE;
	}
}

void agent_inputs(struct agent_product_state *p, struct agent_inputs *ret)
{
	struct clock_reading now = agent_reading();
	struct clock_now clock = clock_now(&p->memory.floor, &now);
	time_t t = (time_t)clock.now_s;
	struct tm local = { 0 };

	decide_begin(&ret->in);
	ret->in.now_s = clock.now_s;
	ret->in.trust = clock.trust;
	localtime_r(&t, &local);
	ret->in.weekday = (uint32_t)local.tm_wday;
	ret->in.minute = (uint32_t)(local.tm_hour * 60 + local.tm_min);
	versions(p, ret);
	lease_in(p, ret, &now);
	policy_in(p, ret);
	ret->in.affordable = 1;
	/* Without content it may not be able to start at all. */
	ret->in.unhealthy = p->wanted && !p->serving &&
			    ret->in.running != DECIDE_NONE;
	ret->in.limits = p->limits;
	if (p->memory.data_at_s) {
		ret->in.data_known = 1;
		ret->in.data_age_s = decide_age(
			(uint64_t)(clock.now_s - p->memory.data_at_s));
	}
	if (agent_on_trial(p)) {
		ret->in.verdict = health_verdict(&p->health, NULL);
		ret->in.trial_s = decide_age(agent_trial_s(p));
	}
}

/* The prior lease's time is that of this decision, though nothing else of it
 * changed: what is written down follows by minutes. */
static void remember(struct agent_product_state *p, const struct decision *d,
		     const struct agent_inputs *i)
{
	struct agent_memory *m = &p->memory;
	struct lease_prior prior = m->prior;

	if (d->accepted && p->lease_given) {
		lease_remember(&p->lease, p->agent->stratum, &m->prior);
		m->prior_at = agent_reading();
		m->prior_at_s = i->in.now_s;
		if (memcmp(&prior, &m->prior, sizeof(prior)) != 0) {
			agent_memory_save(p);
		}
	}
	if (d->admitted && i->in.lease.release != DECIDE_NONE) {
		agent_leased_add(p, p->lease.hash);
	}
	agent_memory_keep(p);
}

uint32_t agent_by(uint32_t reason)
{
	const char *by = decide_reason_by(reason);

	for (uint32_t k = 0; k < STATE_BYS; k++) {
		if (strcmp(state_by_name(k), by) == 0) {
			return k;
		}
	}
	return STATE_BY_BAILEY;
}

/* A failure to write it changes nothing: the next one is tried again. */
static void journal(struct agent_product_state *p, const struct decision *d,
		    const struct agent_inputs *i, const uint8_t *hash)
{
	uint8_t bytes[DECIDE_BYTES];
	int n = decide_encode(&i->in, bytes, sizeof(bytes));
	char reason[AGENT_WHY];
	struct store_words words = {
		.by = agent_by(d->reason), .reason = reason,
		.payload = n > 0 ? bytes : NULL,
		.payload_size = n > 0 ? (size_t)n : 0,
	};

	text_format(reason, sizeof(reason), "%s: %s",
		    decide_action_name(d->action),
		    decide_reason_text(d->reason));
	if (store_note(p->store, STATE_EVENT_DECIDED, hash, NULL, &words) ==
	    0) {
		memcpy(p->decided, hash, VERSION_HASH);
		p->decided_known = true;
	}
}

struct decision agent_decide(struct agent_product_state *p,
			     struct agent_inputs *ret_inputs)
{
	static const uint8_t nothing[VERSION_HASH];
	const uint8_t *hash;
	struct decision d;

	agent_inputs(p, ret_inputs);
	d = decide(&ret_inputs->in);
	hash = d.target == DECIDE_NONE ? nothing : ret_inputs->hash[d.target];
	if (!p->decided_known || d.action != p->decision.action ||
	    d.reason != p->decision.reason ||
	    !agent_hash_same(hash, p->decided)) {
		journal(p, &d, ret_inputs, hash);
	}
	remember(p, &d, ret_inputs);
	p->decision = d;
	text_format(p->waits_for, sizeof(p->waits_for), "%s",
		    decide_reason_text(d.reason));
	return d;
}
