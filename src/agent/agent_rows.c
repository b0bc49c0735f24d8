/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_rows.c - records of content.sock, from the journal and from memory
 *
 * Every member of a row is there, null until it is known (proto/content.h).
 */
#include <string.h>

#include "agent/agent_socket.h"
#include "base/text.h"

#define WHY_MOST 200u

struct member {
	const char *name;
	enum content_kind kind;
};

#define MEMBER(name, kind, help) { #name, CONTENT_KIND_##kind },
static const struct member product_members[] = {
	CONTENT_PRODUCT_TABLE(MEMBER) { NULL, 0 } };
static const struct member version_members[] = {
	CONTENT_VERSION_TABLE(MEMBER) { NULL, 0 } };
static const struct member reason_members[] = {
	CONTENT_REASON_TABLE(MEMBER) { NULL, 0 } };
static const struct member progress_members[] = {
	CONTENT_PROGRESS_TABLE(MEMBER) { NULL, 0 } };
#undef MEMBER

static json_t *row_new(const char *type, const struct member *members)
{
	json_t *row = json_object();

	json_object_set_new(row, "type", json_string(type));
	for (; members->name; members++) {
		json_object_set_new(row, members->name,
				    members->kind == CONTENT_KIND_TRUTH
					    ? json_false() : json_null());
	}
	return row;
}

/* What came from elsewhere need not be UTF-8. */
static void set_text(json_t *row, const char *name, const char *text)
{
	char clean[CONTENT_TEXT_MOST];
	json_t *string = json_string(text);

	if (!string) {
		text_format(clean, sizeof(clean), "%s", text);
		for (char *c = clean; *c; c++) {
			*c = (unsigned char)*c < 0x80 ? *c : '?';
		}
		string = json_string(clean);
	}
	json_object_set_new(row, name, text[0] ? string : json_null());
	if (!text[0]) {
		json_decref(string);
	}
}

static void set_number(json_t *row, const char *name, uint64_t number)
{
	json_object_set_new(row, name, json_integer((json_int_t)number));
}

static void set_truth(json_t *row, const char *name, bool truth)
{
	json_object_set_new(row, name, json_boolean(truth));
}

static void set_hash(json_t *row, const char *name,
		     const uint8_t hash[VERSION_HASH])
{
	char hex[VERSION_HEX];

	if (!agent_hash_none(hash)) {
		version_hex(hash, hex);
		set_text(row, name, hex);
	}
}

static uint64_t wall_s(const struct journal_time *time)
{
	return time->wall_ns / MONO_S;
}

/* ---- products ---- */

static void product_active(json_t *row, struct agent_product_state *p)
{
	const struct state *state = store_state(p->store);
	const struct state_version *v = state_active(state);
	const struct state_version *back = state_back(state);

	if (back) {
		set_hash(row, "previous", back->hash);
	}
	if (!v) {
		return;
	}
	set_text(row, "state", state_name(v->state));
	set_text(row, "version", v->facts.name);
	set_number(row, "number", v->facts.number);
	set_hash(row, "hash", v->hash);
	set_text(row, "class", version_class_name(v->facts.kind));
	set_number(row, "since", wall_s(&v->since));
	if (agent_on_trial(p)) {
		uint64_t bake_s = p->health.goal.bake_ms / 1000;
		uint64_t gone_s = agent_trial_s(p);

		set_number(row, "trial_until", wall_now_ns() / MONO_S +
			   (bake_s > gone_s ? bake_s - gone_s : 0));
		set_number(row, "answered", p->health.answered);
		set_number(row, "needed", p->health.goal.min_events);
	}
}

/* The newest that is not what runs: listed, or in a slot and not good. */
static void product_next(json_t *row, struct agent_product_state *p)
{
	const struct state *state = store_state(p->store);
	const struct state_version *active = state_active(state);
	uint64_t least = active ? active->facts.number : 0;
	const char *name = NULL, *in = NULL;
	const uint8_t *hash = NULL;

	for (size_t i = 0; i < state->count; i++) {
		const struct state_version *v = &state->version[i];

		if (v != active && v->facts.number > least) {
			least = v->facts.number;
			name = v->facts.name;
			hash = v->hash;
			in = state_name(v->state);
		}
	}
	for (size_t i = 0; i < p->listed_count; i++) {
		const struct agent_listed *l = &p->listed[i];

		if (l->version->number > least) {
			least = l->version->number;
			name = l->version->version;
			hash = l->hash;
			in = "fetched";
		}
	}
	if (hash) {
		set_text(row, "next_version", name);
		set_number(row, "next_number", least);
		set_hash(row, "next_hash", hash);
		set_text(row, "next_state", in);
		set_text(row, "waits_for", p->step != AGENT_STEP_IDLE
			 ? agent_step_name(p->step)
			 : p->filling ? "its files are being copied"
				      : p->waits_for);
	}
}

json_t *row_product(struct agent_product_state *p)
{
	static const char *const reloads[] = { "parallel", "live", "restart" };
	static const char *const rings[LEASE_RINGS] = {
#define RING(sym, num, name) [num] = name,
		LEASE_RING_TABLE(RING)
#undef RING
	};
	json_t *row = row_new("product", product_members);
	const struct state_host *host = &store_state(p->store)->host;
	struct policy policy;
	char pin[POLICY_PIN];

	policy_resolve(&p->agent->policies, p->told.name, VERSION_CODE, NULL,
		       &policy, pin);
	set_text(row, "product", p->told.name);
	set_text(row, "reload", reloads[p->told.reload % 3]);
	product_active(row, p);
	product_next(row, p);
	set_hash(row, "pinned", host->pin);
	set_truth(row, "paused", host->paused || policy.pause);
	if (host->paused && host->paused_until_s) {
		set_number(row, "paused_until", host->paused_until_s);
	}
	set_text(row, "ring", rings[policy.ring % LEASE_RINGS]);
	if (p->lease_given && p->lease.valid_until_s > 0) {
		set_number(row, "lease_until",
			   (uint64_t)p->lease.valid_until_s);
	}
	if (p->checked_s > 0) {
		set_number(row, "checked", (uint64_t)p->checked_s);
	}
	if (p->reached_s > 0) {
		set_number(row, "reached", (uint64_t)p->reached_s);
	}
	set_text(row, "trouble", p->trouble);
	return row;
}

/* ---- versions ---- */

static void version_facts(json_t *row, const struct version *v)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < v->files; i++) {
		bytes += v->file[i].length;
	}
	set_text(row, "version", v->version);
	set_number(row, "number", v->number);
	set_text(row, "class", version_class_name(v->kind));
	set_text(row, "schema", v->schema);
	set_number(row, "fields", v->fields);
	set_number(row, "bytes", bytes);
	set_number(row, "files", v->files);
}

static void version_kept(struct agent_client *client,
			 struct agent_product_state *p,
			 const struct state_version *v)
{
	cleanup_version struct version *version = NULL;
	const struct state *state = store_state(p->store);
	json_t *row = row_new("version", version_members);

	set_text(row, "product", p->told.name);
	set_hash(row, "hash", v->hash);
	set_text(row, "version", v->facts.name);
	set_number(row, "number", v->facts.number);
	set_text(row, "class", version_class_name(v->facts.kind));
	if (v->kept && store_version(p->store, v->hash, &version) == 0) {
		version_facts(row, version);
	}
	set_text(row, "state", state_name(v->state));
	set_number(row, "since", wall_s(&v->since));
	set_truth(row, "active", v == state_active(state));
	set_truth(row, "kept", v->kept);
	set_truth(row, "revoked", agent_is_revoked(p, v->hash));
	set_text(row, "reason", state_reason(state, v));
	client_say(client, row);
}

void rows_versions(struct agent_client *client, struct agent_product_state *p)
{
	const struct state *state = store_state(p->store);

	for (size_t i = 0; i < state->count; i++) {
		version_kept(client, p, &state->version[i]);
	}
	for (size_t i = 0; i < p->listed_count; i++) {
		const struct agent_listed *l = &p->listed[i];
		json_t *row;

		if (state_find(state, l->hash)) {
			continue;
		}
		row = row_new("version", version_members);
		set_text(row, "product", p->told.name);
		set_hash(row, "hash", l->hash);
		version_facts(row, l->version);
		set_text(row, "state", "fetched");
		set_truth(row, "revoked", agent_is_revoked(p, l->hash));
		client_say(client, row);
	}
}

int version_meant(struct agent_product_state *p, const char *text,
		  uint8_t ret_hash[VERSION_HASH])
{
	const struct state *state = store_state(p->store);
	uint64_t best = 0;

	for (size_t i = 0; i < state->count; i++) {
		const struct state_version *v = &state->version[i];

		if (v->facts.number > best &&
		    policy_means(text, v->facts.number, v->facts.name,
				 v->hash)) {
			best = v->facts.number;
			memcpy(ret_hash, v->hash, VERSION_HASH);
		}
	}
	for (size_t i = 0; i < p->listed_count; i++) {
		const struct agent_listed *l = &p->listed[i];

		if (l->version->number > best &&
		    policy_means(text, l->version->number,
				 l->version->version, l->hash)) {
			best = l->version->number;
			memcpy(ret_hash, l->hash, VERSION_HASH);
		}
	}
	return best == 0;
}

/* ---- why ---- */

struct why {
	struct agent_client *client;
	struct agent_product_state *p;
	const uint8_t *version;
};

static void inputs_text(json_t *row, const void *bytes, size_t size)
{
	struct decide_inputs in;
	struct decision d;
	char text[320];

	if (decide_decode(bytes, size, &in) < 0) {
		return;
	}
	d = decide(&in);
	text_format(text, sizeof(text),
		    "action=%s reason=%s now=%lld lease=%s bucket=%llu "
		    "bound=%llu/%llu/%llu release=%d running=%d versions=%u "
		    "trial_s=%u verdict=%s wait_s=%llu",
		    decide_action_name(d.action), decide_reason_name(d.reason),
		    (long long)in.now_s,
		    !in.lease.given ? "none"
		    : in.now_s < in.lease.valid_until_s ? "valid" : "expired",
		    (unsigned long long)in.bucket,
		    (unsigned long long)in.lease.bound[0],
		    (unsigned long long)in.lease.bound[1],
		    (unsigned long long)in.lease.bound[2],
		    (int)in.lease.release, (int)in.running, in.versions,
		    in.trial_s, health_verdict_name(in.verdict),
		    (unsigned long long)d.wait_s);
	set_text(row, "inputs", text);
}

static void why_version(json_t *row, struct agent_product_state *p,
			const uint8_t hash[VERSION_HASH])
{
	const struct state_version *v = state_find(store_state(p->store),
						   hash);
	const struct agent_listed *l = agent_listed_find(p, hash);

	set_hash(row, "hash", hash);
	if (v) {
		set_text(row, "version", v->facts.name);
		set_number(row, "number", v->facts.number);
	} else if (l) {
		set_text(row, "version", l->version->version);
		set_number(row, "number", l->version->number);
	}
}

/* What only rebuilds state says nothing to people. */
static bool is_plumbing(uint32_t type)
{
	return type == STATE_EVENT_BASE || type == STATE_EVENT_HOST ||
	       type == STATE_EVENT_VERSION || type == STATE_EVENT_REMEMBER;
}

static int why_record(void *context, const struct journal_record *r)
{
	struct why *why = context;
	json_t *row;

	if (is_plumbing(r->type) ||
	    (why->version && !agent_hash_same(r->hash, why->version))) {
		return 0;
	}
	row = row_new("reason", reason_members);
	set_text(row, "product", why->p->told.name);
	set_number(row, "time", wall_s(&r->time));
	set_text(row, "what", state_event_name(r->type));
	why_version(row, why->p, r->hash);
	set_text(row, "by", state_by_name(r->by));
	set_text(row, "reason", r->reason);
	if (r->type == STATE_EVENT_DECIDED) {
		inputs_text(row, r->payload, r->payload_size);
	} else if (r->type == STATE_EVENT_PREFLIGHTED ||
		   r->type == STATE_EVENT_PUT_OFF) {
		char text[JOURNAL_PAYLOAD + 1];

		text_format(text, sizeof(text), "%.*s", (int)r->payload_size,
			    (const char *)r->payload);
		set_text(row, "inputs", text);
	}
	client_say(why->client, row);
	return 0;
}

void rows_why(struct agent_client *client, struct agent_product_state *p,
	      const uint8_t *version)
{
	struct why why = { client, p, version };
	struct agent_inputs i;
	uint8_t bytes[DECIDE_BYTES];
	struct decision d;
	json_t *row;
	int n = store_history(p->store, WHY_MOST, why_record, &why);

	agent_inputs(p, &i);
	d = decide(&i.in);
	n = n < 0 ? n : decide_encode(&i.in, bytes, sizeof(bytes));
	row = row_new("reason", reason_members);
	set_text(row, "product", p->told.name);
	set_number(row, "time", wall_now_ns() / MONO_S);
	set_truth(row, "now", true);
	set_text(row, "what", p->step == AGENT_STEP_IDLE
		 ? decide_action_name(d.action) : agent_step_name(p->step));
	if (d.target != DECIDE_NONE) {
		why_version(row, p, i.hash[d.target]);
	}
	set_text(row, "by", decide_reason_by(d.reason));
	set_text(row, "reason", decide_reason_text(d.reason));
	if (n > 0) {
		inputs_text(row, bytes, (size_t)n);
	}
	client_say(client, row);
}

json_t *row_progress(const struct agent_product_state *p, const uint8_t *hash,
		     const char *step, const char *reason)
{
	json_t *row = row_new("progress", progress_members);
	const struct state_version *v = hash
		? state_find(store_state(p->store), hash) : NULL;

	set_text(row, "product", p->told.name);
	set_text(row, "step", step);
	if (hash) {
		set_hash(row, "hash", hash);
	}
	if (v) {
		set_text(row, "version", v->facts.name);
	}
	set_number(row, "done", 0);
	set_text(row, "reason", reason);
	return row;
}
