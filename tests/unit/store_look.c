/* SPDX-License-Identifier: Apache-2.0 */
#include "store_look.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 1, 2)))
static const char *wrong(const char *format, ...)
{
	static char text[256];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	return text;
}

const struct made_version *
store_look_made(const struct made_version *made, size_t count,
		const uint8_t hash[VERSION_HASH])
{
	for (size_t i = 0; i < count; i++) {
		if (memcmp(made[i].hash, hash, VERSION_HASH) == 0) {
			return &made[i];
		}
	}
	return NULL;
}

static bool holds(struct disk *disk, int slots, const char *slot,
		  const char *path, const uint8_t *bytes, size_t length)
{
	uint8_t found[4096];
	char name[VERSION_PATH];
	const char *slash;
	int dir = disk->body->open_dir(disk, slots, slot);
	int next, file;
	ssize_t n;

	while (dir >= 0 && (slash = strchr(path, '/')) != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(slash - path),
			 path);
		next = disk->body->open_dir(disk, dir, name);
		disk->body->close(disk, dir);
		dir = next;
		path = slash + 1;
	}
	if (dir < 0) {
		return false;
	}
	file = disk->body->open_read(disk, dir, path);
	disk->body->close(disk, dir);
	if (file < 0) {
		return false;
	}
	n = disk->body->read(disk, file, 0, found, sizeof(found));
	disk->body->close(disk, file);
	return n == (ssize_t)length && memcmp(found, bytes, length) == 0;
}

const char *store_look_slot(const struct store *store,
			    const struct made_version *version)
{
	char name[VERSION_HEX], path[VERSION_PATH];
	uint8_t bytes[MADE_BLOB];
	size_t length;

	if (version == NULL) {
		return "a version that was never made";
	}
	version_hex(version->hash, name);
	if (!holds(store->disk, store->slots, name, SLOT_VERSION,
		   (const uint8_t *)version->text, version->length)) {
		return wrong("version %d: description", (int)version->number);
	}
	for (unsigned i = 0; i < 3; i++) {
		length = made_bytes(version->number, i, bytes);
		snprintf(path, sizeof(path), "%s/%s", SLOT_FILES,
			 made_path[i]);
		if (!holds(store->disk, store->slots, name, path, bytes,
			   length)) {
			return wrong("version %d: %s", (int)version->number,
				     path);
		}
	}
	length = made_bytes(version->number, 3, bytes);
	return holds(store->disk, store->slots, name, SLOT_CORPUS "/eicar",
		     bytes, length) ? NULL :
		wrong("version %d: corpus", (int)version->number);
}

struct entries {
	const struct state *state;
	const char *fault;
};

static int look_at_entry(void *context, const char *name)
{
	struct entries *entries = context;
	const struct state_version *v;
	uint8_t hash[VERSION_HASH];

	if (version_unhex(name, hash) < 0) {
		entries->fault = wrong("%s among the slots", name);
		return 0;
	}
	v = state_find(entries->state, hash);
	if (v == NULL || !v->kept) {
		entries->fault = "a slot of a version that has none";
	}
	return 0;
}

static const char *look_at_current(struct store *store)
{
	const struct state_version *active = state_active(&store->state);
	uint8_t hash[VERSION_HASH];
	int r = slot_pointed(store->disk, store->dir, hash);

	if (active == NULL ? r != 1 : r != 0 ||
	    memcmp(hash, active->hash, VERSION_HASH) != 0) {
		return "current does not lead to what is in use";
	}
	return NULL;
}

const char *store_look_disk(struct store *store,
			    const struct made_version *made, size_t count)
{
	const struct state *state = &store->state;
	struct entries entries = { state, look_at_current(store) };

	for (size_t i = 0; i < state->count && entries.fault == NULL; i++) {
		const struct state_version *v = &state->version[i];

		if (v->kept) {
			entries.fault = store_look_slot(
				store, store_look_made(made, count, v->hash));
		}
	}
	if (entries.fault == NULL &&
	    store->disk->body->list(store->disk, store->slots, look_at_entry,
				    &entries) < 0) {
		return "the slots cannot be listed";
	}
	return entries.fault;
}

static const char *same_version(const struct state_version *a,
				const struct state_version *b)
{
	if (b == NULL) {
		return wrong("version %d was forgotten",
			     (int)a->facts.number);
	}
	if (a->state != b->state || a->kept != b->kept) {
		return wrong("version %d was %s, is %s", (int)a->facts.number,
			     state_name(a->state), state_name(b->state));
	}
	if (a->good != b->good || a->admitted != b->admitted ||
	    a->crashes != b->crashes || a->objects != b->objects ||
	    a->interrupted != b->interrupted || a->reverts != b->reverts ||
	    a->left != b->left || a->lifted != b->lifted ||
	    memcmp(a->object, b->object, sizeof(a->object)) != 0 ||
	    memcmp(&a->facts, &b->facts, sizeof(a->facts)) != 0) {
		return wrong("version %d differs", (int)a->facts.number);
	}
	return NULL;
}

static const char *same_host(const struct state *a, const struct state *b)
{
	if (memcmp(a->activating, b->activating, JOURNAL_HASH) != 0) {
		return "an activation that nobody abandoned";
	}
	if (memcmp(a->host.active, b->host.active, JOURNAL_HASH) != 0 ||
	    memcmp(a->host.pin, b->host.pin, JOURNAL_HASH) != 0 ||
	    a->host.floor != b->host.floor ||
	    a->host.paused != b->host.paused ||
	    a->host.paused_until_s != b->host.paused_until_s) {
		return "what is in use, pinned or paused differs";
	}
	if (a->memory_size != b->memory_size ||
	    memcmp(a->memory, b->memory, a->memory_size) != 0) {
		return "what was to be remembered differs";
	}
	return NULL;
}

const char *store_look_same(const struct state *a, const struct state *b)
{
	const char *fault = same_host(a, b);

	if (a->count != b->count) {
		return wrong("%zu versions were known, %zu are", a->count,
			     b->count);
	}
	for (size_t i = 0; i < a->count && fault == NULL; i++) {
		fault = same_version(&a->version[i],
				     state_find(b, a->version[i].hash));
	}
	return fault;
}
