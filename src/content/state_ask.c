/* SPDX-License-Identifier: Apache-2.0 */
/* state_ask.c - what is asked of a state; state.c makes it */
#include <string.h>

#include "content/state.h"

#define NAME_ROW(sym, num, name) [num] = name,
static const char *const state_names[] = { STATE_TABLE(NAME_ROW) };
static const char *const by_names[] = { STATE_BY_TABLE(NAME_ROW) };
#define EVENT_NAME(sym, num, name, from, to, note) [num] = name,
static const char *const event_names[STATE_EVENTS] = {
	STATE_EVENT_TABLE(EVENT_NAME)
};
#define EVENT_NOTE(sym, num, name, from, to, note) [num] = note,
static const bool event_notes[STATE_EVENTS] = {
	STATE_EVENT_TABLE(EVENT_NOTE)
};

const char *state_name(uint32_t state)
{
	return state < STATES ? state_names[state] : "?";
}

const char *state_by_name(uint32_t by)
{
	return by < STATE_BYS ? by_names[by] : "?";
}

const char *state_event_name(uint32_t event)
{
	return event < STATE_EVENTS && event_names[event] != NULL ?
		event_names[event] : "?";
}

bool state_event_is_note(uint32_t event)
{
	return event < STATE_EVENTS && event_notes[event];
}

const struct state_version *state_find(const struct state *state,
				       const uint8_t hash[JOURNAL_HASH])
{
	for (size_t i = 0; i < state->count; i++) {
		if (memcmp(state->version[i].hash, hash, JOURNAL_HASH) == 0) {
			return &state->version[i];
		}
	}
	return NULL;
}

const char *state_reason(const struct state *state,
			 const struct state_version *version)
{
	return state->reason[version - state->version];
}

const struct state_version *state_active(const struct state *state)
{
	return state_find(state, state->host.active);
}

bool state_bad(const struct state_version *version)
{
	return version->crashes >= STATE_CRASHES ||
		version->objects >= STATE_OBJECTS;
}

static bool is_good(const struct state_version *version)
{
	return version->state == STATE_GOOD && version->kept;
}

/* Of two to go back to: not left before left, then the newer good one. */
static bool better(const struct state_version *a,
		   const struct state_version *b)
{
	return b == NULL || a->left < b->left ||
		(a->left == b->left && a->good > b->good);
}

const struct state_version *state_back(const struct state *state)
{
	const struct state_version *active = state_active(state);
	const struct state_version *back = NULL;

	for (size_t i = 0; i < state->count; i++) {
		const struct state_version *v = &state->version[i];

		if (is_good(v) && v != active &&
		    v->facts.number >= state->host.floor && better(v, back)) {
			back = v;
		}
	}
	return back;
}

size_t state_newest(const struct state *state,
		    const struct state_version *ret_newest[STATE_KEPT])
{
	size_t count = 0;

	for (size_t i = 0; i < state->count; i++) {
		const struct state_version *v = &state->version[i];
		size_t at = count;

		if (!is_good(v)) {
			continue;
		}
		while (at > 0 && ret_newest[at - 1]->good < v->good) {
			if (at < STATE_KEPT) {
				ret_newest[at] = ret_newest[at - 1];
			}
			at--;
		}
		if (at < STATE_KEPT) {
			ret_newest[at] = v;
			count += count < STATE_KEPT;
		}
	}
	return count;
}

/* Among the last that were admitted and are not good yet. */
static bool is_ready(const struct state *state,
		     const struct state_version *version)
{
	size_t newer = 0;

	if (version->state != STATE_VERIFIED &&
	    version->state != STATE_PREFLIGHTED) {
		return false;
	}
	for (size_t i = 0; i < state->count; i++) {
		const struct state_version *v = &state->version[i];

		newer += (v->state == STATE_VERIFIED ||
			  v->state == STATE_PREFLIGHTED) &&
			v->admitted > version->admitted;
	}
	return newer < STATE_READY;
}

static bool named(const uint8_t hash[JOURNAL_HASH],
		  const struct state_version *version)
{
	return memcmp(hash, version->hash, JOURNAL_HASH) == 0;
}

bool state_needs(const struct state *state,
		 const struct state_version *version)
{
	const struct state_version *newest[STATE_KEPT];
	size_t count = state_newest(state, newest);

	if (!version->kept || version->state == STATE_QUARANTINED) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (newest[i] == version) {
			return true;
		}
	}
	return named(state->host.active, version) ||
		named(state->activating, version) ||
		named(state->host.pin, version) ||
		version == state_back(state) || is_ready(state, version);
}

int state_save(const struct state *state, size_t index,
	       struct journal_record *ret_record)
{
	const struct state_version *v;

	memset(ret_record, 0, sizeof(*ret_record));
	if (index == 0) {
		ret_record->type = STATE_EVENT_BASE;
		return 0;
	}
	if (index == 1) {
		/* Before HOST: that has the last word on what it sets. */
		ret_record->type = STATE_EVENT_REMEMBER;
		ret_record->payload_size = state->memory_size;
		memcpy(ret_record->payload, state->memory, STATE_MEMORY);
		return 0;
	}
	if (index == 2) {
		ret_record->type = STATE_EVENT_HOST;
		ret_record->payload_size = sizeof(state->host);
		memcpy(ret_record->payload, &state->host,
		       sizeof(state->host));
		memcpy(ret_record->hash, state->activating, JOURNAL_HASH);
		return 0;
	}
	if (index - 3 >= state->count) {
		return 1;
	}
	v = &state->version[index - 3];
	ret_record->type = STATE_EVENT_VERSION;
	ret_record->payload_size = sizeof(*v);
	memcpy(ret_record->hash, v->hash, JOURNAL_HASH);
	memcpy(ret_record->payload, v, sizeof(*v));
	memcpy(ret_record->reason, state_reason(state, v), JOURNAL_REASON);
	return 0;
}
