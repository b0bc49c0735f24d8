/* SPDX-License-Identifier: Apache-2.0 */
/* decide_fill.c - the inputs of decide() (decide.h): filled in, and checked */
#include <stdio.h>
#include <string.h>

#include "content/decide.h"

void decide_begin(struct decide_inputs *ret_inputs)
{
	memset(ret_inputs, 0, sizeof(*ret_inputs));
	ret_inputs->lease.release = DECIDE_NONE;
	ret_inputs->lease.back = DECIDE_NONE;
	ret_inputs->running = DECIDE_NONE;
	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		policy_defaults(&ret_inputs->policy[i]);
		ret_inputs->pinned[i] = DECIDE_NONE;
	}
}

static uint32_t find(const struct decide_inputs *inputs,
		     const uint8_t (*hash)[VERSION_HASH],
		     const uint8_t wanted[VERSION_HASH])
{
	for (uint32_t i = 0; i < inputs->versions; i++) {
		if (!memcmp(hash[i], wanted, VERSION_HASH)) {
			return i;
		}
	}
	return DECIDE_NONE;
}

void decide_lease(struct decide_inputs *inputs, const struct lease *lease,
		  const char *stratum, const struct lease_prior *prior,
		  const uint8_t (*hash)[VERSION_HASH])
{
	struct decide_lease *own = &inputs->lease;

	memset(own, 0, sizeof(*own));
	own->release = own->back = DECIDE_NONE;
	memset(&inputs->prior, 0, sizeof(inputs->prior));
	for (uint32_t i = 0; i < inputs->versions; i++) {
		inputs->version[i].flags &=
			~((uint32_t)DECIDE_IS_HALTED | DECIDE_IS_BARRED);
	}
	if (prior && prior->known) {
		inputs->prior.known = 1;
		inputs->prior.reach = prior->reach;
		inputs->prior.rings = prior->rings;
		memcpy(inputs->prior.dwell_s, prior->dwell_s,
		       sizeof(prior->dwell_s));
	}
	if (!lease) {
		return;
	}
	inputs->prior.same = inputs->prior.known &&
		!memcmp(prior->hash, lease->hash, VERSION_HASH);
	own->given = 1;
	own->release = find(inputs, hash, lease->hash);
	/* What the lease says of a version is what the version says. */
	if (own->release != DECIDE_NONE &&
	    (inputs->version[own->release].number != lease->number ||
	     inputs->version[own->release].class != lease->class)) {
		own->release = DECIDE_NONE;
	}
	own->roll_back = lease->roll_back;
	if (lease->roll_back) {
		own->back = find(inputs, hash, lease->roll_back_to);
	}
	for (uint32_t i = 0; i < LEASE_RINGS; i++) {
		own->bound[i] = lease_bound(lease, stratum, i);
		own->dwell_s[i] = lease->dwell_s[i];
	}
	own->rings = lease->rings;
	own->poll_s = lease->poll_s;
	own->jitter_s = lease->jitter_s;
	own->passes = lease_passes(lease, stratum);
	own->passes_needed = lease->passes_needed;
	own->valid_until_s = lease->valid_until_s > 0
		? lease->valid_until_s : 0;
	for (uint32_t i = 0; i < inputs->versions; i++) {
		struct decide_version *v = &inputs->version[i];

		if (lease_names(&lease->halted, hash[i])) {
			v->flags |= DECIDE_IS_HALTED;
		}
		if (lease_names(&lease->quarantined, hash[i])) {
			v->flags |= DECIDE_IS_BARRED;
		}
	}
}

uint32_t decide_pin(const struct decide_inputs *inputs, const char *text,
		    const char *const *name,
		    const uint8_t (*hash)[VERSION_HASH])
{
	uint32_t best = DECIDE_NONE;

	for (uint32_t i = 0; i < inputs->versions; i++) {
		const struct decide_version *v = &inputs->version[i];

		if (policy_means(text, v->number, name[i], hash[i]) &&
		    (best == DECIDE_NONE ||
		     v->number > inputs->version[best].number)) {
			best = i;
		}
	}
	return best;
}

/* ---- what may be decided from ---- */

static bool index_sound(uint32_t index, uint32_t versions)
{
	return index == DECIDE_NONE || index < versions;
}

static bool dwell_sound(const uint32_t dwell_s[LEASE_RINGS])
{
	for (uint32_t i = 0; i < LEASE_RINGS; i++) {
		if (dwell_s[i] > LEASE_DWELL_MOST_S) {
			return false;
		}
	}
	return true;
}

static bool lease_sound(const struct decide_inputs *in)
{
	const struct decide_lease *lease = &in->lease;
	const struct decide_prior *prior = &in->prior;

	for (uint32_t i = 0; i < LEASE_RINGS; i++) {
		if (lease->bound[i] > LEASE_BUCKETS) {
			return false;
		}
	}
	return lease->given <= 1 && lease->roll_back <= 1 &&
	       index_sound(lease->release, in->versions) &&
	       index_sound(lease->back, in->versions) &&
	       lease->rings < 1u << LEASE_RINGS &&
	       dwell_sound(lease->dwell_s) &&
	       lease->poll_s <= LEASE_POLL_MOST_S &&
	       lease->jitter_s <= LEASE_POLL_MOST_S &&
	       lease->valid_until_s >= 0 &&
	       lease->valid_until_s <= DECIDE_TIME_MOST_S &&
	       lease->age_s <= DECIDE_AGE_MOST_S &&
	       lease->life_s <= DECIDE_AGE_MOST_S && prior->known <= 1 &&
	       prior->same <= 1 && prior->reach <= LEASE_RINGS &&
	       prior->rings < 1u << LEASE_RINGS &&
	       dwell_sound(prior->dwell_s) &&
	       prior->age_s <= DECIDE_AGE_MOST_S;
}

static bool version_sound(const struct decide_version *v)
{
	return v->number <= INT64_MAX && v->floor <= INT64_MAX &&
	       v->class < LEASE_CLASSES && v->state < DECIDE_STATES &&
	       v->flags < 256 && v->files <= VERSION_FILES &&
	       v->bytes <= VERSION_TOTAL_BYTES &&
	       v->bake_s <= VERSION_BAKE_S && v->seen_s <= DECIDE_AGE_MOST_S &&
	       v->retry_s <= DECIDE_AGE_MOST_S;
}

static bool limits_sound(const struct decide_limits *limits)
{
	return limits->given <= 1 && limits->max_files <= VERSION_FILES &&
	       limits->max_bytes <= VERSION_TOTAL_BYTES &&
	       limits->min_interval_s <= DECIDE_AGE_MOST_S &&
	       limits->min_bake_s <= VERSION_BAKE_S;
}

bool decide_sound(const struct decide_inputs *in)
{
	if (in->versions > DECIDE_VERSIONS || !lease_sound(in) ||
	    !limits_sound(&in->limits)) {
		return false;
	}
	for (uint32_t i = 0; i < in->versions; i++) {
		if (!version_sound(&in->version[i])) {
			return false;
		}
	}
	for (uint32_t i = 0; i < LEASE_CLASSES; i++) {
		if (!policy_sound(&in->policy[i]) ||
		    !index_sound(in->pinned[i], in->versions)) {
			return false;
		}
	}
	return in->now_s >= 0 && in->now_s <= DECIDE_TIME_MOST_S &&
	       in->trust <= CLOCK_AHEAD && in->weekday < 7 &&
	       in->minute < POLICY_DAY_MIN && in->bucket < LEASE_BUCKETS &&
	       in->unhealthy <= 1 && in->affordable <= 1 &&
	       index_sound(in->running, in->versions) &&
	       in->verdict < HEALTH_VERDICTS &&
	       in->trial_s <= DECIDE_AGE_MOST_S && in->data_known <= 1 &&
	       in->data_age_s <= DECIDE_AGE_MOST_S;
}

/* ---- policy.json ---- */

static int limit(const struct json_at *top, const char *key, int64_t most,
		 uint32_t *ret_number)
{
	int64_t number;
	int r = json_int(top, key, 0, most, &number);

	if (!r) {
		*ret_number = (uint32_t)number;
	}
	return r;
}

static int read_schemas(const struct json_at *top,
			char schema[DECIDE_SCHEMAS][VERSION_TEXT],
			uint32_t *ret_schemas)
{
	struct json_at list;
	size_t count;
	int r = json_list(top, "schemas", DECIDE_SCHEMAS, &list, &count);

	for (size_t i = 0; !r && i < count; i++) {
		const char *text;

		r = json_element_text(&list, i, VERSION_TEXT - 1, &text);
		if (r) {
			return r;
		}
		if (!version_schema_good(text)) {
			return json_refuse(top, "schemas", "not the name of "
					   "a schema, at %zu", i);
		}
		snprintf(schema[i], VERSION_TEXT, "%s", text);
	}
	if (!r) {
		*ret_schemas = (uint32_t)count;
	}
	return r;
}

static int read_limits(const struct json_at *top, struct decide_limits *limits,
		       char schema[DECIDE_SCHEMAS][VERSION_TEXT],
		       uint32_t *ret_schemas)
{
	static const char *const members[] = {
		"format", "schemas", "max_bytes", "max_files",
		"min_interval_s", "min_bake_s", "min_events"
	};
	struct json_at member;
	void *iterator = NULL;
	int64_t format, bytes;
	int r;

	while (json_next(top, &iterator, &member) > 0) {
		size_t i = 0;

		while (i < sizeof(members) / sizeof(members[0]) &&
		       strcmp(members[i], member.key) != 0) {
			i++;
		}
		if (i == sizeof(members) / sizeof(members[0])) {
			return json_refuse(&member, NULL, "no such member");
		}
	}
	if ((r = json_int(top, "format", 1, 1, &format)) < 0 ||
	    (r = json_int(top, "max_bytes", 0, (int64_t)VERSION_TOTAL_BYTES,
			  &bytes)) < 0 ||
	    (r = limit(top, "max_files", VERSION_FILES,
		       &limits->max_files)) < 0 ||
	    (r = limit(top, "min_interval_s", DECIDE_AGE_MOST_S,
		       &limits->min_interval_s)) < 0 ||
	    (r = limit(top, "min_bake_s", VERSION_BAKE_S,
		       &limits->min_bake_s)) < 0 ||
	    (r = limit(top, "min_events", UINT32_MAX,
		       &limits->min_events)) < 0) {
		return r;
	}
	limits->max_bytes = (uint64_t)bytes;
	limits->given = 1;
	return read_schemas(top, schema, ret_schemas);
}

int decide_limits_parse(const void *bytes, size_t length,
			struct decide_limits *ret_limits,
			char ret_schema[DECIDE_SCHEMAS][VERSION_TEXT],
			uint32_t *ret_schemas, struct lease_error *ret_error)
{
	cleanup_json_tree json_t *tree = NULL;
	struct json_fault fault = { .text = "" };
	struct decide_limits limits = { .given = 0 };
	char schema[DECIDE_SCHEMAS][VERSION_TEXT] = { "" };
	struct json_at top;
	int r = json_read(bytes, length, DECIDE_LIMITS_BYTES, &tree, &top,
			  &fault);

	if (!r) {
		r = read_limits(&top, &limits, schema, ret_schemas);
	}
	if (!r) {
		*ret_limits = limits;
		memcpy(ret_schema, schema, sizeof(schema));
		return 0;
	}
	snprintf(ret_error->text, sizeof(ret_error->text), "%s", fault.text);
	return r;
}

/* ---- names ---- */

struct name {
	const char *name, *by, *text;
};

static const struct name actions[] = {
#define ROW(sym, num, name_) [num] = { .name = name_ },
	DECIDE_ACTION_TABLE(ROW)
#undef ROW
};

static const struct name reasons[] = {
#define ROW(sym, num, name_, by_, text_) [num] = { name_, by_, text_ },
	DECIDE_REASON_TABLE(ROW)
#undef ROW
};

static const struct name states[] = {
#define ROW(sym, num, name_) [num] = { .name = name_ },
	DECIDE_STATE_TABLE(ROW)
#undef ROW
};

const char *decide_action_name(uint32_t action)
{
	return action < DECIDE_ACTIONS ? actions[action].name : "?";
}

const char *decide_reason_name(uint32_t reason)
{
	return reason < DECIDE_REASONS ? reasons[reason].name : "?";
}

const char *decide_reason_by(uint32_t reason)
{
	return reason < DECIDE_REASONS ? reasons[reason].by : "?";
}

const char *decide_reason_text(uint32_t reason)
{
	return reason < DECIDE_REASONS ? reasons[reason].text : "?";
}

const char *decide_state_name(uint32_t state)
{
	return state < DECIDE_STATES ? states[state].name : "?";
}
