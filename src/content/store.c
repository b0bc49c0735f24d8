/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - what a caller of the store can ask for */
#include "content/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mono.h"
#include "base/text.h"
#include "content/store_internal.h"

/* ---- open, close, read ---- */

/* The host's boot, 0 if it cannot be told: then no boot is another. */
static void read_boot_id(uint8_t ret_id[16])
{
	cleanup_fd int fd = open("/proc/sys/kernel/random/boot_id",
				 O_RDONLY | O_CLOEXEC);
	char text[37] = { 0 }, digits[3] = { 0 };
	size_t n = 0;

	memset(ret_id, 0, 16);
	if (fd < 0 || read(fd, text, 36) != 36) {
		return;
	}
	for (const char *p = text; n < 16 && p[0] && p[1];) {
		if (*p == '-') {
			p++;
			continue;
		}
		digits[0] = *p++;
		digits[1] = *p++;
		ret_id[n++] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

static void host_now(struct journal_time *ret_time)
{
	static _Thread_local uint8_t boot_id[16];
	static _Thread_local bool known;
	struct timespec t;

	if (!known) {
		read_boot_id(boot_id);
		known = true;
	}
	clock_gettime(CLOCK_BOOTTIME, &t);
	ret_time->boot_ns = (uint64_t)t.tv_sec * MONO_S + (uint64_t)t.tv_nsec;
	ret_time->wall_ns = wall_now_ns();
	memcpy(ret_time->boot_id, boot_id, sizeof(boot_id));
}

int store_open(const struct store_setup *setup, struct store **ret_store)
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (store == NULL) {
		return -ENOMEM;
	}
	store->disk = setup->disk != NULL ? setup->disk : disk_real();
	store->slots = -1;
	store->now = setup->now != NULL ? setup->now : host_now;
	store->longest = setup->longest ? setup->longest : JOURNAL_LONG;
	store->history = setup->history ? setup->history : JOURNAL_HISTORY;
	text_format(store->product, sizeof(store->product), "%s",
		    setup->product);
	/* A handle of its own: a lock belongs to the opening. */
	store->dir = store->disk->body->open_dir(store->disk, setup->dir, ".");
	journal_init(&store->journal, store->disk, store->dir);
	r = store->dir < 0 ? store->dir :
		store->disk->body->lock(store->disk, store->dir);
	if (r < 0) {
		store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

struct store *store_close(struct store *store)
{
	if (store != NULL) {
		journal_fini(&store->journal);
		if (store->slots >= 0) {
			store->disk->body->close(store->disk, store->slots);
		}
		if (store->dir >= 0) {
			store->disk->body->close(store->disk, store->dir);
		}
		free(store);
	}
	return NULL;
}

const char *store_reason(const struct store *store)
{
	return store->reason;
}

const struct state *store_state(const struct store *store)
{
	return &store->state;
}

int store_current(const struct store *store, uint8_t ret_hash[JOURNAL_HASH])
{
	if (state_active(&store->state) == NULL) {
		return STORE_UNKNOWN;
	}
	memcpy(ret_hash, store->state.host.active, JOURNAL_HASH);
	return 0;
}

int store_history(const struct store *store, uint64_t most,
		  journal_visit *visit, void *context)
{
	return journal_read(&store->journal, most, visit, context);
}

int store_open_slot(const struct store *store,
		    const uint8_t hash[JOURNAL_HASH], const char *what)
{
	return slot_open(store->disk, store->slots, hash, what);
}

int store_version(const struct store *store,
		  const uint8_t hash[JOURNAL_HASH],
		  struct version **ret_version)
{
	cleanup_free char *bytes = NULL;
	struct json_fault fault;
	size_t length;
	int r = slot_description(store->disk, store->slots, hash, &bytes,
				 &length);

	return r < 0 ? r : version_parse(bytes, length, ret_version, &fault);
}

/* ---- one record, and what it entails ---- */

/* STORE_BACK if what is in use changed by it. */
static int change(struct store *store, struct journal_record *record)
{
	uint8_t before[JOURNAL_HASH];
	int r;

	memcpy(before, store->state.host.active, JOURNAL_HASH);
	r = store_append(store, record);
	if (r != 0 ||
	    memcmp(before, store->state.host.active, JOURNAL_HASH) == 0) {
		return r;
	}
	r = store_point(store);
	return r != 0 ? r : STORE_BACK;
}

static int simple(struct store *store, enum state_event type,
		  const uint8_t *hash, const uint8_t *object,
		  const struct store_words *words)
{
	struct journal_record record;
	int r = store_ready(store);

	if (r < 0) {
		return r;
	}
	store_record(store, type, hash, words, &record);
	if (object != NULL) {
		memcpy(record.object, object, JOURNAL_OBJECT);
	}
	return change(store, &record);
}

int store_check(struct store *store, const uint8_t hash[JOURNAL_HASH])
{
	char reason[SLOT_REASON];
	struct store_words words = { .by = STATE_BY_BAILEY, .reason = reason };
	int r = store_ready(store);

	if (r < 0) {
		return r;
	}
	r = slot_check(store->disk, store->slots, hash, true, reason);
	if (r == 0 || (r != -EBADMSG && r != -ENOENT)) {
		return r == 0 ? 0 : store_say(store, r, "%s", reason);
	}
	r = simple(store, STATE_EVENT_DAMAGED, hash, NULL, &words);
	if (r < 0) {
		return r;
	}
	/* What is left of it goes with the next sweep. */
	store->settled = false;
	return store_say(store, r == STORE_BACK ? r : -EBADMSG, "%s", reason);
}

/* ---- the life of a version ---- */

int store_note(struct store *store, enum state_event event,
	       const uint8_t hash[JOURNAL_HASH], const uint8_t *object,
	       const struct store_words *words)
{
	if (!state_event_is_note(event)) {
		return store_say(store, -EINVAL, "%s: not a note",
				 state_event_name(event));
	}
	return simple(store, event, hash, object, words);
}

static int may_activate(struct store *store,
			const uint8_t hash[JOURNAL_HASH])
{
	const struct state_version *v = state_find(&store->state, hash);

	if (v == NULL) {
		return store_say(store, STORE_UNKNOWN, "no such version");
	}
	if (v->state == STATE_QUARANTINED) {
		return store_say(store, STORE_BANNED, "it is in quarantine: "
				 "%s", state_reason(&store->state, v));
	}
	return v == state_active(&store->state) ? STORE_SAME : 0;
}

static int look_first(struct store *store, const uint8_t hash[JOURNAL_HASH])
{
	struct journal_record record;
	char reason[SLOT_REASON];
	int r = slot_check(store->disk, store->slots, hash, false, reason);

	if (r == -EBADMSG || r == -ENOENT) {
		store_own_record(store, STATE_EVENT_DAMAGED, hash, reason,
				 &record);
		r = store_append(store, &record);
		store->settled = false;
		return store_say(store, r < 0 ? r : -EBADMSG, "%s", reason);
	}
	return r < 0 ? store_say(store, r, "%s", reason) : 0;
}

/* From its first record on. What cuts it short is undone by settling. */
static int activate(struct store *store, const uint8_t hash[JOURNAL_HASH],
		    const struct store_words *words)
{
	struct journal_record record;
	int r;

	store_record(store, STATE_EVENT_ACTIVATING, hash, words, &record);
	r = store_append(store, &record);
	if (r != 0) {
		return r;
	}
	store->settled = false;
	r = slot_point(store->disk, store->dir, hash);
	if (r < 0) {
		return store_say_errno(store, r, SLOT_CURRENT);
	}
	store_record(store, STATE_EVENT_TRIAL, hash, words, &record);
	r = store_append(store, &record);
	store->settled = r == 0;
	return r;
}

int store_activate(struct store *store, const uint8_t hash[JOURNAL_HASH],
		   const struct store_words *words)
{
	int r = store_ready(store);

	r = r != 0 ? r : may_activate(store, hash);
	r = r != 0 ? r : look_first(store, hash);
	r = r != 0 ? r : activate(store, hash, words);
	store_undo(store);
	return r;
}

int store_trial_end(struct store *store, const uint8_t hash[JOURNAL_HASH],
		    const struct store_words *words)
{
	return simple(store, STATE_EVENT_GOOD, hash, NULL, words);
}

bool store_just_good(const struct store *store,
		     const uint8_t hash[JOURNAL_HASH], uint64_t ns)
{
	const struct state_version *v = state_find(&store->state, hash);
	struct journal_time now;

	store->now(&now);
	return v != NULL && v->state == STATE_GOOD &&
		memcmp(v->since.boot_id, now.boot_id,
		       sizeof(now.boot_id)) == 0 &&
		now.boot_ns - v->since.boot_ns < ns;
}

int store_reopen(struct store *store, const uint8_t hash[JOURNAL_HASH],
		 const struct store_words *words)
{
	return simple(store, STATE_EVENT_REOPENED, hash, NULL, words);
}

int store_fault(struct store *store, const uint8_t hash[JOURNAL_HASH],
		const uint8_t *object, const struct store_words *words)
{
	return simple(store, STATE_EVENT_FAULT, hash, object, words);
}

int store_reproduced(struct store *store, const uint8_t hash[JOURNAL_HASH],
		     const uint8_t *object, const struct store_words *words)
{
	return simple(store, STATE_EVENT_REPRODUCED, hash, object, words);
}

int store_revert(struct store *store, const uint8_t *to,
		 const struct store_words *words,
		 uint8_t ret_hash[JOURNAL_HASH])
{
	const struct state_version *back;
	int r = store_ready(store);

	if (r < 0) {
		return r;
	}
	back = to != NULL ? state_find(&store->state, to) :
		state_back(&store->state);
	if (to != NULL && back == NULL) {
		return store_say(store, STORE_UNKNOWN, "no such version");
	}
	if (back == state_active(&store->state)) {
		r = STORE_SAME;
	} else {
		r = simple(store, back != NULL ? STATE_EVENT_REVERTED :
			   STATE_EVENT_WITHDRAWN,
			   back != NULL ? back->hash : NULL, NULL, words);
	}
	if (r < 0 || (r > 0 && r != STORE_BACK && r != STORE_SAME)) {
		return r;
	}
	memcpy(ret_hash, store->state.host.active, JOURNAL_HASH);
	return r == STORE_SAME ? r : 0;
}

int store_quarantine(struct store *store, const uint8_t hash[JOURNAL_HASH],
		     const struct store_words *words)
{
	return simple(store, STATE_EVENT_QUARANTINED, hash, NULL, words);
}

int store_lift(struct store *store, const uint8_t hash[JOURNAL_HASH],
	       const struct store_words *words)
{
	return simple(store, STATE_EVENT_LIFTED, hash, NULL, words);
}

/* ---- the customer's, and the rest ---- */

int store_pin(struct store *store, const uint8_t *hash,
	      const struct store_words *words)
{
	static const uint8_t none[JOURNAL_HASH];
	int r = store_ready(store);

	if (r < 0) {
		return r;
	}
	if (memcmp(store->state.host.pin, hash != NULL ? hash : none,
		   JOURNAL_HASH) == 0) {
		return STORE_SAME;
	}
	return simple(store, hash != NULL ? STATE_EVENT_PINNED :
		      STATE_EVENT_UNPINNED, hash, NULL, words);
}

int store_pause(struct store *store, uint64_t until_s,
		const struct store_words *words)
{
	struct journal_record record;
	int r = store_ready(store);

	if (r < 0) {
		return r;
	}
	store_record(store, STATE_EVENT_PAUSED, NULL, words, &record);
	record.number = until_s;
	return store_append(store, &record);
}

int store_resume(struct store *store, const struct store_words *words)
{
	int r = store_ready(store);

	if (r < 0 || !store->state.host.paused) {
		return r < 0 ? r : STORE_SAME;
	}
	return simple(store, STATE_EVENT_RESUMED, NULL, NULL, words);
}

int store_remember(struct store *store, const void *bytes, size_t size)
{
	struct store_words words = { .payload = bytes, .payload_size = size };

	if (size > STATE_MEMORY) {
		return store_say(store, -EMSGSIZE, "%zu bytes to remember",
				 size);
	}
	if (store->loaded && size == store->state.memory_size &&
	    memcmp(bytes, store->state.memory, size) == 0) {
		return STORE_SAME;
	}
	return simple(store, STATE_EVENT_REMEMBER, NULL, NULL, &words);
}

int store_stop(struct store *store)
{
	const struct state_version *active = state_active(&store->state);
	struct store_words words = { .by = STATE_BY_BAILEY,
				     .reason = "an orderly end" };

	if (active == NULL || active->state != STATE_TRIAL) {
		return 0;
	}
	return simple(store, STATE_EVENT_STOPPED, NULL, NULL, &words);
}

static bool is_among(const uint8_t (*list)[JOURNAL_HASH], size_t count,
		     const uint8_t hash[JOURNAL_HASH])
{
	for (size_t i = 0; i < count; i++) {
		if (memcmp(list[i], hash, JOURNAL_HASH) == 0) {
			return true;
		}
	}
	return false;
}

static int remove_slot(struct store *store,
		       const struct state_version *version)
{
	struct store_words words = { .by = STATE_BY_BAILEY,
				     .reason = "nobody needs its slot" };
	struct journal_record record;
	uint8_t hash[JOURNAL_HASH];
	int r;

	memcpy(hash, version->hash, sizeof(hash));
	store_record(store, STATE_EVENT_REMOVING, hash, &words, &record);
	r = store_append(store, &record);
	if (r != 0) {
		return r;
	}
	r = slot_remove(store->disk, store->slots, hash);
	if (r < 0) {
		store->settled = false;
		return store_say_errno(store, r, "removing a slot");
	}
	return 0;
}

int store_tidy(struct store *store, const uint8_t (*in_use)[JOURNAL_HASH],
	       size_t count)
{
	const struct state *state = &store->state;
	int r = store_ready(store);

	for (size_t i = 0; r == 0 && i < state->count; i++) {
		const struct state_version *v = &state->version[i];

		if (v->kept && !state_needs(state, v) &&
		    !is_among(in_use, count, v->hash)) {
			r = remove_slot(store, v);
		}
	}
	return r;
}
