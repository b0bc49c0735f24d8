/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - the fold; state_ask.c has what is asked of its result */
#include "content/state.h"

#include <string.h>

struct event {
	bool known;
	uint32_t from, to;
};

#define EVENT_ROW(sym, num, name, from, to, note) [num] = { true, from, to },
static const struct event events[STATE_EVENTS] = {
	STATE_EVENT_TABLE(EVENT_ROW)
};

static const uint8_t none[JOURNAL_HASH];

static bool is_none(const uint8_t hash[JOURNAL_HASH])
{
	return memcmp(hash, none, JOURNAL_HASH) == 0;
}

static bool same(const uint8_t a[JOURNAL_HASH], const uint8_t b[JOURNAL_HASH])
{
	return memcmp(a, b, JOURNAL_HASH) == 0;
}

static bool object_none(const uint8_t object[JOURNAL_OBJECT])
{
	return memcmp(object, none, JOURNAL_OBJECT) == 0;
}

void state_init(struct state *state)
{
	memset(state, 0, sizeof(*state));
}

/* state_find() for who may change it. */
static struct state_version *find(struct state *state,
				  const uint8_t hash[JOURNAL_HASH])
{
	for (size_t i = 0; i < state->count; i++) {
		if (same(state->version[i].hash, hash)) {
			return &state->version[i];
		}
	}
	return NULL;
}

/* ---- what is permitted ---- */

static bool name_good(const char name[STATE_NAME])
{
	size_t length = strnlen(name, STATE_NAME);

	for (size_t i = length; i < STATE_NAME; i++) {
		if (name[i] != '\0') {
			return false;
		}
	}
	return length < STATE_NAME;
}

static bool facts_good(const struct journal_record *record)
{
	struct state_facts facts;

	if (record->payload_size != sizeof(facts)) {
		return false;
	}
	memcpy(&facts, record->payload, sizeof(facts));
	return facts.number > 0 && facts.reserved == 0 &&
		name_good(facts.name);
}

static bool saved_good(const struct journal_record *record)
{
	struct state_version v;

	if (record->payload_size != sizeof(v)) {
		return false;
	}
	memcpy(&v, record->payload, sizeof(v));
	return same(v.hash, record->hash) && !is_none(v.hash) &&
		v.state > STATE_NONE && v.state < STATES &&
		v.objects <= STATE_OBJECTS && v.by < STATE_BYS &&
		name_good(v.facts.name) && v.kept <= 1 && v.left <= 1 &&
		v.lifted <= 1 &&
		(v.state == STATE_QUARANTINED ||
		 v.kept == (v.state != STATE_FETCHED));
}

/* One that may be forgotten for a new one: fetched, touched longest ago. */
static size_t forgettable(const struct state *state)
{
	size_t oldest = STATE_VERSIONS;

	for (size_t i = 0; i < state->count; i++) {
		const struct state_version *v = &state->version[i];

		if (v->state == STATE_FETCHED &&
		    (oldest == STATE_VERSIONS ||
		     v->touched < state->version[oldest].touched)) {
			oldest = i;
		}
	}
	return oldest;
}

static bool has_room(const struct state *state)
{
	return state->count < STATE_VERSIONS ||
		forgettable(state) < STATE_VERSIONS;
}

/* What the tables cannot say, for those events that have such. */
static bool details_permit(const struct state *state,
			   const struct state_version *v,
			   const struct journal_record *record)
{
	const struct state_host *host = &state->host;

	switch (record->type) {
	case STATE_EVENT_ACTIVATING:
		return is_none(state->activating) &&
			v->facts.number >= host->floor;
	case STATE_EVENT_ABANDONED:
	case STATE_EVENT_TRIAL:
		return same(state->activating, record->hash);
	case STATE_EVENT_GOOD:
	case STATE_EVENT_REOPENED:
	case STATE_EVENT_INTERRUPTED:
		return same(host->active, record->hash);
	case STATE_EVENT_ADOPTED:
		return is_none(host->active);
	case STATE_EVENT_REVERTED:
		return !same(host->active, record->hash) &&
			v->facts.number >= host->floor;
	case STATE_EVENT_WITHDRAWN:
		return !is_none(host->active);
	case STATE_EVENT_LIFTED:
		return record->by != STATE_BY_PUBLISHER || !v->lifted;
	case STATE_EVENT_REMOVING:
		return v->kept && !state_needs(state, v);
	case STATE_EVENT_DAMAGED:
		return v->kept;
	default:
		return true;
	}
}

static bool well_formed(const struct journal_record *record)
{
	switch (record->type) {
	case STATE_EVENT_FETCHED:
	case STATE_EVENT_ADOPTED:
		return facts_good(record);
	case STATE_EVENT_VERSION:
		return saved_good(record);
	case STATE_EVENT_HOST:
		return record->payload_size == sizeof(struct state_host);
	default:
		return record->payload_size <= JOURNAL_PAYLOAD;
	}
}

/* Notes may be about no version; what is about one names it. */
static bool hash_fits(const struct journal_record *record)
{
	bool named = !is_none(record->hash);

	switch (record->type) {
	case STATE_EVENT_DECIDED:
	case STATE_EVENT_NOTE:
	case STATE_EVENT_HOST:
		return true;
	default:
		return named == (events[record->type].from != STATE_FROM_HOST);
	}
}

int state_may(const struct state *state, const struct journal_record *record)
{
	const struct state_version *v;
	const struct event *event;

	if (record->type >= STATE_EVENTS || !events[record->type].known ||
	    record->by >= STATE_BYS || !hash_fits(record) ||
	    !well_formed(record)) {
		return STATE_NO_RECORD;
	}
	event = &events[record->type];
	v = state_find(state, record->hash);
	if (event->from != STATE_FROM_HOST &&
	    !(event->from & 1u << (v != NULL ? v->state : STATE_NONE))) {
		return STATE_NOT_FROM_HERE;
	}
	if (!details_permit(state, v, record)) {
		return STATE_NOT_FROM_HERE;
	}
	if (v == NULL && !has_room(state) &&
	    (event->to != STATE_SAME ||
	     record->type == STATE_EVENT_VERSION)) {
		return STATE_FULL;
	}
	return STATE_MAY;
}

/* ---- what follows ---- */

static void say(struct state *state, const struct state_version *v,
		const struct journal_record *record)
{
	memcpy(state->reason[v - state->version], record->reason,
	       JOURNAL_REASON);
}

/* The version's new state, since and because of this record. */
static void enter(struct state *state, struct state_version *v,
		  uint32_t to, const struct journal_record *record)
{
	v->state = to;
	v->since = record->time;
	v->by = record->by;
	say(state, v, record);
}

static void drop(struct state *state, size_t i)
{
	size_t last = --state->count;

	state->version[i] = state->version[last];
	memcpy(state->reason[i], state->reason[last], JOURNAL_REASON);
	memset(&state->version[last], 0, sizeof(state->version[last]));
	memset(state->reason[last], 0, JOURNAL_REASON);
}

static struct state_version *insert(struct state *state,
				    const uint8_t hash[JOURNAL_HASH])
{
	struct state_version *v;

	if (state->count == STATE_VERSIONS) {
		drop(state, forgettable(state));
	}
	v = &state->version[state->count++];
	memcpy(v->hash, hash, JOURNAL_HASH);
	return v;
}

/* What was in use no longer is. */
static void leave(struct state *state, const struct journal_record *record)
{
	struct state_version *v = find(state, state->host.active);

	if (v != NULL) {
		v->reverts++;
		v->left = 1;
		v->touched = record->sequence;
		if (v->state == STATE_TRIAL) {
			enter(state, v, STATE_PREFLIGHTED, record);
		}
	}
	memset(state->host.active, 0, JOURNAL_HASH);
}

static void use(struct state *state, struct state_version *v)
{
	memcpy(state->host.active, v->hash, JOURNAL_HASH);
	v->left = 0;
}

static void go_back(struct state *state, const struct journal_record *record)
{
	const struct state_version *back = state_back(state);

	leave(state, record);
	if (back != NULL) {
		use(state, find(state, back->hash));
	}
}

static void not_activating(struct state *state, const struct state_version *v)
{
	if (same(state->activating, v->hash)) {
		memset(state->activating, 0, JOURNAL_HASH);
	}
}

static void quarantine(struct state *state, struct state_version *v,
		       const struct journal_record *record)
{
	if (same(state->host.active, v->hash)) {
		go_back(state, record);
	}
	not_activating(state, v);
	v->good = 0;
	enter(state, v, STATE_QUARANTINED, record);
}

static void forgive(struct state_version *v)
{
	v->crashes = 0;
	v->interrupted = 0;
	v->objects = 0;
	memset(v->object, 0, sizeof(v->object));
}

static void on_known(struct state_version *v,
		     const struct journal_record *record)
{
	memcpy(&v->facts, record->payload, sizeof(v->facts));
	/* One that forbids itself would leave nothing to go back to. */
	if (v->facts.floor > v->facts.number) {
		v->facts.floor = v->facts.number;
	}
}

static void on_whole(struct state_version *v,
		     const struct journal_record *record)
{
	v->kept = 1;
	v->admitted = record->sequence;
}

static void on_good(struct state *state, struct state_version *v,
		    const struct journal_record *record)
{
	v->good = record->sequence;
	v->left = 0;
	forgive(v);
	if (v->facts.floor > state->host.floor) {
		state->host.floor = v->facts.floor;
	}
}

static void on_trial(struct state *state, struct state_version *v,
		     const struct journal_record *record)
{
	struct state_version *former = find(state, state->host.active);

	/* One on trial is passed over by its successor. */
	if (former != NULL && former != v && former->state == STATE_TRIAL) {
		former->state = STATE_PREFLIGHTED;
		former->since = record->time;
	}
	not_activating(state, v);
	v->good = 0;
	use(state, v);
}

static void on_fault(struct state *state, struct state_version *v,
		     const struct journal_record *record)
{
	if (v->state != STATE_TRIAL && v->state != STATE_PREFLIGHTED) {
		return;
	}
	v->crashes++;
	if (!object_none(record->object) && v->objects < STATE_OBJECTS &&
	    (v->objects == 0 ||
	     memcmp(v->object[0], record->object, JOURNAL_OBJECT) != 0)) {
		memcpy(v->object[v->objects++], record->object,
		       JOURNAL_OBJECT);
	}
	if (state_bad(v)) {
		quarantine(state, v, record);
	}
}

static void on_cleared(struct state_version *v,
		       const struct journal_record *record)
{
	if (v->crashes > 0) {
		v->crashes--;
	}
	for (uint32_t i = 0; i < v->objects; i++) {
		if (!object_none(record->object) &&
		    memcmp(v->object[i], record->object,
			   JOURNAL_OBJECT) == 0) {
			v->objects--;
			memcpy(v->object[i], v->object[v->objects],
			       JOURNAL_OBJECT);
			memset(v->object[v->objects], 0, JOURNAL_OBJECT);
			return;
		}
	}
}

static void on_interrupted(struct state *state, struct state_version *v,
			   const struct journal_record *record)
{
	v->interrupted++;
	if (v->interrupted >= STATE_INTERRUPTED_OUT) {
		quarantine(state, v, record);
	} else if (v->interrupted >= STATE_INTERRUPTED_BACK &&
		   state_back(state) != NULL) {
		go_back(state, record);
	}
}

static void on_lifted(struct state *state, struct state_version *v,
		      const struct journal_record *record)
{
	if (v->facts.number == 0) {
		/* Only its hash was known. */
		drop(state, (size_t)(v - state->version));
		return;
	}
	forgive(v);
	v->lifted |= record->by == STATE_BY_PUBLISHER;
	enter(state, v, v->kept ? STATE_VERIFIED : STATE_FETCHED, record);
}

static void on_slot_gone(struct state *state, struct state_version *v,
			 const struct journal_record *record)
{
	if (same(state->host.active, v->hash)) {
		v->kept = 0;
		go_back(state, record);
	}
	not_activating(state, v);
	v->kept = 0;
	v->good = 0;
	v->admitted = 0;
	if (v->state != STATE_QUARANTINED) {
		enter(state, v, STATE_FETCHED, record);
	}
}

static void on_saved(struct state *state, struct state_version *v,
		     const struct journal_record *record)
{
	memcpy(v, record->payload, sizeof(*v));
	say(state, v, record);
}

/* What the table's columns do not do. v: null where the record is not about a
 * version that is known. */
static void version_event(struct state *state, struct state_version *v,
			  const struct journal_record *record)
{
	switch (record->type) {
	case STATE_EVENT_VERSION:
		on_saved(state, v, record);
		return;
	case STATE_EVENT_ADOPTED:
		on_whole(v, record);
		use(state, v);
		/* fall through */
	case STATE_EVENT_FETCHED:
		on_known(v, record);
		v->good = record->type == STATE_EVENT_ADOPTED ?
			record->sequence : 0;
		break;
	case STATE_EVENT_VERIFIED:
		on_whole(v, record);
		break;
	case STATE_EVENT_ACTIVATING:
		memcpy(state->activating, v->hash, JOURNAL_HASH);
		break;
	case STATE_EVENT_ABANDONED:
		not_activating(state, v);
		break;
	case STATE_EVENT_TRIAL:
		on_trial(state, v, record);
		break;
	case STATE_EVENT_GOOD:
		on_good(state, v, record);
		break;
	case STATE_EVENT_REOPENED:
		v->good = 0;
		break;
	case STATE_EVENT_REVERTED:
		leave(state, record);
		use(state, v);
		break;
	case STATE_EVENT_INTERRUPTED:
		on_interrupted(state, v, record);
		break;
	case STATE_EVENT_FAULT:
		on_fault(state, v, record);
		break;
	case STATE_EVENT_CLEARED:
		on_cleared(v, record);
		break;
	case STATE_EVENT_REPRODUCED:
	case STATE_EVENT_QUARANTINED:
		quarantine(state, v, record);
		break;
	case STATE_EVENT_REMOVING:
	case STATE_EVENT_DAMAGED:
		on_slot_gone(state, v, record);
		break;
	default:
		break;
	}
}

static void host_event(struct state *state,
		       const struct journal_record *record)
{
	struct state_host *host = &state->host;

	switch (record->type) {
	case STATE_EVENT_BASE:
		state_init(state);
		return;
	case STATE_EVENT_HOST:
		memcpy(host, record->payload, sizeof(*host));
		memcpy(state->activating, record->hash, JOURNAL_HASH);
		return;
	case STATE_EVENT_WITHDRAWN:
		leave(state, record);
		break;
	case STATE_EVENT_PINNED:
		memcpy(host->pin, record->hash, JOURNAL_HASH);
		break;
	case STATE_EVENT_UNPINNED:
		memset(host->pin, 0, JOURNAL_HASH);
		break;
	case STATE_EVENT_PAUSED:
	case STATE_EVENT_RESUMED:
		host->paused = record->type == STATE_EVENT_PAUSED;
		host->paused_until_s = host->paused ? record->number : 0;
		break;
	case STATE_EVENT_REMEMBER:
		state->memory_size = record->payload_size;
		memcpy(state->memory, record->payload, STATE_MEMORY);
		break;
	default:
		break;
	}
}

/* A rewritten journal's state is not news about the host's boots. */
static bool is_saved(uint32_t type)
{
	return type == STATE_EVENT_BASE || type == STATE_EVENT_HOST ||
		type == STATE_EVENT_VERSION;
}

static void fold_version(struct state *state, struct state_version *v,
			 const struct journal_record *record)
{
	uint32_t to = events[record->type].to;

	if (v == NULL && (to != STATE_SAME ||
			  record->type == STATE_EVENT_VERSION)) {
		v = insert(state, record->hash);
	}
	if (v == NULL) {
		return;
	}
	if (!is_saved(record->type)) {
		v->touched = record->sequence;
	}
	version_event(state, v, record);
	if (to != STATE_SAME && to != STATE_QUARANTINED) {
		enter(state, v, to, record);
	}
	if (record->type == STATE_EVENT_LIFTED) {
		/* Last: it may forget the version. */
		on_lifted(state, v, record);
	}
}

int state_apply(struct state *state, const struct journal_record *record)
{
	int r = state_may(state, record);

	if (r != STATE_MAY) {
		state->refused++;
		return r;
	}
	fold_version(state, find(state, record->hash), record);
	host_event(state, record);
	if (!is_saved(record->type)) {
		memcpy(state->host.boot_id, record->time.boot_id,
		       sizeof(state->host.boot_id));
		state->host.stopped = record->type == STATE_EVENT_STOPPED;
	}
	return STATE_MAY;
}
