/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorded file in place of a broker.
 *
 * Opening reads the whole file once: a malformed one is refused then, and
 * what the events contain says which fields are known: exact if each event of
 * the type has it, hint if some have. Then events come one by one into a
 * private region of slots; subscriptions choose among them and mutes leave
 * out, as the engine would. WIRE_SLOTS held events are the most:
 * -BAILEY_E_FULL.
 */
#include "client/client.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "client/slot.h"

struct tally {
	uint64_t events[WIRE_KNOWN_ROWS];
	uint64_t fields[WIRE_KNOWN_ROWS][64];
};

static void tally_event(struct tally *tally, const struct wire_event *event)
{
	int row = client_event_row(event->kind);

	if (row < 0) {
		return;
	}
	tally->events[row]++;
	for (unsigned field = 1; field < 64; field++) {
		tally->fields[row][field] += event->present >> field & 1u;
	}
}

static uint8_t tally_known(uint64_t have, uint64_t all)
{
	if (have == 0) {
		return BAILEY_KNOWN_ABSENT;
	}
	return have == all ? BAILEY_KNOWN_EXACT : BAILEY_KNOWN_HINT;
}

/* Reads the file once, to its end. */
static int record_survey(struct bailey_client *client)
{
	struct record_reader *reader = &client->record->reader;
	struct tally *tally cleanup_free = calloc(1, sizeof(*tally));
	void *slot cleanup_free = malloc(WIRE_SLOT_SIZE);
	struct record_content content;
	int r;

	if (tally == NULL || slot == NULL) {
		return -ENOMEM;
	}
	while ((r = record_read(reader, slot, &content)) > 0) {
		tally_event(tally, slot);
	}
	if (r < 0) {
		return r;
	}
	for (size_t row = 0; row < WIRE_KNOWN_ROWS; row++) {
		uint64_t all = tally->events[row];

		client->known[row][0] = tally_known(all, all);
		for (size_t field = 1; field < 64; field++) {
			client->known[row][field] =
				tally_known(tally->fields[row][field], all);
		}
	}
	record_rewind(reader);
	return 0;
}

static int record_attach(struct bailey_client *client, const char *path)
{
	struct client_record *record;
	void *base;
	int r;

	record = calloc(1, sizeof(*record));
	if (record == NULL) {
		return -ENOMEM;
	}
	client->record = record;
	record->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (record->fd < 0) {
		return result_errno();
	}
	r = record_reader_init(&record->reader, record->fd);
	if (r < 0) {
		return r;
	}
	base = mmap(NULL, WIRE_EVENTS_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED) {
		return result_errno();
	}
	client->events = base;
	client->slot_base = (unsigned char *)base + WIRE_SLOTS_OFFSET;
	client->slots = WIRE_SLOTS;
	client->wake_product = eventfd(1, EFD_CLOEXEC);
	if (client->wake_product < 0) {
		return result_errno();
	}
	return record_survey(client);
}

int bailey_client_open_record(struct bailey_client **ret_client,
			      const char *path)
{
	struct bailey_client *client;
	int r = client_new(&client);

	if (r < 0) {
		return r;
	}
	r = record_attach(client, path);
	if (r < 0) {
		bailey_client_close(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

void client_record_free(struct client_record *record)
{
	if (record != NULL && record->fd >= 0) {
		close(record->fd);
	}
	free(record);
}

int client_record_subscribe(struct bailey_client *client,
			    const struct bailey_subscription *list,
			    size_t count)
{
	struct client_record *record = client->record;
	int r = 0;

	pthread_mutex_lock(&client->lock);
	for (size_t i = 0; i < count && r == 0; i++) {
		int row = client_event_row(list[i].kind);

		if (!(list[i].flags & BAILEY_WANT_OPTIONAL) &&
		    (row < 0 || client->known[row][0] == BAILEY_KNOWN_ABSENT)) {
			r = -ENOTSUP;
		}
	}
	if (r == 0) {
		for (size_t i = 0; i < count; i++) {
			record->kinds[i] = list[i].kind;
		}
		record->kind_count = count;
	}
	pthread_mutex_unlock(&client->lock);
	return r;
}

/* Control events always come. */
static bool is_wanted(const struct client_record *record, uint32_t kind)
{
	for (size_t i = 0; i < record->kind_count; i++) {
		if (record->kinds[i] == kind) {
			return true;
		}
	}
	return record->kind_count == 0 || kind < BAILEY_EVENT_PROCESS_EXEC;
}

static bool path_matches(const struct wire_event *event, unsigned field,
			 const char *path)
{
	struct bailey_string s;
	size_t length = strlen(path);

	if (slot_string(event, field, &s) < 0 || s.length < length ||
	    memcmp(s.bytes, path, length) != 0) {
		return false;
	}
	return s.length == length || path[length - 1] == '/';
}

static bool mute_matches(const struct bailey_mute *mute,
			 const struct wire_event *event)
{
	int64_t n;

	if (mute->kind != 0 && mute->kind != event->kind) {
		return false;
	}
	switch (mute->by) {
	case BAILEY_MUTE_UID:
		return slot_number(event, BAILEY_FIELD_UID, &n) == 0 &&
		       (uint64_t)n == mute->number;
	case BAILEY_MUTE_PATH:
		return !(slot_number(event, BAILEY_FIELD_PATH_FOREIGN, &n) ==
			 0 && n != 0) &&
		       path_matches(event, BAILEY_FIELD_PATH, mute->path);
	case BAILEY_MUTE_EXE:
		return path_matches(event, BAILEY_FIELD_EXE_PATH, mute->path);
	}
	return false;
}

/* session_lock held. */
static bool is_muted(const struct bailey_client *client,
		     const struct wire_event *event)
{
	for (size_t i = 0; i < client->mute_count; i++) {
		if (mute_matches(&client->mute[i], event)) {
			return true;
		}
	}
	return false;
}

/* Both locks held. */
static int next_locked(struct bailey_client *client,
		       struct bailey_event **ret_event)
{
	struct record_content content;
	struct wire_event *wire;
	uint32_t slot = 0;
	int r;

	while (atomic_load_explicit(&client->event[slot].refs,
				    memory_order_acquire) != 0) {
		if (++slot == client->slots) {
			return -BAILEY_E_FULL;
		}
	}
	wire = (void *)(uintptr_t)(client->slot_base +
				   (size_t)slot * WIRE_SLOT_SIZE);
	do {
		r = record_read(&client->record->reader, wire, &content);
	} while (r > 0 && (!is_wanted(client->record, wire->kind) ||
			   is_muted(client, wire)));
	if (r <= 0) {
		return r == 0 ? -EPIPE : r;
	}
	*ret_event = client_event_take(client, slot);
	(*ret_event)->content = content;
	return 1;
}

int client_record_next(struct bailey_client *client,
		       struct bailey_event **ret_event)
{
	int r;

	pthread_mutex_lock(&client->session_lock);
	pthread_mutex_lock(&client->lock);
	r = next_locked(client, ret_event);
	pthread_mutex_unlock(&client->lock);
	pthread_mutex_unlock(&client->session_lock);
	return r;
}

/* Behind what was recorded nothing is known, but for the object's end. */
int client_record_file_read(struct bailey_event *event, uint64_t offset,
			    void *buffer, size_t size)
{
	const struct record_content *content = &event->content;
	int64_t whole;
	ssize_t n;

	if (!(event->flags & WIRE_EVENT_FILE)) {
		return -ENODATA;
	}
	if (offset >= content->size) {
		if (slot_number(event->wire, BAILEY_FIELD_SIZE, &whole) < 0) {
			return -ENODATA;
		}
		return offset >= (uint64_t)whole ? 0 : -ENODATA;
	}
	if (size > content->size - offset) {
		size = (size_t)(content->size - offset);
	}
	n = pread(event->client->record->fd, buffer, size,
		  (off_t)(content->offset + offset));
	return n < 0 ? result_errno() : (int)n;
}

static int content_copy(struct bailey_event *event, int to)
{
	char chunk[4096];
	uint64_t done = 0;

	while (done < event->content.size) {
		int n = client_record_file_read(event, done, chunk,
						sizeof(chunk));

		if (n <= 0 || pwrite(to, chunk, (size_t)n, (off_t)done) != n) {
			return -ENODATA;
		}
		done += (uint64_t)n;
	}
	return 0;
}

/* Lock held. The recorded bytes as a file, made when first asked for. */
int client_record_file(struct bailey_event *event)
{
	char path[32];
	int fd cleanup_fd = -1;
	int file;

	if (!(event->flags & WIRE_EVENT_FILE)) {
		return -ENODATA;
	}
	fd = memfd_create("recorded", MFD_CLOEXEC);
	if (fd < 0 || content_copy(event, fd) < 0) {
		return -ENODATA;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0) {
		file = fd_take(&fd);
	}
	atomic_store_explicit(&event->file, file, memory_order_release);
	return file;
}
